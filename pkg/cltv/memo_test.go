package cltv

import (
	"bytes"
	"fmt"
	"testing"
)

// TestMemoChangesNothing folds the same records into a state that remembers, and into one that is decoded anew for each
// record: outcome, score and stored form are the same at every step, whatever the parameters, also where they change
// on the way.
func TestMemoChangesNothing(t *testing.T) {
	plain := testParams(t)
	bounded := with(t, plain, policyEvent(Policy{Number: 9, MarginPPM: 310_000, MinuteCostMinor: 45, TicketCostMinor: 300,
		KeepTransactions: 16, KeepCalls: 8, KeepRefunds: 4, KeepMarks: 8, ZoneOffsets: []ZoneOffset{{0, 2 * 3600}}}))
	var f, g Folder
	remembered := 0
	for seed := range uint64(400) {
		scenario := newScenario(seed)
		scenario.fill(1 + scenario.IntN(60))
		var s, fresh State
		for i := range scenario.events {
			params := plain
			if seed%2 == 0 || seed%4 == 1 && i > len(scenario.events)/2 {
				params = bounded
			}
			// The clock stands still for some records, as it does in a backlog.
			at := At{Offset: int64(i), Clock: testStart/1000 + int64(i/4)*daySeconds, Params: params}
			if err := fresh.Decode(fresh.AppendTo(nil)); err != nil {
				t.Fatal(err)
			}
			if s.memo.params != nil || s.memo.form.valid {
				remembered++
			}
			one, two := f.Fold(&s, &scenario.events[i], at), g.Fold(&fresh, &scenario.events[i], at)
			if one != two {
				t.Fatalf("seed %d, record %d: %+v, decoded anew %+v", seed, i, one, two)
			}
			if i%3 == 0 && !bytes.Equal(s.AppendTo(nil), fresh.AppendTo(nil)) {
				t.Fatalf("seed %d, record %d: the stored forms differ", seed, i)
			}
		}
		if !bytes.Equal(s.AppendTo(nil), fresh.AppendTo(nil)) {
			t.Fatalf("seed %d: the stored forms differ", seed)
		}
	}
	if remembered < 1000 {
		t.Errorf("only %d records met a state that remembered anything", remembered)
	}
}

// TestCluttered: a state that is kept decoded gathers the touches of calls that
// fell out, and says so; decoded anew it holds what it needs.
func TestCluttered(t *testing.T) {
	var folder Folder
	var s State
	var stored []byte
	for n := range int64(1000) {
		folder.Fold(&s, &Event{
			Kind: KindCall, Tenant: "acme", Customer: "c", Source: "dialer", SourceEventID: fmt.Sprint(n), OccurredAt: 1_000_000_000 * (n + 1),
			RecordedAt: 1_000_000_000 * (n + 1), Touch: Touch{Campaign: fmt.Sprint("campaign ", n%7), Agent: fmt.Sprint("agent ", n%11), Offer: fmt.Sprint("offer ", n%13)},
		}, At{Offset: n})
		stored = s.AppendTo(nil)
		if len(s.touches) > 200 {
			break
		}
	}
	if !s.Cluttered() {
		t.Errorf("%d touches for %d that are used aren't clutter", len(s.touches), len(s.numbering.touchOrder))
	}
	if err := s.Decode(stored); err != nil {
		t.Fatal(err)
	}
	if again := s.AppendTo(nil); s.Cluttered() || !bytes.Equal(again, stored) {
		t.Errorf("decoded anew: %d touches, %d of them used", len(s.touches), len(s.numbering.touchOrder))
	}
}

// TestMemoKnowsOfPlansThatFallOut: a change of plan that falls out by a ticket leaves the margin of earlier renewals as it was, with
// and without memory.
func TestMemoKnowsOfPlansThatFallOut(t *testing.T) {
	params := with(t, nil, policyEvent(Policy{Number: 1, KeepMarks: 8, MarginPPM: 500_000, MarginByProduct: map[string]int32{"basic": 100_000, "pro": 900_000}}))
	for _, renewalBefore := range []bool{true, false} {
		events := monthly("sub", 30, 60)
		if !renewalBefore {
			events = events[:1]
		}
		events = append(events, fact(KindSubscriptionChanged, 70, func(e *Event) { e.Ref, e.Product, e.Number = "sub", "pro", 30 }))
		for n := range 9 {
			events = append(events, fact(KindTicketOpened, 80+n, func(e *Event) { e.Ref = e.SourceEventID }))
		}
		var f, g Folder
		var s, fresh State
		before := int64(0)
		for i := range events {
			// The clock stands still, so that the history isn't gone through for a new day.
			at := At{Offset: int64(i), Clock: testStart/1000 + 200*daySeconds, Params: params}
			if err := fresh.Decode(fresh.AppendTo(nil)); err != nil {
				t.Fatal(err)
			}
			one, two := f.Fold(&s, &events[i], at), g.Fold(&fresh, &events[i], at)
			if one != two {
				t.Fatalf("record %d: margin %d, decoded anew %d", i, one.Score.MarginMinor, two.Score.MarginMinor)
			}
			if events[i].Kind == KindSubscriptionChanged {
				before = one.Score.MarginMinor
			} else if before > 0 && one.Score.MarginMinor != before {
				t.Fatalf("record %d: margin %d, was %d", i, one.Score.MarginMinor, before)
			}
		}
	}
}
