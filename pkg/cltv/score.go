package cltv

import (
	"math"

	"github.com/perennial-cltv/perennial/pkg/btyd"
)

// history is what the sales say: the model's inputs and the historic value. Days are local days.
type history struct {
	grossMinor, refundedMinor int64
	// moneyMinor is what stands of the money, firstDayMinor the part of it of the first day.
	moneyMinor, firstDayMinor int64
	// knownMinor is the part of moneyMinor whose cost of goods is known, costMinor that cost.
	knownMinor, costMinor int64
	days                  int64
	firstAt, lastAt       int64
	firstDay, lastDay     int32
	// bought is the part that isn't of contracts, and boughtFirst and boughtLast are its first and last day. Where margins
	// differ by product, weighedMinor is the money of those that are kept, and weighedMargin the sum of it times their margins, millionths.
	bought                  bought
	boughtFirst, boughtLast int32
	weighedMinor            int64
	weighedMargin           float64
	// yearMinor is what stands of the sales of the financial year so far, which ends before yearEnds.
	yearMinor int64
	yearEnds  int32
	// waitsUntil is the first day on which a fact that is dated ahead comes into the score; everyDay: none is.
	waitsUntil int32
	// sold is the earliest converting touch of the sales that are kept.
	sold converting
}

// Score works out the score that a state has at its as-of under parameters, and changes nothing. Under the parameters of
// the last record it is the score that this record gave.
func (f *Folder) Score(s *State, params *Params) Score {
	var out Score
	if s.table == nil {
		s.Reset()
	}
	if !s.IsSpend() {
		// The costs that score notes on calls are those of the last score again, or are put back.
		f.charged = f.charged[:0]
		for i := range s.calls.items {
			f.charged = append(f.charged, s.calls.items[i].charged)
		}
		f.score(s, params.orDefaults(), &out)
		for i := range s.calls.items {
			s.calls.items[i].charged = f.charged[i]
		}
	}
	return out
}

// score fills out, and notes on each call what it was charged with.
func (f *Folder) score(s *State, params *Params, out *Score) {
	p := &params.policy
	*out = Score{
		Version: s.version, AsOf: s.asOf, AsOfDay: p.localDay(1000 * s.asOf), Currency: p.Currency,
		HorizonDays: p.HorizonDays, ChurnHorizonDays: p.ChurnHorizonDays, Basis: BasisInsufficientData,
		Consent: s.Consent(), Numbers: params.numbersFor(s),
	}
	h, known := f.recall(s, params, out.AsOfDay)
	out.GrossMinor, out.RefundedMinor, out.NetMinor = h.grossMinor, h.refundedMinor, h.grossMinor-h.refundedMinor
	// Where the cost of goods is known it is taken off, elsewhere the policy's margin applies.
	out.MarginMinor = h.knownMinor - h.costMinor + mulDiv(out.NetMinor-h.knownMinor, int64(p.MarginPPM), million)
	out.Transactions = int32(h.days)
	if h.days > 0 {
		out.FirstAt, out.LastAt = h.firstAt, h.lastAt
	}
	f.costs(s, params, out, &h)
	out.FinancialYearMinor = h.yearMinor
	if known {
		s.memo.foretold.to(out)
	} else {
		f.predict(s, params, out, &h)
		s.memo.foretold.from(out)
	}
	f.addContracts(s, params, out, &h)
	f.applyMethod(s, params, out, &h)
	if out.Contracts.Running == 0 {
		out.Contracts = ContractScore{}
	}
	out.CLTVMinor = out.MarginMinor - out.ServiceCostMinor + out.ResidualMinor
	out.NetCLTVMinor = out.CLTVMinor - out.CACMinor
	if out.CACMinor > 0 {
		out.LTVToCACPPM = mulDiv(out.CLTVMinor, million, out.CACMinor)
	}
	out.Tier, out.TierName = params.tierOf(out.CLTVMinor)
	f.due, f.firstDay = nextLook(out, p, &h, s.hasContracts()), h.firstDay
}

// recall gives the history as of a day, from memory where nothing that was dated ahead has come into it since. known says
// that the prediction in memory is as of that day, too.
func (f *Folder) recall(s *State, params *Params, asOfDay int32) (h history, known bool) {
	m := &s.memo
	if m.params == params && (asOfDay == m.asOfDay || asOfDay > m.asOfDay && asOfDay < min(m.history.waitsUntil, m.history.yearEnds)) {
		known = asOfDay == m.asOfDay
		m.asOfDay = asOfDay
		return m.history, known
	}
	m.params, m.asOfDay, m.history = params, asOfDay, f.history(s, &params.policy, asOfDay)
	return m.history, false
}

// numbersFor names the parameters that apply to a state.
func (p *Params) numbersFor(s *State) Numbers {
	n := Numbers{}
	if m := p.modelFor(s.Segment()); m != nil {
		n.Model = m.model.Number
	}
	if p.thresholds != nil {
		n.Thresholds = p.thresholds.Number
	}
	if p.unitCosts != nil {
		n.UnitCosts = p.unitCosts.Number
	}
	if p.published != nil {
		n.Policy = p.published.Number
	}
	if len(p.contracts) > 0 && s.hasContracts() {
		if m := p.contractsFor(s.Segment()); m != nil {
			n.Contracts = m.model.Number
		}
	}
	return n
}

// history goes through the sales in the order of time.
func (f *Folder) history(s *State, p *Policy, asOfDay int32) history {
	c := &s.closedSales
	h := history{
		grossMinor: c.grossMinor, moneyMinor: c.moneyMinor, firstDayMinor: c.firstDayMinor,
		knownMinor: c.knownMinor, costMinor: c.costMinor, days: c.days, firstAt: c.firstAt, lastAt: c.lastAt,
		bought: c.bought, waitsUntil: everyDay,
	}
	if h.days > 0 {
		h.firstDay, h.lastDay = p.localDay(h.firstAt), p.localDay(h.lastAt)
	}
	if h.bought.days > 0 {
		h.boughtFirst, h.boughtLast = p.localDay(h.bought.firstAt), p.localDay(h.bought.lastAt)
	}
	year, yearEnds := f.years.of(p, asOfDay)
	h.yearEnds = yearEnds
	if c.yearDay == int64(year) {
		h.yearMinor = c.yearMinor
	}
	f.tally.match(s, p, asOfDay)
	matched := int64(0)
	for i := range s.sales.items {
		v, l, at := &s.sales.items[i], &f.tally.lines[i], s.sales.stamps[i].at
		if !l.counts && v.touch == 0 {
			continue
		}
		day := p.localDay(at)
		if day > asOfDay {
			h.waitsUntil = min(h.waitsUntil, day)
			continue
		}
		h.sold.earlier(s.sales.stamps[i], v.touch)
		if !l.counts {
			continue
		}
		h.grossMinor += v.amountMinor
		matched += l.taken(v)
		if l.cancelled(v) {
			continue
		}
		product := textRef(0)
		if len(p.MarginByProduct) > 0 {
			product = s.productOf(i)
		}
		h.add(at, day, v, l.stands(v), p, product, &s.texts)
		if day >= year {
			h.yearMinor += l.stands(v)
		}
	}
	for i := range s.refunds.items {
		if day := p.localDay(s.refunds.stamps[i].at); day > asOfDay && s.refunds.items[i].gone() {
			h.waitsUntil = min(h.waitsUntil, day)
		}
	}
	// What can't be placed lowers the historic value only, and never below nothing.
	h.refundedMinor = min(s.closedRefunds+f.tally.unmatchedMinor+matched, h.grossMinor)
	return h
}

// add counts a sale that stands. Sales are added in the order of their times.
func (h *history) add(at int64, day int32, v *sale, standsMinor int64, p *Policy, product textRef, texts *texts) {
	if h.days == 0 {
		h.firstAt, h.firstDay = at, day
	}
	if h.days == 0 || day != h.lastDay {
		h.days++
	}
	if h.days == 1 {
		h.firstDayMinor += standsMinor
	}
	h.lastAt, h.lastDay = at, day
	h.moneyMinor += standsMinor
	if costMinor, known := v.costOf(standsMinor, p, product, texts); known {
		h.knownMinor += standsMinor
		h.costMinor += costMinor
	}
	if v.isContract() {
		return
	}
	if h.bought.days == 0 {
		h.boughtFirst = day
	}
	h.bought.add(at, day == h.boughtLast, standsMinor)
	h.boughtLast = day
	if len(p.MarginByProduct) > 0 {
		h.weighedMinor += standsMinor
		h.weighedMargin += float64(float64(standsMinor) * float64(p.marginOf(texts.text(product))))
	}
}

// marginPPM is the margin of the purchases to come: the policy's, or that of the products bought so far.
func (h *history) marginPPM(p *Policy) int32 {
	if h.weighedMinor == 0 {
		return p.MarginPPM
	}
	return int32(math.Round(h.weighedMargin / float64(h.weighedMinor)))
}

// costs finds the acquisition touch, and divides the cost of calls between winning the customer (up to the day of the
// first purchase) and serving it.
func (f *Folder) costs(s *State, params *Params, out *Score, h *history) {
	p := &params.policy
	acquisition, service := s.closedCalls.acquisitionMinor, s.closedCalls.serviceMinor
	first := s.earliest
	first.earlier(stamp{at: h.sold.at, id: h.sold.id}, h.sold.touch)
	for i := range s.calls.items {
		v, st := &s.calls.items[i], s.calls.stamps[i]
		v.charged = 0
		day := p.localDay(st.at)
		if day > out.AsOfDay {
			h.waitsUntil = min(h.waitsUntil, day)
			continue
		}
		cost := v.costMinor(p)
		v.charged = cost + 1
		if h.days > 0 && day > h.firstDay {
			service += cost
		} else {
			acquisition += cost
		}
		if v.converts() {
			first.earlier(st, v.touch)
		}
	}
	tickets := s.closedMarks.tickets
	for i := range s.marks.items {
		if s.marks.items[i].kind != KindTicketOpened {
			continue
		}
		day := p.localDay(s.marks.stamps[i].at)
		if day > out.AsOfDay {
			h.waitsUntil = min(h.waitsUntil, day)
			continue
		}
		tickets++
	}
	f.acquisition = first.touch
	out.Acquisition = s.touch(first.touch)
	out.CACMinor = acquisition
	if h.days > 0 {
		out.CACMinor += params.unitCost(&out.Acquisition)
	}
	out.ServiceCostMinor = min(service+mulDiv(p.TicketCostMinor, tickets, 1), 2*maxTotalMinor)
}

// earlier keeps the earlier of two converting touches; an empty one converts nothing.
func (c *converting) earlier(st stamp, t touchRef) {
	if t != 0 && (c.id == 0 || compareStamps(st, stamp{at: c.at, id: c.id}) < 0) {
		*c = converting{at: st.at, id: st.id, touch: t}
	}
}

// predict asks the model of purchases.
func (f *Folder) predict(s *State, params *Params, out *Score, h *history) {
	m := params.modelFor(s.Segment())
	if h.bought.days == 0 {
		return
	}
	x := int(h.bought.days - 1)
	out.RepeatTransactions = int32(x)
	out.LastAgeDays, out.AgeDays = h.boughtLast-h.boughtFirst, out.AsOfDay-h.boughtFirst
	out.RepeatMoneyMinor = h.bought.moneyMinor - h.bought.firstDayMinor
	if m == nil {
		return
	}
	out.Method, out.ModelID = m.method, m.model.ModelID
	switch {
	case x > 0:
		out.Basis = BasisIndividual
	case m.model.Scope != "":
		out.Basis = BasisSegment
	default:
		out.Basis = BasisPopulation
	}
	mean, unit := m.spendInputs(h, x, params.perMajor)
	score := m.Score(x, int(out.LastAgeDays), int(out.AgeDays), mean)
	out.AlivePPM = int32(btyd.Millionths(score.PAlive))
	out.ExpectedPPM = toMillionths(score.Expected)
	out.ExpectedSpendMinor = toMinor(float64(score.SpendMean * unit))
	margin := float64(unit * (float64(h.marginPPM(&params.policy)) / million))
	out.ResidualMinor = toMinor(float64(score.Value * margin))
	out.ResidualLowMinor = toMinor(float64(score.ValueLow * margin))
	out.ResidualHighMinor = toMinor(float64(score.ValueHigh * margin))
	out.ChurnPPM = int32(btyd.Millionths(1 - score.PBuysChurn))
	out.Band = bandOf(out.ChurnPPM, params.policy.BandPPM)
	out.ValueAtRiskMinor = mulDiv(out.ResidualMinor, int64(out.ChurnPPM), million)
	out.BandChangesAt = m.bandChange(params, out, h)
}

// spendInputs returns the mean spend of the repeat purchases in the unit of the spend model, and how many minor units
// one such unit is. Without a spend model a purchase is the unit, worth the mean of all purchase days.
func (m *scopedModel) spendInputs(h *history, x int, perMajor float64) (mean, unitMinor float64) {
	if !m.hasSpend {
		return 1, float64(h.bought.moneyMinor) / float64(h.bought.days)
	}
	if x == 0 {
		return 0, perMajor
	}
	return float64(h.bought.moneyMinor-h.bought.firstDayMinor) / float64(x) / perMajor, perMajor
}

// bandOf is the band in which a churn probability lies.
func bandOf(churnPPM int32, from []int32) Band {
	band := BandLow
	for _, ppm := range from {
		if churnPPM < ppm {
			break
		}
		band++
	}
	return band
}

// bandChange is when the band next changes if nothing happens, Unix seconds; 0: not within ten years.
func (m *scopedModel) bandChange(params *Params, out *Score, h *history) int64 {
	age, ok := m.crossings.next(m.Table, out)
	if !ok {
		return 0
	}
	return params.policy.startOfDay(h.boughtFirst + age)
}

// nextLook is the UTC day on which a score must be looked at again: when its band changes, when it is old, or when a fact
// that is dated ahead comes into it; 0: never, because time changes nothing. A contract can end without anybody saying so, also
// one that brought nothing yet.
func nextLook(out *Score, p *Policy, h *history, hasContracts bool) int32 {
	today := floorDiv(out.AsOf, daySeconds)
	due := int64(math.MaxInt32)
	if out.Transactions > 0 || hasContracts || out.Method == MethodCustom {
		due = today + int64(p.RescoreDays)
	}
	if out.BandChangesAt > 0 {
		due = min(due, firstDayFrom(out.BandChangesAt))
	}
	if h.waitsUntil != everyDay {
		due = min(due, firstDayFrom(p.startOfDay(h.waitsUntil)))
	}
	if due == math.MaxInt32 {
		return 0
	}
	return int32(max(due, today+1))
}

// firstDayFrom is the first UTC day that begins at or after a time in Unix seconds.
func firstDayFrom(unix int64) int64 { return floorDiv(unix+daySeconds-1, daySeconds) }

// keepScore stores what sums and the due index need of the score that was just made.
func (f *Folder) keepScore(s *State, out *Score) {
	k := &s.scored
	indexed := k.indexed
	*k = scored{
		transactions: out.Transactions,
		grossMinor:   out.GrossMinor, refundMinor: out.RefundedMinor, marginMinor: out.MarginMinor,
		serviceMinor: out.ServiceCostMinor, cacMinor: out.CACMinor, residual: out.ResidualMinor,
		atRisk: out.ValueAtRiskMinor, churnPPM: out.ChurnPPM, band: out.Band, acquisition: f.acquisition,
		due: f.due, indexed: indexed, numbers: out.Numbers,
	}
	if out.Transactions > 0 {
		k.firstDay = f.firstDay
	}
	if out.TierName != "" || out.Tier > 0 {
		k.tier = out.Tier + 1
	}
}
