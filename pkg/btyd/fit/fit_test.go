package fit

import (
	"encoding/csv"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"github.com/perennial-cltv/perennial/pkg/btyd"
)

// cdnow reads the CDNOW sample, whose customers all come in the first twelve weeks: calibration ends on day 272 after the first.
func cdnow(t testing.TB) (Base, Spends) {
	t.Helper()
	base, spends := Base{}, Spends{}
	for _, v := range cdnowLines(t) {
		first := int32(cdnowEnd - v[2])
		base.Add(History{int32(v[0]), first, first + int32(v[1])}, 1)
		if v[0] > 0 {
			spends.Add(Spend{int32(v[0]), int64(v[3])}, 1)
		}
	}
	return base, spends
}

// cdnowLines are x, tx and T in days, cents spent in repeat transactions, and transactions of the 39 weeks after.
func cdnowLines(t testing.TB) [][5]int {
	t.Helper()
	file, err := os.Open("../testdata/cdnow.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	lines, err := csv.NewReader(file).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var values [][5]int
	for _, line := range lines[1:] {
		var v [5]int
		for i := range v {
			if v[i], err = strconv.Atoi(line[i]); err != nil {
				t.Fatal(err)
			}
		}
		values = append(values, v)
	}
	return values
}

const cdnowEnd = 272

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance) {
		t.Errorf("%s: got %.10g, want %.10g", what, got, want)
	}
}

// published compares a fit with the parameters and ln L of the literature.
func published(t *testing.T, model string, r Report, ln float64, parameters ...float64) {
	t.Helper()
	near(t, model+" ln L", r.LogLikelihood, ln, 1e-4)
	for i, want := range parameters {
		near(t, model+" "+r.Parameters[i].Name, r.Parameters[i].Value, want, 1e-3*want)
	}
	if len(r.Findings) > 0 {
		t.Errorf("%s: %v", model, r.Findings)
	}
	t.Logf("%s: %d evaluations, %+v, evidence of dropout %.1f", model, r.Evaluations, r.Parameters, r.DropoutEvidence)
}

func TestPublishedFits(t *testing.T) {
	base, spends := cdnow(t)
	bg, err := BGNBD(base, cdnowEnd, Options{})
	if err != nil {
		t.Fatal(err)
	}
	published(t, "BG/NBD", bg.Report, -9582.4292, .242594, 4.41360, .792922, 2.425906)
	if bg.Customers != 2357 || bg.Repeaters != 946 {
		t.Errorf("%d customers, %d repeaters", bg.Customers, bg.Repeaters)
	}
	mbg, err := MBGNBD(base, cdnowEnd, Options{})
	if err != nil {
		t.Fatal(err)
	}
	published(t, "MBG/NBD", mbg.Report, -9582.1357, .524843, 6.18309, .891359, 1.614001)
	pareto, err := ParetoNBD(base, cdnowEnd, Options{})
	if err != nil {
		t.Fatal(err)
	}
	published(t, "Pareto/NBD", pareto.Report, -9594.9762, .553277, 10.57768, .606240, 11.66874)
	gg, err := GammaGamma(spends, 100, Options{})
	if err != nil {
		t.Fatal(err)
	}
	published(t, "Gamma–Gamma", gg.Report, -4055.9177, 6.24935, 3.74426, 15.44431)
	if gg.Customers != 946 {
		t.Errorf("%d repeaters", gg.Customers)
	}
	if gg.Model.Validate() != nil || bg.Model.Validate() != nil || mbg.Model.Validate() != nil || pareto.Model.Validate() != nil {
		t.Error("a fitted model isn't valid")
	}
	for _, p := range bg.Parameters {
		if low, high := p.Interval(.8); !(low < p.Value && p.Value < high && p.StandardError > 0 && p.StandardError < .5) {
			t.Errorf("%+v: 80 %% from %v to %v", p, low, high)
		}
	}
}

// likelihood is a sum over a sample with its gradient, and the same of one customer as package btyd has it.
type likelihood struct {
	name   string
	sum    func(at, gradient []float64) float64
	direct func(v []float64, x int, tx, T float64) float64
	draw   func(r *rand.Rand) []float64 // parameters
}

func purchaseLikelihoods(s *sample) []likelihood {
	between := func(r *rand.Rand, low, high float64) float64 { return low * math.Pow(high/low, r.Float64()) }
	geometricDraw := func(r *rand.Rand) []float64 {
		return []float64{between(r, .05, 20), between(r, .05, 300), between(r, .01, 30), between(r, .02, 60)}
	}
	return []likelihood{
		{"BG/NBD", geometric{s: s}.sum, func(v []float64, x int, tx, T float64) float64 {
			return btyd.BGNBD{R: v[0], Alpha: v[1], A: v[2], B: v[3]}.LogLikelihood(x, tx, T)
		}, geometricDraw},
		{"MBG/NBD", geometric{s: s, first: 1}.sum, func(v []float64, x int, tx, T float64) float64 {
			return btyd.MBGNBD{R: v[0], Alpha: v[1], A: v[2], B: v[3]}.LogLikelihood(x, tx, T)
		}, geometricDraw},
		{"Pareto/NBD", newPareto(s).sum, func(v []float64, x int, tx, T float64) float64 {
			return btyd.ParetoNBD{R: v[0], Alpha: v[1], S: v[2], Beta: v[3]}.LogLikelihood(x, tx, T)
		}, func(r *rand.Rand) []float64 {
			return []float64{between(r, .05, 20), between(r, .05, 300), between(r, .01, 30), between(r, .05, 3000)}
		}},
		{"NBD", steady{s}.sum, func(v []float64, x int, tx, T float64) float64 {
			return btyd.BGNBD{R: v[0], Alpha: v[1], A: 1e-300, B: 1}.LogLikelihood(x, tx, T)
		}, func(r *rand.Rand) []float64 { return geometricDraw(r)[:2] }},
	}
}

// stressBase has ordinary customers and the most extreme.
func stressBase() Base {
	base := Base{}
	for _, h := range []History{
		{0, 10, 10}, {0, 36500, 36500}, {0, 36525, 36525}, {1, 36000, 36400}, {1, 0, 36525}, {2, 36253, 36466}, {7, 36300, 36520},
		{7, 36300, 36350}, {30, 35000, 36500}, {200, 36000, 36266}, {200, 0, 36525}, {10000, 0, 36518}, {10000, 26500, 36525},
	} {
		base.Add(h, int64(1+h.X%3))
	}
	return base
}

// TestSumsAgreeWithModels: the grouped sum is that of the single customers, and the gradient that of its differences.
func TestSumsAgreeWithModels(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 15))
	s, err := newSample(stressBase(), 36525)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range purchaseLikelihoods(s) {
		for range 40 {
			v := l.draw(r)
			at := make([]float64, len(v))
			for i := range v {
				at[i] = math.Log(v[i])
			}
			want := 0.0
			for h, n := range stressBase() {
				want += float64(n) * l.direct(v, int(h.X), float64(h.Last-h.First)/7, float64(36525-h.First)/7)
			}
			near(t, l.name+" sum", l.sum(at, make([]float64, len(v))), want, 1e-10*math.Abs(want))
			checkGradient(t, l.name, l.sum, at)
		}
	}
}

// checkGradient compares with central differences of fourth order.
func checkGradient(t *testing.T, what string, sum func(at, gradient []float64) float64, at []float64) {
	t.Helper()
	gradient, unused := make([]float64, len(at)), make([]float64, len(at))
	value := sum(at, gradient)
	for i := range at {
		const step = 2e-3
		shifted := func(by float64) float64 {
			moved := append([]float64(nil), at...)
			moved[i] += by
			return sum(moved, unused)
		}
		want := (8*(shifted(step)-shifted(-step)) - (shifted(2*step) - shifted(-2*step))) / (12 * step)
		if !(math.Abs(gradient[i]-want) <= 2e-7*(math.Abs(want)+1)+1e-12*math.Abs(value)/step) {
			t.Errorf("%s at %v: gradient %d is %.12g, differences give %.12g", what, at, i, gradient[i], want)
		}
	}
}

func TestSpendSum(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	spends := Spends{{1, 1177}: 3, {2, 4469}: 1, {7, 90_000}: 2, {10_000, 5_000_000}: 1, {1, 1}: 1}
	s, err := newSpendSample(spends, 100)
	if err != nil {
		t.Fatal(err)
	}
	for range 40 {
		v := []float64{.05 * math.Pow(1000, r.Float64()), .5 * math.Pow(100, r.Float64()), math.Pow(1000, r.Float64())}
		at := []float64{math.Log(v[0]), math.Log(v[1]), math.Log(v[2])}
		want := 0.0
		for spend, n := range spends {
			want += float64(n) * btyd.GammaGamma{P: v[0], Q: v[1], Gamma: v[2]}.LogLikelihood(int(spend.X), float64(spend.Total)/100/float64(spend.X))
		}
		near(t, "sum", s.sum(at, make([]float64, 3)), want, 1e-10*math.Abs(want))
		checkGradient(t, "Gamma–Gamma", s.sum, at)
	}
}

// TestBaseMoves: an event is one decrement and one increment, and a base is as of any later day.
func TestBaseMoves(t *testing.T) {
	base := Base{}
	base.Add(History{0, 5, 5}, 2)
	base.Add(History{0, 5, 5}, -1)
	base.Add(History{1, 5, 9}, 1)
	base.Add(History{0, 40, 40}, 1)
	early, err := newSample(base, 30)
	if err != nil {
		t.Fatal(err)
	}
	late, err := newSample(base, 47)
	if err != nil {
		t.Fatal(err)
	}
	if early.customers != 2 || early.repeaters != 1 || early.days != 25 || late.customers != 3 || late.days != 42 || late.meanAge != (42+42+7)/7./3 {
		t.Errorf("%+v %+v", early, late)
	}
	base.Add(History{1, 5, 9}, -1)
	if len(base) != 2 {
		t.Errorf("an emptied cell stays: %v", base)
	}
}

func TestImpossibleData(t *testing.T) {
	var wrong *DataError
	for name, base := range map[string]Base{
		"empty":                 {},
		"only in the future":    {{0, 50, 50}: 1},
		"negative count":        {{0, 5, 5}: -1},
		"negative x":            {{-1, 5, 6}: 1},
		"last before first":     {{1, 5, 4}: 1},
		"none, but a last":      {{0, 5, 7}: 1},
		"more than a day each":  {{3, 5, 7}: 1},
		"repeat in the future":  {{1, 5, 50}: 1},
		"overflowing the range": {{1, math.MaxInt32, math.MinInt32}: 1},
	} {
		if _, err := BGNBD(base, 20, Options{}); !errors.As(err, &wrong) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, spends := range map[string]Spends{"empty": {}, "no transactions": {{0, 5}: 1}, "no money": {{1, 0}: 1}, "negative": {{1, 5}: -2}} {
		if _, err := GammaGamma(spends, 100, Options{}); !errors.As(err, &wrong) {
			t.Errorf("%s: %v", name, err)
		}
	}
	base, _ := cdnow(t)
	for _, prior := range []Prior{{Centre: []float64{1}}, {Centre: []float64{1, 5, -1, 1}}, {Sigma: -1}, {Sigma: math.NaN()}} {
		if _, err := BGNBD(base, cdnowEnd, Options{Prior: &prior}); err == nil {
			t.Errorf("prior %+v was taken", prior)
		}
	}
}

// simulated draws customers who arrive evenly over the first arrivals days and are observed to the end of day until.
func simulated(r *rand.Rand, m btyd.PurchaseModel, customers, arrivals, until int) Base {
	base := Base{}
	for range customers {
		first := r.IntN(arrivals)
		base.Add(simulatedHistory(r, m, first, until), 1)
	}
	return base
}

// simulatedHistory rounds ages to days, as all data is.
func simulatedHistory(r *rand.Rand, m btyd.PurchaseModel, first, until int) History {
	h := History{0, int32(first), int32(first)}
	for _, age := range m.Simulate(r, float64(until-first)/7) {
		if day := int32(first + int(math.Ceil(age*7))); day > h.Last && int(day) <= until {
			h.X++
			h.Last = day
		}
	}
	return h
}

// purchaseFits are the fits of all purchase models.
var purchaseFits = map[string]func(Base, int32, Options) (btyd.PurchaseModel, Report, error){
	"BG/NBD": func(b Base, until int32, o Options) (btyd.PurchaseModel, Report, error) {
		f, err := BGNBD(b, until, o)
		return f.Model, f.Report, err
	},
	"MBG/NBD": func(b Base, until int32, o Options) (btyd.PurchaseModel, Report, error) {
		f, err := MBGNBD(b, until, o)
		return f.Model, f.Report, err
	},
	"Pareto/NBD": func(b Base, until int32, o Options) (btyd.PurchaseModel, Report, error) {
		f, err := ParetoNBD(b, until, o)
		return f.Model, f.Report, err
	},
}

// TestForecast: fitted on the calibration period, the models forecast the 39 weeks after it as published.
func TestForecast(t *testing.T) {
	base, _ := cdnow(t)
	for model, most := range map[string][2]float64{"BG/NBD": {.7855, 1.6080}, "Pareto/NBD": {.7545, 1.6028}} {
		m, _, err := purchaseFits[model](base, cdnowEnd, Options{})
		if err != nil {
			t.Fatal(err)
		}
		absolute, square, customers := 0.0, 0.0, 0.0
		for _, c := range cdnowLines(t) {
			off := m.Expected(c[0], float64(c[1])/7, float64(c[2])/7, 39) - float64(c[4])
			absolute, square, customers = absolute+math.Abs(off), square+off*off, customers+1
		}
		mae, rmse := absolute/customers, math.Sqrt(square/customers)
		if mae > most[0]+5e-5 || rmse > most[1]+5e-5 {
			t.Errorf("%s: MAE %.4f, RMSE %.4f, want at most %v", model, mae, rmse, most)
		}
		t.Logf("%s: MAE %.4f, RMSE %.4f", model, mae, rmse)
	}
}

// FuzzPurchaseFits: whatever the cells, a fit is an error or a valid model with numbers.
func FuzzPurchaseFits(f *testing.F) {
	f.Add([]byte{0, 0, 0, 200, 3, 1, 40, 90, 7, 2, 9, 30}, uint16(300), true)
	f.Add([]byte{200, 0, 255, 1}, uint16(255), false)
	f.Add([]byte{0, 0, 0, 1}, uint16(0), false)
	f.Fuzz(func(t *testing.T, cells []byte, until uint16, prior bool) {
		base := Base{}
		for ; len(cells) >= 4 && len(base) < 20; cells = cells[4:] {
			base.Add(History{int32(cells[0]), int32(cells[1]), int32(cells[1]) + 4*int32(cells[2])}, int64(cells[3])*int64(cells[3]))
		}
		options := Options{}
		if prior {
			options.Prior = &Prior{}
		}
		for model, fit := range purchaseFits {
			m, report, err := fit(base, int32(until), options)
			var wrong *DataError
			if errors.As(err, &wrong) {
				continue
			}
			if err != nil || m.Validate() != nil || math.IsNaN(report.LogLikelihood) || math.IsInf(report.LogLikelihood, 0) {
				t.Errorf("%s of %v to %d: %v, %+v, %+v", model, base, until, err, m, report)
			}
			for _, p := range report.Parameters {
				if !(p.StandardError > 0) {
					t.Errorf("%s of %v to %d: %+v", model, base, until, report)
				}
			}
		}
	})
}

// TestNothingIdentified: data that can't carry a model is fitted to finite numbers, and says so.
func TestNothingIdentified(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	loyal := simulated(r, btyd.BGNBD{R: .8, Alpha: 20, A: 1e-6, B: 1}, 3000, 90, 400)
	for name, c := range map[string]struct {
		base  Base
		until int32
		want  []Kind
	}{
		"nobody leaves":       {loyal, 400, []Kind{NoDropout}},
		"nobody came back":    {Base{{0, 0, 0}: 1000}, 300, []Kind{NoDropout, FewRepeaters}},
		"one customer":        {Base{{3, 0, 60}: 1}, 90, []Kind{FewCustomers, FewRepeaters, ShortHistory, NoDropout}},
		"one day":             {Base{{0, 0, 0}: 5000}, 0, []Kind{ShortHistory, NoDropout, FewRepeaters}},
		"all alike and alive": {Base{{10, 0, 200}: 5000}, 200, []Kind{NoDropout}},
	} {
		for _, prior := range []*Prior{nil, {}} {
			for model, fit := range purchaseFits {
				m, report, err := fit(c.base, c.until, Options{Prior: prior})
				if err != nil {
					t.Fatalf("%s, %s: %v", name, model, err)
				}
				if err := m.Validate(); err != nil {
					t.Errorf("%s, %s: %v", name, model, err)
				}
				for _, kind := range c.want {
					if _, ok := report.Find(kind); !ok {
						t.Errorf("%s, %s (prior %v): no finding %s, but %v", name, model, prior, kind, report.Findings)
					}
				}
			}
		}
	}
	// Of spend, repeaters alone say something, and a hundred are enough.
	for customers, want := range map[int]bool{LeastRepeaters - 1: true, LeastRepeaters: false} {
		few := Spends{}
		for i := range customers {
			few.Add(Spend{1 + int32(i%3), int64(1000 + 37*i)}, 1)
		}
		fit, err := GammaGamma(few, 100, Options{})
		if err != nil {
			t.Fatal(err)
		}
		_, repeaters := fit.Find(FewRepeaters)
		if _, all := fit.Find(FewCustomers); all || repeaters != want || fit.Customers != int64(customers) {
			t.Errorf("%d repeaters: %+v", customers, fit.Report)
		}
	}
	// Spend that varies between customers without bound: q = 0.8.
	spends := Spends{}
	for range 4000 {
		nu := draw(r, .8) / 1000
		x := 1 + r.IntN(4)
		if total := int64(draw(r, 2*float64(x)) / nu); total > 0 {
			spends.Add(Spend{int32(x), total}, 1)
		}
	}
	fit, err := GammaGamma(spends, 100, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := fit.Find(NoMeanSpend); !ok || fit.Model.Validate() != nil {
		t.Errorf("%+v", fit)
	}
}

// draw is a standard gamma variable (Marsaglia and Tsang 2000).
func draw(r *rand.Rand, shape float64) float64 {
	if shape < 1 {
		return draw(r, shape+1) * math.Pow(r.Float64(), 1/shape)
	}
	d := shape - 1./3
	for {
		z := r.NormFloat64()
		if v := math.Pow(1+z/math.Sqrt(9*d), 3); v > 0 && math.Log(1-r.Float64()) < z*z/2+d-d*v+d*math.Log(v) {
			return d * v
		}
	}
}

// TestPrior: a prior holds a small sample and doesn't move a large one; a narrow one is the answer.
func TestPrior(t *testing.T) {
	base, _ := cdnow(t)
	free, err := BGNBD(base, cdnowEnd, Options{})
	if err != nil {
		t.Fatal(err)
	}
	held, err := BGNBD(base, cdnowEnd, Options{Prior: &Prior{}})
	if err != nil {
		t.Fatal(err)
	}
	if held.LogLikelihood > free.LogLikelihood || held.LogLikelihood < free.LogLikelihood-.5 {
		t.Errorf("ln L %v with the prior, %v without", held.LogLikelihood, free.LogLikelihood)
	}
	centre := []float64{.5, 8, 1, 3}
	narrow, err := BGNBD(base, cdnowEnd, Options{Prior: &Prior{Centre: centre, Sigma: 1e-4}})
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range narrow.Parameters {
		near(t, p.Name, p.Value, centre[i], 1e-3*centre[i])
	}
	few := Base{{0, 0, 0}: 20, {1, 0, 40}: 5, {3, 2, 90}: 2}
	if low, high := (Parameter{Value: -2, StandardError: 1, linear: true}).Interval(.8); math.Abs(low+3.2815515655) > 1e-9 || math.Abs(high+.7184484345) > 1e-9 {
		t.Errorf("interval of a coefficient: %v to %v", low, high)
	}
	parent, err := BGNBD(few, 200, Options{Prior: &Prior{Centre: centre, Sigma: .3}})
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range parent.Parameters {
		if off := math.Abs(math.Log(p.Value / centre[i])); off > .6 || p.StandardError > .3 {
			t.Errorf("%+v strays from the parent's %v", p, centre[i])
		}
	}
}
