package cltv

import "math"

// everyDay is a day after all others: facts dated ahead count, too.
const everyDay = math.MaxInt32

// tally works out which sales count and what refunds take from each. It is recomputed from the facts whenever it is
// needed, so it can't depend on the order in which they came.
type tally struct {
	// lines are those of State.sales, position by position.
	lines []line
	// unmatchedMinor is what refunds took back that name nothing which is kept.
	unmatchedMinor int64
}

// line is what becomes of one sale.
type line struct {
	// counts is false for a payment that settles an order, and for a start that isn't money.
	counts bool
	// paidBy is the position of the order, renewal or start that a payment settles, -1: none is kept.
	paidBy int
	// refundMinor is all that was taken back, also beyond the amount; fellOutMinor is the part of it in refunds that fell
	// out.
	refundMinor, fellOutMinor int64
	// originalBack is what refunds in the sale's original currency took back of the original, in its minor units.
	originalBack int64
}

// cancelled says whether all of a sale was taken back.
func (l *line) cancelled(v *sale) bool { return l.refundMinor > 0 && l.refundMinor >= v.amountMinor }

// taken is what was taken back of a sale, at most its amount.
func (l *line) taken(v *sale) int64 { return min(l.refundMinor, v.amountMinor) }

// stands is what is left of a sale.
func (l *line) stands(v *sale) int64 { return v.amountMinor - l.taken(v) }

// match fills the tally with the refunds up to a local day.
func (t *tally) match(s *State, p *Policy, upTo int32) {
	t.settle(s)
	for i := range s.refunds.items {
		v := &s.refunds.items[i]
		if !v.gone() || upTo != everyDay && p.localDay(s.refunds.stamps[i].at) > upTo {
			continue
		}
		t.unmatchedMinor += t.spread(s, v, func(at int, partMinor int64) { t.lines[at].refundMinor += partMinor })
	}
}

// noteTaken notes on the refunds that are kept what they take back of the first sale, which falls out: together at most
// what is left of it.
func (t *tally) noteTaken(s *State, leftMinor int64) {
	t.settle(s)
	for i := range s.refunds.items {
		v := &s.refunds.items[i]
		if !v.gone() {
			continue
		}
		hit, taken := false, int64(0)
		t.spread(s, v, func(at int, partMinor int64) {
			t.lines[at].refundMinor += partMinor
			if at == 0 {
				hit, taken = true, min(partMinor, leftMinor)
			}
		})
		if hit {
			leftMinor -= taken
			v.takenPlusOne = max(v.takenPlusOne, 1) + taken
		}
	}
}

// settle finds out which sales count, before any refund that is kept.
func (t *tally) settle(s *State) {
	t.unmatchedMinor = 0
	t.lines = t.lines[:0]
	for i := range s.sales.items {
		v := &s.sales.items[i]
		t.lines = append(t.lines, line{counts: v.isMoney(), paidBy: -1,
			refundMinor: v.refundedMinor, fellOutMinor: v.refundedMinor, originalBack: v.originalBack})
	}
	for i := range s.sales.items {
		v := &s.sales.items[i]
		if v.kind != KindPayment || v.parent == 0 {
			continue
		}
		if v.settled {
			t.lines[i].counts = false
			continue
		}
		by := s.findPaidFor(v.parent)
		if by < 0 {
			continue
		}
		paid := &t.lines[by]
		t.lines[i].counts, t.lines[i].paidBy = false, by
		paid.refundMinor += v.refundedMinor
		paid.fellOutMinor += v.refundedMinor
	}
}

// findPaidFor returns the position of the order that a link names, else of the renewal or start; -1: none is kept.
func (s *State) findPaidFor(link uint64) int {
	found := -1
	for i := range s.sales.items {
		if v := &s.sales.items[i]; v.link == link && v.kind != KindPayment {
			if v.kind == KindOrder {
				return i
			}
			if found < 0 {
				found = i
			}
		}
	}
	return found
}

// spread puts a refund on the sale that it names: an order, a renewal or start, a payment, or the order which that
// payment settles; or on the payments of an order that never came, filling one after the other. It answers what counts of
// the refund beside the sales that are kept: what those that fell out gave back, or all of it where none of its name was
// ever there.
func (t *tally) spread(s *State, v *refund, put func(at int, partMinor int64)) (besideMinor int64) {
	taken := max(v.takenPlusOne-1, 0)
	left, unplaced := max(v.amountMinor-taken, 0), taken
	if v.takenPlusOne == 0 {
		unplaced = v.amountMinor
	}
	if v.link == 0 {
		return unplaced
	}
	at := s.findPaidFor(v.link)
	if at < 0 {
		at = t.findPayment(s, v.link)
	}
	if at >= 0 {
		if v.takenPlusOne == 0 && v.original.sameCurrency(s.sales.items[at].original) {
			left = t.lines[at].atRate(&s.sales.items[at], v.original.minor())
		}
		put(at, left)
		return taken
	}
	last := -1
	for i := range s.sales.items {
		if pays := &s.sales.items[i]; pays.kind != KindPayment || pays.parent != v.link || !t.lines[i].counts {
			continue
		}
		if last >= 0 {
			part := min(left, max(0, s.sales.items[last].amountMinor-t.lines[last].refundMinor))
			put(last, part)
			left -= part
		}
		last = i
	}
	if last < 0 {
		return unplaced
	}
	put(last, left)
	return taken
}

// atRate is what the next part of a sale's original is in the tenant's currency, at the rate of the sale and not of the
// refund: so the parts of the whole original add up to the whole amount.
func (l *line) atRate(of *sale, partOfOriginal int64) int64 {
	worth := func(back int64) int64 { return min(mulDiv(of.amountMinor, back, of.original.minor()), maxTotalMinor) }
	before := worth(l.originalBack)
	l.originalBack = min(l.originalBack+partOfOriginal, maxTotalMinor)
	return worth(l.originalBack) - before
}

// findPayment returns the position of the sale in which the payment of that name counts; -1: none is kept.
func (t *tally) findPayment(s *State, link uint64) int {
	for i := range s.sales.items {
		if v := &s.sales.items[i]; v.kind == KindPayment && v.link == link {
			if t.lines[i].counts {
				return i
			}
			return t.lines[i].paidBy
		}
	}
	return -1
}
