package cltv

import (
	"cmp"
	"math"
	"slices"
)

// lookAheadContracts is how many days ahead the next change of band is looked for where a contract runs.
const lookAheadContracts = 400

// addContracts adds what contracts are expected to bring, and judges churn by them: by the running contract with the most
// at risk; where all have ended, by the purchases that aren't of contracts; where there are none, by how often others
// came back.
func (f *Folder) addContracts(s *State, params *Params, out *Score, h *history) {
	if len(params.contracts) == 0 || !s.hasContracts() {
		return
	}
	m := params.contractsFor(s.Segment())
	if m == nil {
		return
	}
	p := &params.policy
	f.purchaseModel = params.modelFor(s.Segment())
	h.waitsUntil = min(h.waitsUntil, f.judgeContracts(s, m, p, out.AsOfDay))
	if len(f.outlooks) == 0 {
		return // they lie ahead
	}
	part := &out.Contracts
	*part = ContractScore{Method: m.method, ModelID: m.model.ModelID}
	expected := 0.0
	// Variances of independent parts add up; an interval's half stands in for a deviation. A quantile may lie beyond the mean:
	// the squares keep their signs, so that a part which is alone keeps its interval.
	below, above := square(out.ResidualMinor-out.ResidualLowMinor), square(out.ResidualHighMinor-out.ResidualMinor)
	for i := range f.outlooks {
		o := &f.outlooks[i]
		if o.stage != contractEnded {
			part.Running++
		}
		residual := toMinor(o.residual)
		part.ResidualMinor = min(part.ResidualMinor+residual, maxTotalMinor)
		out.ValueAtRiskMinor += o.riskMinor()
		expected += o.expected
		below += square(residual - toMinor(o.low))
		above += square(toMinor(o.high) - residual)
	}
	part.ExpectedPPM = toMillionths(expected)
	out.ResidualMinor = min(out.ResidualMinor+part.ResidualMinor, maxTotalMinor)
	out.ResidualLowMinor = max(0, out.ResidualMinor-root(below))
	out.ResidualHighMinor = max(0, out.ResidualMinor+root(above))
	out.ValueAtRiskMinor = min(out.ValueAtRiskMinor, maxTotalMinor)

	main := f.mainContract()
	part.Plan, part.Tenure, part.RenewalAt = s.text(main.facts.plan), main.tenure, p.startOfDay(main.dueDay)
	if out.Method == MethodNone {
		out.Method, out.ModelID, out.Basis = m.method, m.model.ModelID, m.basis(main)
	}
	if main.stage == contractEnded && h.bought.days > 0 && out.Band != BandNone {
		return // churn is that of the purchases
	}
	out.byContracts = true
	out.ChurnPPM, out.InvoluntaryPPM = m.churnOf(main, out.AsOfDay)
	if m.involuntary != nil || main.stage != contractRuns {
		out.VoluntaryPPM = out.ChurnPPM - out.InvoluntaryPPM
	}
	out.Band = bandOf(out.ChurnPPM, p.BandPPM)
	out.BandChangesAt = f.contractBandChange(m, params, out, h)
}

// basis is how much the data carry what is said of contracts.
func (m *contractModel) basis(main *outlook) Basis {
	switch {
	case main.tenure > 1:
		return BasisIndividual
	case m.model.Scope != "":
		return BasisSegment
	}
	return BasisPopulation
}

// square and root keep the sign.
func square(v int64) float64 { return float64(float64(v) * math.Abs(float64(v))) }

func root(v float64) int64 {
	if v < 0 {
		return -toMinor(math.Sqrt(-v))
	}
	return toMinor(math.Sqrt(v))
}

// judgeContracts fills the outlooks as of a day. It answers the first day on which a fact that is dated ahead comes in.
func (f *Folder) judgeContracts(s *State, m *contractModel, p *Policy, day int32) (waits int32) {
	f.contracts, waits = s.contractsUpTo(f.contracts[:0], p, day)
	var signalsWait int32
	f.signals, signalsWait = s.signals(f.signals[:0], p, day)
	f.outlooks = slices.Grow(f.outlooks[:0], len(f.contracts))[:len(f.contracts)]
	for i := range f.contracts {
		c, o := &f.contracts[i], &f.outlooks[i]
		m.risk(c, p, f.signals, day, o)
		m.value(p, p.marginOf(s.text(c.plan)), day, o)
	}
	return min(waits, signalsWait)
}

// mainContract is the running one with the most at risk; where none runs, the one that ended last.
func (f *Folder) mainContract() *outlook {
	main := &f.outlooks[0]
	for i := 1; i < len(f.outlooks); i++ {
		if o := &f.outlooks[i]; outranks(o, main) {
			main = o
		}
	}
	return main
}

func outranks(a, b *outlook) bool {
	aEnded, bEnded := a.stage == contractEnded, b.stage == contractEnded
	switch {
	case aEnded != bEnded:
		return bEnded
	case aEnded:
		return a.dueDay > b.dueDay
	}
	return cmp.Or(cmp.Compare(a.riskMinor(), b.riskMinor()), cmp.Compare(a.churnPPM, b.churnPPM)) > 0
}

// churnOf is the churn probability by the main contract as of a day.
func (m *contractModel) churnOf(main *outlook, day int32) (churnPPM, involuntaryPPM int32) {
	if main.stage != contractEnded {
		return main.churnPPM, min(main.involuntaryPPM, main.churnPPM)
	}
	churnPPM = million - m.returnPPM(day-main.dueDay)
	return churnPPM, int32(mulDiv(int64(main.involuntaryPPM), int64(churnPPM), million))
}

// contractBandChange looks for the first day on which the band is another if nothing happens, Unix seconds; 0: not within
// the look-ahead. It leaves the outlooks as they were.
func (f *Folder) contractBandChange(m *contractModel, params *Params, out *Score, h *history) int64 {
	p := &params.policy
	main := f.mainContract().facts
	if stage, ended := main.stage(p, out.AsOfDay); stage == contractEnded {
		for _, days := range returnDays {
			day := ended + days
			if day > out.AsOfDay && bandOf(million-m.returnPPM(days), p.BandPPM) != out.Band {
				return p.startOfDay(day)
			}
		}
		return 0
	}
	last := out.AsOfDay + lookAheadContracts
	runsTo := min(last, main.runsTo(p))
	if day := f.bandChangeWhileRunning(m, main, p, out, runsTo); day > 0 {
		return p.startOfDay(day)
	}
	lonely := len(f.outlooks) == 1 && h.bought.days == 0 && len(m.model.ReturnPPM) == 0 // afterwards nothing changes
	for day := runsTo + 1; day <= last; day++ {
		if bandOf(f.churnAfter(m, params, h, main, day), p.BandPPM) != out.Band {
			return p.startOfDay(day)
		}
		if lonely {
			break
		}
	}
	return 0
}

// bandChangeWhileRunning is the first day up to runsTo on which the band by the main contract is another; 0: none. Between
// two edges the log-odds are a straight line over the days, so that the band at both ends tells of all days between.
func (f *Folder) bandChangeWhileRunning(m *contractModel, main *contractFacts, p *Policy, out *Score, runsTo int32) int32 {
	var o outlook
	changed := func(day int32) bool {
		m.risk(main, p, f.signals, day, &o)
		return bandOf(o.churnPPM, p.BandPPM) != out.Band
	}
	f.edges = main.edges(p, f.signals, out.AsOfDay, runsTo, f.edges[:0])
	for i, from := range f.edges {
		if changed(from) {
			return from
		}
		to := runsTo
		if i+1 < len(f.edges) {
			to = f.edges[i+1] - 1
		}
		if to == from || !changed(to) {
			continue
		}
		for from+1 < to { // the band is the old one on from, and another on to
			if middle := from + (to-from)/2; changed(middle) {
				to = middle
			} else {
				from = middle
			}
		}
		return to
	}
	return 0
}

// churnAfter is the churn probability on a day on which what is the main contract now has ended: by the others that still
// run, else by purchases, else by how often others came back.
func (f *Folder) churnAfter(m *contractModel, params *Params, h *history, ended *contractFacts, day int32) int32 {
	p := &params.policy
	worst, runs := int32(0), false
	var o outlook
	for i := range f.contracts {
		if c := &f.contracts[i]; c != ended {
			if m.risk(c, p, f.signals, day, &o); o.stage != contractEnded {
				worst, runs = max(worst, o.churnPPM), true
			}
		}
	}
	if runs {
		return worst
	}
	if model := f.purchaseModel; model != nil && h.bought.days > 0 {
		return int32(model.ChurnMillionths(int(h.bought.days-1), int(h.boughtLast-h.boughtFirst), int(day-h.boughtFirst)))
	}
	_, on := ended.stage(p, day)
	return million - m.returnPPM(day-on)
}
