package btyd

import "math"

// PurchaseModel is a model of when customers buy and whether they still do: BGNBD, MBGNBD or ParetoNBD. In each, given that
// a customer is alive, his future depends on x and T alone, and tx matters for P(alive) only; so what is asked of
// them is answered in one way. Arguments are as BGNBD describes them.
type PurchaseModel interface {
	// Validate returns a *ParameterError for the first parameter that can't come from a fit.
	Validate() error
	// LogLikelihood is of one customer's history.
	LogLikelihood(x int, tx, T float64) float64
	// PAlive is the probability that he is still a customer at age T.
	PAlive(x int, tx, T float64) float64
	// PBuys is the probability of at least one purchase in (T, T+h].
	PBuys(x int, tx, T, h float64) float64
	// PMF is the probability of exactly n purchases in (T, T+h].
	PMF(x int, tx, T, h float64, n int) float64
	// Expected is the expected number of purchases in (T, T+h].
	Expected(x int, tx, T, h float64) float64
	// Moments are mean and variance of the number of purchases in (T, T+h].
	Moments(x int, tx, T, h float64) (mean, variance float64)
	// ExpectedNew is the expected number of repeat purchases of a new customer up to age t.
	ExpectedNew(t float64) float64
	// DET is the discounted expected number of purchases in (T, T+h].
	DET(x int, tx, T, h, delta float64) float64
	// Simulate draws the ages at which one customer of the population makes his repeat purchases, up to age T.
	Simulate(source Source, T float64) []float64

	life() life
}

var _ = [...]PurchaseModel{BGNBD{}, MBGNBD{}, ParetoNBD{}}

// future is a customer known to be alive, seen from now on.
type future interface {
	pBuys(h float64) float64
	expected(h float64) float64
	discounted(h, delta float64) float64
	// pairs is E[X(X−1)].
	pairs(h float64) float64
	pmf(n int, h float64) float64
	// atLeast is P(X ≥ n) for n ≥ 1, not necessarily whole.
	atLeast(n, h float64) float64
	// averageDiscount is what a unit of money is worth on average in the purchases of those who make n within h, whose
	// probability is pn.
	averageDiscount(n, pn, h, delta float64) float64
	// buying is shape and rate of the gamma distribution of λ.
	buying() (shape, rate float64)
}

// pmfMixture adds those who have left, who buy nothing.
func pmfMixture(alive float64, f future, h float64, n int) float64 {
	p := float64(alive * f.pmf(n, h))
	if n == 0 {
		return (1 - alive) + p
	}
	return p
}

// momentsMixture are mean and variance with those who have left.
func momentsMixture(alive float64, f future, h float64) (mean, variance float64) {
	mean = float64(alive * f.expected(h))
	pairs := float64(alive * f.pairs(h))
	return mean, math.Max(0, pairs+mean-float64(mean*mean))
}

// aliveGeometric is P(alive) where the odds to have left were ratio right after the last purchase.
func aliveGeometric(ratio, shape, alpha, tx, T float64) float64 {
	lnOddsGone := log(ratio) + float64(shape*log1p((T-tx)/(alpha+tx)))
	return 1 / (1 + exp(lnOddsGone))
}

func checkGeometric(model string, r, alpha, a, b float64) error {
	for _, field := range [...]struct {
		name                   string
		value, least, greatest float64
	}{{"R", r, 1e-4, 100}, {"Alpha", alpha, 1e-2, 1e5}, {"A", a, 1e-6, 1e3}, {"B", b, 1e-6, 1e3}} {
		if err := checkParameter(model, field.name, field.value, field.least, field.greatest); err != nil {
			return err
		}
	}
	return nil
}
