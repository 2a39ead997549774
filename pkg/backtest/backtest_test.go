package backtest_test

import (
	"bufio"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/perennial-cltv/perennial/pkg/backtest"
	"github.com/perennial-cltv/perennial/pkg/btyd"
)

// cdnow is the published sample (see services/perennial/cdnow for where it comes
// from), and the last day of its calibration.
func cdnow(t testing.TB) (*backtest.Ledger, int32) {
	t.Helper()
	f, err := os.Open("../../services/perennial/cdnow/CDNOW_sample.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	l := new(backtest.Ledger)
	for lines := bufio.NewScanner(f); lines.Scan(); {
		columns := strings.Fields(lines.Text())
		var dollars float64
		if _, err := fmt.Sscan(columns[4], &dollars); err != nil {
			t.Fatal(err)
		}
		l.Add(columns[1], day(t, columns[2]), int64(math.Round(100*dollars)))
	}
	return l, day(t, "19970930")
}

func day(t testing.TB, text string) int32 {
	t.Helper()
	at, err := time.Parse("20060102", text)
	if err != nil {
		t.Fatal(err)
	}
	return int32(at.Unix() / 86_400)
}

func near(t *testing.T, what string, got, want, within float64) {
	t.Helper()
	if !(math.Abs(got-want) <= within) {
		t.Errorf("%s is %v, want %v ± %v", what, got, want, within)
	}
}

func method(t *testing.T, r *backtest.Result, name string) *backtest.Method {
	t.Helper()
	for i := range r.Methods {
		if r.Methods[i].Name == name {
			return &r.Methods[i]
		}
	}
	t.Fatalf("no method %s", name)
	return nil
}

// TestCDNOW holds the backtest to the published figures: 39 weeks after 39 weeks.
func TestCDNOW(t *testing.T) {
	l, until := cdnow(t)
	r, err := backtest.Run(l, backtest.Window{Until: until, HorizonDays: 273}, 100)
	if err != nil {
		t.Fatal(err)
	}
	if r.Customers != 2357 || r.Repeaters != 946 || r.RepeatTransactions != 2457 || r.HorizonTransactions != 1882 || r.Later != 0 {
		t.Errorf("%d customers, %d repeaters, %d and %d transactions, %d later", r.Customers, r.Repeaters, r.RepeatTransactions, r.HorizonTransactions, r.Later)
	}
	for _, want := range []struct {
		name                      string
		logLikelihood, mae, rmse  float64
		correlation, spearmanFrom float64
	}{
		{"BG/NBD", -9582.4292, .7855, 1.6080, .626, .44},
		{"Pareto/NBD", -9594.9762, .7545, 1.6028, .630, .45},
	} {
		m := method(t, r, want.name)
		near(t, want.name+" ln L", m.Report.LogLikelihood, want.logLikelihood, 1e-4)
		near(t, want.name+" MAE", m.Purchases.Errors.MAE, want.mae, 5e-5)
		near(t, want.name+" RMSE", m.Purchases.Errors.RMSE, want.rmse, 5e-5)
		near(t, want.name+" correlation", m.Purchases.Errors.Correlation, want.correlation, 5e-4)
		if m.Purchases.Order.Spearman < want.spearmanFrom {
			t.Errorf("%s: Spearman %v", want.name, m.Purchases.Order.Spearman)
		}
	}
	rate := method(t, r, "rate so far").Purchases.Errors
	near(t, "naive MAE", rate.MAE, 1.024, 5e-4)
	near(t, "naive RMSE", rate.RMSE, 2.212, 5e-4)
	near(t, "naive correlation", rate.Correlation, .584, 5e-4)
	near(t, "Gamma–Gamma ln L", r.Spend.Report.LogLikelihood, -4055.9177, 1e-4)

	// The answer is chosen without the future, and no worse than the best in it.
	chosen := method(t, r, r.Choice.Model).Purchases
	for _, m := range r.Methods {
		if m.Baseline {
			continue
		}
		if chosen.Errors.MAE > m.Purchases.Errors.MAE || chosen.Order.Spearman < m.Purchases.Order.Spearman {
			t.Errorf("%s was chosen, and %s is better: MAE %.4f and %.4f, Spearman %.4f and %.4f", r.Choice.Model, m.Name,
				chosen.Errors.MAE, m.Purchases.Errors.MAE, chosen.Order.Spearman, m.Purchases.Order.Spearman)
		}
	}
	t.Logf("chosen: %s, %s; %+v", r.Choice.Model, r.Choice.Reason, r.Choice.Trials)
	for _, m := range r.Methods {
		t.Logf("%-11s %+v", m.Name, m.Purchases.Order)
		if m.Buys != nil {
			t.Logf("   buys %+v, intervals %+v %+v, tracking %.1f %.1f %.1f", *m.Buys, *m.PurchaseInterval, *m.MoneyInterval,
				m.Tracking.CutErrorPercent, m.Tracking.EndErrorPercent, m.Tracking.HorizonMAPE)
			t.Logf("   money %+v", m.Money.Errors)
		}
	}
}

// population simulates customers who come over a year and are watched for three.
func population(model btyd.PurchaseModel, customers int, seed uint64) *backtest.Ledger {
	rng := rand.New(rand.NewPCG(seed, 1))
	l := new(backtest.Ledger)
	for c := range customers {
		first := int32(rng.IntN(365))
		spend := 1000 + rng.ExpFloat64()*3000
		key := fmt.Sprint("c-", c)
		l.Add(key, first, int64(spend))
		for _, weeks := range model.Simulate(rng, float64(3*365-first)/7) {
			l.Add(key, first+int32(weeks*7), int64(spend*(.5+rng.Float64())))
		}
	}
	return l
}

// TestTruth: customers of a known model are predicted without bias, probabilities
// and intervals hold what they say, and the model isn't beaten by a baseline.
func TestTruth(t *testing.T) {
	truth := btyd.ParetoNBD{R: .8, Alpha: 20, S: .7, Beta: 40}
	r, err := backtest.Run(population(truth, 8_000, 3), backtest.Window{Until: 730, HorizonDays: 365}, 100)
	if err != nil {
		t.Fatal(err)
	}
	m := method(t, r, "Pareto/NBD")
	if len(m.NotIdentified) > 0 {
		t.Fatal(m.NotIdentified)
	}
	near(t, "bias %", m.Purchases.Errors.BiasPercent, 0, 5)
	near(t, "error of tracking at the end, %", m.Tracking.EndErrorPercent, 0, 4)
	near(t, "calibration error", m.Buys.CalibrationError, 0, .02)
	near(t, "purchases in the interval", m.PurchaseInterval.Covered, m.PurchaseInterval.Expected, .015)
	near(t, "decile MAPE", m.Purchases.DecileMAPE, 0, 15)
	for k, n := range r.Distribution {
		near(t, fmt.Sprint("customers with ", k, " purchases"), m.Distribution[k], n, 4*math.Sqrt(n)+60)
	}
	for _, name := range []string{"rate so far", "recency", "past spend"} {
		if b := method(t, r, name); b.Purchases.Order.Gini > m.Purchases.Order.Gini {
			t.Errorf("%s has the better order: %v and %v", name, b.Purchases.Order.Gini, m.Purchases.Order.Gini)
		}
	}
}

// TestNothingIsMadeUp: what a history doesn't tell has a reason instead of a number.
func TestNothingIsMadeUp(t *testing.T) {
	window := backtest.Window{Until: 400, HorizonDays: 100}
	one := new(backtest.Ledger)
	for d := range int32(500) {
		for range 2000 {
			one.Add("only", d, 100)
		}
	}
	singles := new(backtest.Ledger)
	for c := range 2000 {
		singles.Add(fmt.Sprint(c), int32(c%300), 500)
	}
	free := population(btyd.BGNBD{R: .8, Alpha: 10, A: .8, B: 2.5}, 3000, 5)
	nothing := new(backtest.Ledger)
	loyal := new(backtest.Ledger) // nobody ever leaves
	rng := rand.New(rand.NewPCG(7, 7))
	for c := range 3000 {
		key, gap := fmt.Sprint(c), 10+rng.ExpFloat64()*40
		for d := rng.Float64() * 100; d < 500; d += rng.ExpFloat64() * gap {
			loyal.Add(key, int32(d), 1000)
			nothing.Add(key, int32(d), 0)
		}
	}
	for name, l := range map[string]*backtest.Ledger{"one customer with a million rows": one, "single buyers": singles} {
		r, err := backtest.Run(l, window, 100)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, m := range r.Methods {
			if !m.Baseline && (len(m.NotIdentified) == 0 || m.Purchases != nil || m.Buys != nil) {
				t.Errorf("%s: %s says %+v", name, m.Name, m)
			}
		}
		if r.Choice.Model != "" || len(r.Spend.NotIdentified) == 0 {
			t.Errorf("%s: %+v, spend %v", name, r.Choice, r.Spend)
		}
	}
	for name, c := range map[string]struct {
		l    *backtest.Ledger
		says string
	}{"loyal customers": {loyal, "dropout not identified"}} {
		r, err := backtest.Run(c.l, window, 100)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, m := range r.Methods {
			if !m.Baseline && !strings.Contains(strings.Join(m.NotIdentified, "; "), c.says) {
				t.Errorf("%s: %s says %q", name, m.Name, m.NotIdentified)
			}
		}
	}
	r, err := backtest.Run(nothing, window, 100)
	if err != nil || len(r.Spend.NotIdentified) == 0 || r.Spend.WithoutMoney == 0 {
		t.Errorf("purchases for nothing: %+v, %v", r.Spend, err)
	}
	if _, err := backtest.Run(new(backtest.Ledger), window, 100); err == nil {
		t.Error("an empty ledger has a result")
	}
	if _, err := backtest.Run(free, backtest.Window{Until: -1, HorizonDays: 10}, 100); err == nil {
		t.Error("a cut before the first purchase has a result")
	}
}

// TestClosedShop: where nothing was bought in the days on which models would be
// compared, the answer says so, and is the likeliest model.
func TestClosedShop(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 1))
	l := new(backtest.Ledger)
	for c := range 3000 {
		first := int32(rng.IntN(365))
		days := []int32{first}
		for _, weeks := range (btyd.ParetoNBD{R: .8, Alpha: 8, S: .7, Beta: 30}).Simulate(rng, float64(1000-first)/7) {
			days = append(days, first+int32(weeks*7))
		}
		for _, day := range days {
			if day <= 610 || day > 640 {
				l.Add(fmt.Sprint(c), day, 100)
			}
		}
	}
	r, err := backtest.Run(l, backtest.Window{Until: 640, HorizonDays: 30}, 100)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(r.Choice.Reason, "NaN") {
		t.Errorf("the reason is %q", r.Choice.Reason)
	}
	usable := 0
	for _, m := range r.Methods {
		if !m.Baseline && len(m.NotIdentified) == 0 {
			usable++
			if chosen := method(t, r, r.Choice.Model); m.Report.LogLikelihood > chosen.Report.LogLikelihood {
				t.Errorf("%s was chosen, %s is likelier", chosen.Name, m.Name)
			}
		}
	}
	if usable < 2 || !strings.Contains(r.Choice.Reason, "nothing was bought in them") {
		t.Errorf("the reason is %q", r.Choice.Reason)
	}
	t.Logf("%d models are usable; %s: %s", usable, r.Choice.Model, r.Choice.Reason)

	for _, w := range []backtest.Window{{Until: math.MaxInt32 - 100, HorizonDays: 200}, {Until: 300, HorizonDays: 0}, {Until: 300, HorizonDays: 1 << 30}} {
		if _, err := backtest.Run(l, w, 100); err == nil {
			t.Errorf("%+v has a result", w)
		}
	}
}

// TestSplit: the order of rows and equal days don't matter, and the cut is where it is said to be.
func TestSplit(t *testing.T) {
	rows := []struct {
		key   string
		day   int32
		minor int64
	}{{"a", 5, 100}, {"a", 5, 50}, {"a", 9, 7}, {"a", 10, 8}, {"a", 11, 9}, {"a", 20, 11}, {"b", 10, 1}, {"c", 11, 1}, {"d", 1, 3}, {"d", 21, 5}}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		l := new(backtest.Ledger)
		rng.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
		for _, r := range rows {
			l.Add(r.key, r.day, r.minor)
		}
		got, later := l.Split(backtest.Window{Until: 10, HorizonDays: 10})
		want := "[{a {2 5 10} 15 150 2 20} {b {0 10 10} 0 1 0 0} {d {0 1 1} 0 3 0 0}]"
		if later != 1 || fmt.Sprint(got) != want {
			t.Fatalf("%d later, %v, want %s", later, got, want)
		}
	}
}
