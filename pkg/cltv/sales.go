package cltv

import (
	"cmp"
	"strings"
)

// takeSale takes in an order, a payment, a renewal, or the start of a contract.
//
// The identity of a sale is what the source calls the thing itself: several events about one order are contents of one
// fact.
func (f *Folder) takeSale(s *State, ev *Event, source uint64, params *Params) (Outcome, *Refusal) {
	v := sale{kind: ev.Kind, amountMinor: ev.AmountMinor, original: originalOf(ev), until: ev.Until, periodDays: ev.Number}
	var name string
	switch ev.Kind {
	case KindOrder:
		name = firstOf(ev.Ref, ev.SourceEventID)
		v.link = linkKey(source, name)
		v.code, v.periodDays, v.until = ev.Code, 0, 0
		if ev.HasCost {
			v.costPlusOne = ev.CostMinor + 1
		}
	case KindPayment:
		name = firstOf(ev.Ref, ev.SourceEventID)
		v.link, v.parent = linkKey(source, name), linkKey(source, ev.Parent)
		v.periodDays, v.until = 0, 0
	case KindSubscriptionStarted:
		name = firstOf(ev.Parent, firstOf(ev.Ref, ev.SourceEventID))
		v.link, v.parent = linkKey(source, ev.Parent), linkKey(source, ev.Ref)
	case KindSubscriptionRenewed:
		name = firstOf(ev.Parent, ev.SourceEventID)
		v.link, v.parent = linkKey(source, name), linkKey(source, ev.Ref)
		v.periodDays = 0
	default: // the other kinds aren't sales
	}
	st := stamp{at: ev.OccurredAt, id: factID(source, ev.Kind, name), rev: ev.Revision}
	verdict, old := s.sales.judge(st, func(at int) int {
		return cmp.Or(cmp.Compare(s.sales.stamps[at].at, st.at), s.compareSale(&s.sales.items[at], &v, ev))
	})
	if verdict != takenIn {
		return answer(verdict, ev, s.sales.floor)
	}
	if r := s.salesOverflow(&v, old); r != nil {
		return Refused, r
	}
	if ev.Kind == KindOrder || ev.Kind == KindSubscriptionStarted {
		v.touch, v.product = s.touchRef(&ev.Touch), s.ref(ev.Product)
	}
	if old >= 0 {
		known := &s.sales.items[old]
		v.settled, v.refundedMinor = known.settled, known.refundedMinor
		if v.original.sameCurrency(known.original) {
			v.originalBack = known.originalBack
		}
		s.sales.remove(old)
	}
	s.sales.insert(st, &v)
	for len(s.sales.items) > int(params.policy.KeepTransactions) {
		f.closeSale(s, &params.policy)
	}
	return Applied, nil
}

// compareSale orders two contents of one sale: amount, cost, original, parent, link, code, period, end, touch, product.
func (s *State) compareSale(a, b *sale, ev *Event) int {
	if c := cmp.Or(
		cmp.Compare(a.amountMinor, b.amountMinor), cmp.Compare(a.costPlusOne, b.costPlusOne),
		cmp.Compare(a.original, b.original), cmp.Compare(a.parent, b.parent), cmp.Compare(a.link, b.link), cmp.Compare(a.code, b.code),
		cmp.Compare(a.periodDays, b.periodDays), cmp.Compare(a.until, b.until),
	); c != 0 {
		return c
	}
	if ev.Kind != KindOrder && ev.Kind != KindSubscriptionStarted {
		return 0
	}
	return s.compareTexts(a.touch, a.product, ev)
}

// compareTexts orders what is kept of touch and product against those of an event.
func (s *State) compareTexts(t touchRef, product textRef, ev *Event) int {
	kept := s.touch(t)
	return cmp.Or(compareTouches(&kept, &ev.Touch), strings.Compare(s.text(product), ev.Product))
}

// salesOverflow sums up what there would be with v in the place of the sale at old (−1: none).
func (s *State) salesOverflow(v *sale, old int) *Refusal {
	gross, cost := s.closedSales.grossMinor+v.amountMinor, s.closedSales.costMinor+v.costPlusOne
	for i := range s.sales.items {
		if i != old {
			gross += s.sales.items[i].amountMinor
			cost += s.sales.items[i].costPlusOne
		}
	}
	if gross > maxTotalMinor {
		return overflow("amount.minor", gross)
	}
	if cost > maxTotalMinor {
		return overflow("cost_of_goods.minor", cost)
	}
	return nil
}

// isMoney says whether a sale counts money: all but the start of a contract whose money something else reports.
func (v *sale) isMoney() bool { return v.kind != KindSubscriptionStarted || v.link != 0 }

// isPaidFor says whether a payment could settle v.
func (v *sale) isPaidFor() bool { return v.kind != KindPayment && v.link != 0 }

// closeSale lets the oldest sale fall out, into the totals.
func (f *Folder) closeSale(s *State, p *Policy) {
	f.tally.match(s, p, everyDay)
	v, st, line := &s.sales.items[0], s.sales.stamps[0], &f.tally.lines[0]
	if by := line.paidBy; by >= 0 {
		order := &s.sales.items[by]
		order.refundedMinor = min(order.refundedMinor+v.refundedMinor, maxTotalMinor)
	}
	if line.counts {
		s.closedSales.grossMinor += v.amountMinor
		if !line.cancelled(v) {
			s.closedSales.add(st.at, v, line.stands(v), p, s.productOf(0), &s.texts)
		}
		// Refunds that fell out were put on this sale; from now on they are the customer's, and those that are kept
		// remember what they took.
		fellOut := min(line.fellOutMinor, v.amountMinor)
		s.closedRefunds = min(s.closedRefunds+fellOut, maxTotalMinor)
		f.tally.noteTaken(s, v.amountMinor-fellOut)
	}
	s.noteConverting(st, v.touch)
	if v.isPaidFor() {
		for i := range s.sales.items {
			if pays := &s.sales.items[i]; pays.kind == KindPayment && pays.parent == v.link {
				pays.settled = true
			}
		}
	}
	s.closeSaleContract(st.at, v)
	s.sales.dropOldest()
}

// add counts a sale that stands. Sales are added in the order of their times.
func (c *closedSales) add(at int64, v *sale, standsMinor int64, p *Policy, product textRef, texts *texts) {
	day := p.localDay(at)
	if c.days == 0 {
		c.firstAt = at
	}
	if c.days == 0 || p.localDay(c.lastAt) != day {
		c.days++
	}
	if c.days == 1 {
		c.firstDayMinor += standsMinor
	}
	c.lastAt = at
	c.moneyMinor += standsMinor
	if costMinor, known := v.costOf(standsMinor, p, product, texts); known {
		c.knownMinor += standsMinor
		c.costMinor += costMinor
	}
	if !v.isContract() {
		c.bought.add(at, c.bought.days > 0 && p.localDay(c.bought.lastAt) == day, standsMinor)
	}
	if year := int64(p.financialYear(day)); year != c.yearDay {
		c.yearDay, c.yearMinor = year, 0
	}
	c.yearMinor += standsMinor
}

// costOf is what the goods of a sale cost: as given, else by the margin of its product where the policy has one.
func (v *sale) costOf(standsMinor int64, p *Policy, product textRef, texts *texts) (costMinor int64, known bool) {
	if v.costPlusOne > 0 {
		return v.costPlusOne - 1, true
	}
	if len(p.MarginByProduct) == 0 || product == 0 {
		return 0, false
	}
	ppm, known := p.MarginByProduct[texts.text(product)]
	if !known {
		return 0, false
	}
	return standsMinor - mulDiv(standsMinor, int64(ppm), million), true
}

// productOf is the product of a sale that is kept; of a renewal the plan at that time, or a later one where all that was said
// of it fell out.
func (s *State) productOf(i int) textRef {
	v, at := &s.sales.items[i], s.sales.stamps[i].at
	if v.kind != KindSubscriptionRenewed || v.parent == 0 {
		return v.product
	}
	plan, planAt := textRef(0), int64(-1)
	for k := range s.contracts {
		if c := &s.contracts[k]; c.id == v.parent {
			if plan = c.plan; c.planSaid/2 <= at {
				planAt = c.planSaid / 2
			}
		}
	}
	for k := range s.sales.items[:i] {
		if c := &s.sales.items[k]; c.kind == KindSubscriptionStarted && c.parent == v.parent && c.product != 0 && s.sales.stamps[k].at >= planAt {
			plan, planAt = c.product, s.sales.stamps[k].at
		}
	}
	for k := range s.marks.items {
		if c := &s.marks.items[k]; c.kind == KindSubscriptionChanged && c.ref == v.parent && c.product != 0 &&
			s.marks.stamps[k].at <= at && s.marks.stamps[k].at >= planAt {
			plan, planAt = c.product, s.marks.stamps[k].at
		}
	}
	return plan
}

// noteConverting keeps the earliest touch among those that fell out. What falls out of one list does so in the order of
// time, so a later comparison is only needed between the lists.
func (s *State) noteConverting(st stamp, t touchRef) {
	if t == 0 {
		return
	}
	if e := &s.earliest; e.id == 0 || compareStamps(st, stamp{at: e.at, id: e.id}) < 0 {
		*e = converting{at: st.at, id: st.id, touch: t}
	}
}
