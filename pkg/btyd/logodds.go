package btyd

// LogOdds returns ln(p/(1−p)) for 0 ≤ p ≤ 1: the scale on which influences on a probability add up. ±Inf at the ends.
func LogOdds(p float64) float64 { return log(p) - log1p(-p) }
