package btyd

import "math"

// meanPower returns E[(1 + p·w)^−s] for p ~ Beta(a, b), w = e^y − 1 ≥ 0 and s > 0: the one integral that every expectation
// of BG/NBD comes down to. It equals the Gauss function F(s, a; a+b; −w), which Pfaff's transformations turn into
//
//	(1−z)^a · F(a, a+b−s; a+b; z)   and   (1−z)^s · F(s, b; a+b; z),   z = w/(1+w) = 1 − e^−y
//
// with 0 ≤ z < 1. The first converges at z = 1 when a < s, the second when a > s. Where the better of the two would
// take too many terms or lose digits, the integral is done by the trapezoid rule instead.
func meanPower(a, b, s, y float64) float64 {
	if y <= 0 {
		return 1
	}
	if y > 1.2 {
		if mean, ok := meanPowerFar(a, b, s, y); ok {
			return clampUnit(mean)
		}
	}
	// The terms of the first series alternate where a+b−s is far below zero, those of the second are positive always but
	// rise at first, for about s·z/(1−z) terms.
	z := -expm1(-y)
	direct := a <= s
	if direct && a+b-s < -2 && float64(s*z) < float64(300*(1-z)) {
		direct = false
	}
	front, sum, total, ok := 0.0, 0.0, 0.0, false
	if direct {
		front = exp(-float64(a * y))
		sum, total, ok = gaussSeries(a, a+b-s, a+b, z)
	} else {
		front = exp(-float64(s * y))
		sum, total, ok = gaussSeries(s, b, a+b, z)
	}
	if !ok || total > float64(lossAllowed*sum) || front == 0 {
		return clampUnit(meanPowerIntegral(a, b, s, y))
	}
	return clampUnit(float64(front * sum))
}

const (
	// gaussSeriesTerms caps a series at about the cost of the integral that replaces it.
	gaussSeriesTerms = 1000
	// lossAllowed is how much larger than their sum the terms may be in total: 10³ leaves thirteen digits.
	lossAllowed = 1e3
)

// gaussSeries sums F(a, b; c; z) for 0 ≤ z < 1. It also returns the sum of the terms' absolute values, which tells what
// was lost by cancellation, and false when the terms don't die out under the cap.
func gaussSeries(a, b, c, z float64) (sum, total float64, ok bool) {
	sum, total = 1, 1
	term := 1.0
	enough := float64(0x1p-54 * (1 - z))
	for n := 0.0; n < gaussSeriesTerms && total < 1e200; n++ {
		term = float64(term * float64(float64((a+n)*(b+n))/float64((c+n)*(n+1))*z))
		sum += term
		size := math.Abs(term)
		total += size
		if size <= float64(enough*total) {
			return sum, total, true
		}
	}
	return sum, total, false
}

// meanPowerFar is meanPower for z near 1 by the connection to 1−z = e^−y (Abramowitz and Stegun 1964, 15.3.6), for
// moderate parameters with s − a small enough for the series in z to be slow. It says false outside that, and
// where s − a is so near a whole number that the two parts cancel. Of the two parts the second falls like e^−sy; where s is
// large it is nothing, and the first serves alone.
func meanPowerFar(a, b, s, y float64) (float64, bool) {
	const moderate = 30
	d := s - a
	if d > 6 && b < d-2 && float64((y-0.4)*d) > 45+float64(a*log(s))-lgamma(a) {
		slow, _, ok := gaussSeries(a, a+b-s, 1-d, exp(-y))
		return float64(exp(lgamma(a+b)-lgamma(b)+lgamma(d)-lgamma(s)-float64(a*y)) * slow), ok
	}
	if d > 6 || d < -6 || a > moderate || b > moderate || s > moderate {
		return 0, false
	}
	if off := d - math.Floor(d+0.5); off < 1e-3 && off > -1e-3 {
		return 0, false
	}
	u := exp(-y)
	slow, slowTotal, ok1 := gaussSeries(a, a+b-s, 1-d, u)
	fast, fastTotal, ok2 := gaussSeries(b, s, 1+d, u)
	whole := gamma(a + b)
	slowFront := float64(float64(whole*inverseGamma(b)) * float64(gamma(d)*inverseGamma(s)) * exp(-float64(a*y)))
	fastFront := float64(float64(whole*inverseGamma(a)) * float64(gamma(-d)*inverseGamma(a+b-s)) * exp(-float64(s*y)))
	sum := float64(slowFront*slow) + float64(fastFront*fast)
	total := math.Abs(float64(slowFront*slowTotal)) + math.Abs(float64(fastFront*fastTotal))
	return sum, ok1 && ok2 && total < float64(lossAllowed*sum)
}

// gamma is Γ(v) for |v| up to about 100 that isn't zero or a negative whole number.
func gamma(v float64) float64 {
	product := 1.0
	for v < 10 {
		product = float64(product * v)
		v++
	}
	return float64(exp(lgamma(v)) / product)
}

// inverseGamma is 1/Γ(v), which is 0 where Γ has a pole.
func inverseGamma(v float64) float64 {
	product := 1.0
	for v < 10 {
		product = float64(product * v)
		v++
	}
	return float64(product * exp(-lgamma(v)))
}

// meanPowerIntegral is meanPower by quadrature over t = ln(p/(1−p)), for any parameters.
//
// With a small a the weight hardly falls towards p = 0. Integration by parts trades it for larger ones, without
// cancellation:
//
//	M(a, b, s) = M(a+1, b, s) + b·s·w / ((a+b)(a+b+1)) · M(a+1, b+1, s+1).
func meanPowerIntegral(a, b, s, y float64) float64 {
	if a >= 0.5 {
		return meanPowerTrapezoid(a, b, s, y)
	}
	ratio := float64(float64(b/(a+b))*float64(s/(a+b+1))) * expm1(y)
	return meanPowerTrapezoid(a+1, b, s, y) + float64(ratio*meanPowerTrapezoid(a+1, b+1, s+1, y))
}

// trapezoidSteps bounds the points on either side of the mode.
const trapezoidSteps = 4000

// meanPowerTrapezoid splits f(p) = (1+pw)^−s into its least value f(1) and f(p) − f(1) ≥ 0, which vanishes at p = 1, so
// that a small b does no harm. In t the integrand is analytic in a strip and has one mode, where the trapezoid
// rule converges faster than any power of its step.
func meanPowerTrapezoid(a, b, s, y float64) float64 {
	w := expm1(y)
	lnNorm := lgamma(a+b) - lgamma(a) - lgamma(b)
	density := func(t float64) float64 {
		e := exp(-math.Abs(t))
		lnLarger := -log1p(e) // of p and 1−p
		larger, smaller := 1/(1+e), e/(1+e)
		p, lnP, lnQ, q := larger, lnLarger, lnLarger-math.Abs(t), smaller
		if t < 0 {
			p, lnP, lnQ, q = smaller, lnLarger-math.Abs(t), lnLarger, larger
		}
		lnF := -float64(s * log1p(float64(p*w)))
		excess := -expm1(-float64(s * log1p(float64(q*w)/(1+float64(p*w)))))
		return float64(exp(float64(a*lnP)+float64(b*lnQ)+lnF+lnNorm) * excess)
	}
	// The excess makes the integrand fall like (1−p)^(b+1) towards p = 1.
	mode, curvature := meanPowerMode(a, b+1, s, y)
	step := math.Min(0.25, 0.5/math.Sqrt(curvature))
	sum := density(mode)
	for _, direction := range [2]float64{-step, step} {
		for n := 1.0; n < trapezoidSteps; n++ {
			term := density(mode + float64(n*direction))
			sum += term
			if term <= float64(0x1p-60*sum) {
				break
			}
		}
	}
	return exp(-float64(s*y)) + float64(step*sum)
}

// meanPowerMode finds where a ln p + b ln(1−p) − s ln(1+pw) is largest, as t = ln(p/(1−p)), and how curved it is there.
// Its derivative a − (a+b−s)·σ(t) − s·σ(t+y) changes sign once.
func meanPowerMode(a, b, s, y float64) (mode, curvature float64) {
	slope := func(t float64) float64 {
		return a - float64((a+b-s)*logistic(t)) - float64(s*logistic(t+y))
	}
	low, high := -60-y, 60.0
	for range 60 {
		mode = float64(0.5 * (low + high))
		if slope(mode) > 0 {
			low = mode
		} else {
			high = mode
		}
	}
	p, q := logistic(mode), logistic(mode+y)
	curvature = math.Abs(float64((a+b-s)*float64(p*(1-p))) + float64(s*float64(q*(1-q))))
	return mode, curvature
}

func clampUnit(v float64) float64 {
	if v > 1 {
		return 1
	}
	if v > 0 {
		return v
	}
	return 0
}
