package btyd

import "math"

// ParetoNBD is the Pareto/NBD model of Schmittlein, Morrison and Colombo (1987): a customer buys at a rate λ, which over
// customers is Gamma(R, Alpha), and leaves at a rate μ, which over customers is Gamma(S, Beta), at any moment, whether he
// buys or not. Alpha and Beta have the unit of time; R and S have none.
//
// Methods take x ≥ 0 repeat transactions, the last at age tx, and the age T now, 0 ≤ tx ≤ T, in the unit of Alpha; tx
// counts for nothing where x is 0. They don't check: parameters that pass Validate and arguments in range give finite
// results for x up to 10,000 and ages and horizons of centuries.
//
// The literature writes what happened since tx with two Gauss functions whose difference cancels. Here it is the
// integral that they stand for, over the moment at which he left: positive throughout, so nothing is lost anywhere.
type ParetoNBD struct {
	R, Alpha, S, Beta float64
}

// Validate returns a *ParameterError for the first parameter that can't come from a fit: R must be within 1e-4 to 100, Alpha
// 1e-2 to 1e5, S 1e-6 to 1e3, Beta 1e-2 to 1e6.
func (m ParetoNBD) Validate() error {
	const model = "Pareto/NBD"
	for _, field := range [...]struct {
		name                   string
		value, least, greatest float64
	}{{"R", m.R, 1e-4, 100}, {"Alpha", m.Alpha, 1e-2, 1e5}, {"S", m.S, 1e-6, 1e3}, {"Beta", m.Beta, 1e-2, 1e6}} {
		if err := checkParameter(model, field.name, field.value, field.least, field.greatest); err != nil {
			return err
		}
	}
	return nil
}

// LogLikelihood returns the logarithm of the likelihood of one customer's history (Schmittlein, Morrison and Colombo 1987;
// Fader and Hardie 2005, eq. 19):
//
//	Γ(r+x)/Γ(r) α^r β^s [ (α+T)^−(r+x) (β+T)^−s + s ∫_tx^T (α+u)^−(r+x) (β+u)^−(s+1) du ]
func (m ParetoNBD) LogLikelihood(x int, tx, T float64) float64 {
	if x == 0 {
		tx = 0
	}
	n := float64(x)
	alive := -float64((m.R+n)*log(m.Alpha+T)) - float64(m.S*log(m.Beta+T))
	gone := log(float64(m.S*m.silence(n, tx, T))) - float64((m.R+n)*log(m.Alpha+tx)) - float64((m.S+1)*log(m.Beta+tx))
	return lnRising(m.R, n) + float64(m.R*log(m.Alpha)) + float64(m.S*log(m.Beta)) + logAddExp(alive, gone)
}

// silence is ∫_tx^T v(u) du / v(tx) with v(u) = (α+u)^−(r+x) (β+u)^−(s+1): how much room there is for having left.
func (m ParetoNBD) silence(n, tx, T float64) float64 {
	if !(T > tx) {
		return 0
	}
	alpha, beta := m.Alpha+tx, m.Beta+tx
	least := math.Min(alpha, beta)
	fall := float64((m.R+n)*(least/alpha)) + float64((m.S+1)*(least/beta))
	return integrate(least, fall, T-tx, 0, func(u, _, _ float64) float64 {
		return exp(-float64((m.R+n)*log1p(u/alpha)) - float64((m.S+1)*log1p(u/beta)))
	})
}

// PAlive returns the probability that he is still a customer at age T.
func (m ParetoNBD) PAlive(x int, tx, T float64) float64 {
	if x == 0 {
		tx = 0
	}
	n := float64(x)
	if !(T > tx) {
		return 1
	}
	room := m.silence(n, tx, T)
	lnGrowth := float64((m.R+n)*log1p((T-tx)/(m.Alpha+tx))) + float64(m.S*log1p((T-tx)/(m.Beta+tx)))
	return 1 / (1 + exp(log(m.S/(m.Beta+tx)*room)+lnGrowth))
}

// PBuys returns the probability of at least one purchase in (T, T+h]. One minus it is the risk that he has churned, read
// over h.
func (m ParetoNBD) PBuys(x int, tx, T, h float64) float64 {
	return float64(m.PAlive(x, tx, T) * m.given(x, T).pBuys(h))
}

// Expected returns the expected number of purchases in (T, T+h].
func (m ParetoNBD) Expected(x int, tx, T, h float64) float64 {
	return float64(m.PAlive(x, tx, T) * m.given(x, T).expected(h))
}

// ExpectedNew returns the expected number of repeat purchases of a new customer up to age t.
func (m ParetoNBD) ExpectedNew(t float64) float64 { return m.given(0, 0).expected(t) }

// DET returns the discounted expected transactions ∫₀^h e^(−δu) ρ(u) du, where ρ(u) is the intensity of purchases at age
// T+u as known at T, and delta the continuous discount rate per unit of time, ≥ 0.
func (m ParetoNBD) DET(x int, tx, T, h, delta float64) float64 {
	return float64(m.PAlive(x, tx, T) * m.given(x, T).discounted(h, delta))
}

// PMF returns the probability of exactly n ≥ 0 purchases in (T, T+h].
func (m ParetoNBD) PMF(x int, tx, T, h float64, n int) float64 {
	return pmfMixture(m.PAlive(x, tx, T), m.given(x, T), h, n)
}

// Moments returns mean and variance of the number of purchases in (T, T+h].
func (m ParetoNBD) Moments(x int, tx, T, h float64) (mean, variance float64) {
	return momentsMixture(m.PAlive(x, tx, T), m.given(x, T), h)
}

// given returns what is known of a customer who is alive at age T: λ ~ Gamma(r+x, α+T) and, independent of it,
// μ ~ Gamma(s, β+T).
func (m ParetoNBD) given(x int, T float64) mortal {
	return mortal{shape: m.R + float64(x), rate: m.Alpha + T, s: m.S, beta: m.Beta + T}
}

// ParetoNBDCovariates is Pareto/NBD with time-invariant covariates (Fader and Hardie 2007b): who has covariates z of purchases
// and w of leaving has λ multiplied by exp(Purchase'z) and μ by exp(Dropout'w).
type ParetoNBDCovariates struct {
	ParetoNBD
	Purchase, Dropout []float64 // coefficients
}

// For returns the model of customers with these covariates, of which there must be as many as coefficients: Alpha is
// divided by exp(Purchase'z), Beta by exp(Dropout'w).
func (m ParetoNBDCovariates) For(purchase, dropout []float64) ParetoNBD {
	scale := func(coefficients, covariates []float64) float64 {
		sum := 0.0
		for i, c := range coefficients {
			sum += float64(c * covariates[i])
		}
		return exp(-sum)
	}
	own := m.ParetoNBD
	own.Alpha = float64(own.Alpha * scale(m.Purchase, purchase))
	own.Beta = float64(own.Beta * scale(m.Dropout, dropout))
	return own
}
