package cltv

import (
	"cmp"
	"strings"
)

// SpendCustomer is what stands in the place of the customer in the state key of marketing spend, which has none.
func SpendCustomer(source, sourceEventID string) string {
	return "~spend/" + source + "/" + sourceEventID
}

// takeSpend takes in a record of marketing spend, the only fact of its state.
func (s *State) takeSpend(ev *Event, source uint64) (Outcome, *Refusal) {
	if ev.Touch.Campaign == "" {
		return Refused, &Refusal{CodeMissing, "touch.campaign", "is empty"}
	}
	id := factID(source, ev.Kind, ev.SourceEventID)
	if old := &s.spend; old.id != 0 {
		kept := s.touch(old.touch)
		if old.id != id {
			return Refused, &Refusal{CodeMisrouted, "source_event_id", "the state is that of another record of spend"}
		}
		if cmp.Or(cmp.Compare(old.rev, ev.Revision), cmp.Compare(old.at, ev.OccurredAt),
			cmp.Compare(old.amountMinor, ev.AmountMinor), compareTouches(&kept, &ev.Touch)) >= 0 {
			return Duplicate, nil
		}
	}
	s.spend = spend{id: id, at: ev.OccurredAt, rev: ev.Revision, amountMinor: ev.AmountMinor, touch: s.touchRef(&ev.Touch)}
	return Applied, nil
}

// IsSpendCustomer says whether a state key's customer part is that of marketing spend.
func IsSpendCustomer(customer string) bool { return strings.HasPrefix(customer, "~spend/") }
