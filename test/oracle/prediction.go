package oracle

import (
	"fmt"
	"math"

	perennialv1 "github.com/perennial-cltv/perennial/proto/perennial/v1"
)

// someView tries the ways to see a customer's churn until one fits.
func (v *Version) someView(fits func(w *view) error) error {
	if len(v.views) == 0 {
		return fits(&view{})
	}
	var first error
	for i := range v.views {
		err := fits(&v.views[i])
		if err == nil {
			return nil
		}
		if first == nil {
			first = err
		}
	}
	return first
}

// checkPrediction looks at what doesn't depend on the contract that decides.
func (v *Version) checkPrediction(p *perennialv1.Prediction) error {
	if !near(p.GetResidualMinor(), v.residual) || p.ResidualLowMinor > p.ResidualHighMinor {
		return fmt.Errorf("residual is %d (%d to %d), the formulas give %d", p.GetResidualMinor(), p.ResidualLowMinor, p.ResidualHighMinor, v.residual)
	}
	if !near(int64(p.GetAlivePpm()), v.alivePPM) {
		return fmt.Errorf("alive is %d, the formulas give %d", p.GetAlivePpm(), v.alivePPM)
	}
	modelID := v.modelID
	if v.contractual {
		modelID = ""
		if len(v.outlooks) > 0 {
			modelID = v.params.contractModel(v.segment).ModelId
		}
	}
	err := firstWrong([]check{
		{"method", p.Method, v.method}, {"model id", p.ModelId, modelID}, {"horizon", int64(p.HorizonDays), v.params.horizonDays()},
	})
	if err != nil {
		return err
	}
	return v.checkInterval(p)
}

// checkInterval holds 10 % and 90 % against the quantiles of renewals; those of
// purchases aren't worked out here.
func (v *Version) checkInterval(p *perennialv1.Prediction) error {
	if v.byRule {
		return firstWrong([]check{{"10 %", p.ResidualLowMinor, p.ResidualMinor}, {"90 %", p.ResidualHighMinor, p.ResidualMinor}})
	}
	if v.fromPurchases && !v.contractual {
		return nil
	}
	// rough is by how much rounding each part may move the sums of squares.
	below, above, rough := 0.0, 0.0, 0.0
	for _, o := range v.outlooks {
		if o.unsure {
			return nil
		}
		below += signedSquare(o.residual - o.low)
		above += signedSquare(o.high - o.residual)
		rough += 2*math.Max(math.Abs(o.residual-o.low), math.Abs(o.high-o.residual)) + 1
	}
	mean, room := float64(v.residual), float64(slack(v.residual))
	low, high := float64(p.ResidualLowMinor), float64(p.ResidualHighMinor)
	if low < math.Max(0, mean-signedRoot(below+rough))-room || low > math.Max(0, mean-signedRoot(below-rough))+room ||
		high < mean+signedRoot(above-rough)-room || high > mean+signedRoot(above+rough)+room {
		return fmt.Errorf("10 %% and 90 %% are %v and %v, the formulas give %.1f and %.1f", low, high, mean-signedRoot(below), mean+signedRoot(above))
	}
	return nil
}

func signedSquare(d float64) float64 { return d * math.Abs(d) }

func signedRoot(s float64) float64 { return math.Copysign(math.Sqrt(math.Abs(s)), s) }

// checkView holds what depends on the contract that decides.
func (v *Version) checkView(w *view, p *perennialv1.Prediction, churn *perennialv1.Churn) error {
	for _, c := range []struct {
		name string
		got  int32
		want int64
	}{
		{"churn probability", churn.GetProbabilityPpm(), w.ppm}, {"voluntary part", churn.GetVoluntaryPpm(), w.voluntary},
		{"involuntary part", churn.GetInvoluntaryPpm(), w.involuntary},
	} {
		if !near(int64(c.got), c.want) {
			return fmt.Errorf("%s is %d, the formulas give %d", c.name, c.got, c.want)
		}
	}
	apart := churn.GetVoluntaryPpm() + churn.GetInvoluntaryPpm()
	if apart != 0 && apart != churn.GetProbabilityPpm() {
		return fmt.Errorf("voluntary %d and involuntary %d don't add up to %d", churn.GetVoluntaryPpm(), churn.GetInvoluntaryPpm(), churn.GetProbabilityPpm())
	}
	b := perennialv1.Band_BAND_UNSPECIFIED
	if len(v.views) > 0 {
		b = band(churn.GetProbabilityPpm(), v.params.bands())
	}
	err := firstWrong([]check{
		{"basis", p.Basis, v.basis(w)}, {"band", churn.GetBand(), b}, {"churn horizon", int64(churn.GetHorizonDays()), v.params.churnDays()},
	})
	if err != nil {
		return err
	}
	if err := v.checkAtRisk(p, churn); err != nil {
		return err
	}
	return v.checkContracts(w, p.Contracts)
}

// basis is how much the data carry the prediction.
func (v *Version) basis(w *view) perennialv1.Basis {
	var repeated bool
	var m *perennialv1.ModelPublished
	switch {
	case v.byRule && v.ruleApplies:
		return perennialv1.Basis_BASIS_RULE
	case v.byRule:
		return perennialv1.Basis_BASIS_INSUFFICIENT_DATA
	case v.fromPurchases && !v.contractual:
		repeated, m = v.bought.days > 1, v.params.model(v.segment)
	case len(v.outlooks) > 0:
		repeated, m = w.leading.tenure > 1, w.leading.model
	default:
		return perennialv1.Basis_BASIS_INSUFFICIENT_DATA
	}
	switch {
	case repeated:
		return perennialv1.Basis_BASIS_INDIVIDUAL
	case m.Scope != "":
		return perennialv1.Basis_BASIS_SEGMENT
	}
	return perennialv1.Basis_BASIS_POPULATION
}

// checkAtRisk adds up the value at risk from its parts.
func (v *Version) checkAtRisk(p *perennialv1.Prediction, churn *perennialv1.Churn) error {
	if v.byRule || len(v.outlooks) == 0 && !v.contractual {
		return firstWrong([]check{{"value at risk", churn.GetValueAtRiskMinor(), share(p.ResidualMinor, int64(churn.GetProbabilityPpm()), 1_000_000)}})
	}
	sum, room := 0.0, 2+float64(v.residual)/1e6
	if v.fromPurchases && !v.contractual {
		sum += float64(p.ResidualMinor-p.GetContracts().GetResidualMinor()) * float64(v.boughtPPM) / 1e6
	}
	for _, o := range v.outlooks {
		sum += o.risk()
		room++
	}
	if math.Abs(float64(churn.GetValueAtRiskMinor())-sum) > room {
		return fmt.Errorf("value at risk is %d, its parts are %.1f", churn.GetValueAtRiskMinor(), sum)
	}
	return nil
}

// checkContracts holds the part of contracts.
func (v *Version) checkContracts(w *view, part *perennialv1.ContractPrediction) error {
	running, expected := int64(0), 0.0
	for _, o := range v.outlooks {
		if o.stage != ended {
			running++
		}
		expected += o.expected
	}
	if running == 0 {
		if part != nil {
			return fmt.Errorf("there is a part of contracts, and none runs: %v", part)
		}
		return nil
	}
	due := w.leading.end
	if w.leading.stage == runs {
		due = w.leading.due
	}
	if !near(part.GetResidualMinor(), v.contractResidual) {
		return fmt.Errorf("residual of contracts is %d, the formulas give %d", part.GetResidualMinor(), v.contractResidual)
	}
	if !near(part.GetExpectedRenewalsPpm(), ppm(expected)) {
		return fmt.Errorf("expected renewals are %d, the formulas give %d", part.GetExpectedRenewalsPpm(), ppm(expected))
	}
	return firstWrong([]check{
		{"method of contracts", part.GetMethod(), v.contractMethod()}, {"model of contracts", part.GetModelId(), v.params.contractModel(v.segment).ModelId},
		{"running contracts", int64(part.GetRunning()), running}, {"plan", part.GetPlan(), w.leading.plan},
		{"tenure", int64(part.GetTenurePeriods()), w.leading.tenure},
		{"next renewal", part.GetRenewalAt().GetSeconds(), v.params.startOfDay(due)},
	})
}
