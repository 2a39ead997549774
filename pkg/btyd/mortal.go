package btyd

import "math"

// mortal is a customer known to be alive who may leave at any moment: his rate λ ~ Gamma(shape, rate), the rate of leaving
// μ ~ Gamma(s, beta). All methods look from now on.
type mortal struct {
	shape, rate, s, beta float64
}

func (g mortal) buying() (shape, rate float64) { return g.shape, g.rate }

// pBuys is the probability of a purchase within h: of the first, at u, before he leaves.
func (g mortal) pBuys(h float64) float64 {
	if !(h > 0) {
		return 0
	}
	least := math.Min(g.rate, g.beta)
	fall := float64((g.shape+1)*(least/g.rate)) + float64(g.s*(least/g.beta))
	sum := integrate(least, fall, h, 0, func(u, _, _ float64) float64 {
		return exp(-float64((g.shape+1)*log1p(u/g.rate)) - float64(g.s*log1p(u/g.beta)))
	})
	return clampUnit(float64(g.shape / g.rate * sum))
}

// expected is ∫₀^h ρ(u) du with ρ(u) = shape/rate·(β/(β+u))^s, in closed form and as exact at s = 1 as elsewhere.
func (g mortal) expected(h float64) float64 {
	if !(h > 0) {
		return 0
	}
	return float64(g.shape / g.rate * g.lasting(h))
}

// lasting is the expected time within h that he stays.
func (g mortal) lasting(h float64) float64 {
	y := log1p(h / g.beta)
	v := float64((g.s - 1) * y)
	if v > -1e-8 && v < 1e-8 {
		return float64(float64(g.beta*y) * (1 - float64(0.5*v)))
	}
	return float64(float64(g.beta*y) * (-expm1(-v) / v))
}

// discounted is ∫₀^h e^(−δu) ρ(u) du.
func (g mortal) discounted(h, delta float64) float64 {
	if delta == 0 {
		return g.expected(h)
	}
	return float64(g.shape / g.rate * g.lastingDiscounted(h, delta))
}

// lastingDiscounted is ∫₀^h e^(−δu) (β/(β+u))^s du.
func (g mortal) lastingDiscounted(h, delta float64) float64 {
	if !(h > 0) {
		return 0
	}
	if h*delta > 60 {
		h = 60 / delta
	}
	return integrate(g.beta, g.s, h, delta, func(u, y, _ float64) float64 {
		return exp(-float64(delta*u) - float64(g.s*y))
	})
}

// pairs is E[X(X−1)] = 2 ∫₀^h v E[λ²] P(stays until v) dv: the later of two purchases at v, the earlier anywhere before.
func (g mortal) pairs(h float64) float64 {
	if !(h > 0) {
		return 0
	}
	sum := integrate(g.beta, g.s, h, 0, func(u, y, _ float64) float64 {
		return float64(u * exp(-float64(g.s*y)))
	})
	return float64(2 * float64(float64(g.shape/g.rate*((g.shape+1)/g.rate))*sum))
}

// atLeast is P(X ≥ n) within h for n ≥ 1, not necessarily whole, to 1e-6: enough for the law of values. The n-th purchase comes
// at u, which is rate times a beta-prime variable, and he is still there.
func (g mortal) atLeast(n, h float64) float64 {
	lnNorm := lnRising(g.shape, n) - lgamma(n)
	p, _ := g.overTime(n, h, rough, func(_, lnCount, lnStays, _ float64) (float64, float64) {
		return exp(lnNorm + lnCount + lnStays), 0
	})
	return clampUnit(p)
}

// pmf is the probability of exactly n purchases within h: of one who stays, and of one who leaves at u having made n.
func (g mortal) pmf(n int, h float64) float64 {
	if n < 0 {
		return 0
	}
	if !(h > 0) {
		if n == 0 {
			return 1
		}
		return 0
	}
	c := float64(n)
	stay, left, _ := g.partsOf(c, h, 0, exact)
	return stay + left
}

// partsOf splits P(X = n) into those who stay and those who leave within h. leftWorth is what a unit of money
// spent evenly until leaving is worth, summed over the latter.
func (g mortal) partsOf(n, h, delta float64, how precision) (stay, left, leftWorth float64) {
	lnNorm := lnRising(g.shape, n) - lgamma(n+1)
	stay = exp(lnNorm - float64(g.shape*log1p(h/g.rate)) - float64(n*log1p(g.rate/h)) - float64(g.s*log1p(h/g.beta)))
	lnRatio := log(g.rate / g.beta)
	left, leftWorth = g.overTime(n+1, h, how, func(t, lnCount, lnStays, u float64) (p, worth float64) {
		// One power of u/(rate+u) belongs to the element of t, of which the density of leaving has u/(β+u).
		p = float64(g.s * exp(lnNorm+lnCount+(softPlus(t)+lnRatio-log1p(u/g.beta))+lnStays))
		return p, float64(p * meanDiscount(float64(delta*u)))
	})
	return stay, left, leftWorth
}

// softPlus is ln(1 + e^t).
func softPlus(t float64) float64 {
	if t > 0 {
		return t + log1p(exp(-t))
	}
	return log1p(exp(t))
}

// averageDiscount is what a unit of money is worth on average in the purchases of those who make n within h: even over the
// horizon, or until he left.
func (g mortal) averageDiscount(n, _, h, delta float64) float64 {
	even := meanDiscount(float64(delta * h))
	if delta == 0 {
		return even
	}
	stay, left, leftWorth := g.partsOf(n, h, delta, rough)
	if !(stay+left > 0) {
		return even
	}
	return (float64(stay*even) + leftWorth) / (stay + left)
}

// precision is how an integral is done: the rule of a panel, and what share of the whole a panel may be left out for.
type precision struct {
	rule   []gaussNode
	enough float64
}

var (
	exact = precision{gauss16[:], 0x1p-56}
	rough = precision{gauss8[:], 1e-9}
)

// overTime returns ∫ f dt over u ≤ h, t = ln(u/rate), of both values of f. f gets t, ln of (u/(rate+u))^n (rate/(rate+u))^shape, ln of the
// probability to stay until u, and u; it must not differ from their product by more than a factor that changes slowly. In t
// that has one mode and its nearest singularities at a distance of π; Gauss–Legendre panels go down from h, or from where
// nothing is above.
func (g mortal) overTime(n, h float64, how precision, f func(t, lnCount, lnStays, u float64) (one, other float64)) (sum, other float64) {
	if !(h > 0) {
		return 0, 0
	}
	lnRatio := log(g.rate / g.beta)
	slope := func(t float64) float64 {
		return n - float64((g.shape+n)*logistic(t)) - float64(g.s*logistic(t+lnRatio))
	}
	low, high := -60.0-math.Abs(lnRatio)-log(1+g.shape+g.s), 60.0+math.Abs(lnRatio)+log(1+n)
	mode := 0.0
	for range 40 {
		mode = float64(0.5 * (low + high))
		if slope(mode) > 0 {
			low = mode
		} else {
			high = mode
		}
	}
	deviation := math.Sqrt(1/n + 1/(g.shape+g.s))
	top := math.Min(log(h/g.rate), mode+float64(12*deviation)+50/(g.shape+g.s))
	width := math.Min(3, float64(3*math.Min(deviation, math.Sqrt(1/n+1/g.shape))))
	if steep := slope(top); steep > 0 {
		width = math.Min(width, 12/steep)
	}
	for panels := 0; panels < 4000; panels++ {
		half := float64(0.5 * width)
		middle := top - half
		part := 0.0
		for _, node := range how.rule {
			for _, t := range [2]float64{middle - float64(half*node.at), middle + float64(half*node.at)} {
				lnOdds := softPlus(t)
				u := float64(g.rate * exp(t))
				lnCount := float64(n*(t-lnOdds)) - float64(g.shape*lnOdds)
				one, two := f(t, lnCount, -float64(g.s*log1p(u/g.beta)), u)
				part += float64(float64(half*node.weight) * one)
				other += float64(float64(half*node.weight) * two)
			}
		}
		sum += part
		top -= width
		if part <= float64(how.enough*sum) && top < mode {
			break
		}
	}
	return sum, other
}

func logistic(t float64) float64 { return 1 / (1 + exp(-t)) }
