package cltv

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/perennial-cltv/perennial/pkg/btyd"
)

// contractModel is a model of contracts ready for scoring.
type contractModel struct {
	model  *Model
	method Method
	// base holds the log-odds of leaving at the first renewal, the second …, and stays the probability to renew there.
	base, stays          []float64
	leaving, involuntary *btyd.RenewalHazard
}

// tenures is how many renewals of a contract are told apart; later ones are like the last.
const tenures = 512

// returnDays are from how many days after the end of a contract the second and third of Model.ReturnPPM hold.
var returnDays = [2]int32{90, 365}

// OfContracts says whether the model is of contracts, and not of purchases.
func (m *Model) OfContracts() bool { return m.SBG != (btyd.SBG{}) || m.BdW != (btyd.BdW{}) }

// renewals is the model by tenure, and the method that it makes.
func (m *Model) renewals() (btyd.ContractModel, Method) {
	if m.SBG != (btyd.SBG{}) {
		return m.SBG, MethodSBG
	}
	return m.BdW, MethodBdW
}

// checkContracts refuses what doesn't fit a model of contracts, and parts of one elsewhere.
func (m *Model) checkContracts() *Refusal {
	if !m.OfContracts() {
		for _, f := range []struct {
			field string
			given bool
		}{{"leaving", m.Leaving != nil}, {"involuntary", m.Involuntary != nil}, {"return_ppm", len(m.ReturnPPM) > 0}} {
			if f.given {
				return &Refusal{CodeOutOfRange, f.field, "is given without s_bg or bd_w"}
			}
		}
		return nil
	}
	if m.SBG != (btyd.SBG{}) && m.BdW != (btyd.BdW{}) || m.BGNBD != (btyd.BGNBD{}) || m.MBGNBD != (btyd.MBGNBD{}) || m.ParetoNBD != (btyd.ParetoNBD{}) {
		return &Refusal{CodeOutOfRange, "s_bg", "only one of bg_nbd, mbg_nbd, pareto_nbd, s_bg and bd_w may be given"}
	}
	if _, given := m.spend(); given {
		return &Refusal{CodeOutOfRange, "gamma_gamma", "is given with a model of contracts, whose price is known"}
	}
	renewals, _ := m.renewals()
	if err := renewals.Validate(); err != nil {
		return modelRefusal(err)
	}
	if n := len(m.ReturnPPM); n != 0 && n != len(returnDays)+1 {
		return &Refusal{CodeOutOfRange, "return_ppm", fmt.Sprintf("%d values, want none or %d", n, len(returnDays)+1)}
	}
	for _, ppm := range m.ReturnPPM {
		if ppm < 0 || ppm > million {
			return outOfRange("return_ppm", int64(ppm), 0, million)
		}
	}
	if r := m.Leaving.check("leaving"); r != nil {
		return r
	}
	return m.Involuntary.check("involuntary")
}

func (h *Hazard) check(field string) *Refusal {
	if h == nil {
		return nil
	}
	var known [NumFeatures]bool
	for _, w := range h.Weights {
		f, ok := featureOf(w.Feature)
		if !ok {
			return &Refusal{CodeUnknownValue, field + ".weights.feature", fmt.Sprintf("%q is no feature that this version knows", w.Feature)}
		}
		if known[f] {
			return &Refusal{CodeOutOfRange, field + ".weights.feature", fmt.Sprintf("%q comes twice", w.Feature)}
		}
		known[f] = true
	}
	if err := h.compile().Validate(); err != nil {
		r := modelRefusal(err)
		r.Field = field
		return r
	}
	return nil
}

// compile puts the weights into the order of the features; those that aren't named have none.
func (h *Hazard) compile() *btyd.RenewalHazard {
	if h == nil {
		return nil
	}
	c := &btyd.RenewalHazard{Intercept: h.Intercept, Tenure: h.Tenure, MeanBase: h.MeanBase,
		Weights: make([]float64, NumFeatures), Means: make([]float64, NumFeatures)}
	for _, w := range h.Weights {
		if f, ok := featureOf(w.Feature); ok {
			c.Weights[f], c.Means[f] = w.Weight, w.Mean
		}
	}
	return c
}

func (h *Hazard) clone() *Hazard {
	if h == nil {
		return nil
	}
	kept := *h
	kept.Weights = slices.Clone(h.Weights)
	for i := range kept.Weights {
		kept.Weights[i].Feature = strings.Clone(kept.Weights[i].Feature)
	}
	return &kept
}

func compareHazards(a, b *Hazard) int {
	switch {
	case a == b:
		return 0
	case a == nil:
		return -1
	case b == nil:
		return 1
	}
	return cmp.Or(cmp.Compare(a.Intercept, b.Intercept), cmp.Compare(a.Tenure, b.Tenure), cmp.Compare(a.MeanBase, b.MeanBase),
		slices.CompareFunc(a.Weights, b.Weights, func(x, y HazardWeight) int {
			return cmp.Or(strings.Compare(x.Feature, y.Feature), cmp.Compare(x.Weight, y.Weight), cmp.Compare(x.Mean, y.Mean))
		}))
}

func compileContracts(m *Model) *contractModel {
	c := &contractModel{model: m, leaving: m.Leaving.compile(), involuntary: m.Involuntary.compile(),
		base: make([]float64, tenures), stays: make([]float64, tenures)}
	renewals, method := m.renewals()
	c.method = method
	for t := range tenures {
		c.stays[t] = renewals.Renewal(t + 1)
		c.base[t] = -btyd.LogOdds(c.stays[t])
	}
	return c
}

// at is the position of a renewal, counted from 1, in base and stays.
func (m *contractModel) at(renewal int32) int { return int(min(max(renewal, 1), tenures) - 1) }

// returnPPM is the probability that one whose contract ended some days ago begins another within the churn horizon.
func (m *contractModel) returnPPM(ago int32) int32 {
	if len(m.model.ReturnPPM) == 0 {
		return 0
	}
	i := 0
	for i < len(returnDays) && ago >= returnDays[i] {
		i++
	}
	return m.model.ReturnPPM[i]
}

// outlook is what is expected of one contract as of a day.
type outlook struct {
	facts  *contractFacts
	stage  contractStage
	tenure int32
	// dueDay is when the next renewal is due, or when the contract ends.
	dueDay int32
	// odds are the log-odds that it isn't renewed then, due how many renewals count for churnPPM.
	odds     float64
	due      int
	features Features
	// churnPPM is the probability that it isn't renewed within the churn horizon or at the next renewal, involuntaryPPM the
	// part of it in which payments fail.
	churnPPM, involuntaryPPM int32
	// expected is the number of renewals within the horizon; the others are minor units, discounted, with the margin.
	expected, residual, low, high float64
}

// riskMinor is what is at risk.
func (o *outlook) riskMinor() int64 { return mulDiv(toMinor(o.residual), int64(o.churnPPM), million) }

// risk works out churn as of a day.
func (m *contractModel) risk(c *contractFacts, p *Policy, signals []signal, day int32, o *outlook) {
	*o = outlook{facts: c, tenure: c.periods(p), dueDay: c.dueDay(p)}
	var ended int32
	if o.stage, ended = c.stage(p, day); o.stage != contractRuns {
		o.churnPPM, o.dueDay = million, ended
		if c.cancelled() && c.reason == cancelledForPayment {
			o.involuntaryPPM = million
		}
		return
	}
	c.features(p, signals, day, &o.features)
	base := m.base[m.at(o.tenure)]
	if o.odds = base; m.leaving != nil {
		o.odds = m.leaving.LogOdds(base, o.features[:])
	}
	stays := 1 - btyd.Probability(o.odds)
	period := c.period()
	for o.due = 1; max(o.dueDay, day)+int32(o.due)*period <= day+p.ChurnHorizonDays; o.due++ {
		stays *= m.stays[m.at(o.tenure+int32(o.due))]
	}
	o.churnPPM = int32(btyd.Millionths(1 - stays))
	if m.involuntary != nil {
		share := btyd.Probability(m.involuntary.LogOdds(base, o.features[:]))
		o.involuntaryPPM = int32(btyd.Millionths(float64((1 - stays) * share)))
	}
}

// value works out what a contract whose risk is known brings over the horizon.
func (m *contractModel) value(p *Policy, marginPPM int32, day int32, o *outlook) {
	if o.stage != contractRuns {
		return
	}
	each := float64(o.facts.price()) * (float64(marginPPM) / million)
	perWeek := btyd.WeeklyDiscount(float64(p.DiscountPPM) / million)
	next, period := max(o.dueDay, day)-day, o.facts.period()
	reached, sum := 1-btyd.Probability(o.odds), 0.0
	for k := int32(0); ; k++ {
		ahead := next + k*period
		if ahead > p.HorizonDays {
			return
		}
		if k > 0 {
			reached *= m.stays[m.at(o.tenure+k)]
		}
		worth := float64(each * btyd.DiscountFactor(perWeek, int(ahead)))
		sum += worth
		o.expected += reached
		o.residual += float64(reached * worth)
		if reached >= .9 {
			o.low = sum
		}
		if reached >= .1 {
			o.high = sum
		}
	}
}
