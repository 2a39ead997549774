package btyd

import "math"

// Source is where chance comes from, as rand.Source of math/rand/v2: this package has none of its own.
type Source interface {
	Uint64() uint64
}

// Simulate draws the ages at which one customer of the population makes his repeat purchases, up to age T.
func (m BGNBD) Simulate(source Source, T float64) []float64 {
	rate := exp(drawLnGamma(source, m.R)) / m.Alpha
	return simulateGeometric(source, rate, drawBeta(source, m.A, m.B), T)
}

// Simulate draws the ages at which one customer of the population makes his repeat purchases, up to age T.
func (m MBGNBD) Simulate(source Source, T float64) []float64 {
	rate := exp(drawLnGamma(source, m.R)) / m.Alpha
	leaves := drawBeta(source, m.A, m.B)
	if drawUniform(source) < leaves {
		return nil
	}
	return simulateGeometric(source, rate, leaves, T)
}

// Simulate draws the ages at which one customer of the population makes his repeat purchases, up to age T.
func (m ParetoNBD) Simulate(source Source, T float64) []float64 {
	rate := exp(drawLnGamma(source, m.R)) / m.Alpha
	hazard := exp(drawLnGamma(source, m.S)) / m.Beta
	end := math.Min(T, drawExponential(source)/hazard)
	var ages []float64
	for u := drawExponential(source) / rate; u <= end; u += drawExponential(source) / rate {
		ages = append(ages, u)
	}
	return ages
}

// simulateGeometric draws purchases of one who leaves after each with the same probability.
func simulateGeometric(source Source, rate, leaves, T float64) []float64 {
	var ages []float64
	for u := drawExponential(source) / rate; u <= T; u += drawExponential(source) / rate {
		ages = append(ages, u)
		if drawUniform(source) < leaves {
			break
		}
	}
	return ages
}

// drawUniform is in (0, 1), never at an end.
func drawUniform(source Source) float64 {
	// The conversion also keeps the division, which compiles to a product, from being fused with what follows.
	return float64((float64(source.Uint64()>>12) + 0.5) / (1 << 52))
}

func drawExponential(source Source) float64 { return -log(drawUniform(source)) }

// drawNormal is a standard normal variable by Marsaglia's polar method (Marsaglia and Bray 1964).
func drawNormal(source Source) float64 {
	for {
		v, w := float64(2*(drawUniform(source)-0.5)), float64(2*(drawUniform(source)-0.5))
		if q := float64(v*v) + float64(w*w); q < 1 && q > 0 {
			return float64(v * math.Sqrt(-2*log(q)/q))
		}
	}
}

// drawLnGamma is ln of a standard gamma variable (Marsaglia and Tsang 2000), which itself may be too small to be a number.
func drawLnGamma(source Source, shape float64) float64 {
	boost := 0.0
	if shape < 1 {
		boost = log(drawUniform(source)) / shape
		shape++
	}
	d := shape - 1.0/3
	c := 1 / math.Sqrt(9*d)
	for {
		z := drawNormal(source)
		v := 1 + float64(c*z)
		if v <= 0 {
			continue
		}
		v = float64(float64(v*v) * v)
		if log(drawUniform(source)) < float64(float64(z*z)/2)+(d-float64(d*v)+float64(d*log(v))) {
			return log(d) + log(v) + boost
		}
	}
}

func drawBeta(source Source, a, b float64) float64 {
	return 1 / (1 + exp(drawLnGamma(source, b)-drawLnGamma(source, a)))
}
