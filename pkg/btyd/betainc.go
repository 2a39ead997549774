package btyd

// betaIncomplete returns the regularised incomplete beta function I_v(a, b) for a, b > 0 and 0 ≤ v ≤ 1, given also
// lnV = ln v and lnW = ln(1−v), which the callers know more exactly than v itself could tell.
//
// It evaluates the continued fraction (Abramowitz and Stegun 1964, 26.5.8) by Lentz's method, on the side where that
// converges in O(√max(a,b)) steps.
func betaIncomplete(a, b, v, lnV, lnW float64) float64 {
	if v <= 0 {
		return 0
	}
	if v >= 1 {
		return 1
	}
	lnFront := float64(a*lnV) + float64(b*lnW) + (lgamma(a+b) - lgamma(a) - lgamma(b))
	if v < (a+1)/(a+b+2) {
		return float64(exp(lnFront-log(a)) * betaFraction(a, b, v))
	}
	return 1 - float64(exp(lnFront-log(b))*betaFraction(b, a, 1-v))
}

// betaFractionSteps bounds the continued fraction; parameters of 10⁷ need about 10⁴.
const betaFractionSteps = 20000

func betaFraction(a, b, v float64) float64 {
	const tiny = 1e-300
	c := 1.0
	d := 1 - float64((a+b)*v)/(a+1)
	if d < tiny && d > -tiny {
		d = tiny
	}
	d = 1 / d
	f := d
	for m := 1.0; m < betaFractionSteps; m++ {
		twice := float64(2 * m)
		step := 1.0
		for _, coefficient := range [2]float64{
			float64(float64(m*(b-m))*v) / float64((a+twice-1)*(a+twice)),
			-float64(float64((a+m)*(a+b+m))*v) / float64((a+twice)*(a+twice+1)),
		} {
			d = 1 + float64(coefficient*d)
			if d < tiny && d > -tiny {
				d = tiny
			}
			c = 1 + coefficient/c
			if c < tiny && c > -tiny {
				c = tiny
			}
			d = 1 / d
			step = float64(c * d)
			f = float64(f * step)
		}
		if step-1 < 0x1p-52 && 1-step < 0x1p-52 {
			break
		}
	}
	return f
}
