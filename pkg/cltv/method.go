package cltv

import (
	"fmt"
)

// valuation is a method of valuing ready for scoring.
type valuation struct {
	*Valuation
	formula Formula
}

// compileValuations prepares the methods of a policy; nothing is kept of those that say what holds anyway.
func compileValuations(p *Policy, tables *Tables) (map[string]*valuation, *Refusal) {
	ready := make(map[string]*valuation, len(p.Valuations))
	for i := range p.Valuations {
		v := &valuation{Valuation: &p.Valuations[i]}
		if v.Method == ValueCustom {
			if tables == nil || tables.Formulas == nil {
				return nil, &Refusal{CodeNotSupported, "valuations.formula", "this program can't read formulas"}
			}
			formula, err := tables.Formulas(v.Formula)
			if err != nil {
				return nil, &Refusal{CodeInvalidText, "valuations.formula", err.Error()}
			}
			v.formula = formula
		}
		ready[v.Segment] = v
	}
	return ready, nil
}

// yearDays is what counts as a year of a customer's life.
const yearDays = 365

// lifeDays are those of the customer so far, at least a year: who came last month would else buy twelve times as often.
func lifeDays(out *Score, h *history) int64 { return max(yearDays, int64(out.AsOfDay-h.firstDay)) }

// applyMethod replaces what the models expect by what the policy's method says. Probabilities stay those of the models.
func (f *Folder) applyMethod(s *State, params *Params, out *Score, h *history) {
	v := params.valuationFor(s.Segment())
	if v == nil {
		return
	}
	residual, ok := int64(0), h.days > 0
	switch v.Method {
	case ValueContractual:
		f.onlyContracts(params.contractsFor(s.Segment()), out)
		return
	case ValueSimple:
		out.Method = MethodSimple
		residual = simpleResidual(out.MarginMinor, lifeDays(out, h), v.YearlyChurnPPM)
	case ValueHistorical:
		out.Method = MethodHistorical
	case ValueDynamic:
		out.Method = MethodDynamic
		residual = dynamicResidual(out.MarginMinor-out.ServiceCostMinor, lifeDays(out, h), v.RetentionPPM, &params.policy)
	case ValueCustom:
		out.Method = MethodCustom
		h.waitsUntil = min(h.waitsUntil, f.aggregate(s, params, out, h))
		value, finite := v.formula.Value(&f.aggregates)
		residual, ok = toMinor(float64(value*params.perMajor)), finite
	default:
		return
	}
	out.Basis = BasisRule
	if !ok {
		residual, out.Basis = 0, BasisInsufficientData
	}
	out.ResidualMinor, out.ResidualLowMinor, out.ResidualHighMinor = residual, residual, residual
	out.ValueAtRiskMinor = mulDiv(residual, int64(out.ChurnPPM), million)
}

// onlyContracts leaves the part of contracts.
func (f *Folder) onlyContracts(m *contractModel, out *Score) {
	part := &out.Contracts
	out.ResidualMinor, out.ValueAtRiskMinor = part.ResidualMinor, 0
	out.Method, out.ModelID = part.Method, part.ModelID
	if part.Method == MethodNone {
		out.Basis = BasisInsufficientData
		out.ResidualLowMinor, out.ResidualHighMinor = 0, 0
		return
	}
	out.Basis = m.basis(f.mainContract())
	below, above := 0.0, 0.0
	for i := range f.outlooks {
		o := &f.outlooks[i]
		residual := toMinor(o.residual)
		out.ValueAtRiskMinor += o.riskMinor()
		below += square(residual - toMinor(o.low))
		above += square(toMinor(o.high) - residual)
	}
	out.ResidualLowMinor = max(0, out.ResidualMinor-root(below))
	out.ResidualHighMinor = max(0, out.ResidualMinor+root(above))
	out.ValueAtRiskMinor = min(out.ValueAtRiskMinor, maxTotalMinor)
}

// simpleResidual is mean purchase × purchases a year × lifespan × margin, which is the margin of a year so far over the
// share that leaves in a year, less what was brought already; not below nothing.
func simpleResidual(marginMinor, lifeDays int64, yearlyChurnPPM int32) int64 {
	whole := mulDiv(marginMinor, yearDays*million, lifeDays*int64(yearlyChurnPPM))
	return min(max(0, whole-max(0, marginMinor)), maxTotalMinor)
}

// dynamicResidual is Σ m·r₁⋯r_k/(1+d)^k over the years of the horizon, the last in part: m is the margin of a year so far
// after the cost of service, r the retention of each year (Gupta and Lehmann 2003, with a retention that changes).
func dynamicResidual(marginMinor, lifeDays int64, retentionPPM []int32, p *Policy) int64 {
	yearly := float64(marginMinor) * float64(yearDays) / float64(lifeDays)
	rate := 1 + float64(p.DiscountPPM)/million
	sum, reached := 0.0, 1.0
	for year := 0; year*yearDays < int(p.HorizonDays); year++ {
		reached *= float64(retentionPPM[min(year, len(retentionPPM)-1)]) / million
		reached /= rate
		part := min(1, float64(int(p.HorizonDays)-year*yearDays)/yearDays)
		sum += float64(reached * part)
	}
	return toMinor(float64(yearly * sum))
}

// aggregate fills in what a formula may use. It answers the first day on which a fact that is dated ahead comes in.
func (f *Folder) aggregate(s *State, params *Params, out *Score, h *history) (waits int32) {
	p, a := &params.policy, &f.aggregates
	major := func(minor int64) float64 { return float64(minor) / params.perMajor }
	*a = Aggregates{
		Gross: major(out.GrossMinor), Refunded: major(out.RefundedMinor), Net: major(out.NetMinor), Margin: major(out.MarginMinor),
		ServiceCost: major(out.ServiceCostMinor), AcquisitionCost: major(out.CACMinor), Purchases: h.days,
		Alive: float64(out.AlivePPM) / million, Churn: float64(out.ChurnPPM) / million,
		ExpectedPurchases: float64(out.ExpectedPPM) / million, ExpectedSpend: major(out.ExpectedSpendMinor),
		PredictedValue: major(out.ResidualMinor), LastScore: -1, HorizonDays: int64(p.HorizonDays),
		Discount: float64(p.DiscountPPM) / million, MarginRate: float64(p.MarginPPM) / million, Segment: s.Segment(), Region: s.Region(),
	}
	if h.days > 0 {
		a.AgeDays, a.SilentDays = int64(out.AsOfDay-h.firstDay), int64(out.AsOfDay-h.lastDay)
		a.MeanPurchase = a.Net / float64(h.days)
		a.PurchasesPerYear = float64(h.days) * yearDays / float64(lifeDays(out, h))
	}
	contractsWait := f.aggregateContracts(s, p, a, out.AsOfDay, params.perMajor)
	f.signals, waits = s.signals(f.signals[:0], p, out.AsOfDay)
	for i := range f.signals {
		g := &f.signals[i]
		recent := out.AsOfDay-g.day <= 90
		switch g.what {
		case signalOpened:
			if g.value > out.AsOfDay {
				a.OpenTickets++
			}
		case signalComplaint:
			if recent {
				a.Complaints++
			}
		case signalFailure:
			if recent {
				a.FailedPayments++
			}
		case signalScore:
			a.LastScore = int64(g.value)
		default:
		}
	}
	return min(waits, contractsWait)
}

// aggregateContracts needs no model.
func (f *Folder) aggregateContracts(s *State, p *Policy, a *Aggregates, day int32, perMajor float64) (waits int32) {
	if !s.hasContracts() {
		return everyDay
	}
	contracts, waits := s.contractsUpTo(f.contracts[:0], p, day)
	f.contracts = contracts
	for i := range contracts {
		c := &contracts[i]
		if stage, _ := c.stage(p, day); stage == contractEnded {
			continue
		}
		a.Subscriptions++
		a.RecurringPerYear += float64(float64(c.price()) * yearDays / float64(c.period()) / perMajor)
		a.TenureDays = max(a.TenureDays, int64(day-c.beganDay(p)))
	}
	return waits
}

// String returns the method's name in the schema, in lower case.
func (m ValueMethod) String() string {
	names := [...]string{"predictive", "predictive", "contractual", "simple", "historical", "dynamic", "custom"}
	if m >= 0 && int(m) < len(names) {
		return names[m]
	}
	return fmt.Sprintf("method %d", int32(m))
}
