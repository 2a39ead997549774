package cltv

import "cmp"

// takeCall takes in a finished call. A call that ended with the wish never to be called again is heeded in any case:
// also where the call itself is too late, or an older revision.
func (f *Folder) takeCall(s *State, ev *Event, source uint64, params *Params) (Outcome, *Refusal) {
	denied := ev.Code == DispositionDoNotCall && s.deny(consentCall, ev.OccurredAt)
	outcome, refusal := s.keepCall(ev, source, params)
	if denied {
		return Applied, refusal
	}
	return outcome, refusal
}

func (s *State) keepCall(ev *Event, source uint64, params *Params) (Outcome, *Refusal) {
	v := call{
		order: linkKey(source, ev.Parent), talkSeconds: ev.Number, wrapSeconds: ev.Number2,
		disposition: ev.Code, direction: ev.Code2, retention: ev.Flag,
	}
	if ev.HasCost {
		v.costPlusOne = ev.CostMinor + 1
	}
	st := stamp{at: ev.OccurredAt, id: factID(source, ev.Kind, ev.SourceEventID), rev: ev.Revision}
	verdict, old := s.calls.judge(st, func(at int) int {
		return cmp.Or(cmp.Compare(s.calls.stamps[at].at, st.at), s.compareCall(&s.calls.items[at], &v, ev))
	})
	if verdict != takenIn {
		return answer(verdict, ev, s.calls.floor)
	}
	total := s.closedCalls.acquisitionMinor + s.closedCalls.serviceMinor + v.costPlusOne
	for i := range s.calls.items {
		if i != old {
			total += s.calls.items[i].costPlusOne
		}
	}
	if total > maxTotalMinor {
		return Refused, overflow("cost.minor", total)
	}
	v.touch = s.touchRef(&ev.Touch)
	if old >= 0 {
		s.calls.remove(old)
	}
	s.calls.insert(st, &v)
	for len(s.calls.items) > int(params.policy.KeepCalls) {
		s.closeCall(&params.policy)
	}
	return Applied, nil
}

// compareCall orders two contents of one call: disposition, direction, talk, wrap, cost, order, retention, touch.
func (s *State) compareCall(a, b *call, ev *Event) int {
	if c := cmp.Or(
		cmp.Compare(a.disposition, b.disposition), cmp.Compare(a.direction, b.direction),
		cmp.Compare(a.talkSeconds, b.talkSeconds), cmp.Compare(a.wrapSeconds, b.wrapSeconds),
		cmp.Compare(a.costPlusOne, b.costPlusOne), cmp.Compare(a.order, b.order),
		compareBools(a.retention, b.retention),
	); c != 0 {
		return c
	}
	kept := s.touch(a.touch)
	return compareTouches(&kept, &ev.Touch)
}

func compareBools(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// costMinor is what a call cost: as given, else its minutes of talk and wrap at the policy's price.
func (v *call) costMinor(p *Policy) int64 {
	if v.costPlusOne > 0 {
		return v.costPlusOne - 1
	}
	if p.MinuteCostMinor == 0 {
		return 0
	}
	return mulDiv(p.MinuteCostMinor, int64(v.talkSeconds)+int64(v.wrapSeconds), 60)
}

// converts says whether a call ended in a sale.
func (v *call) converts() bool { return v.disposition == DispositionSale }

// closeCall lets the oldest call fall out, into the totals. Whether it was before the first purchase is judged by what was
// known at the last score.
func (s *State) closeCall(p *Policy) {
	v, st, c := &s.calls.items[0], s.calls.stamps[0], &s.closedCalls
	c.calls++
	c.talkSeconds += int64(v.talkSeconds)
	if v.converts() {
		c.conversions++
		s.noteConverting(st, v.touch)
	}
	cost := v.costMinor(p)
	if s.scored.transactions > 0 && p.localDay(st.at) > s.scored.firstDay {
		c.serviceMinor = min(c.serviceMinor+cost, maxTotalMinor)
	} else {
		c.acquisitionMinor = min(c.acquisitionMinor+cost, maxTotalMinor)
	}
	s.calls.dropOldest()
}
