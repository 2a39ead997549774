package oracle

import "math"

// The formulas of BG/NBD (Fader, Hardie, Lee 2005) and Gamma–Gamma (Fader,
// Hardie 2013), evaluated plainly: series and Simpson's rule, no tables. Time is
// in weeks.

// predict sets the version's residual value and churn probability.
func (v *Version) predict() {
	m := v.params.model(v.segment)
	if m == nil || v.days == 0 {
		v.cltvApprox = v.margin - v.service
		return
	}
	v.predicted = true
	b := m.BgNbd
	model := bgnbd{b.R, b.Alpha, b.A, b.B}
	x := float64(v.days - 1)
	tx, age := float64(v.lastDay-v.firstDay)/7, float64(v.asOfDay-v.firstDay)/7
	horizon := float64(or(v.params.policy.GetHorizonDays(), 273)) / 7
	delta := math.Log1p(float64(or(v.params.policy.GetDiscountPpm(), 100_000))/1e6) / 52.18
	spend := v.spend(x)
	margin := float64(or(v.params.policy.GetMarginPpm(), 1_000_000)) / 1e6
	v.residual = int64(math.Round(model.discounted(x, tx, age, horizon, delta) * spend * margin))
	v.churnPPM = int64(math.Round(1e6 * (1 - model.buys(x, tx, age, v.churnWeeks()))))
	v.cltvApprox = v.margin - v.service + v.residual
}

func (v *Version) churnWeeks() float64 {
	return float64(or(v.params.policy.GetChurnHorizonDays(), 90)) / 7
}

// spend is the expected spend per purchase in minor units.
func (v *Version) spend(x float64) float64 {
	g := v.params.model(v.segment).GammaGamma
	if x == 0 {
		return 100 * g.P * g.Gamma / (g.Q - 1)
	}
	mean := float64(v.repeat) / x / 100
	return 100 * g.P * (g.Gamma + x*mean) / (g.P*x + g.Q - 1)
}

type bgnbd struct{ r, alpha, a, b float64 }

// alive is the probability that the customer is still one.
func (m bgnbd) alive(x, tx, age float64) float64 {
	if x == 0 {
		return 1
	}
	return 1 / (1 + m.a/(m.b+x-1)*math.Pow((m.alpha+age)/(m.alpha+tx), m.r+x))
}

// buys is the probability of a purchase within h.
func (m bgnbd) buys(x, tx, age, h float64) float64 {
	return m.alive(x, tx, age) * (1 - math.Pow((m.alpha+age)/(m.alpha+age+h), m.r+x))
}

// discounted is the number of purchases within h, each discounted to now.
func (m bgnbd) discounted(x, tx, age, h, delta float64) float64 {
	const steps = 64
	sum := 0.0
	for i := range steps + 1 {
		u := h * float64(i) / steps
		weight := 2.0
		switch {
		case i == 0 || i == steps:
			weight = 1
		case i%2 == 1:
			weight = 4
		}
		rate := (m.r + x) * math.Pow(m.alpha+age, m.r+x) * math.Pow(m.alpha+age+u, -(m.r+x+1)) *
			hypergeometric(m.r+x+1, m.b+x, m.a+m.b+x, u/(m.alpha+age+u))
		sum += weight * math.Exp(-delta*u) * rate
	}
	return m.alive(x, tx, age) * sum * h / steps / 3
}

// hypergeometric is Gauss's series for 0 ≤ z < 1, after Euler's transform, which
// makes it converge faster here.
func hypergeometric(a, b, c, z float64) float64 {
	term, sum := 1.0, 1.0
	p, q := c-a, c-b
	for n := 0.0; n < 5000; n++ {
		term *= (p + n) * (q + n) / ((c + n) * (n + 1)) * z
		sum += term
		if math.Abs(term) < 1e-13*math.Abs(sum) {
			break
		}
	}
	return math.Pow(1-z, c-a-b) * sum
}
