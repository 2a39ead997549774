package cltv

import "cmp"

// takeMark takes in a ticket, an answer, a response, a referral, a failed payment, or the change or end of a contract.
func (s *State) takeMark(ev *Event, source uint64, p *Policy) (Outcome, *Refusal) {
	denied := false
	if ev.Kind == KindChannelResponse && ev.Code2 == responseUnsubscribed {
		switch ev.Code {
		case channelEmail:
			denied = s.deny(consentEmail, ev.OccurredAt)
		case channelSMS:
			denied = s.deny(consentText, ev.OccurredAt)
		}
	}
	outcome, refusal := s.keepMark(ev, source, p)
	if denied {
		return Applied, refusal
	}
	return outcome, refusal
}

func (s *State) keepMark(ev *Event, source uint64, p *Policy) (Outcome, *Refusal) {
	v, name := newMark(ev, source, p)
	st := stamp{at: ev.OccurredAt, id: factID(source, ev.Kind, name), rev: ev.Revision}
	verdict, old := s.marks.judge(st, func(at int) int {
		return cmp.Or(cmp.Compare(s.marks.stamps[at].at, st.at), s.compareMark(&s.marks.items[at], &v, ev))
	})
	if verdict != takenIn {
		return answer(verdict, ev, s.marks.floor)
	}
	if v.kind.marksTouch() {
		v.touch = s.touchRef(&ev.Touch)
	}
	if v.kind.marksProduct() {
		v.product = s.ref(ev.Product)
	}
	if old >= 0 {
		s.marks.remove(old)
	}
	s.marks.insert(st, &v)
	for len(s.marks.items) > int(p.KeepMarks) {
		s.closeMark()
	}
	return Applied, nil
}

// newMark returns what is kept of an event but its texts, and the name by which its source knows it.
func newMark(ev *Event, source uint64, p *Policy) (v mark, name string) {
	v.kind = ev.Kind
	name = ev.SourceEventID
	switch ev.Kind {
	case KindPaymentFailed:
		v.ref, v.parent, v.number = linkKey(source, ev.Ref), linkKey(source, ev.Parent), ev.Number
		if ev.Currency == p.Currency {
			v.amountMinor = ev.AmountMinor
		}
	case KindSubscriptionChanged:
		v.ref, v.amountMinor, v.code, v.number = linkKey(source, ev.Ref), ev.AmountMinor, ev.Code, ev.Number
	case KindSubscriptionCancelled:
		v.ref, v.code, v.until = linkKey(source, ev.Ref), ev.Code, ev.Until
	case KindTicketOpened:
		name = firstOf(ev.Ref, name)
		v.ref, v.number, v.flag = linkKey(source, name), ev.Number, ev.Flag
	case KindTicketResolved:
		name = firstOf(ev.Ref, name)
		v.ref = linkKey(source, name)
	case KindSurveyAnswer:
		v.ref, v.number = linkKey(source, ev.Parent), ev.Number
	case KindChannelResponse:
		v.code, v.code2 = ev.Code, ev.Code2
	case KindReferral:
		name = firstOf(ev.Ref, name)
		v.ref = linkKey(source, name)
	default: // the other kinds aren't marks
	}
	return v, name
}

// marksTouch and marksProduct say which kinds of marks keep a touch, and which a text in Event.Product.
func (k Kind) marksTouch() bool { return k == KindChannelResponse }

func (k Kind) marksProduct() bool {
	switch k {
	case KindPaymentFailed, KindSubscriptionChanged, KindTicketOpened, KindSurveyAnswer:
		return true
	default:
		return false
	}
}

// compareMark orders two contents of one mark: codes, number, flag, amount, names, end, touch, text.
func (s *State) compareMark(a, b *mark, ev *Event) int {
	c := cmp.Or(
		cmp.Compare(a.code, b.code), cmp.Compare(a.code2, b.code2), cmp.Compare(a.number, b.number),
		compareBools(a.flag, b.flag), cmp.Compare(a.amountMinor, b.amountMinor),
		cmp.Compare(a.ref, b.ref), cmp.Compare(a.parent, b.parent), cmp.Compare(a.until, b.until),
	)
	if c == 0 && a.kind.marksTouch() {
		kept := s.touch(a.touch)
		c = compareTouches(&kept, &ev.Touch)
	}
	if c == 0 && a.kind.marksProduct() {
		c = cmp.Compare(s.text(a.product), ev.Product)
	}
	return c
}

// closeMark lets the oldest mark fall out, into the counts and the contracts.
func (s *State) closeMark() {
	v, at, c := &s.marks.items[0], s.marks.stamps[0].at, &s.closedMarks
	switch v.kind {
	case KindTicketOpened:
		c.tickets++
		if v.flag {
			c.complaints++
		}
	case KindTicketResolved:
		c.resolved++
	case KindPaymentFailed:
		c.failedPayments++
	case KindSurveyAnswer:
		c.answers++
		c.scoreSum += int64(v.number)
	case KindChannelResponse:
		c.responses++
	case KindReferral:
		c.referrals++
	case KindSubscriptionChanged:
		c.changes++
		s.closeChange(at, v)
	case KindSubscriptionCancelled:
		c.cancellations++
		s.closeCancellation(at, v)
	default: // the other kinds aren't marks
	}
	s.marks.dropOldest()
}
