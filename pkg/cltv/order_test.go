package cltv

import (
	"math"
	"testing"
)

// roomy keeps so many facts that none falls out.
func roomy(t *testing.T) *Params {
	return with(t, testParams(t), policyEvent(Policy{Number: 3, MarginPPM: 400_000, MinuteCostMinor: 90, TicketCostMinor: 500,
		KeepTransactions: 512, KeepCalls: 512, KeepRefunds: 128, KeepMarks: 512}))
}

// TestOrderOfArrivalDoesNotMatter plays the same facts in several orders, with duplicates, revisions, and the state
// stored in between, and compares the facts byte by byte, and the score after a last Reassess.
func TestOrderOfArrivalDoesNotMatter(t *testing.T) {
	params := roomy(t)
	for seed := range uint64(400) {
		g := newScenario(seed)
		g.fill(1 + g.IntN(60))
		end := testStart + 400*testDay
		var want string
		var score Score
		for order := range 4 {
			s := g.play(t, params, g.shuffled())
			if got := facts(t, s); order == 0 {
				want = got
			} else if got != want {
				t.Fatalf("seed %d, order %d: facts differ\n%x\n%x", seed, order, want, got)
			}
			if s.version == 0 {
				continue
			}
			step := reassess(s, params, end)
			if step.Outcome != Applied {
				t.Fatalf("seed %d: Reassess %v", seed, step.Outcome)
			}
			got := step.Score
			got.Version = 0
			if order == 0 {
				score = got
			} else if got != score {
				t.Fatalf("seed %d, order %d: score differs\n%+v\n%+v", seed, order, score, got)
			}
		}
	}
}

// TestDuplicatesChangeNothing folds everything twice: the second time nothing may change, not even the version.
func TestDuplicatesChangeNothing(t *testing.T) {
	params := roomy(t)
	var f Folder
	for seed := range uint64(100) {
		g := newScenario(seed)
		g.fill(40)
		s := g.play(t, params, g.events)
		before := string(s.AppendTo(nil))
		for i := range g.events {
			ev := g.events[i]
			ev.RecordedAt = testStart + 500*testDay
			step := f.Fold(s, &ev, At{Offset: 10_000 + int64(i), Clock: testStart/1000 + 600*daySeconds, Params: params})
			if step.Outcome == Applied {
				t.Fatalf("seed %d: %v was applied twice", seed, ev.Kind)
			}
		}
		if after := string(s.AppendTo(nil)); after != before {
			t.Fatalf("seed %d: the state changed", seed)
		}
	}
}

// TestReplayChangesNothing folds records again whose offsets the state has taken in.
func TestReplayChangesNothing(t *testing.T) {
	params := testParams(t)
	var f Folder
	g := newScenario(5)
	g.fill(30)
	s := g.play(t, params, g.events)
	before := string(s.AppendTo(nil))
	for i := range g.events {
		if int64(i) >= s.NextOffset() {
			break
		}
		if step := f.Fold(s, &g.events[i], At{Offset: int64(i), Params: params}); step.Outcome != Replayed {
			t.Fatalf("offset %d: %v", i, step.Outcome)
		}
	}
	if string(s.AppendTo(nil)) != before {
		t.Fatal("the state changed")
	}
}

// TestVersionCountsChanges: one version for each Applied, none for anything else.
func TestVersionCountsChanges(t *testing.T) {
	params := testParams(t)
	for seed := range uint64(50) {
		var f Folder
		var s State
		g := newScenario(seed)
		g.fill(60)
		version := int64(0)
		for i, ev := range g.shuffled() {
			before := string(s.AppendTo(nil))
			step := f.Fold(&s, &ev, At{Offset: int64(i), Params: params})
			if step.Outcome == Applied {
				version++
				if again := f.Score(&s, params); again != step.Score {
					t.Fatalf("seed %d: %+v\n%+v", seed, again, step.Score)
				}
				if s.NextOffset() != int64(i)+1 || step.Score.Version != version {
					t.Fatalf("seed %d: offset %d, version %d", seed, s.NextOffset(), step.Score.Version)
				}
			} else if string(s.AppendTo(nil)) != before {
				t.Fatalf("seed %d: %v of %v changed the state", seed, step.Outcome, ev.Kind)
			}
			if s.Version() != version {
				t.Fatalf("seed %d: version %d, want %d", seed, s.Version(), version)
			}
		}
	}
}

// TestOrderAboveFloors lets far more sales, calls and marks come than are kept. As long as none is too late, the order
// doesn't matter either.
func TestOrderAboveFloors(t *testing.T) {
	params := with(t, testParams(t), policyEvent(Policy{Number: 9, KeepTransactions: 8, KeepCalls: 4, KeepMarks: 8}))
	for seed := range uint64(200) {
		g := newScenario(seed)
		for i := range 120 {
			k := [...]Kind{KindOrder, KindCall, KindTicketOpened}[i%3]
			ev := g.base(k)
			ev.SourceEventID = string(rune('A'+i/26)) + string(rune('a'+i%26))
			ev.OccurredAt = testStart + int64(i)*2*testDay + g.Int64N(4)*testDay
			ev.Touch = Touch{Campaign: "c1"}
			if k == KindOrder {
				ev.AmountMinor, ev.Currency = g.amount(), "USD"
			}
			g.events = append(g.events, ev)
		}
		var want string
		for order := range 3 {
			events := append([]Event(nil), g.events...)
			if order > 0 {
				// Neighbours change places: what is kept is more than they are apart.
				for at := 0; at+6 < len(events); at += 6 {
					g.Shuffle(6, func(i, j int) { events[at+i], events[at+j] = events[at+j], events[at+i] })
				}
			}
			var f Folder
			var s State
			late := 0
			for i := range events {
				if f.Fold(&s, &events[i], At{Offset: int64(i), Params: params}).Refusal.Code == CodeTooLate {
					late++
				}
			}
			if late > 0 {
				t.Fatalf("seed %d, order %d: %d facts too late; the test means to have none", seed, order, late)
			}
			if s.closedSales.days == 0 || s.closedCalls.calls == 0 || s.closedMarks.tickets == 0 {
				t.Fatal("nothing fell out")
			}
			if got := facts(t, &s); order == 0 {
				want = got
			} else if got != want {
				t.Fatalf("seed %d, order %d: facts differ", seed, order)
			}
		}
	}
}

// TestTooLate: what is older than everything kept, once something fell out, is refused and changes nothing.
func TestTooLate(t *testing.T) {
	params := with(t, nil, policyEvent(Policy{Number: 1, KeepTransactions: 8}))
	var f Folder
	var s State
	for i := range 20 {
		ev := order(i, 100)
		f.Fold(&s, &ev, At{Offset: int64(i), Params: params})
	}
	before := string(s.AppendTo(nil))
	for _, i := range []int{0, 5, 11} {
		ev := order(i, 100)
		step := f.Fold(&s, &ev, At{Offset: 100, Params: params})
		if step.Outcome != Refused || step.Refusal.Code != CodeTooLate {
			t.Fatalf("order %d: %v %v", i, step.Outcome, step.Refusal)
		}
	}
	if string(s.AppendTo(nil)) != before {
		t.Fatal("the state changed")
	}
	score := f.Score(&s, params)
	if score.GrossMinor != 2000 || score.Transactions != 20 || score.RepeatMoneyMinor != 1900 || score.LastAgeDays != 19 {
		t.Fatalf("%+v", score)
	}
}

// TestDenialIsHeededThoughTooLate: do-not-call must not be lost because the call itself is too old.
func TestDenialIsHeededThoughTooLate(t *testing.T) {
	params := with(t, nil, policyEvent(Policy{Number: 1, KeepCalls: 4}))
	var f Folder
	var s State
	g := newScenario(1)
	for i := range 10 {
		ev := g.base(KindCall)
		ev.OccurredAt = testStart + int64(i)*testDay
		f.Fold(&s, &ev, At{Offset: int64(i), Params: params})
	}
	ev := g.base(KindCall)
	ev.OccurredAt, ev.Code = testStart, DispositionDoNotCall
	step := f.Fold(&s, &ev, At{Offset: 50, Params: params})
	if step.Outcome != Applied || step.Refusal.Code != CodeTooLate || !step.Score.Consent.DoNotCall {
		t.Fatalf("%v %v %v", step.Outcome, step.Refusal, step.Score.Consent)
	}
	if step = f.Fold(&s, &ev, At{Offset: 51, Params: params}); step.Outcome != Refused {
		t.Fatalf("the second time %v", step.Outcome)
	}
}

// order is the purchase of a day, from day 0 on.
func order(day int, amountMinor int64) Event {
	at := testStart + int64(day)*testDay
	return Event{Tenant: "acme", Customer: "c-1", Source: "billing", SourceEventID: "o" + string(rune('A'+day%64)) + string(rune('A'+day/64)),
		Kind: KindOrder, OccurredAt: at, RecordedAt: at, AmountMinor: amountMinor, Currency: "USD"}
}

// TestDatedAhead: money after as-of waits, and comes in on its day.
func TestDatedAhead(t *testing.T) {
	params := testParams(t)
	var f Folder
	var s State
	first, ahead := order(0, 1000), order(20, 5000)
	ahead.RecordedAt = testStart + testDay
	f.Fold(&s, &first, At{Offset: 0, Params: params})
	step := f.Fold(&s, &ahead, At{Offset: 1, Params: params})
	if step.Score.GrossMinor != 1000 || step.Score.Transactions != 1 {
		t.Fatalf("%+v", step.Score)
	}
	step = reassess(&s, params, testStart+20*testDay)
	if step.Score.GrossMinor != 6000 || step.Score.Transactions != 2 {
		t.Fatalf("%+v", step.Score)
	}
	if math.MaxInt32 != everyDay {
		t.Fatal("everyDay must be after all days")
	}
}
