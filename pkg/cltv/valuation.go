package cltv

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Bounds of a policy's tables.
const (
	maxMargins      = 1000
	maxValuations   = 100
	maxRetentions   = 50
	maxFormulaBytes = 2000
)

func (p *Policy) checkMargins() *Refusal {
	if n := len(p.MarginByProduct); n > maxMargins {
		return &Refusal{CodeOutOfRange, "margin_by_product", fmt.Sprintf("%d entries, at most %d", n, maxMargins)}
	}
	for _, product := range slices.Sorted(maps.Keys(p.MarginByProduct)) {
		if product == "" {
			return &Refusal{CodeMissing, "margin_by_product", "an entry names no product"}
		}
		if r := checkText("margin_by_product", product, maxName); r != nil {
			return r
		}
		if ppm := p.MarginByProduct[product]; ppm < 0 || ppm > million {
			return outOfRange("margin_by_product["+product+"]", int64(ppm), 0, million)
		}
	}
	return nil
}

func (p *Policy) checkValuations() *Refusal {
	if n := len(p.Valuations); n > maxValuations {
		return &Refusal{CodeOutOfRange, "valuations", fmt.Sprintf("%d entries, at most %d", n, maxValuations)}
	}
	segments := make(map[string]bool)
	for i := range p.Valuations {
		v := &p.Valuations[i]
		if segments[v.Segment] {
			return &Refusal{CodeOutOfRange, "valuations.segment", fmt.Sprintf("%q comes twice", v.Segment)}
		}
		segments[v.Segment] = true
		if r := v.check(); r != nil {
			return r
		}
	}
	return nil
}

func (v *Valuation) check() *Refusal {
	if r := checkText("valuations.segment", v.Segment, maxName); r != nil {
		return r
	}
	if v.Method < 0 || v.Method > ValueCustom {
		return &Refusal{CodeUnknownValue, "valuations.method", fmt.Sprintf("%d is no method that this version knows", v.Method)}
	}
	if v.YearlyChurnPPM < 0 || v.YearlyChurnPPM > million {
		return outOfRange("valuations.yearly_churn_ppm", int64(v.YearlyChurnPPM), 0, million)
	}
	if n := len(v.RetentionPPM); n > maxRetentions {
		return &Refusal{CodeOutOfRange, "valuations.retention_ppm", fmt.Sprintf("%d entries, at most %d", n, maxRetentions)}
	}
	for _, ppm := range v.RetentionPPM {
		if ppm < 0 || ppm > million {
			return outOfRange("valuations.retention_ppm", int64(ppm), 0, million)
		}
	}
	if n := len(v.Formula); n > maxFormulaBytes {
		return &Refusal{CodeTooLong, "valuations.formula", fmt.Sprintf("%d bytes, at most %d", n, maxFormulaBytes)}
	}
	for _, f := range []struct {
		field          string
		needed, given  bool
		method, wanted string
	}{
		{"valuations.yearly_churn_ppm", v.Method == ValueSimple, v.YearlyChurnPPM > 0, "simple", "1 to 1000000"},
		{"valuations.retention_ppm", v.Method == ValueDynamic, len(v.RetentionPPM) > 0, "dynamic", "at least one entry"},
		{"valuations.formula", v.Method == ValueCustom, v.Formula != "", "custom", "an expression"},
	} {
		switch {
		case f.needed && !f.given:
			return &Refusal{CodeMissing, f.field, fmt.Sprintf("is empty, and the %s method needs %s", f.method, f.wanted)}
		case f.given && !f.needed:
			return &Refusal{CodeOutOfRange, f.field, "is given, and only the " + f.method + " method uses it"}
		}
	}
	return nil
}

func compareValuations(a, b Valuation) int {
	return cmp.Or(strings.Compare(a.Segment, b.Segment), cmp.Compare(a.Method, b.Method),
		cmp.Compare(a.YearlyChurnPPM, b.YearlyChurnPPM), slices.Compare(a.RetentionPPM, b.RetentionPPM),
		strings.Compare(a.Formula, b.Formula))
}

// clone copies what a decoder may reuse.
func (v *Valuation) clone() Valuation {
	kept := *v
	kept.Segment, kept.Formula = strings.Clone(v.Segment), strings.Clone(v.Formula)
	kept.RetentionPPM = slices.Clone(v.RetentionPPM)
	return kept
}

// marginOf is the gross margin of a product or plan in millionths.
func (p *Policy) marginOf(product string) int32 {
	if ppm, ok := p.MarginByProduct[product]; ok && product != "" {
		return ppm
	}
	return p.MarginPPM
}

// financialYear is the first local day of the financial year in which a day lies.
func (p *Policy) financialYear(day int32) int32 {
	year, month, _ := time.Unix(int64(day)*daySeconds, 0).UTC().Date()
	begins := time.Month(p.FinancialYearMonth)
	if month < begins {
		year--
	}
	return int32(time.Date(year, begins, 1, 0, 0, 0, 0, time.UTC).Unix() / daySeconds)
}

// years remembers a financial year, since most scores are as of the same one.
type years struct{ month, begins, ends int32 }

// of answers the first day of the financial year of a day, and that of the next one.
func (y *years) of(p *Policy, day int32) (begins, ends int32) {
	if y.month != p.FinancialYearMonth || day < y.begins || day >= y.ends {
		y.month, y.begins = p.FinancialYearMonth, p.financialYear(day)
		y.ends = p.financialYear(y.begins + 370)
	}
	return y.begins, y.ends
}
