package formula

import (
	"math"
	"reflect"
	"strings"
	"sync"
	"testing"
	"unicode"

	"github.com/perennial-cltv/perennial/pkg/cltv"
)

// someone is a customer of whom every number is another.
func someone() *cltv.Aggregates {
	return &cltv.Aggregates{
		Gross: 1250, Refunded: 50, Net: 1200, Margin: 480, ServiceCost: 31.5, AcquisitionCost: 60,
		Purchases: 8, AgeDays: 700, SilentDays: 45, MeanPurchase: 150, PurchasesPerYear: 4.25,
		Subscriptions: 1, RecurringPerYear: 240, TenureDays: 500,
		Alive: .8, Churn: .3, ExpectedPurchases: 3.5, ExpectedSpend: 145, PredictedValue: 210,
		OpenTickets: 2, Complaints: 3, FailedPayments: 4, LastScore: 9,
		HorizonDays: 365, Discount: .1, MarginRate: .4, Segment: "gold", Region: "süd",
	}
}

func mustCompile(t testing.TB, text string) cltv.Formula {
	t.Helper()
	f, err := Compile(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return f
}

// TestValues compares with Go's own arithmetic, to the last bit.
func TestValues(t *testing.T) {
	a := someone()
	for text, want := range map[string]float64{
		// whole and broken numbers together
		"42": 42, "-7": -7, "1.5": 1.5, "0x10": 16, "7u": 7, "1e3": 1000, ".5": .5,
		"7 / 2": 3.5, "1 / 12": 1.0 / 12, "net * (1 / 12)": 1200 * (1.0 / 12), "2 * 1.5": 3, "1.5 * 2": 3, "1 + .5": 1.5, "3 - .5": 2.5, "1 / .5": 2, ".5 / 2": .25,
		"net / purchases": 150, "net * 2": 2400, "2 * net": 2400, "net - 1": 1199, "net - 1.5": 1198.5, "purchases / 3": 8.0 / 3, "-net": -1200, "-net + 2 * -3": -1206,
		"9007199254740993":                       9007199254740992,
		"net - service_cost * 2 + purchases / 4": 1200 - 31.5*2 + 2,
		// comparisons of the two
		"silent_days > 90 ? 1 : 2": 2, "silent_days > 44.5 ? 1 : 2": 1, "silent_days == 45 ? 1 : 2": 1, "silent_days == 45.0 ? 1 : 2": 1, "45 != silent_days ? 1 : 2": 2,
		"churn < 1 ? 1 : 2": 1, "1 <= churn ? 1 : 2": 2, "churn >= .3 ? 1 : 2": 1, "purchases in [1, 8.0] ? 1 : 2": 1, "1 < 1.5 ? 1 : 2": 1, "1 == 1.0 ? 1 : 2": 1,
		// mixed branches
		"true ? 1 : 2.5": 1, "false ? 1 : 2.5": 2.5, "silent_days > 90 ? 0 : predicted_value": 210,
		// texts
		"segment == 'gold' ? 1 : 2": 1, "segment != \"gold\" ? 1 : 2": 2, "segment in ['silver', 'gold'] ? 1 : 2": 1, "!(segment in ['silver']) ? 1 : 2": 1,
		"region.startsWith('sü') ? 1 : 2": 1, "region == 'süd' && segment == 'gold' || false ? 1 : 2": 1, "region == segment ? 1 : 2": 2,
		// functions
		"min(1, .5)": .5, "max(1, 2.5, 2)": 2.5, "min(4, 3, 2, 1.5)": 1.5, "max(0, -net)": 0, "sqrt(2)": math.Sqrt2, "abs(-3)": 3, "floor(2.7)": 2, "ceil(2.1)": 3, "floor(-2.5)": -3,
		"pow(2, 10)": 1024, "pow(2, -1)": .5, "pow(10, 0)": 1, "pow(0, 0)": 1, "pow(1.5, 3)": 3.375, "pow(-2, 3)": -8, "pow(1 + discount, -horizon_days / 365)": 1 / 1.1, "pow(10, -400)": 0,
		// layout
		"net // what was paid\n  * 2": 2400, "\tnet\r\n* 2\n": 2400,
		// errors that a condition steps around
		"purchases > 8 ? net / (purchases - 8) : 5": 5, "purchases == 8 || net / (purchases - 8) > 1 ? 1 : 2": 1,
	} {
		got, ok := mustCompile(t, text).Value(a)
		if !ok || math.Float64bits(got) != math.Float64bits(want) {
			t.Errorf("%s: %v %v, want %v", text, got, ok, want)
		}
	}
}

// TestNoNumber: what isn't finite anywhere on the way is no value, even where a later step would hide it.
func TestNoNumber(t *testing.T) {
	a := someone()
	for _, text := range []string{
		"1 / 0", "0 / 0", "net / (purchases - 8)", "-net / (purchases - 8)", "min(net / (purchases - 8), 10)", "1 / (net / (purchases - 8))", "net / 0 > 1 ? 1 : 2",
		"sqrt(-1)", "pow(10, 400)", "pow(0, -1)", "pow(2, churn)", "pow(2, net)", "1e308 * 10", "0 * (1e308 * 10)",
	} {
		if v, ok := mustCompile(t, text).Value(a); ok {
			t.Errorf("%s: %v", text, v)
		}
	}
	for _, broken := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		a.Churn = broken
		for _, text := range []string{"churn", "churn > 1 ? 1 : 2", "max(churn, 1)"} {
			if v, ok := mustCompile(t, text).Value(a); ok {
				t.Errorf("%s of %v: %v", text, broken, v)
			}
		}
	}
}

// TestVariables: every field of the aggregates is there by its name in snake case, in the same order, and holds that field.
func TestVariables(t *testing.T) {
	a := someone()
	fields := reflect.ValueOf(a).Elem()
	list := Variables()
	if len(list) != fields.NumField() {
		t.Fatalf("%d variables of %d fields", len(list), fields.NumField())
	}
	for i, v := range list {
		var snake strings.Builder
		for k, c := range fields.Type().Field(i).Name {
			if unicode.IsUpper(c) && k > 0 {
				snake.WriteByte('_')
			}
			snake.WriteRune(unicode.ToLower(c))
		}
		if v.Name != snake.String() || v.Text == "" {
			t.Errorf("field %s is %+v", snake.String(), v)
		}
		switch field := fields.Field(i); field.Kind() {
		case reflect.String:
			if got, ok := mustCompile(t, v.Name+" == '"+field.String()+"' ? 1 : 0").Value(a); !ok || got != 1 || v.Type != Text {
				t.Errorf("%s: %v %v, %s", v.Name, got, ok, v.Type)
			}
		default:
			want := reflect.ValueOf(field.Interface()).Convert(reflect.TypeFor[float64]()).Float()
			if got, ok := mustCompile(t, v.Name).Value(a); !ok || got != want || v.Type != Number {
				t.Errorf("%s: %v %v, want %v, %s", v.Name, got, ok, want, v.Type)
			}
		}
	}
}

// TestConcurrent: one formula for many customers at once.
func TestConcurrent(t *testing.T) {
	f := mustCompile(t, "segment == 'gold' ? net / purchases : 0 / purchases")
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			a := someone()
			for n := range 2000 {
				a.Net, a.Purchases = float64(worker*n), int64(n)
				if v, ok := f.Value(a); ok != (n > 0) || ok && v != float64(worker) {
					t.Errorf("worker %d, %d: %v %v", worker, n, v, ok)
					return
				}
			}
		})
	}
	wg.Wait()
}

// TestStaysAccepted holds texts that a log may have, and their bits, computed apart from this in Python. A renewed library that refuses one or gives other bits would make a replay
// differ.
func TestStaysAccepted(t *testing.T) {
	for text, want := range map[string]uint64{
		"predicted_value": 0x406a400000000000,
		"silent_days > 2 * 365 / purchases_per_year ? 0 : mean_purchase * margin_rate * purchases_per_year":                    0x406fe00000000000,
		"(segment.startsWith('go') ? 1.2 : 1.0) * net / age_days * 365 * (1 - churn) * pow(1 + discount, -2) / 3":              0x406219637021d9e9,
		"recurring_per_year * margin_rate * (1 - churn) / (churn + discount) - 12.5 * (open_tickets + complaints)":             0x405a5ffffffffffe,
		"max(0, min(predicted_value, 3 * mean_purchase) - service_cost / 7) * (last_score < 0 ? 1 : .5 + last_score / 20)":     0x4068673333333333,
		"sqrt(gross * refunded) / 3 - abs(ceil(margin / 7) - floor(service_cost / 7)) + (region in ['süd', 'west'] ? .1 : .2)": 0x40326eeeeeeeeeee,
		strings.Repeat("(", 60) + "net" + strings.Repeat(" / 3)", 60):                                                          0x3aa1858c60a1c911,
	} {
		got, ok := mustCompile(t, text).Value(someone())
		if !ok || math.Float64bits(got) != want {
			t.Errorf("%s: %v %#x", text, got, math.Float64bits(got))
		}
	}
}

func BenchmarkValue(b *testing.B) {
	for _, c := range []struct{ name, text string }{
		{"one variable", "predicted_value"},
		{"short", "silent_days > 180 ? 0 : net / purchases"},
		{"usual", "silent_days > 180 ? 0 : (segment == 'gold' ? 1.2 : 1.0) * net / purchases * (1 - churn) * pow(1 + discount, -2)"},
		{"list", "segment in ['a', 'b', 'c', 'd', 'e', 'gold'] ? predicted_value * 1.1 : predicted_value"},
	} {
		b.Run(c.name, func(b *testing.B) {
			f, a := mustCompile(b, c.text), someone()
			b.ReportAllocs()
			for b.Loop() {
				f.Value(a)
			}
		})
	}
}

func BenchmarkCompile(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		mustCompile(b, "silent_days > 180 ? 0 : (segment == 'gold' ? 1.2 : 1.0) * net / purchases * (1 - churn) * pow(1 + discount, -2)")
	}
}
