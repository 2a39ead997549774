package oracle

import (
	"math"

	perennialv1 "github.com/perennial-cltv/perennial/proto/perennial/v1"
)

// The formulas of BG/NBD (Fader, Hardie, Lee 2005), MBG/NBD, Pareto/NBD and Gamma–Gamma (Fader,
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
	model := processOf(m)
	x := float64(v.days - 1)
	tx, age := float64(v.lastDay-v.firstDay)/7, float64(v.asOfDay-v.firstDay)/7
	horizon := float64(or(v.params.policy.GetHorizonDays(), 273)) / 7
	delta := math.Log1p(float64(or(v.params.policy.GetDiscountPpm(), 100_000))/1e6) / 52.18
	spend := v.spend(x)
	margin := float64(or(v.params.policy.GetMarginPpm(), 1_000_000)) / 1e6
	v.residual = int64(math.Round(discounted(model, x, tx, age, horizon, delta) * spend * margin))
	v.churnPPM = int64(math.Round(1e6 * (1 - buys(model, x, tx, age, v.churnWeeks()))))
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

// process is a model of purchases: of a customer with x repeat purchases, the last
// at tx, at an age.
type process interface {
	// alive is the probability that the customer is still one.
	alive(x, tx, age float64) float64
	// none is the probability of no purchase within h of one who is.
	none(x, age, h float64) float64
	// rate is the rate of purchases in u from now, of one who is a customer now.
	rate(x, age, u float64) float64
}

// processOf is the one that a published model has.
func processOf(m *perennialv1.ModelPublished) process {
	switch {
	case m.MbgNbd != nil:
		return geometric{m.MbgNbd.R, m.MbgNbd.Alpha, m.MbgNbd.A, m.MbgNbd.B, 1}
	case m.ParetoNbd != nil:
		return pareto{m.ParetoNbd.R, m.ParetoNbd.Alpha, m.ParetoNbd.S, m.ParetoNbd.Beta}
	}
	return geometric{m.BgNbd.R, m.BgNbd.Alpha, m.BgNbd.A, m.BgNbd.B, 0}
}

// buys is the probability of a purchase within h.
func buys(m process, x, tx, age, h float64) float64 {
	return m.alive(x, tx, age) * (1 - m.none(x, age, h))
}

// discounted is the number of purchases within h, each discounted to now.
func discounted(m process, x, tx, age, h, delta float64) float64 {
	return m.alive(x, tx, age) * simpson(0, h, func(u float64) float64 { return math.Exp(-delta*u) * m.rate(x, age, u) })
}

// geometric is BG/NBD, and MBG/NBD where first is 1: one can leave after the first
// purchase, too.
type geometric struct{ r, alpha, a, b, first float64 }

func (m geometric) alive(x, tx, age float64) float64 {
	if x+m.first == 0 {
		return 1
	}
	return 1 / (1 + m.a/(m.b+x+m.first-1)*math.Pow((m.alpha+age)/(m.alpha+tx), m.r+x))
}

func (m geometric) none(x, age, h float64) float64 {
	return math.Pow((m.alpha+age)/(m.alpha+age+h), m.r+x)
}

func (m geometric) rate(x, age, u float64) float64 {
	return (m.r + x) * math.Pow(m.alpha+age, m.r+x) * math.Pow(m.alpha+age+u, -(m.r+x+1)) *
		hypergeometric(m.r+x+1, m.b+x+m.first, m.a+m.b+x+m.first, u/(m.alpha+age+u))
}

// pareto is Pareto/NBD (Schmittlein, Morrison, Colombo 1987), what happened since
// a moment integrated over the time at which the customer left.
type pareto struct{ r, alpha, s, beta float64 }

// left is the probability, with that of who is there at the end as the unit, that
// he left between from and to without another purchase.
func (m pareto) left(x, from, to float64) float64 {
	return m.s * simpson(from, to, func(u float64) float64 {
		return math.Pow((m.alpha+to)/(m.alpha+u), m.r+x) * math.Pow((m.beta+to)/(m.beta+u), m.s) / (m.beta + u)
	})
}

func (m pareto) alive(x, tx, age float64) float64 { return 1 / (1 + m.left(x, tx, age)) }

func (m pareto) none(x, age, h float64) float64 {
	stays := math.Pow((m.alpha+age)/(m.alpha+age+h), m.r+x) * math.Pow((m.beta+age)/(m.beta+age+h), m.s)
	return stays * (1 + m.left(x, age, age+h))
}

func (m pareto) rate(x, age, u float64) float64 {
	return (m.r + x) / (m.alpha + age) * math.Pow((m.beta+age)/(m.beta+age+u), m.s)
}

// simpson integrates f by Simpson's rule.
func simpson(from, to float64, f func(float64) float64) float64 {
	const steps = 64
	sum := 0.0
	for i := range steps + 1 {
		weight := 2.0
		switch {
		case i == 0 || i == steps:
			weight = 1
		case i%2 == 1:
			weight = 4
		}
		sum += weight * f(from+(to-from)*float64(i)/steps)
	}
	return sum * (to - from) / steps / 3
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
