package cltv

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// contractFactsOf are what matters of the contracts of which a state knows, as text.
func contractFactsOf(s *State, params *Params) string {
	p := params.Policy()
	list, _ := s.contractsUpTo(nil, &p, 100_000)
	text := ""
	for i := range list {
		c := &list[i]
		text += fmt.Sprintf("%x: began %d, due %d, %d periods of %d, %d for %s; cancelled %v: %d %d\n", c.link, c.beganDay(&p), c.dueDay(&p),
			c.periods(&p), c.period(), c.price(), s.text(c.plan), c.cancelled(), c.endsAt, c.reason)
	}
	return text
}

// TestContractsOutliveTheirFacts: what is known of contracts is the same where marks, sales or both of them fell out, among
// them contracts without a start, ends without a contract, changes at the time of a start, and payments across a change of clocks.
func TestContractsOutliveTheirFacts(t *testing.T) {
	zone := []ZoneOffset{{0, 3600}, {testStart/1000 + 80*daySeconds, 7200}, {testStart/1000 + 260*daySeconds, 3600}}
	roomy := with(t, nil, policyEvent(Policy{Number: 1, ZoneOffsets: zone, KeepTransactions: 512, KeepMarks: 512}))
	tight := with(t, nil, policyEvent(Policy{Number: 1, ZoneOffsets: zone, KeepTransactions: 8, KeepMarks: 8}))
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(seed, 11))
		var events []Event
		add := func(k Kind, at int64, change func(*Event)) {
			ev := order(0, 0)
			ev.Kind, ev.Currency, ev.OccurredAt, ev.RecordedAt = k, "", at, at
			ev.SourceEventID = fmt.Sprint(len(events))
			change(&ev)
			events = append(events, ev)
		}
		for range 1 + r.IntN(14) {
			id := fmt.Sprint("s", r.IntN(3))
			at := testStart + int64(r.IntN(12))*30*testDay + int64(r.IntN(3))*testDay/3 + testDay/4
			until := at + int64(r.IntN(40))*testDay
			if r.IntN(2) == 0 {
				until = 0
			}
			plan, price, days := fmt.Sprint("p", r.IntN(3)), int64(r.IntN(3))*500, int32([]int{0, 7, 30, 365}[r.IntN(4)])
			switch r.IntN(6) {
			case 0:
				add(KindSubscriptionStarted, at, func(e *Event) {
					e.Ref, e.Parent, e.Product, e.AmountMinor, e.Number, e.Until, e.Currency = id, e.SourceEventID, plan, price, days, until, "USD"
				})
			case 1, 2, 3:
				add(KindSubscriptionRenewed, at, func(e *Event) { e.Ref, e.AmountMinor, e.Until, e.Currency = id, price, until, "USD" })
			case 4:
				add(KindSubscriptionChanged, at, func(e *Event) {
					e.Ref, e.Product, e.AmountMinor, e.Number, e.Currency = id, plan, price, days, "USD"
				})
			case 5:
				add(KindSubscriptionCancelled, at, func(e *Event) { e.Ref, e.Code, e.Until = id, int32(r.IntN(4)), until })
			}
		}
		// In the order of their times, so that none is refused for being too late.
		for i := range events {
			for k := i; k > 0 && events[k].OccurredAt < events[k-1].OccurredAt; k-- {
				events[k], events[k-1] = events[k-1], events[k]
			}
		}
		which := r.IntN(3)
		for n := range 8 {
			at := testStart + int64(500+n)*testDay
			if which != 0 {
				add(KindOrder, at, func(e *Event) { e.AmountMinor, e.Currency = 5, "USD" })
			}
			if which != 1 {
				add(KindTicketOpened, at, func(e *Event) { e.Ref = e.SourceEventID })
			}
		}
		var f Folder
		var kept, fell State
		for i := range events {
			for _, to := range []struct {
				s      *State
				params *Params
			}{{&kept, roomy}, {&fell, tight}} {
				if step := f.Fold(to.s, &events[i], At{Offset: int64(i), Params: to.params}); step.Outcome != Applied {
					t.Fatalf("seed %d, event %d: %v %v", seed, i, step.Outcome, step.Refusal)
				}
			}
		}
		want := contractFactsOf(&kept, roomy)
		if got := contractFactsOf(&fell, tight); got != want {
			t.Fatalf("seed %d, %d: of what fell out is known\n%sand of what is kept\n%s", seed, which, got, want)
		}
		var again State
		if err := again.Decode(fell.AppendTo(nil)); err != nil {
			t.Fatal(err)
		}
		if got := contractFactsOf(&again, tight); got != want {
			t.Fatalf("seed %d: decoded anew\n%swant\n%s", seed, got, want)
		}
	}
}
