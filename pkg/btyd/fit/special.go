package fit

import "math"

// rising returns ln Γ(v+n)/Γ(v) and its derivative by v, ψ(v+n) − ψ(v), for v > 0, n ≥ 0, n not necessarily whole. Both keep
// their digits where the two functions hardly differ, because v is large or n small: after moving v to at least 20 they are
// differences of the asymptotic series (Abramowitz and Stegun 1964, 6.1.40 and 6.3.18).
func rising(v, n float64) (ln, slope float64) {
	if n == 0 {
		return 0, 0
	}
	for ; v < 20; v++ {
		ln -= math.Log1p(n / v)
		slope += n / (v * (v + n))
	}
	lnSeries := func(v float64) float64 {
		q := 1 / (v * v)
		return (1./12 - q*(1./360-q*(1./1260-q*(1./1680-q/1188)))) / v
	}
	psiSeries := func(v float64) float64 {
		q := 1 / (v * v)
		return q * (1./12 - q*(1./120-q*(1./252-q*(1./240-q/132))))
	}
	ln += (v-.5)*math.Log1p(n/v) + n*(math.Log(v+n)-1) + (lnSeries(v+n) - lnSeries(v))
	slope += math.Log1p(n/v) + .5*n/(v*(v+n)) - (psiSeries(v+n) - psiSeries(v))
	return ln, slope
}

// ladder gives rising(v, n) for many whole n: from a table where they are small, which takes one logarithm for each
// instead of some twenty.
type ladder struct {
	v     float64
	steps risings
}

// longestLadder is the most steps of a table.
const longestLadder = 512

// newLadder is for n up to most.
func newLadder(v, most float64) ladder {
	if most > longestLadder {
		return ladder{v: v}
	}
	return ladder{v, newRisings(v, int(most))}
}

func (l *ladder) at(n float64) (ln, slope float64) {
	if l.steps.ln == nil {
		return rising(l.v, n)
	}
	return l.steps.ln[int(n)], l.steps.slope[int(n)]
}

// risings are rising(v, n) for n = 0 … most, whole.
type risings struct{ ln, slope []float64 }

func newRisings(v float64, most int) risings {
	r := risings{make([]float64, most+1), make([]float64, most+1)}
	for n := range most {
		r.ln[n+1] = r.ln[n] + math.Log(v+float64(n))
		r.slope[n+1] = r.slope[n] + 1/(v+float64(n))
	}
	return r
}
