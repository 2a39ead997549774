package oracle

import (
	"fmt"

	perennialv1 "github.com/perennial-cltv/perennial/proto/perennial/v1"
)

// lookAhead is how many days ahead the next change of band is looked for.
const lookAhead = 400

// checkNextBand looks for the day on which the band of a customer with contracts
// next changes if nothing happens: day by day, by the contract that decides today;
// once that has ended by the others, then by purchases, then by how often others
// came back.
func (v *Version) checkNextBand(w *view, churn *perennialv1.Churn) error {
	if w.main == nil {
		return nil
	}
	want := int64(0)
	for day := v.asOfDay + 1; day <= v.asOfDay+lookAhead; day++ {
		p := ppm(v.churnOn(w.main.id, day))
		for _, l := range v.params.bands() {
			if near(p, int64(l)) {
				return nil // the rounding decides
			}
		}
		if band(int32(p), v.params.bands()) != churn.Band {
			want = v.params.startOfDay(day)
			break
		}
	}
	if got := churn.GetBandChangesAt().GetSeconds(); got != want {
		return fmt.Errorf("the band changes at %d, by the formulas at %d", got, want)
	}
	return nil
}

// churnOn is the churn probability on a later day.
func (v *Version) churnOn(main string, day int64) float64 {
	m := v.params.contractModel(v.segment)
	worst, others := 0.0, false
	last := int64(0)
	for _, c := range v.params.contractsOn(v.facts, day) {
		o := v.params.outlookOf(m, c, v.facts, day)
		switch {
		case c.id == main && c.stage != ended:
			return o.churn
		case c.id == main:
			last = c.end
		case c.stage != ended:
			worst, others = max(worst, o.churn), true
		}
	}
	switch {
	case others:
		return worst
	case v.fromPurchases:
		return v.boughtChurn(day)
	}
	return 1 - returns(m, day-last)
}
