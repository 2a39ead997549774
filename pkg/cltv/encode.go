package cltv

import "encoding/binary"

// The stored form of a State is perennial.v1.CustomerState in protobuf's wire format: fields in the order of their
// numbers, nothing that is zero, columns packed. It is canonical: equal contents give equal bytes, in whatever order they
// came. Facts stand in columns, one entry each, because a message each would cost a tag for every field.

// Field numbers of perennial.v1.CustomerState.
const (
	fVersion      = 1
	fNextOffset   = 2
	fAsOf         = 3
	fTexts        = 4
	fTouches      = 5
	fSaleIDs      = 6
	fSaleTimes    = 7
	fSaleAmounts  = 8
	fSaleTouches  = 9
	fCallIDs      = 10
	fCallTimes    = 11
	fCallOutcomes = 12
	fCallTalk     = 13
	fCallTouches  = 14
	fScored       = 15

	fSaleTraits    = 16
	fSaleLinks     = 17
	fSaleParents   = 18
	fSaleCosts     = 19
	fSaleProducts  = 20
	fSaleRevisions = 21
	fSalePeriods   = 22
	fSaleUntils    = 23
	fSaleRefunded  = 24

	fCallWrap      = 25
	fCallCosts     = 26
	fCallRevisions = 27
	fCallOrders    = 28

	fRefundIDs       = 30
	fRefundTimes     = 31
	fRefundAmounts   = 32
	fRefundLinks     = 33
	fRefundTraits    = 34
	fRefundRevisions = 35
	fRefundOriginals = 36
	fRefundTaken     = 37

	fSaleOriginals    = 38
	fSaleOriginalBack = 39

	fMarkIDs       = 40
	fMarkTimes     = 41
	fMarkKinds     = 42
	fMarkRefs      = 43
	fMarkParents   = 44
	fMarkAmounts   = 45
	fMarkTouches   = 46
	fMarkProducts  = 47
	fMarkTraits    = 48
	fMarkNumbers   = 49
	fMarkUntils    = 50
	fMarkRevisions = 51

	fClosedSales   = 55
	fClosedCalls   = 56
	fClosedRefunds = 57
	fClosedMarks   = 58
	fContracts     = 59
	fProfile       = 60 // 60, 61, 62: segment, region, age band
	fConsents      = 63
	fEarliest      = 64
	fSpend         = 65
)

// Wire types.
const (
	wireVarint  = 0
	wireFixed64 = 1
	wireBytes   = 2
)

// Sale kinds as stored.
var (
	saleKinds    = [4]Kind{KindOrder, KindPayment, KindSubscriptionStarted, KindSubscriptionRenewed}
	saleKindCode = [KindSubscriptionRenewed + 1]uint64{KindPayment: 1, KindSubscriptionStarted: 2, KindSubscriptionRenewed: 3}
)

// Traits of a sale: kind in two bits, then these, then the order type.
const (
	saleSettled   = 1 << 2
	saleOwnLink   = 1 << 3 // the link isn't that of its identity; it has an entry in sale_links
	saleCodeShift = 4
	saleHasParent = 1 << 7 // it has an entry in sale_parents
)

// AppendTo appends the stored form to b.
func (s *State) AppendTo(b []byte) []byte {
	if s.table == nil {
		s.Reset()
	}
	n := &s.numbering
	n.number(s)
	b = appendUint(b, fVersion, uint64(s.version))
	b = appendUint(b, fNextOffset, uint64(s.next))
	b = appendUint(b, fAsOf, uint64(s.asOf))
	for _, r := range n.textOrder {
		text := s.table[r]
		b = appendTag(b, fTexts, wireBytes)
		b = binary.AppendUvarint(b, uint64(len(text)))
		b = append(b, text...)
	}
	if len(n.touchOrder) > 0 {
		var at int
		b, at = beginBytes(b, fTouches)
		for _, r := range n.touchOrder {
			t := &s.touches[r]
			b = binary.AppendUvarint(b, uint64(n.text[t.campaign]))
			b = binary.AppendUvarint(b, uint64(n.text[t.agent]))
			b = binary.AppendUvarint(b, uint64(n.text[t.offer]))
			b = binary.AppendUvarint(b, uint64(n.text[t.leadSource]))
		}
		b = endBytes(b, at)
	}
	form, remember := &s.memo.form, len(s.sales.items) >= rememberSales
	b = form.append(b, &form.first, remember, s.appendSalesFirst)
	b = s.appendCallsFirst(b)
	b = s.appendScored(b)
	b = form.append(b, &form.rest, remember, s.appendSalesRest)
	b = s.appendCallsRest(b)
	b = s.appendRefunds(b)
	b = form.append(b, &form.originals, remember, s.appendSaleOriginals)
	form.valid = remember
	b = s.appendMarks(b)
	return s.appendRest(b)
}

// rememberSales is from how many sales on their stored form is remembered: to copy it must be less work than to make it.
const rememberSales = 8

// append appends a part of the sales' form from memory, or makes it.
func (f *salesForm) append(b []byte, part *[]byte, remember bool, encode func([]byte) []byte) []byte {
	if f.valid {
		return append(b, *part...)
	}
	start := len(b)
	b = encode(b)
	if remember {
		*part = append((*part)[:0], b[start:]...)
	}
	return b
}

func (s *State) appendSalesFirst(b []byte) []byte {
	l, n := &s.sales, &s.numbering
	b = appendIDs(b, fSaleIDs, l.stamps)
	b = appendTimes(b, fSaleTimes, l.stamps)
	b = appendColumn(b, fSaleAmounts, l.items, func(v *sale) uint64 { return uint64(v.amountMinor) })
	return appendColumn(b, fSaleTouches, l.items, func(v *sale) uint64 { return uint64(n.touch[v.touch]) })
}

func (s *State) appendSalesRest(b []byte) []byte {
	l, n := &s.sales, &s.numbering
	if len(l.items) == 0 {
		return b
	}
	// Most customers have nothing in most of these columns, so they are looked at together first.
	traits, others, start := uint64(0), int64(0), len(b)
	var at int
	b, at = beginBytes(b, fSaleTraits)
	for i := range l.items {
		v := &l.items[i]
		t := v.traits(l.stamps[i].id)
		traits |= t
		b = binary.AppendUvarint(b, t)
		others |= v.costPlusOne | int64(v.product) | l.stamps[i].rev | int64(v.periodDays) | v.until | v.refundedMinor
	}
	if traits == 0 {
		b = b[:start]
	} else {
		b = endBytes(b, at)
	}
	if traits&saleOwnLink != 0 {
		b, at = beginBytes(b, fSaleLinks)
		for i := range l.items {
			if v := &l.items[i]; v.link != ownLink(l.stamps[i].id, v.kind) {
				b = appendFixed64(b, v.link)
			}
		}
		b = endBytes(b, at)
	}
	if traits&saleHasParent != 0 {
		b, at = beginBytes(b, fSaleParents)
		for i := range l.items {
			if v := &l.items[i]; v.parent != 0 {
				b = appendFixed64(b, v.parent)
			}
		}
		b = endBytes(b, at)
	}
	if others == 0 {
		return b
	}
	b = appendColumn(b, fSaleCosts, l.items, func(v *sale) uint64 { return uint64(v.costPlusOne) })
	b = appendColumn(b, fSaleProducts, l.items, func(v *sale) uint64 { return uint64(n.text[v.product]) })
	b = appendRevisions(b, fSaleRevisions, l.stamps)
	b = appendColumn(b, fSalePeriods, l.items, func(v *sale) uint64 { return uint64(v.periodDays) })
	b = appendColumn(b, fSaleUntils, l.items, func(v *sale) uint64 { return packTime(v.until) })
	return appendColumn(b, fSaleRefunded, l.items, func(v *sale) uint64 { return uint64(v.refundedMinor) })
}

// ownLink is the link of a sale that is known by what its identity was made of.
func ownLink(id uint64, k Kind) uint64 { return nonZero(id ^ kindSalt(k)) }

func (v *sale) traits(id uint64) uint64 {
	t := saleKindCode[v.kind] | uint64(v.code)<<saleCodeShift
	if v.settled {
		t |= saleSettled
	}
	if v.link != ownLink(id, v.kind) {
		t |= saleOwnLink
	}
	if v.parent != 0 {
		t |= saleHasParent
	}
	return t
}

// Traits of a call: disposition in four bits, direction in two, retention.
const (
	callDirectionShift = 4
	callRetention      = 1 << 6
)

func (v *call) traits() uint64 {
	t := uint64(v.disposition) | uint64(v.direction)<<callDirectionShift
	if v.retention {
		t |= callRetention
	}
	return t
}

func (s *State) appendCallsFirst(b []byte) []byte {
	l, n := &s.calls, &s.numbering
	b = appendIDs(b, fCallIDs, l.stamps)
	b = appendTimes(b, fCallTimes, l.stamps)
	b = appendColumn(b, fCallOutcomes, l.items, (*call).traits)
	b = appendColumn(b, fCallTalk, l.items, func(v *call) uint64 { return uint64(v.talkSeconds) })
	return appendColumn(b, fCallTouches, l.items, func(v *call) uint64 { return uint64(n.touch[v.touch]) })
}

func (s *State) appendCallsRest(b []byte) []byte {
	l := &s.calls
	if len(l.items) == 0 {
		return b
	}
	b = appendColumn(b, fCallWrap, l.items, func(v *call) uint64 { return uint64(v.wrapSeconds) })
	b = appendColumn(b, fCallCosts, l.items, func(v *call) uint64 { return uint64(v.costPlusOne) })
	b = appendRevisions(b, fCallRevisions, l.stamps)
	return appendHashes(b, fCallOrders, l.items, func(v *call) uint64 { return v.order })
}

func (s *State) appendRefunds(b []byte) []byte {
	l := &s.refunds
	if len(l.items) == 0 {
		return b
	}
	b = appendIDs(b, fRefundIDs, l.stamps)
	b = appendTimes(b, fRefundTimes, l.stamps)
	b = appendColumn(b, fRefundAmounts, l.items, func(v *refund) uint64 { return uint64(v.amountMinor) })
	b = appendHashes(b, fRefundLinks, l.items, func(v *refund) uint64 { return v.link })
	b = appendColumn(b, fRefundTraits, l.items, func(v *refund) uint64 { return uint64(v.kind) | uint64(v.status)<<2 })
	b = appendRevisions(b, fRefundRevisions, l.stamps)
	b = appendColumn(b, fRefundOriginals, l.items, func(v *refund) uint64 { return uint64(v.original) })
	return appendColumn(b, fRefundTaken, l.items, func(v *refund) uint64 { return uint64(v.takenPlusOne) })
}

func (s *State) appendSaleOriginals(b []byte) []byte {
	l := &s.sales
	b = appendColumn(b, fSaleOriginals, l.items, func(v *sale) uint64 { return uint64(v.original) })
	return appendColumn(b, fSaleOriginalBack, l.items, func(v *sale) uint64 { return uint64(v.originalBack) })
}

func (s *State) appendMarks(b []byte) []byte {
	l, n := &s.marks, &s.numbering
	if len(l.items) == 0 {
		return b
	}
	b = appendIDs(b, fMarkIDs, l.stamps)
	b = appendTimes(b, fMarkTimes, l.stamps)
	b = appendColumn(b, fMarkKinds, l.items, func(v *mark) uint64 { return uint64(v.kind) })
	b = appendHashes(b, fMarkRefs, l.items, func(v *mark) uint64 { return v.ref })
	b = appendHashes(b, fMarkParents, l.items, func(v *mark) uint64 { return v.parent })
	b = appendColumn(b, fMarkAmounts, l.items, func(v *mark) uint64 { return uint64(v.amountMinor) })
	b = appendColumn(b, fMarkTouches, l.items, func(v *mark) uint64 { return uint64(n.touch[v.touch]) })
	b = appendColumn(b, fMarkProducts, l.items, func(v *mark) uint64 { return uint64(n.text[v.product]) })
	b = appendColumn(b, fMarkTraits, l.items, (*mark).traits)
	b = appendColumn(b, fMarkNumbers, l.items, func(v *mark) uint64 { return uint64(v.number) })
	b = appendColumn(b, fMarkUntils, l.items, func(v *mark) uint64 { return packTime(v.until) })
	return appendRevisions(b, fMarkRevisions, l.stamps)
}

// Traits of a mark: code in three bits, second code in three, flag.
const (
	markCode2Shift = 3
	markFlag       = 1 << 6
)

func (v *mark) traits() uint64 {
	t := uint64(v.code) | uint64(v.code2)<<markCode2Shift
	if v.flag {
		t |= markFlag
	}
	return t
}

func (s *State) appendRest(b []byte) []byte {
	if c := &s.closedSales; *c != (closedSales{}) || s.sales.floor != (stamp{}) {
		b = appendMessage(b, fClosedSales, s.sales.floor, c.grossMinor, c.days, c.firstAt, c.lastAt, c.moneyMinor,
			c.firstDayMinor, c.knownMinor, c.costMinor, c.days-c.bought.days, c.firstLater(), c.lastEarlier(),
			c.moneyMinor-c.bought.moneyMinor, int64(zigzag(c.firstDayMinor-c.bought.firstDayMinor)), c.yearDay, c.yearMinor)
	}
	if c := &s.closedCalls; *c != (closedCalls{}) || s.calls.floor != (stamp{}) {
		b = appendMessage(b, fClosedCalls, s.calls.floor, c.calls, c.conversions, c.talkSeconds, c.acquisitionMinor, c.serviceMinor)
	}
	if s.closedRefunds != 0 || s.refunds.floor != (stamp{}) {
		b = appendMessage(b, fClosedRefunds, s.refunds.floor, s.closedRefunds)
	}
	if m := &s.closedMarks; *m != (closedMarks{}) || s.marks.floor != (stamp{}) {
		b = appendMessage(b, fClosedMarks, s.marks.floor, m.tickets, m.complaints, m.resolved, m.failedPayments, m.answers,
			m.scoreSum, m.responses, m.referrals, m.changes, m.cancellations)
	}
	n := &s.numbering
	for _, k := range s.contracts {
		b = appendMessage(b, fContracts, stamp{at: k.startedAt, id: k.id}, k.changedAt, k.cancelledAt, int64(n.text[k.plan]),
			k.priceMinor, int64(k.periodDays), int64(k.reason), k.endsAt, k.paidUntil, k.firstAt, k.paidAt, k.lastUntil, k.lastMinor,
			k.planSaid, k.priceSaid, k.periodSaid)
	}
	for i, f := range s.profile {
		if f == (profileField{}) {
			continue
		}
		b = appendMessage(b, fProfile+i, stamp{at: f.at}, f.rev, int64(n.text[f.value]))
	}
	if s.consent != [numConsents]consent{} {
		var at int
		b, at = beginBytes(b, fConsents)
		for _, c := range s.consent {
			b = binary.AppendUvarint(b, uint64(c.denied))
			b = binary.AppendUvarint(b, uint64(c.granted))
		}
		b = endBytes(b, at)
	}
	if e := s.earliest; e != (converting{}) {
		b = appendMessage(b, fEarliest, stamp{at: e.at, id: e.id}, int64(n.touch[e.touch]))
	}
	if v := s.spend; v != (spend{}) {
		b = appendMessage(b, fSpend, stamp{at: v.at, id: v.id}, v.rev, v.amountMinor, int64(n.touch[v.touch]))
	}
	return b
}

// firstLater and lastEarlier are by how much the first purchase is later than the first sale of all, and the last one
// earlier than the last; 0 where there is none.
func (c *closedSales) firstLater() int64 {
	if c.bought.days == 0 {
		return 0
	}
	return c.bought.firstAt - c.firstAt
}

func (c *closedSales) lastEarlier() int64 {
	if c.bought.days == 0 {
		return 0
	}
	return c.lastAt - c.bought.lastAt
}

// Fields of CustomerState.Scored.
const (
	fTransactions = 1
	fFirstDay     = 2
	fGross        = 3
	fRefunded     = 4
	fMarginLost   = 5
	fService      = 6
	fCAC          = 7
	fResidual     = 8
	fChurn        = 9
	fBand         = 10
	fTier         = 11
	fAcquisition  = 12
	fDueIn        = 13
	fIndexLead    = 14
	fNumbers      = 15
	fCharges      = 16
	fIndexed      = 17
	fAtRiskMore   = 18
)

func (s *State) appendScored(b []byte) []byte {
	k := &s.scored
	start := len(b)
	b, at := beginBytes(b, fScored)
	empty := len(b)
	usual := s.usual()
	b = appendUint(b, fTransactions, zigzag(int64(k.transactions-usual.transactions)))
	b = appendUint(b, fFirstDay, zigzag(int64(k.firstDay-usual.firstDay)))
	b = appendUint(b, fGross, zigzag(k.grossMinor-usual.grossMinor))
	b = appendUint(b, fRefunded, uint64(k.refundMinor))
	b = appendUint(b, fMarginLost, zigzag(k.grossMinor-k.refundMinor-k.marginMinor))
	b = appendUint(b, fService, uint64(k.serviceMinor))
	b = appendUint(b, fCAC, uint64(k.cacMinor))
	b = appendUint(b, fResidual, uint64(k.residual))
	b = appendUint(b, fChurn, uint64(k.churnPPM))
	b = appendUint(b, fBand, uint64(k.band))
	b = appendUint(b, fTier, uint64(k.tier))
	b = appendUint(b, fAcquisition, uint64(s.numbering.touch[k.acquisition]))
	if k.due != 0 {
		b = appendUint(b, fDueIn, uint64(int64(k.due)-floorDiv(s.asOf, daySeconds)))
		b = appendUint(b, fIndexLead, zigzag(int64(k.due)-int64(k.indexed)))
	}
	if k.numbers != (Numbers{}) {
		var at int
		b, at = beginBytes(b, fNumbers)
		for _, n := range [...]int64{k.numbers.Model, k.numbers.Thresholds, k.numbers.UnitCosts, k.numbers.Policy} {
			b = binary.AppendUvarint(b, uint64(n))
		}
		if k.numbers.Contracts != 0 {
			b = binary.AppendUvarint(b, uint64(k.numbers.Contracts))
		}
		b = endBytes(b, at)
	}
	b = appendColumn(b, fCharges, s.calls.items, (*call).packCharge)
	if k.due == 0 {
		b = appendUint(b, fIndexed, uint64(k.indexed))
	}
	b = appendUint(b, fAtRiskMore, zigzag(k.atRisk-mulDiv(k.residual, int64(k.churnPPM), million)))
	if len(b) == empty {
		return b[:start]
	}
	return endBytes(b, at)
}

// usual is what the score of most customers finds: that every sale which is kept is a transaction, and none fell out. Only
// the difference from it is stored.
func (s *State) usual() scored {
	u := scored{transactions: int32(len(s.sales.items))}
	if u.transactions > 0 {
		u.firstDay = int32(s.sales.stamps[0].at / dayMillis)
	}
	for i := range s.sales.items {
		u.grossMinor += s.sales.items[i].amountMinor
	}
	return u
}

// packCharge says with what a call was charged: 0: its cost as given, nothing where none is; 1: not yet; else the charge
// plus two.
func (v *call) packCharge() uint64 {
	switch v.charged {
	case max(v.costPlusOne, 1):
		return 0
	case 0:
		return 1
	}
	return uint64(v.charged) + 1
}

func (v *call) unpackCharge(packed uint64) {
	switch packed {
	case 0:
		v.charged = max(v.costPlusOne, 1)
	case 1:
		v.charged = 0
	default:
		v.charged = int64(packed) - 1
	}
}
