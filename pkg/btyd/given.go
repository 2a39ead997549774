package btyd

import "math"

// given is a customer known to be alive: his rate λ ~ Gamma(shape, rate), the probability p ~ Beta(a, b) of leaving after
// a purchase. tx plays no part any more, which is what makes scores cheap. All methods look from now on.
type given struct {
	shape, rate, a, b float64
}

func (g given) buying() (shape, rate float64) { return g.shape, g.rate }

// pBuys is the probability of a purchase within h: 1 − (rate/(rate+h))^shape.
func (g given) pBuys(h float64) float64 {
	return -expm1(-float64(g.shape * log1p(h/g.rate)))
}

// expected is ∫₀^h ρ(u) du. The closed form divides by a−1; this is as exact at a = 1 as elsewhere.
func (g given) expected(h float64) float64 {
	return g.discounted(h, 0)
}

// discounted is ∫₀^h e^(−δu) ρ(u) du.
func (g given) discounted(h, delta float64) float64 {
	value, _ := g.discountedSlope(h, delta, func(y float64) float64 { return meanPower(g.a, g.b, g.shape+1, y) })
	return value
}

// discountedSlope also gives the derivative of the value by ln(rate), for the table's interpolation. Because ρ depends
// on u through u/rate alone, it is −h e^(−δh) ρ(h) − δ ∫₀^h u e^(−δu) ρ(u) du. mean(y) is meanPower for y = ln(1 + u/rate),
// which times shape/rate is ρ(u) = E[λ e^(−λpu)].
func (g given) discountedSlope(h, delta float64, mean func(y float64) float64) (value, slope float64) {
	if !(h > 0) {
		return 0, 0
	}
	// What lies beyond 60 time constants is below the last digit.
	if h*delta > 60 {
		h = 60 / delta
	}
	delayed := 0.0
	value = integrate(g.rate, g.fall(), h, delta, func(u, y, weight float64) float64 {
		rate := float64(exp(-float64(delta*u)) * mean(y))
		delayed += float64(u * float64(weight*rate))
		return rate
	})
	scale := g.shape / g.rate
	value = float64(scale * value)
	delayed = float64(scale * delayed)
	last := float64(float64(scale*mean(log1p(h/g.rate))) * exp(-float64(delta*h)))
	return value, -float64(h*last) - float64(delta*delayed)
}

// pairs is the expected number of ordered pairs of different purchases within h, E[X(X−1)] = 2 ∫₀^h v E[λ²(1−p)e^(−λpv)] dv:
// the later of the two at v, the earlier anywhere before, and he stayed after it.
func (g given) pairs(h float64) float64 {
	if !(h > 0) {
		return 0
	}
	sum := integrate(g.rate, g.fall(), h, 0, func(u, y, _ float64) float64 {
		return float64(u * meanPower(g.a, g.b+1, g.shape+2, y))
	})
	scale := g.shape / g.rate * ((g.shape + 1) / g.rate) * (g.b / (g.a + g.b))
	return float64(2 * float64(scale*sum))
}

// fall is −d ln ρ / dy at 0.
func (g given) fall() float64 { return float64((g.shape + 1) * (g.a / (g.a + g.b))) }

// integrate returns ∫₀^h f(u) du by a Gauss–Legendre rule in y, u = rate·(e^y − 1); f is also told y and the node's weight. fall is
// about −d ln f / dy at 0.
// In y the integrand has its nearest singularities at a distance of π from the axis, whatever the parameters, so
// panels of about that length need sixteen nodes for full precision; shorter ones are taken where the integrand falls
// fast, because all customers leave soon or the discount is high. It ends where f, which falls in the end, can add
// nothing more.
func integrate(rate, fall, h, delta float64, f func(u, y, weight float64) float64) (sum float64) {
	length := log1p(h / rate)
	growing := 8 / fall
	for y := 0.0; y < length; {
		panel := math.Min(3.2, growing)
		reach := float64(rate * exp(y)) // du/dy
		if delta > 0 {
			panel = math.Min(panel, log1p(8/float64(delta*reach)))
		}
		if y+panel >= float64(length*(1-1e-9)) {
			panel = length - y
		}
		rule := gauss16[:]
		if panel < 1.1 && panel*fall < 2 && delta*reach*panel < 1 {
			rule = gauss8[:]
		}
		half := float64(0.5 * panel)
		middle := y + half
		last := 0.0
		for i := range rule {
			node := &rule[len(rule)-1-i] // the outermost comes last, and of each pair the later
			for _, at := range [2]float64{middle - float64(half*node.at), middle + float64(half*node.at)} {
				u := float64(rate * expm1(at))
				weight := float64(float64(half*node.weight) * (rate + u))
				last = f(u, at, weight)
				sum += float64(weight * last)
			}
		}
		y += panel
		if float64(last*h) <= 0x1p-60*sum {
			break
		}
		growing *= 2
	}
	return sum
}

// pmf is the probability of exactly n purchases within h. With R(n) the probability to stay after each of n−1 purchases
// and I the distribution function of the n-th purchase's time, P(X ≥ n) = R(n)·I, which splits into two positive parts:
// n purchases of a customer who stayed, and the n-th having been his last.
func (g given) pmf(n int, h float64) float64 {
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
	lnLate := -log1p(h / g.rate) // ln of rate/(rate+h)
	lnEarly := -log1p(g.rate / h)
	lnCount := lnRising(g.shape, c) - lgamma(c+1) + float64(g.shape*lnLate) + float64(c*lnEarly)
	if n == 0 {
		return exp(lnCount)
	}
	nth := betaIncomplete(c, g.shape, h/(g.rate+h), lnEarly, lnLate)
	parts := float64((g.b+c-1)*exp(lnCount)) + float64(g.a*nth)
	return float64(exp(g.lnStays(c)) * parts / (g.a + g.b + c - 1))
}

// lnStays is ln R(n) = ln B(a, b+n−1)/B(a, b) for n ≥ 1: that he doesn't leave after any of n−1 purchases.
func (g given) lnStays(n float64) float64 {
	return lnRising(g.b, n-1) - lnRising(g.a+g.b, n-1)
}

// atLeast is P(X ≥ n) within h for n ≥ 1, not necessarily whole.
func (g given) atLeast(n, h float64) float64 {
	nth := betaIncomplete(n, g.shape, h/(g.rate+h), -log1p(g.rate/h), -log1p(h/g.rate))
	return float64(exp(g.lnStays(n)) * nth)
}

type gaussNode struct{ at, weight float64 }

// Positive nodes and their weights of the Gauss–Legendre rules of 8 and 16 points on [−1, 1].
var (
	gauss8 = [...]gaussNode{
		{0.9602898564975362317, 0.1012285362903762592},
		{0.7966664774136267396, 0.2223810344533744705},
		{0.5255324099163289858, 0.3137066458778872873},
		{0.1834346424956498049, 0.3626837833783619830},
	}
	gauss16 = [...]gaussNode{
		{0.9894009349916499326, 0.02715245941175409485},
		{0.9445750230732325761, 0.06225352393864789286},
		{0.8656312023878317439, 0.09515851168249278481},
		{0.7554044083550030339, 0.1246289712555338721},
		{0.6178762444026437484, 0.1495959888165767321},
		{0.4580167776572273863, 0.1691565193950025382},
		{0.2816035507792589132, 0.1826034150449235889},
		{0.09501250983763744019, 0.1894506104550684963},
	}
)
