package oracle

import (
	"math"

	perennialv1 "github.com/perennial-cltv/perennial/proto/perennial/v1"
)

// The formulas of sBG (Fader, Hardie 2007), BdW (Fader, Hardie, Liu, Davin,
// Steenburgh 2018) and the logistic hazard of a renewal, evaluated plainly.

// renews is the probability to renew after n periods.
func renews(m *perennialv1.ModelPublished, n int64) float64 {
	if s := m.SBg; s != nil {
		return (s.Beta + float64(n) - 1) / (s.Alpha + s.Beta + float64(n) - 1)
	}
	w := m.BdW
	return math.Exp(lnBeta(w.Alpha, w.Beta+math.Pow(float64(n), w.C)) - lnBeta(w.Alpha, w.Beta+math.Pow(float64(n-1), w.C)))
}

func lnBeta(a, b float64) float64 {
	x, _ := math.Lgamma(a)
	y, _ := math.Lgamma(b)
	z, _ := math.Lgamma(a + b)
	return x + y - z
}

// base is the log-odds of leaving after n periods.
func base(m *perennialv1.ModelPublished, n int64) float64 {
	r := renews(m, n)
	return math.Log((1 - r) / r)
}

// hazard is the log-odds that a hazard gives.
func hazard(h *perennialv1.RenewalHazard, base float64, z map[string]float64) float64 {
	odds := h.Intercept + h.Tenure*(base-h.MeanBase)
	for _, w := range h.Weights {
		odds += w.Weight * (z[w.Feature] - w.Mean)
	}
	return odds
}

func logistic(odds float64) float64 { return 1 / (1 + math.Exp(-odds)) }

// outlook is what is expected of one contract. Probabilities are from 0 to 1,
// money is discounted margin in minor units.
type outlook struct {
	*contract
	model *perennialv1.ModelPublished
	// z are the features.
	z                             map[string]float64
	churn, involuntary            float64
	expected, residual, low, high float64
	// unsure says that rounding decides where low or high are.
	unsure bool
}

func (o *outlook) risk() float64 { return math.Round(o.residual) * o.churn }

// outlookOf judges a contract.
func (t *tenant) outlookOf(m *perennialv1.ModelPublished, c *contract, facts []*fact, day int64) *outlook {
	o := &outlook{contract: c, model: m}
	if c.stage != runs {
		o.churn = 1
		if c.cancelledForPayment {
			o.involuntary = 1
		}
		return o
	}
	o.z = c.features(t, facts, day)
	// stays is the probability to be there after the k-th renewal from now on.
	odds := base(m, c.tenure)
	if m.Leaving != nil {
		odds = hazard(m.Leaving, odds, o.z)
	}
	stays := func(k int64) float64 {
		p := 1 - logistic(odds)
		for i := int64(1); i < k; i++ {
			p *= renews(m, c.tenure+i)
		}
		return p
	}
	on := func(k int64) int64 { return max(c.due, day) + (k-1)*c.period }

	last := int64(1)
	for on(last+1) <= day+t.churnDays() {
		last++
	}
	o.churn = 1 - stays(last)
	if m.Involuntary != nil {
		o.involuntary = o.churn * logistic(hazard(m.Involuntary, base(m, c.tenure), o.z))
	}
	each := float64(c.price) * float64(t.marginOf(c.plan)) / 1e6
	sum := 0.0
	for k := int64(1); on(k) <= day+t.horizonDays(); k++ {
		worth := each * math.Exp(-t.delta()*float64(on(k)-day)/7)
		sum += worth
		o.expected += stays(k)
		o.residual += stays(k) * worth
		if stays(k) >= .9 {
			o.low = sum
		}
		if stays(k) >= .1 {
			o.high = sum
		}
		o.unsure = o.unsure || math.Abs(stays(k)-.9) < 1e-9 || math.Abs(stays(k)-.1) < 1e-9
	}
	return o
}

func (t *tenant) horizonDays() int64 { return or(t.policy.GetHorizonDays(), 273) }
func (t *tenant) churnDays() int64   { return or(t.policy.GetChurnHorizonDays(), 90) }

// delta is the discount of a week.
func (t *tenant) delta() float64 { return math.Log1p(t.discount()) / 52.18 }

func (t *tenant) discount() float64 {
	return float64(max(0, or(t.policy.GetDiscountPpm(), 100_000))) / 1e6
}

// marginOf is the margin of a product or plan.
func (t *tenant) marginOf(product string) int64 {
	if ppm, ok := t.policy.GetMarginByProduct()[product]; ok && product != "" {
		return int64(ppm)
	}
	return or(t.policy.GetMarginPpm(), 1_000_000)
}

// returns is the probability that one whose contract ended some days ago begins
// another.
func returns(m *perennialv1.ModelPublished, ago int64) float64 {
	if len(m.ReturnPpm) == 0 {
		return 0
	}
	ppm := m.ReturnPpm[2]
	switch {
	case ago < 90:
		ppm = m.ReturnPpm[0]
	case ago < 365:
		ppm = m.ReturnPpm[1]
	}
	return float64(ppm) / 1e6
}

// view is one way to see a customer's churn. There is more than one where the
// rounding decides which of several contracts has the most at risk.
type view struct {
	ppm, voluntary, involuntary int64
	// main is the contract that decides; nil where purchases do. leading is the
	// one that the part of contracts tells of.
	main, leading *outlook
}

// views are those of the contracts, and of the purchases where none runs.
func (v *Version) viewsOf(outlooks []*outlook, day int64) []view {
	var running, over []*outlook
	lastEnd := int64(math.MinInt64)
	for _, o := range outlooks {
		if o.stage != ended {
			running = append(running, o)
			continue
		}
		if o.end > lastEnd {
			lastEnd, over = o.end, nil
		}
		if o.end == lastEnd {
			over = append(over, o)
		}
	}
	var list []view
	for _, o := range running {
		if !outranked(o, running) {
			list = append(list, contractView(o, o.churn))
		}
	}
	switch {
	case len(running) > 0:
		return list
	case v.fromPurchases:
		for _, o := range over {
			list = append(list, view{ppm: v.boughtPPM, leading: o})
		}
		return list
	}
	for _, o := range over {
		list = append(list, contractView(o, 1-returns(o.model, day-o.end)))
	}
	return list
}

func contractView(o *outlook, churn float64) view {
	w := view{main: o, leading: o, ppm: ppm(churn)}
	switch {
	case o.stage != runs:
		w.involuntary = ppm(churn * o.involuntary)
		w.voluntary = w.ppm - w.involuntary
	case o.model.Involuntary != nil:
		w.involuntary = ppm(o.involuntary)
		w.voluntary = w.ppm - w.involuntary
	}
	return w
}

func ppm(p float64) int64 { return int64(math.Round(1e6 * p)) }

// outranked says that another contract surely has more at risk.
func outranked(o *outlook, others []*outlook) bool {
	for _, other := range others {
		// Both figures of the product are rounded.
		margin := 2 + max(o.residual, other.residual)/1e6
		switch more := other.risk() - o.risk(); {
		case more > margin:
			return true
		case o.risk() == 0 && other.risk() == 0 && other.churn-o.churn > 2e-6:
			return true
		}
	}
	return false
}
