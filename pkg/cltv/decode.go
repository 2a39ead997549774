package cltv

import (
	"fmt"
	"math"
	"unicode/utf8"
)

// DecodeError says what is wrong with the stored form of a state.
type DecodeError struct {
	// Field is the number in perennial.v1.CustomerState, 0 where it couldn't be read.
	Field int
	What  string
}

// Error names field and fault.
func (e *DecodeError) Error() string { return fmt.Sprintf("state: field %d %s", e.Field, e.What) }

// Decode makes s what b is the stored form of, reusing its memory; b isn't kept. The error is a *DecodeError, and s is
// then empty. Anything that AppendTo can't have written, such as a field of a newer version, is an error: to go on
// without it would lose it.
func (s *State) Decode(b []byte) error {
	s.Reset()
	r := reader{b: b}
	scored := false
	for r.next() {
		s.decodeField(&r)
		scored = scored || r.field == fScored
	}
	if !scored {
		// It is as if it were there and empty.
		s.decodeScored(&reader{field: fScored, wire: wireBytes})
	}
	if r.fault == "" {
		s.checkDecoded(&r)
	}
	if r.fault != "" {
		s.Reset()
		return &DecodeError{Field: r.field, What: r.fault}
	}
	return nil
}

// decodeField sets what the field just read holds.
func (s *State) decodeField(r *reader) {
	switch {
	case r.field < fSaleIDs:
		s.decodeHead(r)
	case r.field <= fSaleTouches || r.field >= fSaleTraits && r.field <= fSaleRefunded ||
		r.field == fSaleOriginals || r.field == fSaleOriginalBack:
		s.decodeSales(r)
	case r.field <= fCallTouches || r.field >= fCallWrap && r.field <= fCallOrders:
		s.decodeCalls(r)
	case r.field == fScored:
		s.decodeScored(r)
	case r.field <= fRefundTaken:
		s.decodeRefunds(r)
	case r.field <= fMarkRevisions:
		s.decodeMarks(r)
	default:
		s.decodeRest(r)
	}
	if r.field == r.last && r.field != fTexts && r.field != fContracts {
		r.fail("comes twice")
	}
}

func (s *State) decodeHead(r *reader) {
	switch r.field {
	case fVersion:
		s.version = r.number(math.MaxInt64)
	case fNextOffset:
		s.next = r.number(math.MaxInt64)
	case fAsOf:
		s.asOf = r.number(endOfTime / 1000)
	case fTexts:
		p := r.packed()
		if len(p.b) == 0 || len(p.b) > maxName || len(s.table) > 1<<15 || !utf8.Valid(p.b) {
			r.fail("isn't 1 to 100 bytes of UTF-8, or there are too many")
			return
		}
		s.addBytes(p.b)
	case fTouches:
		p := r.packed()
		for p.more() && p.fault == "" && len(s.touches) <= 1<<15 {
			s.touches = append(s.touches, touch{s.readText(&p), s.readText(&p), s.readText(&p), s.readText(&p)})
		}
		r.finish(&p)
	default:
		r.fail("is unknown to this version")
	}
}

func (s *State) readText(r *reader) textRef {
	return textRef(r.bounded(r.uvarint(), int64(len(s.table)-1)))
}

func (s *State) lastText() int64  { return int64(len(s.table) - 1) }
func (s *State) lastTouch() int64 { return int64(len(s.touches) - 1) }

func (s *State) decodeSales(r *reader) {
	l := &s.sales
	switch r.field {
	case fSaleIDs:
		ids(r, l)
		for i := range l.items {
			l.items[i].kind, l.items[i].link = KindOrder, ownLink(l.stamps[i].id, KindOrder)
		}
	case fSaleTimes:
		times(r, l.stamps)
	case fSaleAmounts:
		column(r, l.items, MaxAmountMinor, func(v *sale, n int64) { v.amountMinor = n })
	case fSaleTouches:
		column(r, l.items, s.lastTouch(), func(v *sale, n int64) { v.touch = touchRef(n) })
	case fSaleTraits:
		s.decodeSaleTraits(r)
	case fSaleLinks:
		hashes(r, l.items, func(v *sale) bool { return v.link == 0 }, func(v *sale, h uint64) { v.link = h })
	case fSaleParents:
		hashes(r, l.items, func(v *sale) bool { return v.parent != 0 }, func(v *sale, h uint64) { v.parent = h })
	case fSaleCosts:
		column(r, l.items, MaxAmountMinor+1, func(v *sale, n int64) { v.costPlusOne = n })
	case fSaleProducts:
		column(r, l.items, s.lastText(), func(v *sale, n int64) { v.product = textRef(n) })
	case fSaleRevisions:
		revisions(r, l.stamps)
	case fSalePeriods:
		column(r, l.items, maxPeriodDays, func(v *sale, n int64) { v.periodDays = int32(n) })
	case fSaleUntils:
		untils(r, l.items, func(v *sale, at int64) { v.until = at })
	case fSaleRefunded:
		column(r, l.items, maxTotalMinor, func(v *sale, n int64) { v.refundedMinor = n })
	case fSaleOriginals:
		column(r, l.items, maxOriginal, func(v *sale, n int64) { v.original = original(n) })
	case fSaleOriginalBack:
		column(r, l.items, maxTotalMinor, func(v *sale, n int64) { v.originalBack = n })
	}
}

// decodeSaleTraits leaves 0 in the links and 1 in the parents that the next two fields hold.
func (s *State) decodeSaleTraits(r *reader) {
	p := r.packed()
	for i := range s.sales.items {
		if !p.more() {
			p.fail("has too few entries")
			break
		}
		v, t := &s.sales.items[i], p.bounded(p.uvarint(), saleHasParent<<1-1)
		v.kind = saleKinds[t&3]
		v.settled = t&saleSettled != 0
		v.code = int32(t >> saleCodeShift & 7)
		v.link, v.parent = ownLink(s.sales.stamps[i].id, v.kind), 0
		if t&saleOwnLink != 0 {
			v.link = 0
		}
		if t&saleHasParent != 0 {
			v.parent = 1
		}
	}
	r.finish(&p)
}

func (s *State) decodeCalls(r *reader) {
	l := &s.calls
	switch r.field {
	case fCallIDs:
		ids(r, l)
	case fCallTimes:
		times(r, l.stamps)
	case fCallOutcomes:
		column(r, l.items, callRetention<<1-1, func(v *call, n int64) {
			v.disposition, v.direction = int32(n&15), int32(n>>callDirectionShift&3)
			v.retention = n&callRetention != 0
		})
	case fCallTalk:
		column(r, l.items, maxSeconds, func(v *call, n int64) { v.talkSeconds = int32(n) })
	case fCallTouches:
		column(r, l.items, s.lastTouch(), func(v *call, n int64) { v.touch = touchRef(n) })
	case fCallWrap:
		column(r, l.items, maxSeconds, func(v *call, n int64) { v.wrapSeconds = int32(n) })
	case fCallCosts:
		column(r, l.items, MaxAmountMinor+1, func(v *call, n int64) { v.costPlusOne = n })
	case fCallRevisions:
		revisions(r, l.stamps)
	case fCallOrders:
		hashes(r, l.items, always, func(v *call, h uint64) { v.order = h })
	}
}

func (s *State) decodeRefunds(r *reader) {
	l := &s.refunds
	switch r.field {
	case fRefundIDs:
		ids(r, l)
	case fRefundTimes:
		times(r, l.stamps)
	case fRefundAmounts:
		column(r, l.items, MaxAmountMinor, func(v *refund, n int64) { v.amountMinor = n })
	case fRefundLinks:
		hashes(r, l.items, always, func(v *refund, h uint64) { v.link = h })
	case fRefundTraits:
		column(r, l.items, 31, func(v *refund, n int64) { v.kind, v.status = int32(n&3), int32(n>>2) })
	case fRefundRevisions:
		revisions(r, l.stamps)
	case fRefundOriginals:
		column(r, l.items, maxOriginal, func(v *refund, n int64) { v.original = original(n) })
	case fRefundTaken:
		column(r, l.items, MaxAmountMinor+1, func(v *refund, n int64) { v.takenPlusOne = n })
	default:
		r.fail("is unknown to this version")
	}
}

func (s *State) decodeMarks(r *reader) {
	l := &s.marks
	switch r.field {
	case fMarkIDs:
		ids(r, l)
	case fMarkTimes:
		times(r, l.stamps)
	case fMarkKinds:
		column(r, l.items, int64(KindReferral), func(v *mark, n int64) { v.kind = Kind(n) })
	case fMarkRefs:
		hashes(r, l.items, always, func(v *mark, h uint64) { v.ref = h })
	case fMarkParents:
		hashes(r, l.items, always, func(v *mark, h uint64) { v.parent = h })
	case fMarkAmounts:
		column(r, l.items, MaxAmountMinor, func(v *mark, n int64) { v.amountMinor = n })
	case fMarkTouches:
		column(r, l.items, s.lastTouch(), func(v *mark, n int64) { v.touch = touchRef(n) })
	case fMarkProducts:
		column(r, l.items, s.lastText(), func(v *mark, n int64) { v.product = textRef(n) })
	case fMarkTraits:
		column(r, l.items, markFlag<<1-1, func(v *mark, n int64) {
			v.code, v.code2, v.flag = int32(n&7), int32(n>>markCode2Shift&7), n&markFlag != 0
		})
	case fMarkNumbers:
		column(r, l.items, maxAttempt, func(v *mark, n int64) { v.number = int32(n) })
	case fMarkUntils:
		untils(r, l.items, func(v *mark, at int64) { v.until = at })
	case fMarkRevisions:
		revisions(r, l.stamps)
	default:
		r.fail("is unknown to this version")
	}
}

func (s *State) decodeRest(r *reader) {
	var v [15]int64
	switch r.field {
	case fClosedSales:
		s.sales.floor = r.message(v[:])
		s.closedSales = closedSales{grossMinor: v[0], days: v[1], firstAt: v[2], lastAt: v[3], moneyMinor: v[4],
			firstDayMinor: v[5], knownMinor: v[6], costMinor: v[7], yearDay: v[13], yearMinor: v[14]}
		s.closedSales.bought = bought{days: v[1] - v[8], moneyMinor: v[4] - v[11], firstDayMinor: v[5] - unzigzag(uint64(v[12]))}
		if b := &s.closedSales.bought; b.days > 0 {
			b.firstAt, b.lastAt = v[2]+v[9], v[3]-v[10]
		}
	case fClosedCalls:
		s.calls.floor = r.message(v[:5])
		s.closedCalls = closedCalls{v[0], v[1], v[2], v[3], v[4]}
	case fClosedRefunds:
		s.refunds.floor = r.message(v[:1])
		s.closedRefunds = v[0]
	case fClosedMarks:
		s.marks.floor = r.message(v[:10])
		s.closedMarks = closedMarks{v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7], v[8], v[9]}
	case fContracts:
		s.decodeContract(r)
	case fProfile, fProfile + 1, fProfile + 2:
		st := r.message(v[:2])
		s.profile[r.field-fProfile] = profileField{at: st.at, rev: v[0], value: textRef(r.bounded(uint64(v[1]), s.lastText()))}
	case fConsents:
		p := r.packed()
		for i := range s.consent {
			s.consent[i] = consent{p.bounded(p.uvarint(), endOfTime), p.bounded(p.uvarint(), endOfTime)}
		}
		r.finish(&p)
	case fEarliest:
		st := r.message(v[:1])
		s.earliest = converting{at: st.at, id: st.id, touch: touchRef(r.bounded(uint64(v[0]), s.lastTouch()))}
	case fSpend:
		st := r.message(v[:3])
		s.spend = spend{id: st.id, at: st.at, rev: v[0], amountMinor: r.bounded(uint64(v[1]), MaxAmountMinor),
			touch: touchRef(r.bounded(uint64(v[2]), s.lastTouch()))}
	default:
		r.fail("is unknown to this version")
	}
}

func (s *State) decodeContract(r *reader) {
	var v [15]int64
	st := r.message(v[:])
	if n := len(s.contracts); n == maxContracts || st.id == 0 || n > 0 && s.contracts[n-1].id >= st.id {
		r.fail("has too many entries, or they don't rise")
		return
	}
	s.contracts = append(s.contracts, contract{
		id: st.id, startedAt: st.at, changedAt: r.bounded(uint64(v[0]), endOfTime), cancelledAt: r.bounded(uint64(v[1]), endOfTime),
		terms: terms{textRef(r.bounded(uint64(v[2]), s.lastText())), r.bounded(uint64(v[3]), MaxAmountMinor),
			int32(r.bounded(uint64(v[4]), maxPeriodDays)), r.bounded(uint64(v[12]), 2*endOfTime+1), r.bounded(uint64(v[13]), 2*endOfTime+1),
			r.bounded(uint64(v[14]), 2*endOfTime+1)},
		reason: int32(r.bounded(uint64(v[5]), cancellationReasonLast)),
		endsAt: r.bounded(uint64(v[6]), endOfTime), paidUntil: r.bounded(uint64(v[7]), endOfTime),
		firstAt: r.bounded(uint64(v[8]), endOfTime), paidAt: r.bounded(uint64(v[9]), endOfTime),
		lastUntil: r.bounded(uint64(v[10]), endOfTime), lastMinor: r.bounded(uint64(v[11]), MaxAmountMinor),
	})
}

// maxDay bounds a stored day: some centuries after the year 2200.
const maxDay = 1_000_000

func (s *State) decodeScored(r *reader) {
	k := &s.scored
	*k = s.usual()
	m := r.packed()
	m.field = 0
	marginLost, dueIn, lead := int64(0), int64(0), int64(0)
	for m.next() {
		switch m.field {
		case fTransactions:
			k.transactions += int32(m.signed(math.MaxInt32 - maxKept))
		case fFirstDay:
			k.firstDay += int32(m.signed(maxDay))
		case fGross:
			k.grossMinor += m.signed(maxKept * MaxAmountMinor)
		case fRefunded:
			k.refundMinor = m.number(maxTotalMinor)
		case fMarginLost:
			marginLost = m.signed(4 * maxTotalMinor)
		case fService:
			k.serviceMinor = m.number(4 * maxTotalMinor)
		case fCAC:
			k.cacMinor = m.number(4 * maxTotalMinor)
		case fResidual:
			k.residual = m.number(maxTotalMinor)
		case fChurn:
			k.churnPPM = int32(m.number(million))
		case fBand:
			k.band = Band(m.number(int64(numBands - 1)))
		case fTier:
			k.tier = int32(m.number(10))
		case fAcquisition:
			k.acquisition = touchRef(m.number(s.lastTouch()))
		case fDueIn:
			dueIn = m.number(maxDay)
		case fIndexLead:
			lead = m.signed(2 * maxDay)
		case fNumbers:
			p := m.packed()
			for _, n := range [...]*int64{&k.numbers.Model, &k.numbers.Thresholds, &k.numbers.UnitCosts, &k.numbers.Policy} {
				*n = p.bounded(p.uvarint(), math.MaxInt64)
			}
			if p.more() {
				k.numbers.Contracts = p.bounded(p.uvarint(), math.MaxInt64)
			}
			m.finish(&p)
		case fCharges:
			s.decodeCharges(&m)
		case fIndexed:
			k.indexed = int32(m.number(maxDay))
		case fAtRiskMore:
			k.atRisk = m.signed(maxTotalMinor)
		default:
			m.fail("has a field that is unknown to this version")
		}
		if m.field == m.last {
			m.fail("has a field twice")
		}
	}
	if m.fault != "" {
		r.fail(m.fault)
		return
	}
	if k.transactions < 0 || k.grossMinor < 0 || k.grossMinor > maxTotalMinor {
		r.fail("holds a negative score")
		return
	}
	k.marginMinor = k.grossMinor - k.refundMinor - marginLost
	k.atRisk += mulDiv(k.residual, int64(k.churnPPM), million)
	if dueIn > 0 {
		k.due = int32(floorDiv(s.asOf, daySeconds) + dueIn)
		k.indexed = int32(int64(k.due) - lead)
	}
}

// decodeCharges keeps the packed form until the costs of the calls are known; see checkDecoded.
func (s *State) decodeCharges(m *reader) {
	column(m, s.calls.items, math.MaxInt64-1, func(v *call, n int64) { v.charged = n })
}

// checkDecoded looks at what only the whole can tell, and unpacks what waited for it.
func (s *State) checkDecoded(r *reader) {
	for i := range s.calls.items {
		s.calls.items[i].unpackCharge(uint64(s.calls.items[i].charged))
	}
	if !ordered(s.sales.stamps) || !ordered(s.calls.stamps) || !ordered(s.refunds.stamps) || !ordered(s.marks.stamps) {
		r.fail("holds facts that aren't in order")
	}
	c, d, m := &s.closedSales, &s.closedCalls, &s.closedMarks
	if b := &c.bought; b.days < 0 || b.moneyMinor < 0 || b.firstDayMinor < 0 || b.firstAt < 0 || b.lastAt < b.firstAt {
		r.fail("holds totals of purchases that exceed those of all sales")
	}
	if max(c.firstAt, c.lastAt, c.bought.firstAt, c.bought.lastAt) > endOfTime || c.yearDay > maxDay || max(c.grossMinor, c.moneyMinor, c.firstDayMinor, c.knownMinor, c.costMinor, c.yearMinor, c.bought.moneyMinor, c.bought.firstDayMinor,
		s.closedRefunds, d.acquisitionMinor, d.serviceMinor) > maxTotalMinor {
		r.fail("holds totals that are out of range")
	}
	if max(c.days, d.calls, d.conversions, d.talkSeconds, m.tickets, m.complaints, m.resolved, m.failedPayments, m.answers,
		m.scoreSum, m.responses, m.referrals, m.changes, m.cancellations) > maxCount {
		r.fail("holds counts that are out of range")
	}
}

// maxCount bounds the counts of what fell out.
const maxCount = 1 << 48

// compact drops the texts and touches that nothing uses any more.
func (s *State) compact() {
	var fresh State
	if fresh.Decode(s.AppendTo(nil)) == nil {
		*s = fresh
	}
}
