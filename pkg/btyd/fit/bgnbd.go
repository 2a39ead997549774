package fit

import (
	"math"

	"github.com/perennial-cltv/perennial/pkg/btyd"
)

// BGNBD fits a BG/NBD model, with time in weeks, to a base as of the end of day until.
func BGNBD(base Base, until int32, options Options) (Fit[btyd.BGNBD], error) {
	s, err := newSample(base, until)
	if err != nil {
		return Fit[btyd.BGNBD]{}, err
	}
	report, at, err := fitPurchases(s, geometric{s: s}.sum, geometricParameters(s), options)
	if err != nil {
		return Fit[btyd.BGNBD]{}, err
	}
	return Fit[btyd.BGNBD]{btyd.BGNBD{R: at[0], Alpha: at[1], A: at[2], B: at[3]}, report}, nil
}

// MBGNBD fits an MBG/NBD model, with time in weeks, to a base as of the end of day until.
func MBGNBD(base Base, until int32, options Options) (Fit[btyd.MBGNBD], error) {
	s, err := newSample(base, until)
	if err != nil {
		return Fit[btyd.MBGNBD]{}, err
	}
	report, at, err := fitPurchases(s, geometric{s: s, first: 1}.sum, geometricParameters(s), options)
	if err != nil {
		return Fit[btyd.MBGNBD]{}, err
	}
	return Fit[btyd.MBGNBD]{btyd.MBGNBD{R: at[0], Alpha: at[1], A: at[2], B: at[3]}, report}, nil
}

func geometricParameters(s *sample) []parameter {
	return []parameter{rateShape, s.timeScale("Alpha"),
		{name: "A", start: .5, centre: 1, low: 1e-6, high: 1e3},
		{name: "B", start: 2, centre: 1, low: 1e-6, high: 1e3},
	}
}

var rateShape = parameter{name: "R", start: .5, centre: 1, low: 1e-4, high: 100}

// timeScale is a parameter with the unit of time; α starts where the mean rate r/α is that of the sample, or thereabouts.
func (s *sample) timeScale(name string) parameter {
	p := parameter{name: name, start: 5, centre: min(max(s.meanAge, 1e-2), 1e5), low: 1e-2, high: 1e5}
	if s.perWeek > 0 {
		p.start = min(max(.5*rateShape.start/s.perWeek, .1), 1e3)
	}
	return p
}

// fitPurchases fits a purchase model and weighs it against one without dropout. It returns the parameters.
func fitPurchases(s *sample, sum func(at, gradient []float64) float64, parameters []parameter, options Options) (Report, []float64, error) {
	stay := problem{[]parameter{rateShape, s.timeScale("Alpha")}, s.customers, steady{s}.sum}
	report, err := weigh(s, problem{parameters, s.customers, sum}, stay, options)
	if err != nil {
		return Report{}, nil, err
	}
	at := report.values()
	return report, at, nil
}

// weigh solves a problem and the same without dropout, and says what the sample doesn't tell.
func weigh(s *sample, full, stay problem, options Options) (Report, error) {
	if s.customers == 0 {
		return Report{}, &DataError{"history", "base", "at least one customer"}
	}
	report, err := maximise(full, options)
	if err != nil {
		return Report{}, err
	}
	steady, err := maximise(stay, Options{})
	if err != nil {
		return Report{}, err
	}
	report.Evaluations += steady.Evaluations
	report.DropoutEvidence = 2 * (report.LogLikelihood - steady.LogLikelihood)
	if report.DropoutEvidence < leastDropoutEvidence {
		report.find(NoDropout, "", report.DropoutEvidence)
	}
	report.size(s.customers, s.repeaters, s.days)
	return report, nil
}

// ageLogs are ln(scale + age) and 1/(scale + age) for all ages of a sample.
type ageLogs struct{ ln, inverse []float64 }

func (s *sample) ageLogs(scale float64) ageLogs {
	logs := ageLogs{make([]float64, len(s.ages)), make([]float64, len(s.ages))}
	for i, age := range s.ages {
		logs.ln[i], logs.inverse[i] = math.Log(scale+age), 1/(scale+age)
	}
	return logs
}

// geometric is ln L of BG/NBD (Fader, Hardie and Lee 2005, eq. 6) and of MBG/NBD (Batislam, Denizel and Filiztekin 2007),
// where customers may leave after the first purchase, too: first is 1 for that.
type geometric struct {
	s     *sample
	first float64
}

// geometricTerms are the parts that depend on x alone.
type geometricTerms struct {
	ln               float64
	byR, byA, byB    float64
	shape            float64 // r+x
	lnGone           float64 // ln a/(b+x−1), or a/(b+x)
	goneByA, goneByB float64 // its derivatives by ln a and ln b
	neverGone        bool
}

func (g geometric) terms(x, r, lnAlpha, a, b float64, ofR, ofB, ofAB *ladder) geometricTerms {
	stays := x + g.first // chances to leave that were not taken, where he is alive
	t := geometricTerms{shape: r + x, neverGone: stays == 0}
	lnR, slopeR := ofR.at(x)
	lnB, slopeB := ofB.at(stays)
	lnAB, slopeAB := ofAB.at(stays)
	t.ln = lnR + r*lnAlpha + lnB - lnAB
	t.byR = r * (slopeR + lnAlpha)
	t.byA = -a * slopeAB
	t.byB = b * (slopeB - slopeAB)
	if !t.neverGone {
		t.lnGone = math.Log(a / (b + stays - 1))
		t.goneByA, t.goneByB = 1, -b/(b+stays-1)
	}
	return t
}

// sum is ln L at ln (r, α, a, b) with its gradient.
func (g geometric) sum(at, gradient []float64) float64 {
	r, alpha, a, b := math.Exp(at[0]), math.Exp(at[1]), math.Exp(at[2]), math.Exp(at[3])
	logs := g.s.ageLogs(alpha)
	most := g.s.most()
	ofR, ofB, ofAB := newLadder(r, most), newLadder(b, most+g.first), newLadder(a+b, most+g.first)
	total, byR, byAlpha, byA, byB := 0.0, 0.0, 0.0, 0.0, 0.0
	current := int32(-1)
	var t geometricTerms
	for i := range g.s.cells {
		c := &g.s.cells[i]
		if c.x != current {
			current = c.x
			t = g.terms(g.s.counts[c.x], r, at[1], a, b, &ofR, &ofB, &ofAB)
		}
		// Two ways it can have come about; gone is the probability of the one in which he left.
		lnT := logs.ln[c.age]
		ln, gone := -t.shape*lnT, 0.0
		meanLn, meanInverse := lnT, logs.inverse[c.age]
		if !t.neverGone {
			// What ln(1+e) loses of a small e is nothing beside the rest of ln L, and it costs half of log1p.
			d := t.lnGone + t.shape*(lnT-logs.ln[c.last])
			if d > 0 {
				e := math.Exp(-d)
				gone = 1 / (1 + e)
				ln += d + math.Log(1+e)
			} else {
				e := math.Exp(d)
				gone = e / (1 + e)
				ln += math.Log(1 + e)
			}
			meanLn += gone * (logs.ln[c.last] - lnT)
			meanInverse += gone * (logs.inverse[c.last] - meanInverse)
		}
		total += c.weight * (t.ln + ln)
		byR += c.weight * (t.byR - r*meanLn)
		byAlpha += c.weight * (r - t.shape*alpha*meanInverse)
		byA += c.weight * (t.byA + gone*t.goneByA)
		byB += c.weight * (t.byB + gone*t.goneByB)
	}
	gradient[0], gradient[1], gradient[2], gradient[3] = byR, byAlpha, byA, byB
	return total
}

// steady is ln L of customers who never leave: NBD (Ehrenberg 1959), to which all purchase models come where dropout vanishes.
type steady struct{ s *sample }

// sum is ln L at ln (r, α) with its gradient.
func (n steady) sum(at, gradient []float64) float64 {
	r, alpha := math.Exp(at[0]), math.Exp(at[1])
	logs := n.s.ageLogs(alpha)
	ofR := newLadder(r, n.s.most())
	total, byR, byAlpha := 0.0, 0.0, 0.0
	current := int32(-1)
	var x, lnR, slopeR float64
	for _, c := range n.s.cells {
		if c.x != current {
			current = c.x
			x = n.s.counts[c.x]
			lnR, slopeR = ofR.at(x)
		}
		total += c.weight * (lnR + r*at[1] - (r+x)*logs.ln[c.age])
		byR += c.weight * r * (slopeR + at[1] - logs.ln[c.age])
		byAlpha += c.weight * (r - (r+x)*alpha*logs.inverse[c.age])
	}
	gradient[0], gradient[1] = byR, byAlpha
	return total
}
