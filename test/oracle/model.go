package oracle

import (
	"math"

	perennialv1 "github.com/perennial-cltv/perennial/proto/perennial/v1"
)

// The formulas of BG/NBD (Fader, Hardie, Lee 2005), MBG/NBD, Pareto/NBD and Gamma–Gamma (Fader,
// Hardie 2013), evaluated plainly: series and Simpson's rule, no tables. Time is
// in weeks.

// predict sets the residual value and the ways to see churn.
func (v *Version) predict(facts []*fact) {
	v.predictPurchases()
	v.predictContracts(facts)
	v.residual = v.boughtResidual + v.contractResidual
	v.applyMethod()
	v.cltvApprox = v.margin - v.service + v.residual
}

// predictPurchases asks the model of purchases.
func (v *Version) predictPurchases() {
	m := v.params.model(v.segment)
	if m == nil || v.bought.days == 0 {
		return
	}
	v.fromPurchases, v.method, v.modelID = true, purchaseMethod(m), m.ModelId
	model := processOf(m)
	x, tx, age := v.inputs(v.asOfDay)
	spend := v.spend(x)
	margin := float64(v.futureMargin()) / 1e6
	v.boughtResidual = int64(math.Round(discounted(model, x, tx, age, float64(v.params.horizonDays())/7, v.params.delta()) * spend * margin))
	v.boughtPPM = ppm(v.boughtChurn(v.asOfDay))
	v.alivePPM = ppm(model.alive(x, tx, age))
}

// inputs are those of the model of purchases on a day, in weeks.
func (v *Version) inputs(day int64) (x, tx, age float64) {
	return float64(v.bought.days - 1), float64(v.bought.lastDay-v.bought.firstDay) / 7, float64(day-v.bought.firstDay) / 7
}

// boughtChurn is the probability of no purchase within the churn horizon.
func (v *Version) boughtChurn(day int64) float64 {
	x, tx, age := v.inputs(day)
	return 1 - buys(processOf(v.params.model(v.segment)), x, tx, age, float64(v.params.churnDays())/7)
}

// futureMargin is that of the purchases to come, in millionths: the policy's, or
// that of what was bought so far.
func (v *Version) futureMargin() int64 {
	if len(v.params.policy.GetMarginByProduct()) == 0 || v.bought.minor == 0 {
		return v.params.marginOf("")
	}
	return share(v.bought.margin, 1, v.bought.minor)
}

// predictContracts asks the model of contracts.
func (v *Version) predictContracts(facts []*fact) {
	for _, f := range facts {
		if v.params.localDay(f.at) <= v.asOfDay {
			v.facts = append(v.facts, f)
		}
	}
	v.contracts = v.params.contractsOn(v.facts, v.asOfDay)
	m := v.params.contractModel(v.segment)
	if m != nil {
		for _, c := range v.contracts {
			o := v.params.outlookOf(m, c, v.facts, v.asOfDay)
			v.outlooks = append(v.outlooks, o)
			v.contractResidual += int64(math.Round(o.residual))
		}
	}
	switch {
	case len(v.outlooks) > 0:
		v.views = v.viewsOf(v.outlooks, v.asOfDay)
		if !v.fromPurchases {
			v.method, v.modelID = v.contractMethod(), m.ModelId
		}
	case v.fromPurchases:
		v.views = []view{{ppm: v.boughtPPM}}
	}
}

// spend is the expected spend per purchase in minor units.
func (v *Version) spend(x float64) float64 {
	g := v.params.model(v.segment).GammaGamma
	if x == 0 {
		return 100 * g.P * g.Gamma / (g.Q - 1)
	}
	mean := float64(v.bought.minor-v.bought.firstMinor) / x / 100
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
	steps := 64
	if to-from > 40 {
		steps = 256
	}
	sum := 0.0
	for i := range steps + 1 {
		weight := 2.0
		switch {
		case i == 0 || i == steps:
			weight = 1
		case i%2 == 1:
			weight = 4
		}
		sum += weight * f(from+(to-from)*float64(i)/float64(steps))
	}
	return sum * (to - from) / float64(steps) / 3
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
