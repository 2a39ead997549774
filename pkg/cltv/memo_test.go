package cltv

import (
	"bytes"
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
