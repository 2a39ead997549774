package cltv

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"
)

// steadyFormula answers what it was given to say.
type steadyFormula struct {
	value float64
	ok    bool
	seen  *Aggregates
}

func (f steadyFormula) Value(a *Aggregates) (float64, bool) {
	if f.seen != nil {
		*f.seen = *a
	}
	return f.value, f.ok
}

func valued(t *testing.T, v Valuation, tables *Tables) *Params {
	t.Helper()
	ev := policyEvent(Policy{Number: 5, MarginPPM: 400_000, HorizonDays: 1000, TicketCostMinor: 300, Valuations: []Valuation{v}})
	params, _, err := with(t, nil, modelEvent(cdnow), modelEvent(byTenure)).With(&ev, tables)
	if err != nil {
		t.Fatal(err)
	}
	return params
}

// TestMethods: each by hand, for one who bought for 90.00 in 730 days, at a margin of 40 %, with a ticket of 3.00.
func TestMethods(t *testing.T) {
	ticket := fact(KindTicketOpened, 10, func(e *Event) { e.Ref = "t" })
	events := []Event{order(0, 4000), order(300, 5000), ticket}
	yearly := (3600. - 300) / 2
	twoYears := yearly*.9/1.1 + yearly*.9*.6/1.21 + yearly*.9*.6*.6/1.331*(270./365)
	_, predictive := judged(t, valued(t, Valuation{Method: ValuePredictive}, nil), 730, events...)
	for _, c := range []struct {
		v        Valuation
		residual float64
		method   Method
		basis    Basis
	}{
		// 45.00 a purchase, one a year, for four years, at 40 %; less 36.00.
		{Valuation{Method: ValueSimple, YearlyChurnPPM: 250_000}, 4500*1*4*.4 - 3600, MethodSimple, BasisRule},
		{Valuation{Method: ValueSimple, YearlyChurnPPM: 900_000}, 0, MethodSimple, BasisRule},
		{Valuation{Method: ValueHistorical}, 0, MethodHistorical, BasisRule},
		{Valuation{Method: ValueDynamic, RetentionPPM: []int32{900_000, 600_000}}, twoYears, MethodDynamic, BasisRule},
		{Valuation{Method: ValueContractual}, 0, MethodNone, BasisInsufficientData},
		{Valuation{}, float64(predictive.ResidualMinor), MethodBGNBDGammaGamma, BasisIndividual},
	} {
		_, score := judged(t, valued(t, c.v, nil), 730, events...)
		if math.Abs(float64(score.ResidualMinor)-c.residual) > 1 || score.Method != c.method || score.Basis != c.basis {
			t.Errorf("%v: %d by %d on %d, want %f by %d on %d", c.v.Method, score.ResidualMinor, score.Method, score.Basis, c.residual, c.method, c.basis)
		}
		if score.CLTVMinor != 3600-300+score.ResidualMinor || score.AlivePPM != predictive.AlivePPM || score.ChurnPPM != predictive.ChurnPPM {
			t.Errorf("%v: cltv %d, alive %d, churn %d", c.v.Method, score.CLTVMinor, score.AlivePPM, score.ChurnPPM)
		}
		if c.basis == BasisRule && (score.ResidualLowMinor != score.ResidualMinor || score.ResidualHighMinor != score.ResidualMinor ||
			score.ValueAtRiskMinor != mulDiv(score.ResidualMinor, int64(score.ChurnPPM), million)) {
			t.Errorf("%v: %+v", c.v.Method, score)
		}
	}
	// Contracts alone count by the contractual method.
	both := append(monthly("sub", 30, 60), order(3, 5000))
	_, sum := judged(t, valued(t, Valuation{}, nil), 75, both...)
	if _, score := judged(t, valued(t, Valuation{Method: ValueContractual}, nil), 75, both...); score.ResidualMinor != sum.Contracts.ResidualMinor ||
		score.ResidualMinor == sum.ResidualMinor || score.Method != MethodSBG {
		t.Errorf("contractual: %d, contracts are worth %d of %d", score.ResidualMinor, sum.Contracts.ResidualMinor, sum.ResidualMinor)
	}
	// Nobody is valued before a purchase.
	_, none := judged(t, valued(t, Valuation{Method: ValueSimple, YearlyChurnPPM: 1}, nil), 20, ticket)
	if none.Basis != BasisInsufficientData || none.ResidualMinor != 0 {
		t.Errorf("without a purchase: %+v", none)
	}
	// A segment has its own.
	gold := valued(t, Valuation{Segment: "gold", Method: ValueHistorical}, nil)
	profile := fact(KindProfile, 5, func(e *Event) { e.Segment = "gold" })
	if _, score := judged(t, gold, 730, append(events, profile)...); score.Method != MethodHistorical {
		t.Errorf("in the segment: %d", score.Method)
	}
	if _, score := judged(t, gold, 730, events...); score.Method != MethodBGNBDGammaGamma {
		t.Errorf("outside the segment: %d", score.Method)
	}
}

// TestCustomMethod: a formula sees the figures, and what isn't a number values nothing.
func TestCustomMethod(t *testing.T) {
	var seen Aggregates
	formulas := func(f steadyFormula) *Tables {
		return &Tables{Formulas: func(text string) (Formula, error) {
			if text != "net" {
				return nil, fmt.Errorf("1:1: unknown %s", text)
			}
			return f, nil
		}}
	}
	events := append(monthly("sub", 30, 60), order(3, 5000),
		fact(KindTicketOpened, 40, func(e *Event) { e.Ref, e.Flag = "t", true }),
		fact(KindSurveyAnswer, 50, func(e *Event) { e.Number = 9 }))
	custom := Valuation{Method: ValueCustom, Formula: "net"}
	s, score := judged(t, valued(t, custom, formulas(steadyFormula{12.345, true, &seen})), 75, events...)
	if score.ResidualMinor != 1235 || score.Method != MethodCustom || score.Basis != BasisRule {
		t.Errorf("%d by %d on %d", score.ResidualMinor, score.Method, score.Basis)
	}
	_, predicted := judged(t, valued(t, Valuation{}, nil), 75, events...)
	yearly := 1000. * 365
	want := Aggregates{
		Gross: 80, Net: 80, Margin: 32, ServiceCost: 3, Purchases: 4, AgeDays: 75, SilentDays: 15, MeanPurchase: 20, PurchasesPerYear: 4,
		Subscriptions: 1, RecurringPerYear: yearly / 30 / 100, TenureDays: 75, Alive: float64(predicted.AlivePPM) / 1e6,
		Churn: float64(predicted.ChurnPPM) / 1e6, ExpectedPurchases: float64(predicted.ExpectedPPM) / 1e6,
		ExpectedSpend: float64(predicted.ExpectedSpendMinor) / 100, PredictedValue: float64(predicted.ResidualMinor) / 100,
		OpenTickets: 1, Complaints: 1, LastScore: 9, HorizonDays: 1000, Discount: .1, MarginRate: .4,
	}
	if seen != want {
		t.Errorf("a formula sees\n%+v, should be\n%+v", seen, want)
	}
	for _, value := range []steadyFormula{{value: -5, ok: true}, {value: 1e300, ok: true}, {ok: false}} {
		_, score := judged(t, valued(t, custom, formulas(value)), 75, events...)
		if score.ResidualMinor < 0 || score.ResidualMinor > maxTotalMinor || value.ok != (score.Basis == BasisRule) {
			t.Errorf("%+v gives %d on %d", value, score.ResidualMinor, score.Basis)
		}
	}
	var f Folder
	var explained string
	for _, l := range f.Explain(s, valued(t, custom, formulas(steadyFormula{12.345, true, nil}))) {
		if l.Name == "prediction.residual" {
			explained = l.Value + " " + l.Formula
		}
	}
	if explained != "12.35 USD net" {
		t.Errorf("explained as %q", explained)
	}
	for _, tables := range []*Tables{nil, {}, formulas(steadyFormula{})} {
		ev := policyEvent(Policy{Number: 9, Valuations: []Valuation{{Method: ValueCustom, Formula: "nett"}}})
		_, _, err := (*Params)(nil).With(&ev, tables)
		if r, ok := errors.AsType[*Refusal](err); !ok || r.Field != "valuations.formula" {
			t.Errorf("a formula that can't be read: %v", err)
		}
	}
}

// TestCustomMethodIsLookedAtInTime: a formula may use more than purchases, so that who bought nothing is looked at again, too, and a fact
// that is dated ahead on its day.
func TestCustomMethodIsLookedAtInTime(t *testing.T) {
	params := valued(t, Valuation{Method: ValueCustom, Formula: "x"}, &Tables{Formulas: func(string) (Formula, error) { return steadyFormula{1, true, nil}, nil }})
	today := int32(testStart / testDay)
	for _, c := range []struct {
		ev   Event
		want int32
	}{
		{fact(KindTicketOpened, 0, func(e *Event) { e.Ref, e.Flag = "t", true }), today + DefaultRescoreDays},
		{fact(KindSurveyAnswer, 3, func(e *Event) { e.Number = 9 }), today + 3},
		{fact(KindSubscriptionStarted, 5, func(e *Event) { e.Ref, e.AmountMinor, e.Currency, e.Number = "s", 900, "USD", 30 }), today + 5},
	} {
		var f Folder
		var s State
		c.ev.RecordedAt = testStart
		if step := f.Fold(&s, &c.ev, At{Params: params}); step.Outcome != Applied || s.DueDay() != c.want {
			t.Errorf("%v: %v, due on day %d, want %d", c.ev.Kind, step.Outcome, s.DueDay(), c.want)
		}
	}
}

// TestMostAtRisk: many contracts of the greatest price have no more at risk than a state can store.
func TestMostAtRisk(t *testing.T) {
	var events []Event
	for n := range 9 {
		list := monthly(fmt.Sprint("s", n))
		list[0].AmountMinor, list[0].Parent, list[0].Number, list[0].SourceEventID = MaxAmountMinor, "", 1, fmt.Sprint(n)
		events = append(events, list[0])
	}
	ev := policyEvent(Policy{Number: 5, HorizonDays: 3660, Valuations: []Valuation{{Method: ValueContractual}}})
	s, score := judged(t, with(t, nil, modelEvent(byTenure), ev), 31, events...)
	var again State
	if err := again.Decode(s.AppendTo(nil)); err != nil || score.ValueAtRiskMinor > maxTotalMinor {
		t.Errorf("%d at risk, %v", score.ValueAtRiskMinor, err)
	}
}

// TestRefusedValuations: each names its field.
func TestRefusedValuations(t *testing.T) {
	for _, c := range []struct {
		field string
		p     Policy
	}{
		{"valuations.yearly_churn_ppm", Policy{Valuations: []Valuation{{Method: ValueSimple}}}},
		{"valuations.yearly_churn_ppm", Policy{Valuations: []Valuation{{Method: ValueSimple, YearlyChurnPPM: 1_000_001}}}},
		{"valuations.yearly_churn_ppm", Policy{Valuations: []Valuation{{Method: ValueDynamic, RetentionPPM: []int32{1}, YearlyChurnPPM: 1}}}},
		{"valuations.retention_ppm", Policy{Valuations: []Valuation{{Method: ValueDynamic}}}},
		{"valuations.retention_ppm", Policy{Valuations: []Valuation{{Method: ValueDynamic, RetentionPPM: []int32{-1}}}}},
		{"valuations.formula", Policy{Valuations: []Valuation{{Method: ValueCustom}}}},
		{"valuations.formula", Policy{Valuations: []Valuation{{Formula: "net"}}}},
		{"valuations.formula", Policy{Valuations: []Valuation{{Method: ValueCustom, Formula: strings.Repeat("1", 2001)}}}},
		{"valuations.method", Policy{Valuations: []Valuation{{Method: 7}}}},
		{"valuations.segment", Policy{Valuations: []Valuation{{Segment: "a"}, {Segment: "a"}}}},
		{"margin_by_product[book]", Policy{MarginByProduct: map[string]int32{"book": -1}}},
		{"margin_by_product", Policy{MarginByProduct: map[string]int32{"": 1}}},
		{"financial_year_month", Policy{FinancialYearMonth: 13}},
		{"grace_days", Policy{GraceDays: 367}},
	} {
		ev := policyEvent(c.p)
		_, _, err := (*Params)(nil).With(&ev, nil)
		if r, ok := errors.AsType[*Refusal](err); !ok || r.Field != c.field {
			t.Errorf("%s: %v", c.field, err)
		}
	}
}

// TestMarginsByProduct: a known cost counts more than the product's margin, that more than the policy's; a renewal has
// the margin of its plan; what falls out keeps its own.
func TestMarginsByProduct(t *testing.T) {
	sell := func(day int, product string, cost int64) Event {
		ev := order(day, 10_000)
		ev.Product = product
		if cost >= 0 {
			ev.HasCost, ev.CostMinor, ev.CostCurrency = true, cost, "USD"
		}
		return ev
	}
	events := []Event{sell(0, "book", -1), sell(1, "toy", -1), sell(2, "book", 1000)}
	events = append(events, monthly("sub", 30)...)
	up := fact(KindSubscriptionChanged, 15, func(e *Event) { e.Ref, e.Product, e.AmountMinor, e.Currency, e.Number = "sub", "pro", 1000, "USD", 30 })
	events = append(events, up)
	policy := Policy{Number: 1, MarginPPM: 500_000, MarginByProduct: map[string]int32{"book": 200_000, "pro": 900_000}}
	// 20 % of the book, half of the toy, the book less its cost, half of the start, 90 % of the renewal.
	const want = 2000 + 5000 + 9000 + 500 + 900
	_, score := judged(t, with(t, nil, modelEvent(cdnow), policyEvent(policy)), 40, events...)
	if score.MarginMinor != want {
		t.Errorf("margin %d, want %d", score.MarginMinor, want)
	}
	policy.KeepTransactions = 8
	for day := range 8 {
		events = append(events, sell(50+day, "toy", -1))
	}
	s, score := judged(t, with(t, nil, modelEvent(cdnow), policyEvent(policy)), 60, events...)
	if s.closedSales.days == 0 || score.MarginMinor != want+8*5000 {
		t.Errorf("margin %d after some fell out, want %d", score.MarginMinor, want+8*5000)
	}
	// What is to come has the margin of the products bought: 8 toys and nothing else are kept.
	policy.MarginByProduct["toy"] = 250_000
	_, quarter := judged(t, with(t, nil, modelEvent(cdnow), policyEvent(policy)), 60, events...)
	if math.Abs(float64(2*quarter.ResidualMinor-score.ResidualMinor)) > 2 {
		t.Errorf("residual %d at a quarter, %d at a half", quarter.ResidualMinor, score.ResidualMinor)
	}
}

// TestFinancialYear: what stands since it began, also where sales fell out, and anew on its first day.
func TestFinancialYear(t *testing.T) {
	var p Policy
	p.FinancialYearMonth = 4
	for day, want := range map[string]string{"1997-03-31": "1996-04-01", "1997-04-01": "1997-04-01", "1996-02-29": "1995-04-01", "1997-12-31": "1997-04-01"} {
		if got := dayText(p.financialYear(dayNamed(t, day))); got != want {
			t.Errorf("%s is in the year of %s, want %s", day, got, want)
		}
	}
	first := int(dayNamed(t, "1998-01-01") - int32(testStart/testDay))
	for _, keep := range []int32{8, 32} {
		params := with(t, nil, modelEvent(cdnow), policyEvent(Policy{Number: 1, KeepTransactions: keep}))
		var events []Event
		for day := first - 10; day < first+12; day += 2 {
			events = append(events, order(day, 100))
		}
		refund := order(first+13, 100)
		refund.Kind, refund.Parent, refund.Code2 = KindRefund, order(first, 0).SourceEventID, 2
		if keep > 8 {
			events = append(events, refund)
		}
		want := int64(600)
		if keep > 8 {
			want = 500
		}
		s, score := judged(t, params, first+20, events...)
		if score.FinancialYearMinor != want {
			t.Errorf("keeping %d: %d, want %d", keep, score.FinancialYearMinor, want)
		}
		var f Folder
		if reassess(s, params, testStart+int64(first+365)*testDay); f.Score(s, params).FinancialYearMinor != 0 {
			t.Errorf("keeping %d: something stands on the first day of the next year", keep)
		}
	}
}

func dayNamed(t *testing.T, name string) int32 {
	t.Helper()
	at, err := time.Parse(time.DateOnly, name)
	if err != nil {
		t.Fatal(err)
	}
	return int32(at.Unix() / daySeconds)
}
