package fit

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"

	"github.com/perennial-cltv/perennial/pkg/btyd"
)

// span is days, the last excluded.
type span struct{ from, until int64 }

var always = span{math.MinInt64, math.MaxInt64}

func (s span) has(day int32) bool { return int64(day) >= s.from && int64(day) < s.until }

// checkRenewals looks at every number once.
func checkRenewals(rows []Renewal) error {
	if len(rows) == 0 {
		return &DataError{"renewals", "none", "at least one"}
	}
	want := len(rows[0].Features)
	if want > btyd.MostFeatures {
		return &DataError{"features of renewal 0", want, fmt.Sprintf("at most %d", btyd.MostFeatures)}
	}
	for i := range rows {
		r := &rows[i]
		if len(r.Features) != want {
			return &DataError{fmt.Sprintf("features of renewal %d", i), len(r.Features), fmt.Sprintf("%d, as the first has", want)}
		}
		if !(math.Abs(r.Base) <= btyd.GreatestLogOdds) {
			return &DataError{fmt.Sprintf("base of renewal %d", i), r.Base, fmt.Sprintf("log-odds within ±%d", btyd.GreatestLogOdds)}
		}
		for j, v := range r.Features {
			if !(math.Abs(v) <= btyd.GreatestFeature) {
				return &DataError{fmt.Sprintf("feature %d of renewal %d", j, i), v, fmt.Sprintf("a number within ±%g", btyd.GreatestFeature)}
			}
		}
	}
	return nil
}

// renewals is the rows of a span and the features of some columns, none of which is constant.
type renewals struct {
	rows    []Renewal
	within  span
	n, left float64

	meanBase float64
	means    []float64 // of all features
	columns  []int
	spread   []float64 // of the columns: standard deviations
}

// renewalCounts is for errors.
type renewalCounts struct{ Rows, Left int }

func count(rows []Renewal, within span) renewalCounts {
	var c renewalCounts
	for i := range rows {
		if within.has(rows[i].At) {
			c.Rows++
			if rows[i].Left {
				c.Left++
			}
		}
	}
	return c
}

// newRenewals finds means and spreads, of rows that were checked.
func newRenewals(rows []Renewal, within span) renewals {
	r := renewals{rows: rows, within: within}
	features := 0
	if len(rows) > 0 {
		features = len(rows[0].Features)
	}
	r.means = make([]float64, features)
	low, high := make([]float64, features), make([]float64, features)
	for i := range rows {
		row := &rows[i]
		if !within.has(row.At) {
			continue
		}
		if r.n == 0 {
			copy(low, row.Features)
			copy(high, row.Features)
		}
		r.n++
		if row.Left {
			r.left++
		}
		r.meanBase += row.Base
		for j, v := range row.Features {
			r.means[j] += v
			low[j], high[j] = min(low[j], v), max(high[j], v)
		}
	}
	r.meanBase /= max(r.n, 1)
	for j := range r.means {
		// A rounded mean may lie outside what it is the mean of.
		r.means[j] = min(max(r.means[j]/max(r.n, 1), low[j]), high[j])
		if high[j]-low[j] > 1e-12*max(math.Abs(low[j]), math.Abs(high[j])) {
			r.columns = append(r.columns, j)
		}
	}
	squares := make([]float64, features)
	for i := range rows {
		if row := &rows[i]; within.has(row.At) {
			for j, v := range row.Features {
				squares[j] += (v - r.means[j]) * (v - r.means[j])
			}
		}
	}
	for _, j := range r.columns {
		r.spread = append(r.spread, math.Sqrt(squares[j]/r.n))
	}
	return r
}

// only is the same rows with fewer columns.
func (r renewals) only(keep func(column int) bool) renewals {
	columns, spread := r.columns, r.spread
	r.columns, r.spread = nil, nil
	for i, j := range columns {
		if keep(j) {
			r.columns, r.spread = append(r.columns, j), append(r.spread, spread[i])
		}
	}
	return r
}

// enough is a *DataError where there is too little to fit.
func (r *renewals) enough(options HazardOptions) error {
	rows, each := options.LeastRows, options.LeastEach
	if rows == 0 {
		rows = LeastRenewals
	}
	if each == 0 {
		each = LeastLeavers
	}
	counts := renewalCounts{int(r.n), int(r.left)}
	switch {
	case r.n == 0:
		return &DataError{"renewals", counts, "at least one row"}
	case r.left == 0:
		return &DataError{"renewals", counts, "some who left; nobody did"}
	case r.left == r.n:
		return &DataError{"renewals", counts, "some who stayed; everybody left"}
	case counts.Rows < rows || counts.Left < each || counts.Rows-counts.Left < each:
		return &DataError{"renewals", counts, fmt.Sprintf("at least %d rows, %d of those who left and %d of those who stayed", rows, each, each)}
	}
	return nil
}

// hazard is a penalised likelihood being solved for the coordinates (log-odds of a mean row, Tenure, weights by standard
// deviation of their features). The objective is the mean, −ln L/n + Σ precision·(at − centre)²/2n, within a box.
type hazard struct {
	renewals
	centre, precision, low, high []float64
	value                        float64
	gradient                     []float64
	information                  *mat.SymDense // the Hessian of −ln L/n at the last point at which it was asked for
	evaluations                  int
}

func newHazard(r renewals, l2 float64) *hazard {
	k := 2 + len(r.columns)
	h := &hazard{renewals: r, gradient: make([]float64, k), information: mat.NewSymDense(k, nil)}
	h.centre, h.precision, h.low, h.high = make([]float64, k), make([]float64, k), make([]float64, k), make([]float64, k)
	h.centre[1] = 1
	h.low[0], h.high[0] = -btyd.GreatestLogOdds, btyd.GreatestLogOdds
	h.low[1], h.high[1] = 0, btyd.GreatestTenure
	for i, s := range r.spread {
		h.low[2+i], h.high[2+i] = -btyd.GreatestLogOdds*s, btyd.GreatestLogOdds*s
	}
	h.hold(l2)
	return h
}

// hold sets the strength of the penalty.
func (h *hazard) hold(l2 float64) {
	for i := range h.precision[1:] {
		h.precision[1+i] = l2
	}
}

// start is what is known without features.
func (h *hazard) start() []float64 {
	at := slices.Clone(h.centre)
	at[0] = math.Log(h.left / (h.n - h.left))
	return at
}

// model is a point in the units of the features.
func (h *hazard) model(at []float64) btyd.RenewalHazard {
	m := btyd.RenewalHazard{Intercept: at[0], Tenure: at[1], MeanBase: h.meanBase, Means: h.means, Weights: make([]float64, len(h.means))}
	for i, j := range h.columns {
		m.Weights[j] = min(max(at[2+i]/h.spread[i], -btyd.GreatestLogOdds), btyd.GreatestLogOdds)
	}
	return m
}

// chance is the probability of leaving, and its distance from the nearer of 0 and 1 as odds, e^−|v|.
func chance(logOdds float64) (p, odds float64) {
	odds = math.Exp(-math.Abs(logOdds))
	if logOdds < 0 {
		return odds / (1 + odds), odds
	}
	return 1 / (1 + odds), odds
}

// losses sums −ln of the probability of what happened, ln(1 + e^±v), with one logarithm for many rows.
type losses struct{ sum, product float64 }

func (l *losses) add(logOdds, odds float64, left bool) {
	// The product begins at 1 (or at the zero value, 0) and at most doubles.
	if l.product > 1e250 || l.product < 1 {
		l.sum, l.product = l.total(), 1
	}
	l.product *= 1 + odds
	if left == (logOdds < 0) {
		l.sum += math.Abs(logOdds)
	}
}

func (l *losses) total() float64 {
	return l.sum + math.Log(max(l.product, 1))
}

// together is how many rows go into the information at once, which spares reading and writing it for each.
const together = 4

// evaluate sets value and gradient, and the information where it is asked for.
func (h *hazard) evaluate(at []float64, inform bool) {
	h.evaluations++
	k := len(at)
	for i := range h.gradient {
		h.gradient[i] = 0
	}
	inverse := make([]float64, len(h.spread))
	for i, s := range h.spread {
		inverse[i] = 1 / s
	}
	var block informationBlock
	if inform {
		block = newInformationBlock(k)
	}
	var sum losses
	x := make([]float64, k)
	for i := range h.rows {
		row := &h.rows[i]
		if !h.within.has(row.At) {
			continue
		}
		x[0], x[1] = 1, row.Base-h.meanBase
		v := at[0] + at[1]*x[1]
		for c, j := range h.columns {
			z := (row.Features[j] - h.means[j]) * inverse[c]
			x[2+c] = z
			v += at[2+c] * z
		}
		p, odds := chance(v)
		sum.add(v, odds, row.Left)
		r := p
		if row.Left {
			r--
		}
		for i, z := range x {
			h.gradient[i] += r * z
		}
		if inform {
			block.add(x, p*(1-p))
		}
	}
	h.value = sum.total() / h.n
	for i := range at {
		off := at[i] - h.centre[i]
		h.value += h.precision[i] * off * off / 2 / h.n
		h.gradient[i] = (h.gradient[i] + h.precision[i]*off) / h.n
	}
	if inform {
		block.into(h.information, h.n)
	}
}

// informationBlock sums weight·x·x', of which it keeps the lower triangle by rows.
type informationBlock struct {
	k, filled int
	x, scaled [together][]float64
	sum       []float64
}

func newInformationBlock(k int) informationBlock {
	b := informationBlock{k: k, sum: make([]float64, k*(k+1)/2)}
	for i := range together {
		b.x[i], b.scaled[i] = make([]float64, k), make([]float64, k)
	}
	return b
}

func (b *informationBlock) add(x []float64, weight float64) {
	copy(b.x[b.filled], x)
	for i, z := range x {
		b.scaled[b.filled][i] = weight * z
	}
	if b.filled++; b.filled == together {
		b.flush()
	}
}

func (b *informationBlock) flush() {
	sum := b.sum
	for i := range b.k {
		s0, s1, s2, s3 := b.scaled[0][i], b.scaled[1][i], b.scaled[2][i], b.scaled[3][i]
		x0, x1, x2, x3 := b.x[0][:i+1], b.x[1][:i+1], b.x[2][:i+1], b.x[3][:i+1]
		line := sum[:i+1]
		sum = sum[i+1:]
		for j := range line {
			line[j] += s0*x0[j] + s1*x1[j] + (s2*x2[j] + s3*x3[j])
		}
	}
	for i := range together {
		clear(b.scaled[i])
	}
	b.filled = 0
}

func (b *informationBlock) into(information *mat.SymDense, n float64) {
	b.flush()
	next := 0
	for i := range b.k {
		for j := range i + 1 {
			information.SetSym(i, j, b.sum[next]/n)
			next++
		}
	}
}

// solved is how small the gradient of the mean must become.
const solved = 1e-10

// solve is Newton's method within the box: what is at a bound and would leave it stays there for the step. The information
// is computed again only where a step with the old one didn't make the gradient ten times smaller; near a solution, as when
// only the penalty changed, it needn't be.
func (h *hazard) solve(at []float64) []float64 {
	at = slices.Clone(at)
	for i := range at {
		at[i] = min(max(at[i], h.low[i]), h.high[i])
	}
	h.evaluate(at, true)
	fresh := true
	for range 100 {
		free := h.free(at)
		value, size := h.value, largest(free)
		if size < solved {
			break
		}
		step := newtonStep(h.hessian(func(i int) bool { return free[i] == 0 && h.gradient[i] != 0 }), free)
		if step == nil {
			// So far from the solution that there is no trusting the curvature: downhill.
			step = free
		}
		next := make([]float64, len(at))
		better := false
		for part := 1.0; !better && part > 1e-9; part /= 2 {
			// Along the walls where the step would leave, not back along itself: only that must help somewhere (Bertsekas 1982).
			for i := range at {
				next[i] = min(max(at[i]-part*step[i], h.low[i]), h.high[i])
			}
			h.evaluate(next, false)
			// Near the minimum values no longer differ, but gradients do.
			better = h.value < value-1e-12 || h.value <= value+1e-13 && largest(h.free(next)) < size
		}
		switch {
		case better:
			at = next
			if fresh = false; largest(h.free(at)) > size/10 {
				h.evaluate(at, true)
				fresh = true
			}
		case fresh:
			h.evaluate(at, false)
			return at
		default:
			h.evaluate(at, true)
			fresh = true
		}
	}
	return at
}

// free is the gradient without what points out of the box at a bound.
func (h *hazard) free(at []float64) []float64 {
	free := slices.Clone(h.gradient)
	for i, g := range free {
		if at[i] <= h.low[i] && g > 0 || at[i] >= h.high[i] && g < 0 {
			free[i] = 0
		}
	}
	return free
}

// hessian is of the objective, with coordinates that are held apart from all others.
func (h *hazard) hessian(held func(i int) bool) *mat.SymDense {
	k := len(h.centre)
	hessian := mat.NewSymDense(k, nil)
	for i := range k {
		for j := range i + 1 {
			if i == j || !held(i) && !held(j) {
				hessian.SetSym(i, j, h.information.At(i, j))
			}
		}
		hessian.SetSym(i, i, hessian.At(i, i)+h.precision[i]/h.n)
	}
	return hessian
}

// errors are the standard errors of the coordinates at a point, +Inf where there is no telling.
func (h *hazard) errors(at []float64) []float64 {
	h.evaluate(at, true)
	errors := make([]float64, len(at))
	var cholesky mat.Cholesky
	covariance := mat.NewSymDense(len(at), nil)
	known := cholesky.Factorize(h.hessian(func(int) bool { return false }))
	if known {
		// An ill-conditioned matrix shows in the errors it gives.
		_ = cholesky.InverseTo(covariance)
	}
	for i := range errors {
		errors[i] = math.Inf(1)
		if v := covariance.At(i, i) / h.n; known && v > 0 {
			errors[i] = math.Sqrt(v)
		}
	}
	return errors
}

// findings says what met a bound, and whether the search ended.
func (h *hazard) findings(at []float64) []Finding {
	var findings []Finding
	if size := largest(h.free(at)); !(size < converged) {
		findings = append(findings, Finding{NotConverged, "", size})
	}
	m := h.model(at)
	for i := range at {
		if at[i] > h.low[i] && at[i] < h.high[i] {
			continue
		}
		switch i {
		case 0:
			findings = append(findings, Finding{AtBound, "Intercept", m.Intercept})
		case 1:
			findings = append(findings, Finding{AtBound, "Tenure", m.Tenure})
		default:
			j := h.columns[i-2]
			findings = append(findings, Finding{AtBound, fmt.Sprintf("Weights[%d]", j), m.Weights[j]})
		}
	}
	return findings
}
