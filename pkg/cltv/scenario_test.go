package cltv

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/perennial-cltv/perennial/pkg/btyd"
)

const (
	testDay  = int64(dayMillis)
	testHour = testDay / 24
	// testStart is 1997-01-01.
	testStart = 9862 * testDay
)

// cdnow is the model of models.md: BG/NBD and Gamma–Gamma on CDNOW.
var cdnow = Model{
	Number: 1, ModelID: "cdnow", BGNBD: btyd.BGNBD{R: .243, Alpha: 4.414, A: .793, B: 2.426},
	P: 6.24935, Q: 3.74426, Gamma: 15.44431, TrainedTo: testStart + 273*testDay,
}

// contracts is a model of contracts with all that one can have, contractsOfGold one of tenure alone.
var contracts = Model{
	Number: 1, ModelID: "contracts", SBG: btyd.SBG{Alpha: .7041, Beta: 1.182},
	Leaving: &Hazard{Intercept: -1.9, Tenure: .8, MeanBase: -1.4, Weights: []HazardWeight{
		{"failed_payments", 1.1, .1}, {"overdue_days", .12, .4}, {"open_tickets", .3, .2}, {"score", -.2, .5}, {"silent_months", .15, 1.5},
		{"unanswered_retention", .5, .1}, {"upgrades", -.4, .05}, {"resolution_days", .03, 2}, {"complaints", .6, .1},
		{"responses", -.1, .3}}},
	Involuntary: &Hazard{Intercept: -1, Tenure: .2, MeanBase: -1.4, Weights: []HazardWeight{{"failed_payments", 2.5, .1}}},
	ReturnPPM:   []int32{90_000, 40_000, 10_000},
}

var contractsOfGold = Model{Number: 3, Scope: "gold", ModelID: "contracts of gold", BdW: btyd.BdW{Alpha: .2143, Beta: 1.4266, C: 1.7236}}

var testTables Tables

// with applies parameter records to p.
func with(t testing.TB, p *Params, events ...Event) *Params {
	t.Helper()
	for i := range events {
		next, _, err := p.With(&events[i], &testTables)
		if err != nil {
			t.Fatal(err)
		}
		p = next
	}
	return p
}

func modelEvent(m Model) Event     { return Event{Kind: KindModelPublished, Model: &m} }
func policyEvent(p Policy) Event   { return Event{Kind: KindPolicySet, Policy: &p} }
func costsEvent(u UnitCosts) Event { return Event{Kind: KindUnitCostsSet, UnitCosts: &u} }

// testParams has everything set.
func testParams(t testing.TB) *Params {
	segment := cdnow
	segment.Scope, segment.ModelID, segment.BGNBD.R, segment.P = "gold", "cdnow-gold", .5, 5
	return with(t, nil,
		modelEvent(contracts), modelEvent(contractsOfGold),
		policyEvent(Policy{Number: 2, MarginPPM: 400_000, MinuteCostMinor: 90, TicketCostMinor: 500,
			MarginByProduct: map[string]int32{"book": 300_000, "pro": 800_000}, FinancialYearMonth: 4,
			Valuations:  []Valuation{{Segment: "silver", Method: ValueDynamic, RetentionPPM: []int32{900_000, 600_000}}},
			ZoneOffsets: []ZoneOffset{{0, -5 * 3600}, {testStart/1000 + 100*daySeconds, -4 * 3600}}}),
		modelEvent(cdnow), modelEvent(segment),
		Event{Kind: KindThresholdsSet, Thresholds: &Thresholds{Number: 3, Tiers: []Tier{{"silver", 2_000}, {"gold", 10_000}}}},
		costsEvent(UnitCosts{Number: 4, DefaultMinor: 700, ByCampaign: map[string]int64{"c1": 900}, ByLeadSource: map[string]int64{"web": 300}}),
	)
}

// scenario makes up facts about one customer.
type scenario struct {
	*rand.Rand
	events []Event
}

func newScenario(seed uint64) *scenario {
	return &scenario{Rand: rand.New(rand.NewPCG(seed, 97))}
}

func (g *scenario) pick(texts ...string) string { return texts[g.IntN(len(texts))] }

func (g *scenario) touch() Touch {
	return Touch{g.pick("", "c1", "c2", "spring"), g.pick("", "a1", "a2"), g.pick("", "o1"), g.pick("", "web", "list")}
}

// base is an event of a kind within the first 300 days.
func (g *scenario) base(k Kind) Event {
	at := testStart + g.Int64N(300)*testDay
	switch g.IntN(3) {
	case 0:
		at += g.Int64N(24) * testHour
	case 1:
		at += g.Int64N(testDay)
	}
	return Event{
		Tenant: "acme", Customer: "c-1", Source: g.pick("billing", "billing", "crm"), Kind: k, OccurredAt: at, RecordedAt: at,
		SourceEventID: fmt.Sprintf("e%d", g.IntN(1_000_000)),
	}
}

// name is an id that other facts are likely to name, too.
func (g *scenario) name() string { return fmt.Sprintf("n%d", g.IntN(8)) }

func (g *scenario) amount() int64 {
	switch g.IntN(6) {
	case 0:
		return 0
	case 1:
		return 100
	}
	return 1 + g.Int64N(20_000)
}

// fact makes up a fact of any kind that a customer can have.
func (g *scenario) fact() Event {
	kinds := [...]Kind{
		KindCall, KindCall, KindOrder, KindOrder, KindOrder, KindPayment, KindPayment, KindRefund, KindRefund,
		KindPaymentFailed, KindSubscriptionStarted, KindSubscriptionRenewed, KindSubscriptionRenewed, KindSubscriptionChanged,
		KindSubscriptionCancelled, KindTicketOpened, KindTicketResolved, KindSurveyAnswer, KindChannelResponse, KindReferral,
		KindProfile, KindConsent,
	}
	ev := g.base(kinds[g.IntN(len(kinds))])
	money := func() {
		ev.AmountMinor, ev.Currency = g.amount(), "USD"
		if g.IntN(3) == 0 {
			ev.OriginalMinor, ev.OriginalCurrency = ev.AmountMinor*(1+g.Int64N(3))/2, g.pick("EUR", "EUR", "GBP", "USD")
		}
	}
	switch ev.Kind {
	case KindCall:
		ev.Code, ev.Code2, ev.Number, ev.Number2, ev.Touch = int32(g.IntN(15)), int32(g.IntN(3)), int32(g.IntN(900)), int32(g.IntN(60)), g.touch()
		if g.IntN(2) == 0 {
			ev.HasCost, ev.CostMinor, ev.CostCurrency = true, g.Int64N(800), "USD"
		}
		ev.Flag, ev.Parent = g.IntN(9) == 0, g.pick("", g.name())
	case KindOrder:
		money()
		ev.Ref, ev.Code, ev.Touch, ev.Product = g.name(), int32(g.IntN(6)), g.touch(), g.pick("", "book")
		if g.IntN(3) == 0 {
			ev.HasCost, ev.CostMinor, ev.CostCurrency = true, g.Int64N(8000), "USD"
		}
	case KindPayment:
		money()
		ev.Ref, ev.Parent = g.name(), g.pick("", g.name(), g.name())
	case KindRefund:
		money()
		ev.Ref, ev.Parent, ev.Code, ev.Code2 = g.name(), g.pick("", g.name(), g.name(), g.name()), int32(g.IntN(3)), int32(g.IntN(6))
	case KindPaymentFailed:
		ev.Ref, ev.Parent, ev.Number, ev.Product = g.name(), g.name(), int32(1+g.IntN(3)), "declined"
	case KindSubscriptionStarted:
		money()
		ev.Ref, ev.Parent, ev.Number, ev.Product, ev.Touch = g.name(), g.pick("", g.name()), 30, g.pick("basic", "pro"), g.touch()
		ev.Until = ev.OccurredAt + 30*testDay
	case KindSubscriptionRenewed:
		money()
		ev.Ref, ev.Parent, ev.Until = g.name(), g.name(), ev.OccurredAt+30*testDay
	case KindSubscriptionChanged:
		money()
		ev.Ref, ev.Product, ev.Number, ev.Code = g.name(), g.pick("basic", "pro"), 30, int32(g.IntN(6))
	case KindSubscriptionCancelled:
		ev.Ref, ev.Code = g.name(), int32(g.IntN(4))
	case KindTicketOpened:
		ev.Ref, ev.Product, ev.Number, ev.Flag = g.name(), "late", int32(g.IntN(5)), g.IntN(2) == 0
	case KindTicketResolved:
		ev.Ref = g.name()
	case KindSurveyAnswer:
		ev.Number, ev.Product, ev.Parent = int32(g.IntN(11)), "nps", g.name()
	case KindChannelResponse:
		ev.Code, ev.Code2, ev.Touch = int32(g.IntN(5)), int32(g.IntN(6)), g.touch()
	case KindReferral:
		ev.Ref = g.name()
	case KindProfile:
		ev.Segment, ev.Region, ev.AgeBand = g.pick("", "gold", "silver"), g.pick("", "north"), g.pick("", "35-44")
	case KindConsent:
		ev.Code, ev.Flag, ev.Text = int32(g.IntN(4)), g.IntN(2) == 0, g.pick("", "form-7")
	default:
	}
	return ev
}

// fill adds n facts, and other contents under the ids of some.
func (g *scenario) fill(n int) {
	for range n {
		ev := g.fact()
		g.events = append(g.events, ev)
		for g.IntN(3) == 0 {
			other := ev
			other.Revision = g.Int64N(3)
			other.AmountMinor = ev.AmountMinor / (1 + g.Int64N(3))
			if g.IntN(2) == 0 {
				other.OccurredAt += g.Int64N(3) * testDay
			}
			switch other.Kind {
			case KindRefund:
				other.Code2 = int32(g.IntN(6))
			case KindProfile:
				other.Region = g.pick("", "north", "south")
			default:
			}
			g.events = append(g.events, other)
		}
	}
}

// shuffled returns the events in another order, some of them twice.
func (g *scenario) shuffled() []Event {
	events := append([]Event(nil), g.events...)
	for range len(events) / 4 {
		events = append(events, events[g.IntN(len(events))])
	}
	g.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
	return events
}

// play folds events, encoding and decoding the state after some of them.
func (g *scenario) play(t *testing.T, params *Params, events []Event) *State {
	t.Helper()
	var f Folder
	s := new(State)
	for i := range events {
		f.Fold(s, &events[i], At{Offset: int64(i), Params: params})
		if g.IntN(3) == 0 {
			blob := s.AppendTo(nil)
			s = new(State)
			if err := s.Decode(blob); err != nil {
				t.Fatal(err)
			}
		}
	}
	return s
}

// reassess scores a state as of a time.
func reassess(s *State, params *Params, at int64) Step {
	var f Folder
	ev := Event{Tenant: "acme", Customer: "c-1", Kind: KindReassess, RecordedAt: at, Until: at}
	return f.Fold(s, &ev, At{Offset: s.next, Params: params})
}

// facts is the stored form of what a state knows, without what depends on when it was told.
func facts(t *testing.T, s *State) string {
	t.Helper()
	var v State
	if err := v.Decode(s.AppendTo(nil)); err != nil {
		t.Fatal(err)
	}
	v.version, v.next, v.asOf, v.scored = 0, 0, 0, scored{}
	for i := range v.calls.items {
		v.calls.items[i].unpackCharge(0)
	}
	return string(v.AppendTo(nil))
}
