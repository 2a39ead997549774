package oracle

import (
	"fmt"
	"math"

	perennialv1 "github.com/perennial-cltv/perennial/proto/perennial/v1"
)

// CheckChurn holds a churn record against the version that it tells of.
func (l *Log) CheckChurn(r *perennialv1.ChurnRisk) error {
	c := l.Customers[r.Tenant+"/"+r.Customer]
	if c == nil || r.Version < 1 || r.Version > int64(len(c.Versions)) {
		return fmt.Errorf("there is no version %d of %s/%s", r.Version, r.Tenant, r.Customer)
	}
	v := &c.Versions[r.Version-1]
	if err := v.checkChurn(r); err != nil {
		return fmt.Errorf("version %d of %s/%s: %w", r.Version, r.Tenant, r.Customer, err)
	}
	return nil
}

func (v *Version) checkChurn(r *perennialv1.ChurnRisk) error {
	if !near(r.ResidualMinor, v.residual) || r.CltvMinor != v.margin-v.service+r.ResidualMinor {
		return fmt.Errorf("residual is %d and cltv %d, the formulas give %d and %d", r.ResidualMinor, r.CltvMinor, v.residual, v.cltvApprox)
	}
	return v.someView(func(w *view) error {
		if !near(int64(r.GetChurn().GetProbabilityPpm()), w.ppm) || !near(int64(r.GetChurn().GetInvoluntaryPpm()), w.involuntary) {
			return fmt.Errorf("churn is %v, the formulas give %d, and %d of it involuntary", r.Churn, w.ppm, w.involuntary)
		}
		if err := v.checkReasons(w, r); err != nil {
			return err
		}
		if err := v.checkInvoluntary(w, r); err != nil {
			return err
		}
		return v.checkNextBand(w, r.Churn)
	})
}

func (v *Version) checkReasons(w *view, r *perennialv1.ChurnRisk) error {
	if len(v.views) == 0 {
		if len(r.Reasons) > 0 {
			return fmt.Errorf("reasons for nothing: %v", r.Reasons)
		}
		return nil
	}
	p := float64(r.GetChurn().GetProbabilityPpm())
	if err := addUp(r.Reasons, p-.5, p+.5, 1e6, 1e6); err != nil {
		return fmt.Errorf("reasons: %w", err)
	}
	switch o := w.main; {
	case o == nil:
		return onlyCodes(r.Reasons, "age", "frequency", "recency", "start")
	case o.stage != runs:
		return onlyCodes(r.Reasons, "ended")
	case o.model.Leaving != nil:
		return o.checkShares(o.model.Leaving, r.Reasons, true)
	default:
		// Tenure alone, against the first renewal.
		average := base(o.model, 1)
		return o.checkShares(&perennialv1.RenewalHazard{Intercept: average, Tenure: 1, MeanBase: average}, r.Reasons, true)
	}
}

func (v *Version) checkInvoluntary(w *view, r *perennialv1.ChurnRisk) error {
	o := w.main
	if o == nil || o.stage != runs || o.model.Involuntary == nil {
		if len(r.InvoluntaryReasons) > 0 {
			return fmt.Errorf("reasons for an involuntary part that isn't told apart: %v", r.InvoluntaryReasons)
		}
		return nil
	}
	part, whole := float64(r.GetChurn().GetInvoluntaryPpm()), float64(r.GetChurn().GetProbabilityPpm())
	if err := addUp(r.InvoluntaryReasons, part-.5, part+.5, whole+.5, whole-.5); err != nil {
		return fmt.Errorf("involuntary reasons: %w", err)
	}
	return o.checkShares(o.model.Involuntary, r.InvoluntaryReasons, false)
}

// addUp demands that reasons add up to the log-odds of a share that lies within
// least/ofMost and most/ofLeast, are told in their order, and come with something
// from which they start.
func addUp(reasons []*perennialv1.Reason, least, most, ofMost, ofLeast float64) error {
	if len(reasons) == 0 {
		return fmt.Errorf("there are none")
	}
	sum := int64(0)
	for i, r := range reasons {
		sum += r.LogOddsPpm
		if i > 0 && i < len(reasons)-1 && max(r.LogOddsPpm, -r.LogOddsPpm) > max(reasons[i-1].LogOddsPpm, -reasons[i-1].LogOddsPpm) {
			return fmt.Errorf("%q weighs more than %q before it", r.Code, reasons[i-1].Code)
		}
	}
	// Beyond a millionth from 0 and 1 everything may be told as a millionth from
	// there, or as what it is.
	lowest, highest := logOdds(least/ofMost), logOdds(most/ofLeast)
	if least/ofMost <= 1e-6 {
		lowest = math.Inf(-1)
	}
	if most/ofLeast >= 1-1e-6 {
		highest = math.Inf(1)
	}
	end := logOdds(1 - 1e-6)
	lowest, highest = math.Min(lowest, end), math.Max(highest, -end)
	if s := float64(sum); s < 1e6*lowest-2 || s > 1e6*highest+2 {
		return fmt.Errorf("they add up to %d, the log-odds are %.1f to %.1f", sum, 1e6*lowest, 1e6*highest)
	}
	return nil
}

func logOdds(p float64) float64 { return math.Log(p / (1 - p)) }

// checkShares holds each share against the hazard, as far as one tells of it
// alone. Probabilities over several renewals have the share of the later ones.
func (o *outlook) checkShares(h *perennialv1.RenewalHazard, reasons []*perennialv1.Reason, renewals bool) error {
	weights := map[string]*perennialv1.HazardWeight{}
	for _, w := range h.Weights {
		weights[w.Feature] = w
	}
	rest := 0.0
	for _, w := range h.Weights {
		rest += w.Weight * (o.z[w.Feature] - w.Mean)
	}
	for _, r := range reasons {
		want := 0.0
		switch w := weights[r.Code]; {
		case r.Code == "average":
			want = h.Intercept
		case r.Code == "tenure":
			want = h.Tenure * (base(o.model, o.tenure) - h.MeanBase)
		case w != nil:
			want = w.Weight * (o.z[w.Feature] - w.Mean)
			rest -= want
		case r.Code == "others", r.Code == "renewals" && renewals:
			continue
		default:
			return fmt.Errorf("%q is no reason here", r.Code)
		}
		if math.Abs(float64(r.LogOddsPpm)-1e6*want) > 2 {
			return fmt.Errorf("the share of %q is %d, the formulas give %.1f", r.Code, r.LogOddsPpm, 1e6*want)
		}
	}
	for _, r := range reasons {
		if r.Code == "others" && math.Abs(float64(r.LogOddsPpm)-1e6*rest) > 12 {
			return fmt.Errorf("the share of the others is %d, the formulas give %.1f", r.LogOddsPpm, 1e6*rest)
		}
	}
	return nil
}

func onlyCodes(reasons []*perennialv1.Reason, known ...string) error {
	for _, r := range reasons {
		found := false
		for _, k := range known {
			found = found || r.Code == k
		}
		if !found {
			return fmt.Errorf("%q is no reason here", r.Code)
		}
	}
	return nil
}
