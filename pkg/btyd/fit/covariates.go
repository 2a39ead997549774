package fit

import (
	"fmt"
	"math"

	"github.com/perennial-cltv/perennial/pkg/btyd"
)

// Group is customers with the same covariates: those of the rate of purchases and those of leaving. They should vary by
// about one, and none may be the same for all, because the model has its own constants.
type Group struct {
	Purchase, Dropout []float64
	Base              Base
}

// ParetoNBDCovariates fits a Pareto/NBD model in which the scales of both rates depend on time-invariant covariates (Fader
// and Hardie 2007b), with time in weeks, to groups as of the end of day until. All groups must have equally many
// covariates of each kind.
func ParetoNBDCovariates(groups []Group, until int32, options Options) (Fit[btyd.ParetoNBDCovariates], error) {
	none := Fit[btyd.ParetoNBDCovariates]{}
	c, all, err := newCovariates(groups, until)
	if err != nil {
		return none, err
	}
	parameters := paretoParameters(all)
	for i := range c.purchases {
		parameters = append(parameters, coefficient("Purchase", i))
	}
	steadyParameters := append([]parameter{rateShape, all.timeScale("Alpha")}, parameters[4:]...)
	for i := range c.dropouts {
		parameters = append(parameters, coefficient("Dropout", i))
	}
	report, err := weigh(all, problem{parameters, all.customers, c.sum}, problem{steadyParameters, all.customers, c.steadySum}, options)
	if err != nil {
		return none, err
	}
	at := report.values()
	return Fit[btyd.ParetoNBDCovariates]{btyd.ParetoNBDCovariates{
		ParetoNBD: btyd.ParetoNBD{R: at[0], Alpha: at[1], S: at[2], Beta: at[3]},
		Purchase:  at[4 : 4+c.purchases : 4+c.purchases],
		Dropout:   at[4+c.purchases:],
	}, report}, nil
}

// coefficient is of a covariate: up to a factor of e^20 for each unit.
func coefficient(kind string, i int) parameter {
	return parameter{name: fmt.Sprintf("%s[%d]", kind, i), low: -20, high: 20, linear: true}
}

// covariates is ln L over groups.
type covariates struct {
	groups              []Group
	likelihoods         []*pareto // nil where a group has nobody yet
	purchases, dropouts int
}

func newCovariates(groups []Group, until int32) (*covariates, *sample, error) {
	c := &covariates{groups: groups}
	together := Base{}
	for i, g := range groups {
		if i == 0 {
			c.purchases, c.dropouts = len(g.Purchase), len(g.Dropout)
		}
		if len(g.Purchase) != c.purchases || len(g.Dropout) != c.dropouts {
			return nil, nil, fmt.Errorf("group %d: has %d and %d covariates, want %d and %d as the first", i, len(g.Purchase), len(g.Dropout), c.purchases, c.dropouts)
		}
		for _, z := range [][]float64{g.Purchase, g.Dropout} {
			for j, v := range z {
				if math.IsNaN(v) || math.IsInf(v, 0) {
					return nil, nil, fmt.Errorf("group %d: covariate %d is %v, want a number", i, j, v)
				}
			}
		}
		s, err := newSample(g.Base, until)
		if err != nil {
			return nil, nil, fmt.Errorf("group %d: %w", i, err)
		}
		var likelihood *pareto
		if s.customers > 0 {
			likelihood = newPareto(s)
		}
		c.likelihoods = append(c.likelihoods, likelihood)
		for h, n := range g.Base {
			together.Add(h, n)
		}
	}
	all, err := newSample(together, until)
	return c, all, err
}

// sum is ln L at ln (r, α, s, β) and the coefficients, with its gradient: α of a group is α·exp(−γ'z), and β alike.
func (c *covariates) sum(at, gradient []float64) float64 {
	for i := range gradient {
		gradient[i] = 0
	}
	total, own := 0.0, make([]float64, 4)
	forPurchase, forDropout := at[4:4+c.purchases], at[4+c.purchases:]
	for i, likelihood := range c.likelihoods {
		if likelihood == nil {
			continue
		}
		g := &c.groups[i]
		total += likelihood.sum([]float64{at[0], at[1] - dot(forPurchase, g.Purchase), at[2], at[3] - dot(forDropout, g.Dropout)}, own)
		for j, v := range own {
			gradient[j] += v
		}
		addScaled(gradient[4:4+c.purchases], -own[1], g.Purchase)
		addScaled(gradient[4+c.purchases:], -own[3], g.Dropout)
	}
	return total
}

// steadySum is the same of customers who never leave.
func (c *covariates) steadySum(at, gradient []float64) float64 {
	for i := range gradient {
		gradient[i] = 0
	}
	total, own := 0.0, make([]float64, 2)
	for i, likelihood := range c.likelihoods {
		if likelihood == nil {
			continue
		}
		g := &c.groups[i]
		total += steady{likelihood.s}.sum([]float64{at[0], at[1] - dot(at[2:], g.Purchase)}, own)
		gradient[0] += own[0]
		gradient[1] += own[1]
		addScaled(gradient[2:], -own[1], g.Purchase)
	}
	return total
}

func dot(a, b []float64) float64 {
	sum := 0.0
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}

func addScaled(to []float64, by float64, v []float64) {
	for i := range to {
		to[i] += by * v[i]
	}
}
