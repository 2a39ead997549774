package fit

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/perennial-cltv/perennial/pkg/btyd"
)

// simulatedGroups are customers of eight kinds: by a purchase covariate of two values and another of four levels, the first of
// which also bears on leaving.
func simulatedGroups(r *rand.Rand, m btyd.ParetoNBDCovariates, customers int) []Group {
	var groups []Group
	for i := range 8 {
		g := Group{Purchase: []float64{float64(i % 2), float64(i/2) - 1.5}, Dropout: []float64{float64(i % 2)}}
		g.Base = simulated(r, m.For(g.Purchase, g.Dropout), customers/8, simulatedArrivals, simulatedUntil)
		groups = append(groups, g)
	}
	return groups
}

var covariateTruth = btyd.ParetoNBDCovariates{
	ParetoNBD: btyd.ParetoNBD{R: .7, Alpha: 90, S: .8, Beta: 200}, Purchase: []float64{.6, -.3}, Dropout: []float64{-.5},
}

func TestCovariateSums(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	groups := []Group{{[]float64{.5}, []float64{0, 1}, stressBase()}, {[]float64{-1}, []float64{2, .3}, Base{{2, 36000, 36300}: 3}}, {[]float64{4}, []float64{0, 0}, Base{}}}
	c, all, err := newCovariates(groups, 36525)
	if err != nil {
		t.Fatal(err)
	}
	if all.customers != 3+c.likelihoods[0].s.customers || c.likelihoods[2] != nil {
		t.Errorf("%v customers", all.customers)
	}
	for range 30 {
		at := []float64{r.NormFloat64(), 2 + r.NormFloat64(), r.NormFloat64(), 3 + r.NormFloat64(), r.NormFloat64(), r.NormFloat64(), r.NormFloat64()}
		m := btyd.ParetoNBDCovariates{
			ParetoNBD: btyd.ParetoNBD{R: math.Exp(at[0]), Alpha: math.Exp(at[1]), S: math.Exp(at[2]), Beta: math.Exp(at[3])},
			Purchase:  at[4:5], Dropout: at[5:],
		}
		want := 0.0
		for _, g := range groups {
			own := m.For(g.Purchase, g.Dropout)
			for h, n := range g.Base {
				want += float64(n) * own.LogLikelihood(int(h.X), float64(h.Last-h.First)/7, float64(36525-h.First)/7)
			}
		}
		near(t, "sum", c.sum(at, make([]float64, 7)), want, 1e-10*math.Abs(want))
		checkGradient(t, "covariates", c.sum, at)
		checkGradient(t, "covariates, nobody leaves", c.steadySum, at[:3])
	}
}

func TestCovariatesCoverage(t *testing.T) {
	m := covariateTruth
	coverage(t, []float64{m.R, m.Alpha, m.S, m.Beta, m.Purchase[0], m.Purchase[1], m.Dropout[0]}, func(r *rand.Rand) (Report, error) {
		fit, err := ParetoNBDCovariates(simulatedGroups(r, m, 3000), simulatedUntil, Options{})
		return fit.Report, err
	})
}

// TestCovariatesThatDontTell: without covariates it is the plain model; one that is the same for all is flat.
func TestCovariatesThatDontTell(t *testing.T) {
	base, _ := cdnow(t)
	plain, err := ParetoNBD(base, cdnowEnd, Options{})
	if err != nil {
		t.Fatal(err)
	}
	same, err := ParetoNBDCovariates([]Group{{Base: base}}, cdnowEnd, Options{})
	if err != nil {
		t.Fatal(err)
	}
	near(t, "ln L", same.LogLikelihood, plain.LogLikelihood, 1e-9)
	near(t, "evidence", same.DropoutEvidence, plain.DropoutEvidence, 1e-6)
	constant, err := ParetoNBDCovariates([]Group{{Purchase: []float64{1}, Base: base}}, cdnowEnd, Options{})
	if err != nil {
		t.Fatal(err)
	}
	near(t, "ln L with a constant", constant.LogLikelihood, plain.LogLikelihood, 1e-6)
	flat := false
	for _, f := range constant.Findings {
		flat = flat || f.Kind == Flat && f.Parameter == "Purchase[0]"
	}
	if !flat {
		t.Errorf("a covariate that is the same for all: %v", constant.Findings)
	}
	for name, groups := range map[string][]Group{
		"none": {}, "nobody": {{Base: Base{}}}, "unequal": {{Purchase: []float64{1}, Base: base}, {Base: base}},
		"not a number": {{Dropout: []float64{math.NaN()}, Base: base}}, "impossible": {{Base: Base{{-1, 0, 0}: 1}}},
	} {
		if _, err := ParetoNBDCovariates(groups, cdnowEnd, Options{}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
