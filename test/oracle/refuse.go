package oracle

import perennialv1 "github.com/perennial-cltv/perennial/proto/perennial/v1"

// acceptsModel says whether a model can come into force.
func acceptsModel(m *perennialv1.ModelPublished) bool {
	given := 0
	for _, is := range []bool{
		m.GetBgNbd().GetR() > 0, m.GetMbgNbd().GetR() > 0, m.GetParetoNbd().GetR() > 0,
		m.GetSBg().GetAlpha() > 0 && m.GetSBg().GetBeta() > 0,
		m.GetBdW().GetAlpha() > 0 && m.GetBdW().GetBeta() > 0 && m.GetBdW().GetC() > 0,
	} {
		if is {
			given++
		}
	}
	if given != 1 {
		return false
	}
	if !ofContracts(m) {
		return m.Leaving == nil && m.Involuntary == nil && len(m.ReturnPpm) == 0
	}
	if n := len(m.ReturnPpm); m.GammaGamma != nil || n != 0 && n != 3 {
		return false
	}
	for _, ppm := range m.ReturnPpm {
		if ppm < 0 || ppm > 1_000_000 {
			return false
		}
	}
	for _, h := range []*perennialv1.RenewalHazard{m.Leaving, m.Involuntary} {
		named := map[string]bool{}
		for _, w := range h.GetWeights() {
			if _, known := featureMost[w.Feature]; !known || named[w.Feature] {
				return false
			}
			named[w.Feature] = true
		}
	}
	return true
}

func ofContracts(m *perennialv1.ModelPublished) bool { return m.SBg != nil || m.BdW != nil }

// acceptsPolicy says whether a policy can come into force, its formulas aside.
func acceptsPolicy(p *perennialv1.PolicySet) bool {
	if p.FinancialYearMonth < 0 || p.FinancialYearMonth > 12 || p.GraceDays > 366 {
		return false
	}
	for product, ppm := range p.MarginByProduct {
		if product == "" || ppm < 0 || ppm > 1_000_000 {
			return false
		}
	}
	named := map[string]bool{}
	for _, v := range p.Valuations {
		simple, dynamic := v.Method == perennialv1.ValueMethod_VALUE_METHOD_SIMPLE, v.Method == perennialv1.ValueMethod_VALUE_METHOD_DYNAMIC
		custom := v.Method == perennialv1.ValueMethod_VALUE_METHOD_CUSTOM
		if named[v.Segment] || simple != (v.YearlyChurnPpm > 0) || dynamic != (len(v.RetentionPpm) > 0) || custom != (v.Formula != "") {
			return false
		}
		if v.YearlyChurnPpm < 0 || v.YearlyChurnPpm > 1_000_000 {
			return false
		}
		for _, ppm := range v.RetentionPpm {
			if ppm < 0 || ppm > 1_000_000 {
				return false
			}
		}
		named[v.Segment] = true
	}
	return true
}

// readsFormulas says whether all formulas of a policy are understood.
func readsFormulas(p *perennialv1.PolicySet) bool {
	for _, v := range p.Valuations {
		if v.Formula != "" && v.Formula != Formula {
			return false
		}
	}
	return true
}
