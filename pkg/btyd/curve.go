package btyd

import "math"

// intensityCurve is ln meanPower(a, b, s, ·) as a piecewise polynomial in y, for many evaluations with the same
// parameters: all ages of one x share it, because the intensity depends on time through y alone. It bounds what a
// table costs, also where a single evaluation is dear. It is exact to about 1e-13.
type intensityCurve struct {
	panels []chebyshevPanel
}

const chebyshevNodes = 16

// chebyshevPanel holds the coefficients of T₀…T₁₅.
type chebyshevPanel [chebyshevNodes]float64

// chebyshevCosines are cos((2j+1)π/32) for j = 0…7: the positive nodes.
var chebyshevCosines = [chebyshevNodes / 2]float64{
	0.9951847266721968862, 0.9569403357322088649, 0.881921264348355030, 0.7730104533627369608,
	0.6343932841636454982, 0.4713967368259976486, 0.2902846772544623676, 0.0980171403295606020,
}

// newIntensityCurve covers 0 ≤ y ≤ length by panels of unit length, beside whose 16 nodes the nearest singularity, at a
// distance of π, is far.
func newIntensityCurve(a, b, s, length float64) intensityCurve {
	curve := intensityCurve{make([]chebyshevPanel, 1+int(length))}
	for i := range curve.panels {
		middle := float64(i) + 0.5
		for _, cosine := range chebyshevCosines {
			right := logOrLeast(meanPower(a, b, s, middle+float64(0.5*cosine)))
			left := logOrLeast(meanPower(a, b, s, middle-float64(0.5*cosine)))
			curve.panels[i].project(cosine, right)
			curve.panels[i].project(-cosine, left)
		}
	}
	return curve
}

// logOrLeast is ln v, or that of the least number exp returns.
func logOrLeast(v float64) float64 {
	return math.Max(log(v), -708)
}

// project adds a node's share to the coefficients: 2/n·f·T_k, half of it for k = 0.
func (c *chebyshevPanel) project(at, value float64) {
	share := value / (chebyshevNodes / 2)
	c[0] += float64(0.5 * share)
	before, t := 1.0, at
	for k := 1; k < chebyshevNodes; k++ {
		c[k] += float64(share * t)
		before, t = t, float64(2*float64(at*t))-before
	}
}

// mean is meanPower at y.
func (c intensityCurve) mean(y float64) float64 {
	i := min(int(y), len(c.panels)-1)
	panel := &c.panels[i]
	at := float64(2*(y-float64(i))) - 1
	// Clenshaw's recurrence.
	twice := float64(2 * at)
	next, afterNext := 0.0, 0.0
	for k := chebyshevNodes - 1; k > 0; k-- {
		next, afterNext = panel[k]+(float64(twice*next)-afterNext), next
	}
	return exp(panel[0] + (float64(at*next) - afterNext))
}
