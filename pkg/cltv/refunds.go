package cltv

import "cmp"

// takeRefund takes in a refund or dispute. Its identity is what the source calls it, so that the stages of a dispute are
// contents of one fact.
func (f *Folder) takeRefund(s *State, ev *Event, source uint64, params *Params) (Outcome, *Refusal) {
	v := refund{link: linkKey(source, ev.Parent), amountMinor: ev.AmountMinor, original: originalOf(ev), kind: ev.Code, status: ev.Code2}
	name := firstOf(ev.Ref, ev.SourceEventID)
	st := stamp{at: ev.OccurredAt, id: factID(source, ev.Kind, name), rev: ev.Revision}
	verdict, old := s.refunds.judge(st, func(at int) int {
		a := &s.refunds.items[at]
		return cmp.Or(
			cmp.Compare(a.status, v.status), cmp.Compare(s.refunds.stamps[at].at, st.at),
			cmp.Compare(a.amountMinor, v.amountMinor), cmp.Compare(a.original, v.original), cmp.Compare(a.link, v.link),
			cmp.Compare(a.kind, v.kind),
		)
	})
	if verdict != takenIn {
		return answer(verdict, ev, s.refunds.floor)
	}
	total := s.closedRefunds + v.amountMinor
	for i := range s.refunds.items {
		if i != old {
			total += s.refunds.items[i].amountMinor
		}
	}
	if total > maxTotalMinor {
		return Refused, overflow("amount.minor", total)
	}
	if old >= 0 {
		if known := &s.refunds.items[old]; known.link == v.link {
			v.takenPlusOne = known.takenPlusOne
			if v.amountMinor < known.amountMinor {
				v.takenPlusOne = min(v.takenPlusOne, v.amountMinor+1)
			}
		}
		s.refunds.remove(old)
	}
	s.refunds.insert(st, &v)
	for len(s.refunds.items) > int(params.policy.KeepRefunds) {
		f.closeRefund(s)
	}
	return Applied, nil
}

// gone says whether the money left: it did unless the refund failed or the dispute was won.
func (v *refund) gone() bool { return v.status != RefundFailed && v.status != RefundDisputeWon }

// closeRefund lets the oldest refund fall out: onto the sale that it took back, or else into the total.
func (f *Folder) closeRefund(s *State) {
	if v := &s.refunds.items[0]; v.gone() {
		f.tally.settle(s)
		toTotal := f.tally.spread(s, v, func(i int, partMinor int64) {
			kept := &s.sales.items[i]
			kept.refundedMinor = min(kept.refundedMinor+partMinor, maxTotalMinor)
			kept.originalBack = f.tally.lines[i].originalBack
		})
		s.closedRefunds = min(s.closedRefunds+toTotal, maxTotalMinor)
	}
	s.refunds.dropOldest()
}
