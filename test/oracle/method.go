package oracle

import (
	"math"
	"time"

	perennialv1 "github.com/perennial-cltv/perennial/proto/perennial/v1"
)

// Formula is the text of the one formula that the batch program can work out,
// by hand.
const Formula = "net * 0.25 + subscriptions * 10.0"

// valuation is the method for a segment; nil: predictively.
func (t *tenant) valuation(segment string) *perennialv1.Valuation {
	var general *perennialv1.Valuation
	for _, v := range t.policy.GetValuations() {
		switch v.Segment {
		case segment:
			return v
		case "":
			general = v
		}
	}
	return general
}

// applyMethod replaces what the models expect by what the policy's method says.
// Probabilities stay as they are.
func (v *Version) applyMethod() {
	rule := v.params.valuation(v.segment)
	years := float64(max(365, v.asOfDay-v.firstDay)) / 365
	ok := v.days > 0
	residual := 0.0
	switch rule.GetMethod() {
	case perennialv1.ValueMethod_VALUE_METHOD_CONTRACTUAL:
		v.contractual = true
		v.residual = v.contractResidual
		v.method = v.contractMethod()
		return
	case perennialv1.ValueMethod_VALUE_METHOD_SIMPLE:
		v.method = perennialv1.Method_METHOD_SIMPLE
		lifespan := 1e6 / float64(rule.YearlyChurnPpm)
		residual = max(0, float64(v.margin)/years*lifespan-max(0, float64(v.margin)))
	case perennialv1.ValueMethod_VALUE_METHOD_HISTORICAL:
		v.method = perennialv1.Method_METHOD_HISTORICAL
	case perennialv1.ValueMethod_VALUE_METHOD_DYNAMIC:
		v.method = perennialv1.Method_METHOD_DYNAMIC
		reached := float64(v.margin-v.service) / years
		for year := int64(0); 365*year < v.params.horizonDays(); year++ {
			i := min(int(year), len(rule.RetentionPpm)-1)
			reached *= float64(rule.RetentionPpm[i]) / 1e6 / (1 + v.params.discount())
			residual += reached * min(1, float64(v.params.horizonDays()-365*year)/365)
		}
	case perennialv1.ValueMethod_VALUE_METHOD_CUSTOM:
		v.method, ok = perennialv1.Method_METHOD_CUSTOM, true
		subscriptions := 0
		for _, c := range v.contracts {
			if c.stage != ended {
				subscriptions++
			}
		}
		residual = .25*float64(v.gross-v.refunded) + 10*100*float64(subscriptions)
	default:
		return
	}
	v.byRule, v.ruleApplies = true, ok
	if v.residual = int64(math.Round(max(0, residual))); !ok {
		v.residual = 0
	}
}

// contractMethod is how the part of contracts is found.
func (v *Version) contractMethod() perennialv1.Method {
	switch m := v.params.contractModel(v.segment); {
	case len(v.outlooks) == 0:
		return perennialv1.Method_METHOD_UNSPECIFIED
	case m.SBg != nil:
		return perennialv1.Method_METHOD_S_BG
	}
	return perennialv1.Method_METHOD_BD_W
}

func purchaseMethod(m *perennialv1.ModelPublished) perennialv1.Method {
	switch {
	case m.MbgNbd != nil:
		return perennialv1.Method_METHOD_MBG_NBD_GAMMA_GAMMA
	case m.ParetoNbd != nil:
		return perennialv1.Method_METHOD_PARETO_NBD_GAMMA_GAMMA
	}
	return perennialv1.Method_METHOD_BG_NBD_GAMMA_GAMMA
}

// financialYear is the first day of the financial year in which a day lies.
func (t *tenant) financialYear(day int64) int64 {
	begins := time.Month(or(t.policy.GetFinancialYearMonth(), 1))
	d := time.Unix(day*24*3600, 0).UTC()
	for d.Day() != 1 || d.Month() != begins {
		d = d.AddDate(0, 0, -1)
	}
	return d.Unix() / (24 * 3600)
}

// startOfDay is the first second of a local day, which lies on a quarter of an
// hour.
func (t *tenant) startOfDay(day int64) int64 {
	at := (day - 2) * 24 * 3600
	for t.localDay(at*1000) < day {
		at += 15 * 60
	}
	return at
}
