package cltv

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/perennial-cltv/perennial/pkg/btyd"
)

// Line says how one number of a score came about.
type Line struct {
	// Name is that of the field in perennial.v1.CltvUpdate, with dots.
	Name string
	// Value is what came out, written for people: money in major units with its currency, probabilities from 0 to 1.
	Value string
	// Formula tells how, in the words and symbols of the field.
	Formula string
	// Inputs are what went into it, in the order of the formula.
	Inputs []Input
}

// Input is one figure that went into a number.
type Input struct{ Name, Value string }

// Explain recomputes the score of a state under parameters, as Score does, and says how each number came about, from the
// facts to the value.
func (f *Folder) Explain(s *State, params *Params) []Line {
	if s.IsSpend() || s.version == 0 {
		return nil
	}
	out := f.Score(s, params)
	e := explainer{state: s, params: params.orDefaults(), score: &out}
	e.policy = &e.params.policy
	h := f.history(s, e.policy, out.AsOfDay)
	e.life, e.margin, e.bought = lifeDays(&out, &h), h.marginPPM(e.policy), h.bought.days
	e.historic()
	e.acquisition()
	e.prediction()
	e.value()
	e.churn()
	return e.lines
}

type explainer struct {
	state  *State
	params *Params
	policy *Policy
	score  *Score
	lines  []Line
	// life is how long the customer has been one, days; margin is that of the purchases to come, millionths.
	life   int64
	margin int32
	// bought counts the days with a purchase that isn't of a contract.
	bought int64
}

func (e *explainer) add(name, value, formula string, inputs ...Input) {
	e.lines = append(e.lines, Line{name, value, formula, inputs})
}

// money writes minor units as major ones.
func (e *explainer) money(minor int64) string {
	digits := MinorDigits(e.policy.Currency)
	text := strconv.FormatInt(max(minor, -minor), 10)
	if len(text) <= digits {
		text = strings.Repeat("0", digits+1-len(text)) + text
	}
	if digits > 0 {
		text = text[:len(text)-digits] + "." + text[len(text)-digits:]
	}
	if minor < 0 {
		text = "-" + text
	}
	return text + " " + e.policy.Currency
}

func ppmText(ppm int64) string { return fmt.Sprintf("%d.%06d", ppm/million, ppm%million) }

func dayText(day int32) string {
	return time.Unix(int64(day)*daySeconds, 0).UTC().Format(time.DateOnly)
}

func timeText(unix int64) string { return time.Unix(unix, 0).UTC().Format(time.RFC3339) }

func count[T int | int32 | int64](n T) string { return strconv.FormatInt(int64(n), 10) }

func (e *explainer) historic() {
	s, out := e.state, e.score
	e.add("as_of", timeText(out.AsOf), "the latest of the records' recorded_at and the tenant's clock",
		Input{"local day", dayText(out.AsOfDay)}, Input{"version", count(out.Version)})
	e.add("historic.gross", e.money(out.GrossMinor), "sum of orders, renewals, first invoices, and payments that settle none of them, up to as_of",
		Input{"facts kept", count(len(s.sales.items))}, Input{"in totals", e.money(s.closedSales.grossMinor)})
	e.add("historic.refunded", e.money(out.RefundedMinor), "sum of refunds and disputes that count, at most the sale that each names, at most gross",
		Input{"facts kept", count(len(s.refunds.items))}, Input{"in totals", e.money(s.closedRefunds)})
	e.add("historic.net", e.money(out.NetMinor), "gross − refunded",
		Input{"gross", e.money(out.GrossMinor)}, Input{"refunded", e.money(out.RefundedMinor)})
	e.add("historic.margin", e.money(out.MarginMinor), "net less cost of goods where that is known, else net × margin of the product, else × margin",
		Input{"net", e.money(out.NetMinor)}, Input{"margin", ppmText(int64(e.policy.MarginPPM))})
	first, last := "none", "none"
	if out.Transactions > 0 {
		first, last = dayText(e.policy.localDay(out.FirstAt)), dayText(e.policy.localDay(out.LastAt))
	}
	e.add("historic.transactions", count(out.Transactions), "days with a purchase that wasn't taken back in full",
		Input{"first", first}, Input{"last", last})
	e.add("historic.financial_year", e.money(out.FinancialYearMinor), "what stands of the purchases since the financial year began",
		Input{"began", dayText(e.policy.financialYear(out.AsOfDay))})
	e.add("historic.service_cost", e.money(out.ServiceCostMinor), "calls after the day of the first purchase + tickets × price of a ticket",
		Input{"price of a ticket", e.money(e.policy.TicketCostMinor)}, Input{"price of a minute", e.money(e.policy.MinuteCostMinor)})
}

func (e *explainer) acquisition() {
	out := e.score
	a := out.Acquisition
	e.add("acquisition", strings.Join([]string{orNone(a.Campaign), orNone(a.Agent), orNone(a.Offer), orNone(a.LeadSource)}, " / "),
		"campaign / agent / offer / lead source of the earliest sale call, order or start that names any")
	unit := int64(0)
	if out.Transactions > 0 {
		unit = e.params.unitCost(&a)
	}
	e.add("cac", e.money(out.CACMinor), "unit cost of the acquisition, if there was a purchase, + calls up to the day of the first purchase",
		Input{"unit cost", e.money(unit)}, Input{"unit costs number", count(out.Numbers.UnitCosts)})
}

func (e *explainer) prediction() {
	out := e.score
	m := e.params.modelFor(e.state.Segment())
	e.contracts()
	if out.Method == MethodNone {
		e.add("prediction.residual", e.money(0), "nothing is predicted: no model is in force, or there is no purchase yet")
		return
	}
	if m == nil || e.bought == 0 {
		e.residual(0, "")
		return
	}
	x := Input{"x", count(out.RepeatTransactions)}
	tx := Input{"t_x (days)", count(out.LastAgeDays)}
	age := Input{"T (days)", count(out.AgeDays)}
	process := explainProcess(m.model)
	model := Input{"model", fmt.Sprintf("%s (number %d): %s", m.model.ModelID, m.model.Number, process.parameters)}
	horizon := Input{"h (days)", count(out.HorizonDays)}
	e.add("prediction.alive", ppmText(int64(out.AlivePPM)),
		process.alive+", weeks = days/7", x, tx, age, model)
	e.add("prediction.expected_purchases", ppmText(out.ExpectedPPM), process.expected, x, age, horizon)
	spend, inputs := "p(γ + x·m̄)/(px + q − 1), Gamma–Gamma", []Input{x,
		{"repeat money", e.money(out.RepeatMoneyMinor)},
		{"spend model", fmt.Sprintf("p %g, q %g, γ %g", m.model.P, m.model.Q, m.model.Gamma)}}
	if !m.hasSpend {
		spend, inputs = "mean of all purchase days, because the model foretells no spend",
			[]Input{{"purchase days", count(out.RepeatTransactions + 1)}}
	}
	e.add("prediction.expected_spend", e.money(out.ExpectedSpendMinor), spend, inputs...)
	e.residual(out.ResidualMinor-out.Contracts.ResidualMinor, "margin × expected spend × discounted expected purchases within the horizon",
		Input{"expected spend", e.money(out.ExpectedSpendMinor)}, horizon, Input{"discount a year", ppmText(int64(e.policy.DiscountPPM))})
}

// contracts explains their part of the residual value.
func (e *explainer) contracts() {
	part := &e.score.Contracts
	m := e.params.contractsFor(e.state.Segment())
	if part.Method == MethodNone || m == nil {
		return
	}
	model := Input{"model", fmt.Sprintf("%s (number %d): sBG α %g, β %g", part.ModelID, m.model.Number, m.model.SBG.Alpha, m.model.SBG.Beta)}
	stays := "(β+n−1)/(α+β+n−1)"
	if part.Method == MethodBdW {
		w := m.model.BdW
		model.Value = fmt.Sprintf("%s (number %d): BdW α %g, β %g, c %g", part.ModelID, m.model.Number, w.Alpha, w.Beta, w.C)
		stays = "B(α, β+n^c)/B(α, β+(n−1)^c)"
	}
	e.add("prediction.contracts.expected_renewals", ppmText(part.ExpectedPPM),
		"sum over the renewals due within the horizon of the probability to get there: the next one by the churn model, the n-th by "+stays,
		model, Input{"periods paid (n)", count(part.Tenure)}, Input{"contracts that run", count(part.Running)},
		Input{"next renewal", timeText(part.RenewalAt)})
	e.add("prediction.contracts.residual", e.money(part.ResidualMinor), "margin × price × those renewals, each discounted",
		Input{"plan", orNone(part.Plan)}, Input{"margin", ppmText(int64(e.policy.marginOf(part.Plan)))},
		Input{"discount a year", ppmText(int64(e.policy.DiscountPPM))})
}

// residual explains the residual value: a part of purchases, that of contracts, or what the policy's method says.
func (e *explainer) residual(purchasesMinor int64, formula string, inputs ...Input) {
	out, life := e.score, Input{"days of the customer, at least 365", count(e.life)}
	v := e.params.valuationFor(e.state.Segment())
	switch method := out.Method; {
	case method == MethodSimple:
		formula = "mean purchase × purchases a year × lifespan × margin = margin · 365 / days / yearly churn; less margin so far, not below 0"
		inputs = []Input{{"margin so far", e.money(out.MarginMinor)}, life, {"yearly churn", ppmText(int64(v.YearlyChurnPPM))}}
	case method == MethodHistorical:
		formula, inputs = "the historical method expects nothing", nil
	case method == MethodDynamic:
		formula = "sum over the years of the horizon of (margin − service cost) · 365 / days · retention / (1 + discount)^year"
		inputs = []Input{{"margin so far", e.money(out.MarginMinor)}, {"service cost", e.money(out.ServiceCostMinor)}, life,
			{"retention by year (millionths)", fmt.Sprint(v.RetentionPPM)}, {"h (days)", count(out.HorizonDays)},
			{"discount a year", ppmText(int64(e.policy.DiscountPPM))}}
	case method == MethodCustom:
		formula, inputs = v.Formula, nil
	case v != nil && v.Method == ValueContractual:
		formula, inputs = "what contracts are expected to bring", nil
	default:
		if purchasesMinor != 0 || out.Contracts.Method == MethodNone {
			inputs = append([]Input{{"margin", ppmText(int64(e.margin))}}, inputs...)
		}
		if out.Contracts.Method != MethodNone {
			if formula != "" {
				formula += ", + "
			}
			formula += "what contracts are expected to bring"
		}
	}
	e.add("prediction.residual", e.money(out.ResidualMinor), formula, inputs...)
	if out.Basis == BasisRule {
		return
	}
	e.add("prediction.residual_low", e.money(out.ResidualLowMinor), "10 % of outcomes are below")
	e.add("prediction.residual_high", e.money(out.ResidualHighMinor), "10 % of outcomes are above")
}

func (e *explainer) value() {
	out := e.score
	cltv := Input{"cltv", e.money(out.CLTVMinor)}
	e.add("cltv", e.money(out.CLTVMinor), "margin − service cost + residual", Input{"margin", e.money(out.MarginMinor)},
		Input{"service cost", e.money(out.ServiceCostMinor)}, Input{"residual", e.money(out.ResidualMinor)})
	e.add("net_cltv", e.money(out.NetCLTVMinor), "cltv − cac", cltv, Input{"cac", e.money(out.CACMinor)})
	if out.CACMinor > 0 {
		e.add("ltv_to_cac", strconv.FormatFloat(float64(out.LTVToCACPPM)/million, 'f', 2, 64), "cltv / cac", cltv, Input{"cac", e.money(out.CACMinor)})
	}
	if out.TierName != "" {
		e.add("tier", out.TierName, "the highest tier whose threshold cltv reaches", cltv, Input{"thresholds number", count(out.Numbers.Thresholds)})
	}
}

func (e *explainer) churn() {
	out := e.score
	if out.Band == BandNone {
		return
	}
	formula, changes := "1 − P(alive) · (1 − ((α+T)/(α+T+h))^(r+x)): no purchase within the churn horizon", "not within ten years"
	if out.byContracts {
		formula = "1 − P(renewed at each renewal due within the churn horizon, or at the next one); log-odds are the sum of the reasons"
		changes = "not within 400 days"
	}
	e.add("churn.probability", ppmText(int64(out.ChurnPPM)), formula, Input{"h (days)", count(out.ChurnHorizonDays)})
	if out.VoluntaryPPM+out.InvoluntaryPPM > 0 {
		e.add("churn.voluntary", ppmText(int64(out.VoluntaryPPM)), "probability that the customer leaves")
		e.add("churn.involuntary", ppmText(int64(out.InvoluntaryPPM)), "probability that payments fail for good")
	}
	if out.BandChangesAt > 0 {
		changes = timeText(out.BandChangesAt)
	}
	e.add("churn.band", out.Band.String(), "watch, high, critical and lost begin at the policy's probabilities",
		Input{"from (millionths)", fmt.Sprint(e.policy.BandPPM)}, Input{"changes if nothing happens", changes})
	e.add("churn.value_at_risk", e.money(out.ValueAtRiskMinor), "residual × probability; with contracts the sum over purchases and contracts, each × its own",
		Input{"residual", e.money(out.ResidualMinor)}, Input{"probability", ppmText(int64(out.ChurnPPM))})
	for _, r := range Reasons(e.state, e.params, out) {
		e.add("churn.reason."+r.Code, fmt.Sprintf("%+.2f", float64(r.LogOddsPPM)/million), r.Text)
	}
	for _, r := range InvoluntaryReasons(e.state, e.params, out) {
		e.add("churn.involuntary_reason."+r.Code, fmt.Sprintf("%+.2f", float64(r.LogOddsPPM)/million), r.Text)
	}
}

// explainedProcess is what a purchase process says, for people.
type explainedProcess struct{ parameters, alive, expected string }

func explainProcess(m *Model) explainedProcess {
	beta := func(r, alpha, a, b float64) string { return fmt.Sprintf("r %g, α %g, a %g, b %g", r, alpha, a, b) }
	process, _, _ := m.purchases() // a model in force has one
	switch p := process.(type) {
	case btyd.MBGNBD:
		return explainedProcess{
			beta(p.R, p.Alpha, p.A, p.B),
			"1 / (1 + a/(b+x) · ((α+T)/(α+t_x))^(r+x)), MBG/NBD",
			"P(alive) · (a+b+x)/(a−1) · (1 − ((α+T)/(α+T+h))^(r+x) · F(r+x, b+x+1; a+b+x; h/(α+T+h)))",
		}
	case btyd.ParetoNBD:
		return explainedProcess{
			fmt.Sprintf("r %g, α %g, s %g, β %g", p.R, p.Alpha, p.S, p.Beta),
			"1 / (1 + s·(α+T)^(r+x)·(β+T)^s · ∫ from t_x to T of (α+u)^−(r+x)·(β+u)^−(s+1) du), Pareto/NBD",
			"P(alive) · (r+x)(β+T)/((α+T)(s−1)) · (1 − ((β+T)/(β+T+h))^(s−1))",
		}
	default:
		b := m.BGNBD
		return explainedProcess{
			beta(b.R, b.Alpha, b.A, b.B),
			"1 / (1 + [x>0] · a/(b+x−1) · ((α+T)/(α+t_x))^(r+x)), BG/NBD",
			"P(alive) · (a+b+x−1)/(a−1) · (1 − ((α+T)/(α+T+h))^(r+x) · F(r+x, b+x; a+b+x−1; h/(α+T+h)))",
		}
	}
}
