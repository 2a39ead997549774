package btyd

// LogOdds returns ln(p/(1−p)) for 0 ≤ p ≤ 1: the scale on which influences on a probability add up. ±Inf at the ends.
func LogOdds(p float64) float64 { return log(p) - log1p(-p) }

// Probability is what has these log-odds, 1/(1 + e^−v): the inverse of LogOdds.
func Probability(logOdds float64) float64 {
	if logOdds < 0 {
		// Small probabilities keep their digits.
		e := exp(logOdds)
		return e / (1 + e)
	}
	return 1 / (1 + exp(-logOdds))
}
