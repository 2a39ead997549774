package fit

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/perennial-cltv/perennial/pkg/btyd"
	"github.com/perennial-cltv/perennial/pkg/evaluate"
)

// centre is a simulated call centre with three plans, whose customers begin over its time, decide every month, and have features
// with true effects: two that persist by customer and move, two counts of calls, one that failed payment sets, one with a
// long tail, one that goes along with the first, and one of no effect. Two are seen with an error.
type centre struct {
	customers, months int
	spread            float64 // of a customer's own propensity in log-odds, which nobody sees
	drift             int32   // the day from which features are distributed otherwise, with the same effects; 0 is never
}

var (
	centrePlans   = []btyd.SBG{{Alpha: 1.2, Beta: 18}, {Alpha: 2.5, Beta: 60}, {Alpha: .8, Beta: 6}}
	centreEffects = []float64{.7, -.5, .4, .3, 1.1, -.35, .25, 0}
)

// centreRows is rows with what is known of them besides.
type centreRows struct {
	rows []Renewal
	true []float64 // hazards
	plan []int
	t    []int // which renewal of the customer's
}

// upTo is the rows before a day, or those from it on.
func (c *centreRows) upTo(day int32, before bool) centreRows {
	var out centreRows
	for i, row := range c.rows {
		if (row.At < day) == before {
			out.rows = append(out.rows, row)
			out.true, out.plan, out.t = append(out.true, c.true[i]), append(out.plan, c.plan[i]), append(out.t, c.t[i])
		}
	}
	return out
}

func (c centre) simulate(r *rand.Rand) centreRows {
	var out centreRows
	for range c.customers {
		plan := r.IntN(len(centrePlans))
		first := int32(r.IntN(30 * c.months))
		own := c.spread * r.NormFloat64()
		mood, use, habit := r.NormFloat64(), r.NormFloat64(), math.Exp(r.NormFloat64())
		for t := 1; ; t++ {
			at := first + int32(30*t)
			if at >= int32(30*c.months) {
				break
			}
			mood = .8*mood + .6*r.NormFloat64()
			use = .9*use + math.Sqrt(.19)*r.NormFloat64()
			failed := 0.0
			if r.Float64() < .06 {
				failed = 1
			}
			exact := []float64{mood, use, poissonDraw(r, .4), poissonDraw(r, 1.5*math.Exp(.3*mood)), failed, math.Log(20*habit) + .2*r.NormFloat64(),
				.5*mood + r.NormFloat64(), 40 * r.Float64()}
			if c.drift > 0 && at >= c.drift {
				exact[0], exact[1], exact[2], exact[6] = exact[0]/3-1, 2*exact[1]+1, exact[2]+poissonDraw(r, 1), exact[6]-.5*mood
				exact[4] *= float64(r.IntN(2))
			}
			v := btyd.LogOdds(1-centrePlans[plan].Renewal(t)) + own
			for j, w := range centreEffects {
				v += w * exact[j]
			}
			seen := slices.Clone(exact)
			seen[0] += .2 * r.NormFloat64()
			seen[5] += .2 * r.NormFloat64()
			hazard := btyd.Probability(v)
			left := r.Float64() < hazard
			out.rows = append(out.rows, Renewal{Features: seen, Left: left, At: at})
			out.true, out.plan, out.t = append(out.true, hazard), append(out.plan, plan), append(out.t, t)
			if left {
				break
			}
		}
	}
	return out
}

func poissonDraw(r *rand.Rand, mean float64) float64 {
	n := 0.0
	for p := r.Float64(); p > math.Exp(-mean); p *= r.Float64() {
		n++
	}
	return n
}

// setBases fits sBG to each plan's contracts as they were before a day, and gives each row its base.
func (c *centreRows) setBases(t *testing.T, day int32) {
	t.Helper()
	for plan := range centrePlans {
		contracts := Contracts{}
		for i, row := range c.rows {
			if c.plan[i] != plan || row.At >= day {
				continue
			}
			renewals := int32(c.t[i]) - 1
			if renewals > 0 {
				contracts.Add(Contract{renewals, false}, -1)
			}
			if row.Left {
				contracts.Add(Contract{renewals, true}, 1)
			} else {
				contracts.Add(Contract{renewals + 1, false}, 1)
			}
		}
		model, err := SBG(contracts, Options{})
		if err != nil {
			t.Fatal(err)
		}
		for i := range c.rows {
			if c.plan[i] == plan {
				c.rows[i].Base = btyd.LogOdds(1 - model.Model.Renewal(c.t[i]))
			}
		}
	}
}

// judge is how good a model's probabilities are beside the true hazards.
func judge(m btyd.RenewalHazard, c centreRows) (said, truth evaluate.Probabilities) {
	p, left := make([]float64, len(c.rows)), make([]bool, len(c.rows))
	for i, row := range c.rows {
		p[i], left[i] = btyd.Probability(m.LogOdds(row.Base, row.Features)), row.Left
	}
	return evaluate.ProbabilitiesOf(p, left), evaluate.ProbabilitiesOf(c.true, left)
}

// TestCallCentre: on the last half-year, which the fit hasn't seen, the probabilities are nearly as good as the true hazards. With
// spread they can't know a part of what decides.
func TestCallCentre(t *testing.T) {
	for _, spread := range []float64{0, .4} {
		for seed := range uint64(3) {
			c := centre{customers: 20_000, months: 24, spread: spread}.simulate(rand.New(rand.NewPCG(seed, 24)))
			const cut = 18 * 30
			c.setBases(t, cut)
			older, newer := c.upTo(cut, true), c.upTo(cut, false)
			fit, err := RenewalHazard(older.rows, HazardOptions{})
			if err != nil {
				t.Fatal(err)
			}
			said, truth := judge(fit.Model, newer)
			t.Logf("spread %g, seed %d: %d rows, %d left, then %d (%.3f): calibration error %.4f (true %.4f), AUC %.4f (true %.4f), tenure %.2f±%.2f, L2 %g, %d evaluations",
				spread, seed, fit.Rows, fit.Left, len(newer.rows), said.Rate, said.CalibrationError, truth.CalibrationError, said.AUC, truth.AUC,
				fit.Model.Tenure, fit.TenureError, fit.L2, fit.Evaluations)
			if !(said.CalibrationError <= .02) || !(math.Abs(said.AUC-truth.AUC) <= .02) || len(fit.Findings) > 0 {
				t.Errorf("spread %g, seed %d: calibration error %.4f, AUC %.4f of %.4f, %v", spread, seed, said.CalibrationError, said.AUC, truth.AUC, fit.Findings)
			}
		}
	}
}

// logisticRows are rows with normal features by a known hazard.
func logisticRows(r *rand.Rand, m btyd.RenewalHazard, n int) []Renewal {
	rows := make([]Renewal, n)
	all := make([]float64, n*len(m.Weights))
	for i := range rows {
		features := all[i*len(m.Weights) : (i+1)*len(m.Weights) : (i+1)*len(m.Weights)]
		for j := range features {
			features[j] = m.Means[j] + float64(1+j%3)*r.NormFloat64()
		}
		rows[i] = Renewal{Base: m.MeanBase + r.NormFloat64(), Features: features, At: int32(i % 700)}
		rows[i].Left = r.Float64() < btyd.Probability(m.LogOdds(rows[i].Base, features))
	}
	return rows
}

var logisticTruth = btyd.RenewalHazard{
	Intercept: -2, Tenure: .8, MeanBase: -3, Weights: []float64{.5, -.3, .2, 0}, Means: []float64{0, 5, -1e6, 100},
}

// TestHazardCoverage: parameters come back, and their 80 % intervals hold the truth in about 80 % of populations.
func TestHazardCoverage(t *testing.T) {
	const populations = 150
	r := rand.New(rand.NewPCG(1, 80))
	inside, total := 0, 0
	mean := make([]float64, 4)
	for range populations {
		fit, err := RenewalHazard(logisticRows(r, logisticTruth, 2000), HazardOptions{L2: 1e-3})
		if err != nil {
			t.Fatal(err)
		}
		hold := func(value, se, truth float64) {
			total++
			if math.Abs(value-truth) < 1.2816*se {
				inside++
			}
		}
		hold(fit.Model.Tenure, fit.TenureError, logisticTruth.Tenure)
		for j, w := range fit.Model.Weights {
			hold(w, fit.StandardErrors[j], logisticTruth.Weights[j])
			mean[j] += w / populations
		}
	}
	if share := float64(inside) / float64(total); math.Abs(share-.8) > .05 {
		t.Errorf("%.3f of intervals hold the truth", share)
	}
	for j, w := range mean {
		near(t, fmt.Sprintf("mean of weight %d", j), w, logisticTruth.Weights[j], .02)
	}
}

// penalised is the objective of a hazard, written down again.
func penalised(m btyd.RenewalHazard, rows []Renewal, l2 float64) float64 {
	sum := l2 * (m.Tenure - 1) * (m.Tenure - 1) / 2
	for j, w := range m.Weights {
		squares := 0.0
		for _, row := range rows {
			squares += (row.Features[j] - m.Means[j]) * (row.Features[j] - m.Means[j])
		}
		sum += l2 * w * w * squares / float64(len(rows)) / 2
	}
	for _, row := range rows {
		p := 1 / (1 + math.Exp(-m.LogOdds(row.Base, row.Features)))
		if !row.Left {
			p = 1 - p
		}
		sum -= math.Log(p)
	}
	return sum
}

// TestHazardIsAMaximum: at the solution the penalised score vanishes, by differences of another way to write it.
func TestHazardIsAMaximum(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 80))
	truth := logisticTruth
	truth.Means = []float64{0, 5, -100, 100}
	for _, l2 := range []float64{.1, 10, 500} {
		rows := logisticRows(r, truth, 3000)
		fit, err := RenewalHazard(rows, HazardOptions{L2: l2})
		if err != nil {
			t.Fatal(err)
		}
		m := fit.Model
		near(t, "log loss", fit.LogLoss, penalised(m, rows, 0)/float64(len(rows)), 1e-12)
		parameters := []*float64{&m.Intercept, &m.Tenure}
		for j := range m.Weights {
			parameters = append(parameters, &m.Weights[j])
		}
		for i, p := range parameters {
			const step = 1e-3
			shifted := func(by float64) float64 {
				was := *p
				*p = was + by
				defer func() { *p = was }()
				return penalised(m, rows, l2)
			}
			up, down := shifted(step), shifted(-step)
			score := (8*(up-down) - (shifted(2*step) - shifted(-2*step))) / (12 * step)
			curvature := (up - 2*shifted(0) + down) / (step * step)
			// So far the solution can be from the maximum, in standard errors.
			if off := math.Abs(score) / math.Sqrt(curvature); !(off < 1e-6) {
				t.Errorf("L2 %g: score %d is %.3g, %.3g standard errors", l2, i, score, off)
			}
		}
	}
}

// TestHazardOrderAndUnits: neither the order of the rows nor the units of features matter, and rows aren't changed.
func TestHazardOrderAndUnits(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 80))
	rows := logisticRows(r, logisticTruth, 4000)
	before := fmt.Sprint(rows)
	plain, err := RenewalHazard(rows, HazardOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(rows) != before {
		t.Error("rows were changed")
	}
	other := slices.Clone(rows)
	r.Shuffle(len(other), func(i, j int) { other[i], other[j] = other[j], other[i] })
	for i := range other {
		f := slices.Clone(other[i].Features)
		f[0], f[1] = 10*f[0], f[1]/10+7
		other[i].Features = f
	}
	again, err := RenewalHazard(other, HazardOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if again.L2 != plain.L2 {
		t.Errorf("L2 %v and %v", again.L2, plain.L2)
	}
	near(t, "first weight", 10*again.Model.Weights[0], plain.Model.Weights[0], 1e-7)
	near(t, "second weight", again.Model.Weights[1]/10, plain.Model.Weights[1], 1e-7)
	near(t, "its error", again.StandardErrors[1]/10, plain.StandardErrors[1], 1e-7)
	near(t, "held out", again.HeldOut, plain.HeldOut, 1e-9)
}

// TestWhoWasDropped: the same fit tells, of those who left, who was dropped for non-payment.
func TestWhoWasDropped(t *testing.T) {
	r := rand.New(rand.NewPCG(12, 80))
	rows := make([]Renewal, 400)
	for i := range rows {
		failures, use := poissonDraw(r, .5), r.NormFloat64()
		rows[i] = Renewal{Features: []float64{failures, use}, At: int32(i), Left: r.Float64() < btyd.Probability(-2.5+1.5*failures)}
	}
	fit, err := RenewalHazard(rows, HazardOptions{})
	if err != nil {
		t.Fatal(err)
	}
	m := fit.Model
	near(t, "weight of failures", m.Weights[0], 1.5, 3*fit.StandardErrors[0]+.2)
	near(t, "weight of use", m.Weights[1], 0, 3*fit.StandardErrors[1])
	if m.Tenure != 1 || m.MeanBase != 0 || len(fit.Findings) > 0 {
		t.Errorf("%+v", fit)
	}
}

// TestChosenL2: features of no effect are held down, effects aren't, and rows of one day aren't split.
func TestChosenL2(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 80))
	noise := btyd.RenewalHazard{Intercept: -2, Tenure: 1, MeanBase: -3, Weights: make([]float64, 16), Means: make([]float64, 16)}
	fit, err := RenewalHazard(logisticRows(r, noise, 1500), HazardOptions{})
	if err != nil || fit.L2 < 100 {
		t.Errorf("noise: L2 %v, %v", fit.L2, err)
	}
	strong := noise
	strong.Weights = []float64{1, -1, 1, -1, 1}
	strong.Means = make([]float64, 5)
	rows := logisticRows(r, strong, 3000)
	fit, err = RenewalHazard(rows, HazardOptions{})
	if err != nil || fit.L2 > 10 || !(fit.HeldOut > 0) {
		t.Errorf("effects: L2 %v, %v", fit.L2, err)
	}
	for i := range rows {
		rows[i].At = 5
	}
	fit, err = RenewalHazard(rows, HazardOptions{})
	if err != nil || fit.L2 != DefaultL2 || !math.IsNaN(fit.HeldOut) {
		t.Errorf("one day: L2 %v, held out %v, %v", fit.L2, fit.HeldOut, err)
	}
}

// TestHazardOfOddRows: whatever can be fitted is, within bounds, and says what was odd.
func TestHazardOfOddRows(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 80))
	rows := func(change func(i int, row *Renewal)) []Renewal {
		rows := logisticRows(r, logisticTruth, 1000)
		for i := range rows {
			change(i, &rows[i])
		}
		return rows
	}
	fitted := func(name string, rows []Renewal, want ...Kind) HazardFit {
		t.Helper()
		fit, err := RenewalHazard(rows, HazardOptions{L2: 1})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := fit.Model.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		var got []Kind
		for _, f := range fit.Findings {
			got = append(got, f.Kind)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: findings %v, want %v; %+v", name, fit.Findings, want, fit.Model)
		}
		return fit
	}
	sign := func(row *Renewal) float64 {
		if row.Left {
			return 1
		}
		return -1
	}
	fitted("separation", rows(func(_ int, row *Renewal) { row.Features[0] = sign(row) * (1 + r.Float64()) }), Separated)
	fitted("separation by a base that is wrong", rows(func(_ int, row *Renewal) { row.Base = -3 * sign(row) }), AtBound)
	fitted("separation by the base", rows(func(_ int, row *Renewal) { row.Base = sign(row) * .01 }))
	quasi := fitted("all with it left", rows(func(i int, row *Renewal) {
		if row.Features[0] = 0; i%20 == 0 {
			row.Features[0], row.Left = 1, true
		}
	}))
	if w := quasi.Model.Weights[0]; !(w > 2 && w < 20) {
		t.Errorf("weight of what all have who left is %v", w)
	}
	constant := fitted("constant", rows(func(_ int, row *Renewal) { row.Features[1] = .1; row.Base = -3 }))
	if !slices.Equal(constant.Constant, []int{1}) || constant.Model.Weights[1] != 0 || !math.IsInf(constant.StandardErrors[1], 1) || constant.Model.Tenure != 1 {
		t.Errorf("constant: %+v", constant)
	}
	twice := fitted("collinear", rows(func(_ int, row *Renewal) { row.Features[1], row.Features[3] = row.Features[0], 3-2*row.Features[0] }))
	near(t, "copies share the weight", twice.Model.Weights[0], twice.Model.Weights[1], 1e-7)
	near(t, "copies share the weight", twice.Model.Weights[0], -2*twice.Model.Weights[3], 1e-7)
	fitted("tiny unit", rows(func(_ int, row *Renewal) { row.Features[0] *= 1e-6 }), AtBound)
	fitted("dust", rows(func(i int, row *Renewal) { row.Features[0] = 1 + 1e-11*float64(i%2) }), AtBound)
	fitted("large", rows(func(_ int, row *Renewal) { row.Features[0] *= 1e11 }))
	fitted("one outlier", rows(func(i int, row *Renewal) {
		if i == 7 {
			row.Features[0] = -1e12
		}
	}))
	fitted("no features", rows(func(_ int, row *Renewal) { row.Features = nil }))
	upside := fitted("the base upside down", rows(func(_ int, row *Renewal) { row.Base = -6 - row.Base }), AtBound)
	if upside.Model.Tenure != 0 {
		t.Errorf("tenure %v", upside.Model.Tenure)
	}
}

func TestHazardOfImpossibleRows(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 80))
	for want, change := range map[string]func(i int, row *Renewal){
		"feature 2 of renewal 17 NaN: want a number":                 func(i int, row *Renewal) { row.Features[2] += map[bool]float64{true: math.NaN()}[i == 17] },
		"feature 0 of renewal 3 -Inf: want a number":                 func(i int, row *Renewal) { row.Features[0] += map[bool]float64{true: math.Inf(-1)}[i == 3] },
		"feature 1 of renewal 9 2e+12: want a number":                func(i int, row *Renewal) { row.Features[1] += map[bool]float64{true: 2e12 - row.Features[1]}[i == 9] },
		"base of renewal 5 -Inf: want log-odds":                      func(i int, row *Renewal) { row.Base += map[bool]float64{true: math.Inf(-1)}[i == 5] },
		"features of renewal 4 3: want 4, as the first has":          func(i int, row *Renewal) { row.Features = row.Features[:4-map[bool]int{true: 1}[i == 4]] },
		"features of renewal 0 65: want at most 64":                  func(_ int, row *Renewal) { row.Features = make([]float64, 65) },
		"renewals {Rows:500 Left:0}: want some who left; nobody":     func(_ int, row *Renewal) { row.Left = false },
		"renewals {Rows:500 Left:500}: want some who stayed; every":  func(_ int, row *Renewal) { row.Left = true },
		"renewals {Rows:500 Left:25}: want at least 200 rows, 30 of": func(i int, row *Renewal) { row.Left = i%20 == 0 },
	} {
		rows := logisticRows(r, logisticTruth, 500)
		for i := range rows {
			change(i, &rows[i])
		}
		_, err := RenewalHazard(rows, HazardOptions{})
		var wrong *DataError
		if !errors.As(err, &wrong) || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	few := logisticRows(r, logisticTruth, 150)
	if _, err := RenewalHazard(few, HazardOptions{}); err == nil || !strings.Contains(err.Error(), "Rows:150") {
		t.Errorf("few rows: %v", err)
	}
	if _, err := RenewalHazard(few, HazardOptions{LeastRows: 100, LeastEach: 10}); err != nil {
		t.Errorf("few rows will do: %v", err)
	}
	var wrong *DataError
	if _, err := RenewalHazard(nil, HazardOptions{}); !errors.As(err, &wrong) {
		t.Errorf("no rows: %v", err)
	}
	if _, err := RenewalHazard(few, HazardOptions{L2: math.NaN()}); err == nil {
		t.Error("L2 not a number")
	}
}

// TestCalibrate: log-odds that were bent come back straight, by parameters that still add up.
func TestCalibrate(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 80))
	rows := logisticRows(r, logisticTruth, 40_000)
	truth := logisticTruth
	for _, bend := range [][2]float64{{0, 1}, {.8, 1}, {-.5, 1.6}, {.3, .6}} {
		wrong := truth
		wrong.Intercept, wrong.Tenure = bend[0]+bend[1]*truth.Intercept, bend[1]*truth.Tenure
		wrong.Weights = nil
		for _, w := range truth.Weights {
			wrong.Weights = append(wrong.Weights, bend[1]*w)
		}
		was := fmt.Sprint(wrong)
		right, c, err := Calibrate(wrong, rows)
		if err != nil || right.Validate() != nil || fmt.Sprint(wrong) != was {
			t.Fatal(err, right, wrong)
		}
		near(t, "slope", c.Slope, 1/bend[1], .03/bend[1])
		near(t, "intercept", c.Intercept, -bend[0]/bend[1], .08)
		if c.After > c.Before+1e-6 || len(c.Findings) > 0 {
			t.Errorf("%v: log loss %v, then %v, %v", bend, c.Before, c.After, c.Findings)
		}
		row := rows[1]
		near(t, "log-odds", right.LogOdds(row.Base, row.Features), c.Intercept+c.Slope*wrong.LogOdds(row.Base, row.Features), 1e-9)
		sum := 0.0
		for _, part := range right.Contributions(row.Base, row.Features, nil) {
			sum += part
		}
		near(t, "contributions", sum, right.LogOdds(row.Base, row.Features), 1e-9)
	}
	// A few rows move it a little, and rows that contradict it no further than to a constant.
	_, c, err := Calibrate(truth, rows[:5])
	if err != nil || math.Abs(c.Slope-1) > .7 {
		t.Errorf("five rows: %+v, %v", c, err)
	}
	contrary := slices.Clone(rows)
	for i := range contrary {
		contrary[i].Left = !contrary[i].Left
	}
	flat, c, err := Calibrate(truth, contrary)
	if err != nil || c.Slope != 0 || len(c.Findings) != 1 || flat.Validate() != nil {
		t.Errorf("contrary rows: %+v, %v", c, err)
	}
	// Weights at their bound bound the slope.
	high := btyd.RenewalHazard{Tenure: 1, Weights: []float64{40}, Means: []float64{0}}
	steep := make([]Renewal, 2000)
	for i := range steep {
		z := r.NormFloat64()
		steep[i] = Renewal{Features: []float64{z / 100}, Left: r.Float64() < btyd.Probability(2*z)}
	}
	most, c, err := Calibrate(high, steep)
	if err != nil || c.Slope != 1.25 || most.Weights[0] != 50 || most.Validate() != nil {
		t.Errorf("steep: %+v, %+v, %v", most, c, err)
	}
	var wrong *DataError
	for name, rows := range map[string][]Renewal{"none": nil, "other features": {{Features: []float64{1}}}, "not a number": {{Base: math.NaN(), Features: make([]float64, 4)}}} {
		if _, _, err := Calibrate(truth, rows); !errors.As(err, &wrong) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := Calibrate(btyd.RenewalHazard{Tenure: 9}, rows); err == nil {
		t.Error("a model out of bounds")
	}
}
