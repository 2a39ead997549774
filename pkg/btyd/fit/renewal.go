package fit

import (
	"fmt"
	"math"
	"slices"

	"github.com/perennial-cltv/perennial/pkg/btyd"
)

// Renewal is one decision to be learned from: a renewal that was due, what was known of the customer just before, and whether he
// left. A customer has a row for each of his renewals until he leaves; rows of renewals still open are left out. The same rows,
// only of those who left, with Left for a payment that failed and Base 0, answer who was dropped and who went.
type Renewal struct {
	Base     float64 // log-odds of leaving by the contract model, within ±btyd.GreatestLogOdds
	Features []float64
	Left     bool
	At       int32 // the local day on which it was due
}

// HazardOptions are how to fit a hazard. The zero value chooses.
type HazardOptions struct {
	// L2 is how strongly weights are held: the precision of normal distributions around 0 on the weights by standard deviation
	// of their features, and around 1 on Tenure. 0 chooses by a time split.
	L2 float64
	// LeastRows is how many rows there must be at least, LeastEach how many of them of those who left, and of those who
	// didn't. 0 is LeastRenewals and LeastLeavers.
	LeastRows, LeastEach int
}

// What a hazard needs to be fitted, unless the options say otherwise.
const (
	LeastRenewals = 200
	LeastLeavers  = 30
)

// DefaultL2 is for rows that are too few to be split: a standard deviation of a feature then changes the odds by a factor of
// 1.9 at most, at 95 %, before the data speak.
const DefaultL2 = 10

// strengths are what is tried where none is given, strongest first: of each the solution is a start for the next.
var strengths = []float64{1000, 300, 100, 30, 10, 3, 1}

// HazardFit is a fitted hazard and how far to trust it.
type HazardFit struct {
	Model btyd.RenewalHazard
	// Rows and Left are how many there were, and how many of them left.
	Rows, Left int64
	// L2 is the strength that was given or chosen. HeldOut is the log loss at it of the newer quarter of the rows, under a
	// fit to the older; NaN where there was no split.
	L2, HeldOut float64
	// LogLoss is the mean of −ln of the probability of what happened, over all rows.
	LogLoss float64
	// StandardErrors are of the weights, by the Hessian with the penalty; +Inf where a feature was constant. TenureError is that of
	// Tenure.
	StandardErrors []float64
	TenureError    float64
	// Constant are the features that were the same in all rows. Their weight is 0.
	Constant []int
	// Findings are of the kinds AtBound, NotConverged and Separated.
	Findings []Finding
	// Evaluations is how often the rows were read.
	Evaluations int
}

// RenewalHazard fits a hazard by penalised maximum likelihood, to rows in any order. The features of all rows must be equally
// many; none may be NaN or infinite. What can't be fitted is a *DataError.
func RenewalHazard(rows []Renewal, options HazardOptions) (HazardFit, error) {
	none := HazardFit{}
	if !(options.L2 >= 0 && options.L2 <= math.MaxFloat64) {
		return none, fmt.Errorf("hazard: L2 is %v, want 0 or a precision", options.L2)
	}
	if err := checkRenewals(rows); err != nil {
		return none, err
	}
	all := newRenewals(rows, always)
	if err := all.enough(options); err != nil {
		return none, err
	}
	fit := HazardFit{L2: options.L2, HeldOut: math.NaN(), Rows: int64(all.n), Left: int64(all.left)}
	if fit.L2 == 0 {
		fit.L2, fit.HeldOut, fit.Evaluations = chooseL2(rows, options)
	}
	h := newHazard(all, fit.L2)
	at := h.solve(h.start())
	errors := h.errors(at)
	fit.Model = h.model(at)
	fit.Findings = h.findings(at)
	fit.LogLoss = logLoss(fit.Model, rows, always)
	fit.Evaluations += h.evaluations + 1
	fit.TenureError = errors[1]
	fit.StandardErrors = make([]float64, len(fit.Model.Weights))
	for j := range fit.StandardErrors {
		fit.StandardErrors[j] = math.Inf(1)
		if i := slices.Index(all.columns, j); i >= 0 {
			fit.StandardErrors[j] = errors[2+i] / all.spread[i]
		} else {
			fit.Constant = append(fit.Constant, j)
		}
	}
	if separates(fit.Model, rows) {
		fit.Findings = append(fit.Findings, Finding{Kind: Separated})
	}
	return fit, nil
}

// chooseL2 fits the older three quarters of the rows at every strength and takes the one with the least log loss on the rest.
func chooseL2(rows []Renewal, options HazardOptions) (l2, heldOut float64, evaluations int) {
	day := splitDay(rows)
	before, since := span{math.MinInt64, day}, span{day, math.MaxInt64}
	older := newRenewals(rows, before)
	newer := count(rows, since)
	const leastHeldOut = 10
	if older.enough(options) != nil || newer.Left < leastHeldOut || newer.Rows-newer.Left < leastHeldOut {
		return DefaultL2, math.NaN(), 0
	}
	l2, heldOut = DefaultL2, math.Inf(1)
	var at []float64
	h := newHazard(older, 0)
	for _, strength := range strengths {
		h.hold(strength)
		if at == nil {
			at = h.start()
		}
		at = h.solve(at)
		if loss := logLoss(h.model(at), rows, since); loss < heldOut {
			l2, heldOut = strength, loss
		}
	}
	return l2, heldOut, h.evaluations + len(strengths)
}

// splitDay is the first day of the newer quarter of the rows.
func splitDay(rows []Renewal) int64 {
	byDay := map[int32]int{}
	for i := range rows {
		byDay[rows[i].At]++
	}
	days := make([]int32, 0, len(byDay))
	for day := range byDay {
		days = append(days, day)
	}
	slices.Sort(days)
	older := 0
	for _, day := range days {
		if older += byDay[day]; 4*older >= 3*len(rows) {
			return int64(day) + 1
		}
	}
	return math.MaxInt64
}

// logLoss is the mean −ln of what a model says of what happened, over the rows of a span.
func logLoss(model btyd.RenewalHazard, rows []Renewal, within span) float64 {
	var sum losses
	n := 0.0
	for i := range rows {
		if r := &rows[i]; within.has(r.At) {
			v := model.LogOdds(r.Base, r.Features)
			_, odds := chance(v)
			sum.add(v, odds, r.Left)
			n++
		}
	}
	return sum.total() / n
}

// separates says whether all who left had higher log-odds than all who stayed.
func separates(model btyd.RenewalHazard, rows []Renewal) bool {
	least, most := math.Inf(1), math.Inf(-1)
	for i := range rows {
		v := model.LogOdds(rows[i].Base, rows[i].Features)
		if rows[i].Left {
			least = min(least, v)
		} else {
			most = max(most, v)
		}
	}
	return least > most
}

// Calibration is how log-odds had to be bent to be right: Intercept + Slope·v in place of v.
type Calibration struct {
	Intercept, Slope float64
	Rows, Left       int64
	// Before and After are the log loss of the rows.
	Before, After float64
	// Findings say where a bound was met.
	Findings []Finding
}

// How weakly Calibrate holds what it fits: the log-odds of a mean row move by a normal law with standard deviation 1, the slope
// by one with 1/2 around 1.
const (
	shiftPrecision = 1
	slopePrecision = 4
)

// Calibrate bends the log-odds of a model to rows it wasn't fitted to, as a rule newer ones: Platt's scaling (1999), but held
// towards no change and not, as his targets are, towards a half. What comes back is a model again, so its contributions
// still add up; its standard errors are the old ones times Slope. The slope is never below 0 and never so large that the
// model would leave its bounds.
func Calibrate(model btyd.RenewalHazard, rows []Renewal) (btyd.RenewalHazard, Calibration, error) {
	if err := model.Validate(); err != nil {
		return model, Calibration{}, err
	}
	if err := checkRenewals(rows); err != nil {
		return model, Calibration{}, err
	}
	if got, want := len(rows[0].Features), len(model.Weights); got != want {
		return model, Calibration{}, &DataError{"features of renewal 0", got, fmt.Sprintf("%d, as the model has", want)}
	}
	said := make([]Renewal, len(rows))
	for i := range rows {
		v := model.LogOdds(rows[i].Base, rows[i].Features)
		said[i] = Renewal{Base: min(max(v, -btyd.GreatestLogOdds), btyd.GreatestLogOdds), Left: rows[i].Left, At: rows[i].At}
	}
	all := newRenewals(said, always)
	h := newHazard(all, slopePrecision)
	h.centre[0], h.precision[0] = all.meanBase, shiftPrecision
	h.high[1] = min(btyd.GreatestTenure, btyd.GreatestTenure/model.Tenure)
	for _, w := range model.Weights {
		h.high[1] = min(h.high[1], btyd.GreatestLogOdds/math.Abs(w))
	}
	at := h.solve([]float64{all.meanBase, min(1, h.high[1])})
	c := Calibration{Intercept: at[0] - at[1]*all.meanBase, Slope: at[1], Rows: int64(all.n), Left: int64(all.left), Findings: h.findings(at)}
	bent := model
	bent.Intercept = min(max(c.Intercept+c.Slope*model.Intercept, -btyd.GreatestLogOdds), btyd.GreatestLogOdds)
	bent.Tenure = min(c.Slope*model.Tenure, btyd.GreatestTenure)
	bent.Means = slices.Clone(model.Means)
	bent.Weights = slices.Clone(model.Weights)
	for j, w := range model.Weights {
		bent.Weights[j] = min(max(c.Slope*w, -btyd.GreatestLogOdds), btyd.GreatestLogOdds)
	}
	c.Before, c.After = logLoss(model, rows, always), logLoss(bent, rows, always)
	return bent, c, nil
}
