package btyd

import "math"

// GammaGamma is the spend model of Fader, Hardie and Lee (2005b) and Fader and Hardie (2013): each purchase of a customer is
// Gamma(P, ν), and over customers ν is Gamma(Q, Gamma). Gamma has the unit of money; P and Q have none.
// It supposes that spend doesn't depend on how often one buys.
//
// Methods take x ≥ 0 repeat transactions and their mean; the mean counts for nothing where x is 0.
type GammaGamma struct {
	P, Q, Gamma float64
}

// Validate returns a *ParameterError for the first parameter that can't come from a fit: P must be within 1e-3 to 1e4, Q
// above 1 (else the mean spend of the population is infinite) and at most 1e4, Gamma 1e-6 to 1e15, because it scales with
// the unit of money.
func (g GammaGamma) Validate() error {
	const model = "Gamma–Gamma"
	if err := checkParameter(model, "P", g.P, 1e-3, 1e4); err != nil {
		return err
	}
	if !(g.Q > 1 && g.Q <= 1e4) {
		return &ParameterError{model, "Q", g.Q, "above 1 and at most 10000"}
	}
	return checkParameter(model, "Gamma", g.Gamma, 1e-6, 1e15)
}

// LogLikelihood returns ln of the density of the mean spend of x repeat transactions (Fader and Hardie 2013, eq. 1a), 0
// for x = 0. The mean must be positive.
func (g GammaGamma) LogLikelihood(x int, mean float64) float64 {
	if x == 0 {
		return 0
	}
	n := float64(x)
	shape := float64(g.P * n)
	return lgamma(shape+g.Q) - lgamma(shape) - lgamma(g.Q) + float64(g.Q*log(g.Gamma)) +
		float64((shape-1)*log(mean)) + float64(shape*log(n)) - float64((shape+g.Q)*log(g.Gamma+float64(n*mean)))
}

// PopulationMean is the mean spend of a customer of whom nothing is known, pγ/(q−1).
func (g GammaGamma) PopulationMean() float64 {
	return float64(g.P * g.Gamma / (g.Q - 1))
}

// ExpectedSpend is the expected mean spend per purchase of a customer, p(γ + x·mean)/(px + q − 1): between his own mean
// and the population's, the nearer to his own the more he has bought (Fader and Hardie 2013, eq. 5).
func (g GammaGamma) ExpectedSpend(x int, mean float64) float64 {
	shape, rate := g.posterior(x, mean)
	return float64(g.P * rate / (shape - 1))
}

// MeanSpendVariance is the variance of what is still unknown about the customer's own mean spend; +Inf where it has none
// (px + q ≤ 2).
func (g GammaGamma) MeanSpendVariance(x int, mean float64) float64 {
	shape, _ := g.posterior(x, mean)
	if shape <= 2 {
		return math.Inf(1)
	}
	expected := g.ExpectedSpend(x, mean)
	return float64(expected * expected / (shape - 2))
}

// PurchaseVariance is the variance of one future purchase: that of the customer's mean and that around it.
func (g GammaGamma) PurchaseVariance(x int, mean float64) float64 {
	expected := g.ExpectedSpend(x, mean)
	ofMean := g.MeanSpendVariance(x, mean)
	return ofMean + (float64(expected*expected)+ofMean)/g.P
}

// posterior is what is known of ν: Gamma(q + px, γ + x·mean).
func (g GammaGamma) posterior(x int, mean float64) (shape, rate float64) {
	if x == 0 {
		return g.Q, g.Gamma
	}
	n := float64(x)
	return g.Q + float64(g.P*n), g.Gamma + float64(n*mean)
}
