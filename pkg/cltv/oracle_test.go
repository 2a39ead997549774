package cltv

import (
	"cmp"
	"slices"
	"testing"
)

// figures is what the oracle works out of a customer's history.
type figures struct {
	gross, refunded, net     int64
	transactions             int32
	x, tx, age               int32
	repeatMoney              int64
	calls, conversions, talk int64
	cac, service             int64
	acquisition              Touch
	doNotCall                bool
}

// oracle works out a history from the events themselves: it keeps all of them, by their names, and shares nothing with
// the fold. It knows no cost of goods.
func oracle(events []Event, p *Policy, asOf int64) figures {
	type key struct {
		kind         Kind
		source, name string
	}
	facts := make(map[key]*Event)
	var denied, granted int64
	for i := range events {
		ev := &events[i]
		k := key{ev.Kind, ev.Source, ev.SourceEventID}
		switch ev.Kind {
		case KindOrder, KindPayment, KindRefund, KindTicketOpened, KindTicketResolved, KindReferral:
			k.name = ev.Ref
		case KindSubscriptionRenewed:
			k.name = ev.Parent
		case KindSubscriptionStarted:
			if k.name = ev.Ref; ev.Parent != "" {
				k.name = ev.Parent
			}
		default:
		}
		if ev.Kind == KindCall && ev.Code == DispositionDoNotCall || ev.Kind == KindConsent && !ev.Flag && ev.Code <= 1 {
			denied = max(denied, ev.OccurredAt+1)
		}
		if ev.Kind == KindConsent && ev.Flag && ev.Text != "" && ev.Code <= 1 {
			granted = max(granted, ev.OccurredAt+1)
		}
		if old := facts[k]; old == nil || oracleOrder(old, ev) < 0 {
			facts[k] = ev
		}
	}
	var list []*Event
	for _, ev := range facts {
		list = append(list, ev)
	}
	slices.SortFunc(list, func(a, b *Event) int { return cmp.Compare(a.OccurredAt, b.OccurredAt) })
	f := figures{doNotCall: denied > 0 && denied >= granted}
	today := p.localDay(asOf)
	arrived := func(ev *Event) bool { return p.localDay(ev.OccurredAt) <= today }

	find := func(source, name string, kinds ...Kind) *Event {
		for _, k := range kinds {
			var ev *Event
			if k == KindSubscriptionRenewed || k == KindSubscriptionStarted {
				ev = facts[key{k, source, name}]
				if ev != nil && ev.Parent == "" {
					ev = nil
				}
			} else {
				ev = facts[key{k, source, name}]
			}
			if ev != nil {
				return ev
			}
		}
		return nil
	}
	counts := func(ev *Event) bool {
		switch ev.Kind {
		case KindOrder, KindSubscriptionRenewed:
			return true
		case KindSubscriptionStarted:
			return ev.Parent != ""
		case KindPayment:
			return ev.Parent == "" || find(ev.Source, ev.Parent, KindOrder, KindSubscriptionRenewed, KindSubscriptionStarted) == nil
		default:
			return false
		}
	}
	taken, back := make(map[*Event]int64), make(map[*Event]int64)
	// worth is a part of what was paid, at the rate of its sale.
	worth := func(sale *Event, part int64) int64 {
		return (2*sale.AmountMinor*part + sale.OriginalMinor) / (2 * sale.OriginalMinor)
	}
	for _, ev := range list {
		if ev.Kind != KindRefund || ev.Code2 == RefundFailed || ev.Code2 == RefundDisputeWon || !arrived(ev) {
			continue
		}
		var target *Event
		if ev.Parent != "" {
			target = find(ev.Source, ev.Parent, KindOrder)
			if renewal := find(ev.Source, ev.Parent, KindSubscriptionRenewed); target == nil {
				target = renewal
				start := find(ev.Source, ev.Parent, KindSubscriptionStarted)
				if target == nil || start != nil && start.OccurredAt < renewal.OccurredAt {
					target = start
				}
			}
			if target == nil {
				if pays := find(ev.Source, ev.Parent, KindPayment); pays != nil {
					target = pays
					if !counts(pays) {
						target = find(pays.Source, pays.Parent, KindOrder, KindSubscriptionRenewed, KindSubscriptionStarted)
					}
				}
			}
		}
		if target != nil && abroad(ev) && abroad(target) && ev.OriginalCurrency == target.OriginalCurrency {
			taken[target] += worth(target, back[target]+ev.OriginalMinor) - worth(target, back[target])
			back[target] += ev.OriginalMinor
			continue
		}
		if target != nil {
			taken[target] += ev.AmountMinor
			continue
		}
		// The payments of an order that never came, one after the other.
		left, some := ev.AmountMinor, (*Event)(nil)
		if ev.Parent != "" {
			for _, pays := range list {
				if pays.Kind == KindPayment && pays.Source == ev.Source && pays.Parent == ev.Parent && counts(pays) {
					if some != nil {
						part := min(left, max(0, some.AmountMinor-taken[some]))
						taken[some] += part
						left -= part
					}
					some = pays
				}
			}
		}
		if some != nil {
			taken[some] += left
		} else {
			f.refunded += ev.AmountMinor
		}
	}
	money, boughtMoney := make(map[int32]int64), make(map[int32]int64)
	var days, bought []int32
	wonAt := int64(-1)
	for _, ev := range list {
		if ev.Kind == KindCall && arrived(ev) {
			f.calls++
			f.talk += int64(ev.Number)
			if ev.Code == DispositionSale {
				f.conversions++
			}
		}
		converts := ev.Kind == KindOrder || ev.Kind == KindSubscriptionStarted || ev.Kind == KindCall && ev.Code == DispositionSale
		if converts && arrived(ev) && ev.Touch != (Touch{}) {
			switch wonAt {
			case -1:
				wonAt, f.acquisition = ev.OccurredAt, ev.Touch
			case ev.OccurredAt:
				// The hash of the identity decides, which the oracle doesn't know.
				f.acquisition = Touch{Campaign: "?"}
			}
		}
		if !counts(ev) || !arrived(ev) {
			continue
		}
		f.gross += ev.AmountMinor
		f.refunded += min(taken[ev], ev.AmountMinor)
		if taken[ev] > 0 && taken[ev] >= ev.AmountMinor {
			continue
		}
		day := p.localDay(ev.OccurredAt)
		if _, ok := money[day]; !ok {
			days = append(days, day)
		}
		money[day] += ev.AmountMinor - taken[ev]
		if ev.Ref != "" && (ev.Kind == KindSubscriptionStarted || ev.Kind == KindSubscriptionRenewed) {
			continue
		}
		if _, ok := boughtMoney[day]; !ok {
			bought = append(bought, day)
		}
		boughtMoney[day] += ev.AmountMinor - taken[ev]
	}
	f.refunded = min(f.refunded, f.gross)
	f.net = f.gross - f.refunded
	f.transactions = int32(len(days))
	slices.Sort(days)
	if len(bought) > 0 {
		slices.Sort(bought)
		f.x, f.tx, f.age = int32(len(bought)-1), bought[len(bought)-1]-bought[0], today-bought[0]
		for _, day := range bought[1:] {
			f.repeatMoney += boughtMoney[day]
		}
	}
	for _, ev := range list {
		if ev.Kind != KindCall || !arrived(ev) {
			continue
		}
		if len(days) > 0 && p.localDay(ev.OccurredAt) > days[0] {
			f.service += ev.CostMinor
		} else {
			f.cac += ev.CostMinor
		}
	}
	return f
}

// abroad says whether an amount was converted.
func abroad(ev *Event) bool {
	return ev.OriginalMinor > 0 && ev.OriginalCurrency != "" && ev.OriginalCurrency != ev.Currency
}

// oracleOrder says which of two contents under one id counts: the later in this order.
func oracleOrder(a, b *Event) int {
	status := 0
	if a.Kind == KindRefund {
		status = cmp.Compare(a.Code2, b.Code2)
	}
	return cmp.Or(cmp.Compare(a.Revision, b.Revision), status, cmp.Compare(a.OccurredAt, b.OccurredAt),
		cmp.Compare(a.AmountMinor, b.AmountMinor))
}

// TestAgainstOracle compares fold and score with the oracle.
func TestAgainstOracle(t *testing.T) {
	params := with(t, nil, modelEvent(cdnow), policyEvent(Policy{Number: 1, KeepTransactions: 512, KeepCalls: 512, KeepRefunds: 128,
		KeepMarks: 512, ZoneOffsets: []ZoneOffset{{0, 3 * 3600}}}))
	policy := params.Policy()
	refunds, cancelled := 0, 0
	for seed := range uint64(3000) {
		g := newScenario(seed)
		for range 1 + g.IntN(40) {
			n := len(g.events)
			g.fill(1)
			// Contents under one id differ in revision, status, time or amount only, and ids are used by one fact.
			for i := n; i < len(g.events); i++ {
				ev := &g.events[i]
				if ev.Kind != KindCall {
					ev.HasCost = false
				}
				ev.Source = "billing"
				if i > n {
					continue
				}
				if clash := slices.IndexFunc(g.events[:n], func(e Event) bool { return sameFact(&e, ev) }); clash >= 0 {
					g.events = g.events[:n]
					break
				}
			}
		}
		asOf := testStart + g.Int64N(400)*testDay
		events := g.shuffled()
		for i := range events {
			events[i].RecordedAt = min(events[i].RecordedAt, asOf)
		}
		s := g.play(t, params, events)
		if s.version == 0 {
			continue
		}
		reassess(s, params, asOf)
		var f Folder
		score := f.Score(s, params)
		purchaseDaysAreTheScores(t, s, params, &score)
		want := oracle(events, &policy, 1000*score.AsOf)
		got := figures{gross: score.GrossMinor, refunded: score.RefundedMinor, net: score.NetMinor, transactions: score.Transactions,
			x: score.RepeatTransactions, tx: score.LastAgeDays, age: score.AgeDays, repeatMoney: score.RepeatMoneyMinor,
			cac: score.CACMinor, service: score.ServiceCostMinor, acquisition: score.Acquisition, doNotCall: score.Consent.DoNotCall}
		if want.acquisition.Campaign == "?" {
			got.acquisition = want.acquisition
		}
		s.Contribution(func(d Dimension, _ string, v *Sums) {
			if d == DimTenant {
				got.calls, got.conversions, got.talk = v[SumCalls], v[SumConversions], v[SumTalkSeconds]
			}
		})
		if got != want {
			t.Fatalf("seed %d:\ngot  %+v\nwant %+v", seed, got, want)
		}
		if got.refunded > 0 {
			refunds++
		}
		if got.net == 0 && got.gross > 0 {
			cancelled++
		}
	}
	if refunds < 300 || cancelled < 20 {
		t.Fatalf("only %d customers with refunds, %d of them of everything: the test shows too little", refunds, cancelled)
	}
}

// sameFact says whether two events are contents under one id.
func sameFact(a, b *Event) bool {
	if a.Kind != b.Kind || a.Source != b.Source {
		return false
	}
	switch a.Kind {
	case KindOrder, KindPayment, KindRefund, KindTicketOpened, KindTicketResolved, KindReferral:
		return a.Ref == b.Ref
	case KindSubscriptionRenewed:
		return a.Parent == b.Parent
	case KindSubscriptionStarted:
		return firstOf(a.Parent, a.Ref) == firstOf(b.Parent, b.Ref)
	default:
		return a.SourceEventID == b.SourceEventID
	}
}
