package cltv

import "fmt"

// Folder takes records into states. It holds scratch space only: what it answers depends on its arguments alone. A Folder
// is used by one goroutine.
type Folder struct {
	tally tally
	// due, firstDay (of the first purchase) and acquisition are what score finds beside the Score.
	due, firstDay int32
	acquisition   touchRef
	charged       []int64
	years         years
	// What the contracts of a customer are judged by.
	contracts     []contractFacts
	signals       []signal
	outlooks      []outlook
	edges         []int32
	purchaseModel *scopedModel
	aggregates    Aggregates
}

// Fold takes one record into the state of its customer, or of its marketing spend, and scores it anew. A state that isn't
// changed keeps version and offset. Records that concern the whole tenant (parameters, ClockAdvanced) belong to Params
// and At, and are refused here. Fold never fails and never panics, whatever the record holds.
func (f *Folder) Fold(s *State, ev *Event, at At) Step {
	if s.table == nil {
		s.Reset()
	}
	if at.Offset < s.next {
		return Step{Outcome: Replayed}
	}
	params := at.Params.orDefaults()
	if refusal := f.refuse(s, ev, params); refusal != nil {
		return Step{Outcome: Refused, Refusal: *refusal}
	}
	asOf := max(s.asOf, floorDiv(ev.RecordedAt, 1000), min(at.Clock, endOfTime/1000))
	outcome, refusal := Applied, (*Refusal)(nil)
	if ev.Kind == KindReassess {
		asOf = max(asOf, floorDiv(ev.Until, 1000))
		if s.version == 0 || s.IsSpend() || asOf == s.asOf && s.scored.numbers == params.numbersFor(s) {
			return Step{Outcome: Unchanged}
		}
	} else {
		if !leavesSalesAlone(ev.Kind) {
			s.memo.forget()
		}
		outcome, refusal = f.take(s, ev, params)
	}
	switch outcome {
	case Refused:
		return Step{Outcome: Refused, Refusal: *refusal}
	case Applied:
	default:
		return Step{Outcome: outcome}
	}
	if s.crowded() {
		s.compact()
	}
	step := Step{Outcome: Applied, PreviousCLTVMinor: s.CLTVMinor(), PreviousBand: s.Band()}
	if refusal != nil {
		step.Refusal = *refusal
	}
	s.version++
	s.next = at.Offset + 1
	s.asOf = asOf
	if s.IsSpend() {
		return step
	}
	f.score(s, params, &step.Score)
	f.keepScore(s, &step.Score)
	step.BandChanged = step.Score.Band != step.PreviousBand
	step.EnqueueDay = s.index()
	return step
}

// refuse says what is wrong with a record before it meets the state's facts.
func (f *Folder) refuse(s *State, ev *Event, params *Params) *Refusal {
	switch ev.Kind {
	case KindIdentityLink, KindAbsorbed, KindErase:
		return &Refusal{CodeNotSupported, "fact", kindText(ev.Kind) + " is reserved"}
	case KindClockAdvanced, KindModelPublished, KindThresholdsSet, KindUnitCostsSet, KindPolicySet:
		return &Refusal{CodeMisrouted, "fact", kindText(ev.Kind) + " concerns the tenant and not a customer"}
	default:
		if ev.Kind.String() == "" {
			return &Refusal{CodeUnknownValue, "fact", fmt.Sprintf("%d is no kind that this version knows", uint8(ev.Kind))}
		}
	}
	if r := validate(ev, &params.policy); r != nil {
		return r
	}
	if s.version > 0 && s.IsSpend() != (ev.Kind == KindMarketingSpend) {
		return &Refusal{CodeMisrouted, "fact", kindText(ev.Kind) + " met a state of another kind"}
	}
	return nil
}

// take takes a fact in.
func (f *Folder) take(s *State, ev *Event, params *Params) (Outcome, *Refusal) {
	source := hashText(0, ev.Source)
	switch ev.Kind {
	case KindCall:
		return f.takeCall(s, ev, source, params)
	case KindOrder, KindPayment, KindSubscriptionStarted, KindSubscriptionRenewed:
		return f.takeSale(s, ev, source, params)
	case KindRefund:
		return f.takeRefund(s, ev, source, params)
	case KindMarketingSpend:
		return s.takeSpend(ev, source)
	case KindProfile:
		return s.takeProfile(ev), nil
	case KindConsent:
		return s.takeConsent(ev), nil
	default:
		return s.takeMark(ev, source, &params.policy)
	}
}

// answer turns a list's verdict into an outcome.
func answer(v verdict, ev *Event, floor stamp) (Outcome, *Refusal) {
	switch v {
	case alreadyIn:
		return Duplicate, nil
	case belowFloor:
		return Refused, &Refusal{CodeTooLate, "occurred_at", fmt.Sprintf("%s at %d ms, and what is not after %d ms is already closed",
			kindText(ev.Kind), ev.OccurredAt, floor.at)}
	case takenIn:
	}
	return Applied, nil
}

// overflow refuses a fact that would take one of the customer's totals over the limit.
func overflow(field string, total int64) *Refusal {
	return &Refusal{CodeAmountOverflow, field, fmt.Sprintf("the customer's total would be %d, at most %d", total, int64(maxTotalMinor))}
}

// firstOf returns the first text that isn't empty.
func firstOf(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// index says into which bucket of the due index the customer must be entered now, 0 where the entry it has will do: it is
// lazy, and only moved when it would fire too late, or has fired.
func (s *State) index() int32 {
	due := s.scored.due
	if due == 0 {
		return 0
	}
	if today := int32(floorDiv(s.asOf, daySeconds)); due >= s.scored.indexed && s.scored.indexed > today {
		return 0
	}
	s.scored.indexed = due
	return due
}
