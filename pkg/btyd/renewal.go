package btyd

import "fmt"

// RenewalHazard is the log-odds that a customer with a contract leaves at the renewal that is due, from what a contract model
// says of everybody with his tenure (the base) and what is known of him: a logistic hazard in discrete time (Singer and
// Willett 1993) with the base as its offset. Its zero value says 1/2 to everything; Intercept 0, Tenure 1, MeanBase 0 and no
// weights say what the base says.
//
// The base is LogOdds(1 − Renewal(t)) of an [SBG] or [BdW]. The same form answers whether one who left was dropped for
// non-payment; there the base may be 0.
type RenewalHazard struct {
	// Intercept is the log-odds of a customer with a mean base and mean features.
	Intercept float64
	// Tenure is the weight of the base: 1 takes it as it is, 0 not at all.
	Tenure   float64
	MeanBase float64
	// Weights are what a unit of each feature adds to the log-odds, Means what features are counted from.
	Weights, Means []float64
}

// What a RenewalHazard may hold, and what it may be fitted to.
const (
	// MostFeatures is how many features there may be.
	MostFeatures = 64
	// GreatestLogOdds is how large weights, intercept and base may be; e^50 is no odds that data could tell.
	GreatestLogOdds = 50
	// GreatestTenure is how large the weight of the base may be.
	GreatestTenure = 5
	// GreatestFeature is how large a feature may be, so that its square is still exact enough to compute with.
	GreatestFeature = 1e12
)

// Validate returns a *ParameterError for the first parameter that can't come from a fit.
func (m RenewalHazard) Validate() error {
	const model = "renewal hazard"
	if len(m.Weights) > MostFeatures {
		return &ParameterError{model, "Weights", float64(len(m.Weights)), fmt.Sprintf("at most %d of them", MostFeatures)}
	}
	if len(m.Means) != len(m.Weights) {
		return &ParameterError{model, "Means", float64(len(m.Means)), fmt.Sprintf("%d of them, as of Weights", len(m.Weights))}
	}
	if err := checkParameter(model, "Intercept", m.Intercept, -GreatestLogOdds, GreatestLogOdds); err != nil {
		return err
	}
	if err := checkParameter(model, "Tenure", m.Tenure, 0, GreatestTenure); err != nil {
		return err
	}
	if err := checkParameter(model, "MeanBase", m.MeanBase, -GreatestLogOdds, GreatestLogOdds); err != nil {
		return err
	}
	for j := range m.Weights {
		if err := checkParameter(model, fmt.Sprintf("Weights[%d]", j), m.Weights[j], -GreatestLogOdds, GreatestLogOdds); err != nil {
			return err
		}
		if err := checkParameter(model, fmt.Sprintf("Means[%d]", j), m.Means[j], -GreatestFeature, GreatestFeature); err != nil {
			return err
		}
	}
	return nil
}

// LogOdds is Intercept + Tenure·(base − MeanBase) + Σ_j Weights[j]·(features[j] − Means[j]), of which [Probability] makes the
// probability of leaving. There must be a finite feature for each weight, and a finite base.
func (m RenewalHazard) LogOdds(base float64, features []float64) float64 {
	sum := m.Intercept + float64(m.Tenure*(base-m.MeanBase))
	for j, w := range m.Weights {
		sum += float64(w * (features[j] - m.Means[j]))
	}
	return sum
}

// Contributions appends the terms of LogOdds: the intercept, the base, then each feature. In this order they sum to it.
func (m RenewalHazard) Contributions(base float64, features, into []float64) []float64 {
	into = append(into, m.Intercept, float64(m.Tenure*(base-m.MeanBase)))
	for j, w := range m.Weights {
		into = append(into, float64(w*(features[j]-m.Means[j])))
	}
	return into
}
