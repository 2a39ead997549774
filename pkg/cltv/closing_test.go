package cltv

import (
	"fmt"
	"testing"
)

// TestClosingKeepsTheFigures lets facts come in the order of time, far more than are kept, each refund and payment soon
// after its order: what falls out must leave the figures as if all were kept.
func TestClosingKeepsTheFigures(t *testing.T) {
	for seed := range uint64(500) {
		g := newScenario(seed)
		// With 40 sales kept refunds fall out before what they took back, with 8 after it.
		params := with(t, nil, modelEvent(cdnow), policyEvent(Policy{Number: 1, KeepTransactions: 8 + 32*int32(seed%2), KeepCalls: 4,
			KeepRefunds: 4, KeepMarks: 8, ZoneOffsets: []ZoneOffset{{0, -7 * 3600}}}))
		policy := params.Policy()
		var orders []Event
		at := testStart
		event := func(k Kind, name string) *Event {
			at += g.Int64N(12) * testHour
			g.events = append(g.events, Event{Tenant: "acme", Customer: "c-1", Source: "billing", SourceEventID: name, Ref: name, Kind: k,
				OccurredAt: at, RecordedAt: at, Currency: "USD"})
			return &g.events[len(g.events)-1]
		}
		for n := range 60 {
			name := fmt.Sprint(n)
			if g.IntN(4) == 0 {
				call := event(KindCall, "call"+name)
				call.Number, call.HasCost, call.CostMinor, call.CostCurrency = 60, true, 50, "USD"
				if call.Touch.Campaign = "c" + name; g.IntN(2) == 0 {
					call.Code = DispositionSale
				}
			}
			order := event(KindOrder, name)
			order.AmountMinor = 100 + g.Int64N(1000)
			abroad := g.IntN(3) == 0
			if abroad {
				order.OriginalMinor, order.OriginalCurrency = order.AmountMinor*9/10, "EUR"
			}
			if g.IntN(8) == 0 {
				order.Touch.Agent = "a" + name
			}
			amount := order.AmountMinor
			orders = append(orders, *order)
			if g.IntN(2) == 0 {
				pay := event(KindPayment, name)
				pay.Parent, pay.AmountMinor = name, amount
			}
			// Also more than was paid: given back, and disputed besides.
			for part := 0; g.IntN(3) == 0; part++ {
				refund := event(KindRefund, fmt.Sprint(name, ".", part))
				refund.Parent, refund.AmountMinor = name, amount*(1+g.Int64N(4))/3
				if abroad {
					refund.OriginalMinor, refund.OriginalCurrency = refund.AmountMinor*(7+g.Int64N(4))/10, "EUR"
				}
			}
			if g.IntN(5) == 0 {
				again := orders[max(0, n-g.IntN(15))]
				again.Revision, again.Product = 1, "book"
				again.RecordedAt = at
				g.events = append(g.events, again)
			}
		}
		s := g.play(t, params, g.events)
		var f Folder
		score := f.Score(s, params)
		purchaseDaysAreTheScores(t, s, params, &score)
		want := oracle(g.events, &policy, 1000*score.AsOf)
		got := figures{gross: score.GrossMinor, refunded: score.RefundedMinor, net: score.NetMinor, transactions: score.Transactions,
			x: score.RepeatTransactions, tx: score.LastAgeDays, age: score.AgeDays, repeatMoney: score.RepeatMoneyMinor,
			cac: score.CACMinor, service: score.ServiceCostMinor, acquisition: score.Acquisition}
		s.Contribution(func(d Dimension, _ string, v *Sums) {
			if d == DimTenant {
				got.calls, got.conversions, got.talk = v[SumCalls], v[SumConversions], v[SumTalkSeconds]
			}
		})
		if want.acquisition.Campaign == "?" {
			got.acquisition = want.acquisition
		}
		if got != want {
			t.Fatalf("seed %d:\ngot  %+v\nwant %+v", seed, got, want)
		}
		if s.closedSales.days == 0 || s.closedCalls.calls == 0 || s.refunds.floor == (stamp{}) {
			t.Fatal("nothing fell out")
		}
	}
}

// TestSubscriptions: facts of a contract in any order give one picture, also when they fell out.
func TestSubscriptions(t *testing.T) {
	for _, keep := range []int32{0, 8} {
		params := with(t, nil, policyEvent(Policy{Number: 1, KeepTransactions: keep, KeepMarks: keep}))
		base := Event{Tenant: "acme", Customer: "c-1", Source: "billing", Ref: "sub-1", Currency: "USD"}
		var events []Event
		fact := func(k Kind, day int64, change func(*Event)) {
			ev := base
			ev.Kind, ev.OccurredAt = k, testStart+day*testDay
			ev.RecordedAt = ev.OccurredAt
			ev.SourceEventID = fmt.Sprint(k, day)
			change(&ev)
			events = append(events, ev)
		}
		fact(KindSubscriptionStarted, 0, func(e *Event) { e.Product, e.AmountMinor, e.Number = "basic", 1_000, 30 })
		fact(KindSubscriptionChanged, 40, func(e *Event) { e.Product, e.AmountMinor, e.Number = "pro", 3_000, 30 })
		for n := range int64(4) {
			fact(KindSubscriptionRenewed, 30*(n+1), func(e *Event) {
				e.Parent, e.AmountMinor, e.Until = fmt.Sprint("inv", n), 3_000, e.OccurredAt+30*testDay
			})
		}
		fact(KindSubscriptionCancelled, 130, func(e *Event) { e.Code, e.Until = 1, testStart+150*testDay })
		if keep > 0 {
			for n := range int64(20) {
				fact(KindOrder, 200+n, func(e *Event) { e.Ref, e.AmountMinor = fmt.Sprint("o", n), 5 })
				fact(KindTicketOpened, 200+n, func(e *Event) { e.Ref = fmt.Sprint("t", n) })
			}
		}
		g := newScenario(9)
		for order := range 6 {
			if order > 0 && keep == 0 {
				g.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
			}
			s := g.play(t, params, events)
			day := params.orDefaults().policy.localDay(testStart)
			got := s.Subscriptions(params, day+149)
			want := Subscription{Link: linkKey(hashText(0, "billing"), "sub-1"), StartedAt: testStart, CancelledAt: testStart + 130*testDay,
				EndsAt: testStart + 150*testDay, PaidUntil: testStart + 150*testDay, Plan: "pro", PriceMinor: 3_000, PeriodDays: 30, CancellationReason: 1, Runs: true}
			if len(got) != 1 || got[0] != want {
				t.Fatalf("keeping %d, order %d:\ngot  %+v\nwant %+v", keep, order, got, want)
			}
			if after := s.Subscriptions(params, day+150); after[0].Runs {
				t.Fatal("it runs after its end")
			}
			if keep > 0 && (len(s.contracts) != 1 || s.marks.floor == (stamp{})) {
				t.Fatal("nothing fell out")
			}
		}
	}
}

// TestRefundsAtTheRateOfTheSale: what was paid in another currency and given back in parts, at other rates, is cancelled
// all the same; and a part lowers the sale in proportion.
func TestRefundsAtTheRateOfTheSale(t *testing.T) {
	for _, keepRefunds := range []int32{0, 4} { // with 4 the first of them fall out onto the sale
		params := with(t, nil, policyEvent(Policy{Number: 1, KeepRefunds: keepRefunds}))
		other, abroad := order(0, 700), order(1, 1_003)
		abroad.OriginalMinor, abroad.OriginalCurrency = 900, "EUR"
		events := []Event{other, abroad}
		for i := range int64(6) {
			refund := order(2+int(i), 160+i)
			refund.Kind, refund.Parent = KindRefund, abroad.SourceEventID
			refund.OriginalMinor, refund.OriginalCurrency = 150, "EUR"
			events = append(events, refund)
		}
		var f Folder
		var s State
		for i := range events {
			step := f.Fold(&s, &events[i], At{Offset: int64(i), Params: params})
			part := max(0, int64(i)-1)
			wantRefunded, wantTransactions := (2*1_003*150*part+900)/(2*900), int32(2)
			if i == 0 || part == 6 {
				wantTransactions = 1
			}
			if step.Score.RefundedMinor != wantRefunded || step.Score.Transactions != wantTransactions {
				t.Fatalf("keeping %d, after %d parts: %d refunded, %d transactions, want %d and %d", keepRefunds, part, step.Score.RefundedMinor,
					step.Score.Transactions, wantRefunded, wantTransactions)
			}
		}
	}
}

// TestRefundOfAPaymentMovesToItsOrder: a refund that fell out onto a payment counts against the order that comes later.
func TestRefundOfAPaymentMovesToItsOrder(t *testing.T) {
	params := with(t, nil, policyEvent(Policy{Number: 1, KeepRefunds: 4}))
	pay := order(0, 500)
	pay.Kind, pay.Ref, pay.Parent = KindPayment, "pay", "ord"
	events := []Event{pay}
	for i := range 6 {
		refund := order(1+i, 50)
		refund.Kind, refund.Parent = KindRefund, "pay"
		events = append(events, refund)
	}
	late := order(8, 500)
	late.Ref = "ord"
	events = append(events, late)
	var f Folder
	var s State
	for i := range events {
		f.Fold(&s, &events[i], At{Offset: int64(i), Params: params})
	}
	score := f.Score(&s, params)
	if score.GrossMinor != 500 || score.RefundedMinor != 300 || score.Transactions != 1 || s.refunds.floor == (stamp{}) {
		t.Fatalf("%+v", score)
	}
}

// TestIndexSurvivesWithoutDue: a customer who isn't due any more, because everything was taken back, still knows the
// bucket in which it stands.
func TestIndexSurvivesWithoutDue(t *testing.T) {
	params := testParams(t)
	buys := order(0, 500)
	refund := order(1, 500)
	refund.Kind, refund.Parent = KindRefund, buys.SourceEventID
	var f Folder
	var s, again State
	f.Fold(&s, &buys, At{Offset: 0, Params: params})
	f.Fold(&s, &refund, At{Offset: 1, Params: params})
	if err := again.Decode(s.AppendTo(nil)); err != nil {
		t.Fatal(err)
	}
	if s.DueDay() != 0 || s.IndexedDay() == 0 || again.IndexedDay() != s.IndexedDay() {
		t.Fatalf("due %d, indexed %d, stored %d", s.DueDay(), s.IndexedDay(), again.IndexedDay())
	}
}
