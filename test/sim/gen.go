package sim

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	perennialv1 "github.com/perennial-cltv/perennial/proto/perennial/v1"

	"github.com/perennial-cltv/perennial/pkg/cltv"
	"github.com/perennial-cltv/perennial/pkg/task"
)

// startOfTime is when a run begins.
var startOfTime = time.Date(2024, 3, 1, 9, 0, 0, 0, time.UTC).UnixMilli()

const day = 24 * 3600 * 1000

// source makes what the sources publish: customers who buy, refund, call,
// complain, and hold contracts (lives.go); parameters (parameters.go); clocks; and
// what goes wrong outside: duplicates, revisions, disorder, refunds before orders,
// poison.
type source struct {
	rng        *rand.Rand
	partitions int
	tenants    []string
	ids        int
	numbers    int64
	// orders that refunds, payments and calls may name.
	orders map[string][]string
	// contracts that marks and renewals may name.
	contracts map[string][]string
	// kept counts what a state keeps one by one.
	kept map[string]int
	// ahead is how far the clocks have come, milliseconds after startOfTime.
	ahead int64
	out   []published
}

// generate makes about n records and their disorder.
func generate(rng *rand.Rand, n, partitions int) []published {
	g := &source{
		rng: rng, partitions: partitions, tenants: []string{"acme"}, orders: map[string][]string{},
		contracts: map[string][]string{}, kept: map[string]int{},
	}
	if rng.IntN(3) == 0 {
		g.tenants = append(g.tenants, "zoo-2")
	}
	for _, t := range g.tenants {
		if rng.IntN(8) > 0 {
			g.model(t)
		}
		if rng.IntN(4) > 0 {
			g.contractModel(t)
		}
		if rng.IntN(2) == 0 {
			g.policy(t)
		}
	}
	for len(g.out) < n {
		g.fact()
	}
	g.repeat()
	g.shuffle()
	return g.out
}

// partitionOf stands in for the partitioner.
func (g *source) partitionOf(key string) int32 {
	h := uint32(2166136261)
	for i := range len(key) {
		h = (h ^ uint32(key[i])) * 16777619
	}
	return int32(h % uint32(g.partitions))
}

func (g *source) tenant() string { return g.tenants[g.rng.IntN(len(g.tenants))] }

func (g *source) id(kind string) string {
	g.ids++
	return fmt.Sprint(kind, "-", g.ids)
}

// event begins an event of a customer; some are history being loaded.
func (g *source) event(tenant, customer string) *perennialv1.Event {
	occurred := startOfTime - int64(g.rng.IntN(400*day/1000))*1000
	ev := &perennialv1.Event{
		Tenant: tenant, Customer: customer, Source: "crm", SourceEventId: g.id("e"),
		OccurredAt: timestamppb.New(time.UnixMilli(occurred)),
	}
	switch g.rng.IntN(10) {
	case 0:
		ev.Backfill = true
		ev.RecordedAt = ev.OccurredAt
	case 1: // money dated after as-of
		ev.OccurredAt = timestamppb.New(time.UnixMilli(startOfTime + int64(g.rng.IntN(20*day))))
		ev.RecordedAt = timestamppb.New(time.UnixMilli(startOfTime))
	default:
		ev.RecordedAt = timestamppb.New(time.UnixMilli(startOfTime))
	}
	return ev
}

func (g *source) put(ev *perennialv1.Event) {
	key := ev.Tenant + "/" + ev.Customer
	if ev.Customer == "" {
		key = ev.Tenant + "/~spend/" + ev.Source + "/" + ev.SourceEventId
	}
	if list, most := listOf(ev); most > 0 {
		if g.kept[key+list] == most {
			return // the batch program knows no bounds
		}
		g.kept[key+list]++
	}
	g.putAt(g.partitionOf(key), key, ev)
}

// listOf tells in which of a state's lists a fact is kept, and how many are by
// default.
func listOf(ev *perennialv1.Event) (list string, most int) {
	switch ev.Fact.(type) {
	case *perennialv1.Event_Order, *perennialv1.Event_Payment, *perennialv1.Event_SubscriptionStarted, *perennialv1.Event_SubscriptionRenewed:
		return "sales", cltv.DefaultKeepTransactions
	case *perennialv1.Event_CallOutcome:
		return "calls", cltv.DefaultKeepCalls
	case *perennialv1.Event_Refund:
		return "refunds", cltv.DefaultKeepRefunds
	case *perennialv1.Event_PaymentFailed, *perennialv1.Event_SubscriptionChanged, *perennialv1.Event_SubscriptionCancelled, *perennialv1.Event_TicketOpened,
		*perennialv1.Event_TicketResolved, *perennialv1.Event_SurveyAnswer, *perennialv1.Event_ChannelResponse, *perennialv1.Event_Referral:
		return "marks", cltv.DefaultKeepMarks
	}
	return "", 0
}

func (g *source) putAt(p int32, key string, ev *perennialv1.Event) {
	value, err := proto.MarshalOptions{Deterministic: true}.Marshal(ev)
	if err != nil {
		panic(err)
	}
	r := published{partition: p, key: []byte(key), value: value}
	if g.rng.IntN(3) == 0 {
		r.headers = []task.Header{{Key: "traceparent", Value: fmt.Appendf(nil, "00-%032x-%016x-01", len(g.out)+1, len(g.out)+1)}}
	}
	g.out = append(g.out, r)
}

func (g *source) money() *perennialv1.Money {
	return &perennialv1.Money{Minor: int64(g.rng.IntN(20_000)), Currency: "USD"}
}

func (g *source) touch() *perennialv1.Touch {
	if g.rng.IntN(3) == 0 {
		return nil
	}
	pick := func(kind string) string { return fmt.Sprint(kind, g.rng.IntN(3)) }
	t := &perennialv1.Touch{Campaign: pick("camp"), Agent: pick("agent")}
	if g.rng.IntN(2) == 0 {
		t.Offer, t.LeadSource = pick("offer"), pick("list")
	}
	return t
}

// order gives an order of the customer that is known, or will be, or never.
func (g *source) order(who string) string {
	known := g.orders[who]
	if len(known) == 0 || g.rng.IntN(4) == 0 {
		id := g.id("o")
		g.orders[who] = append(known, id)
		return id
	}
	return known[g.rng.IntN(len(known))]
}

// fact publishes one record of some kind, or those of a part of a contract's life.
func (g *source) fact() {
	tenant := g.tenant()
	customer := fmt.Sprint("c", g.rng.IntN(1+g.rng.IntN(5))) // of some there is much
	who := tenant + "/" + customer
	ev := g.event(tenant, customer)
	switch k := g.rng.IntN(100); {
	case k < 20:
		g.sale(ev, who)
	case k < 27:
		g.refund(ev, who)
	case k < 40:
		g.call(ev, who)
	case k < 52:
		g.mark(ev, who)
	case k < 62:
		g.life(tenant, customer)
	case k < 66:
		ev.Fact = &perennialv1.Event_Profile{Profile: &perennialv1.Profile{Segment: []string{"", "smb", "pro"}[g.rng.IntN(3)], Region: []string{"", "north"}[g.rng.IntN(2)]}}
		g.put(ev)
	case k < 69:
		ev.Fact = &perennialv1.Event_Consent{Consent: &perennialv1.Consent{Channel: perennialv1.ConsentChannel(g.rng.IntN(4)), Granted: g.rng.IntN(2) == 0, Evidence: []string{"", "form-1"}[g.rng.IntN(2)]}}
		g.put(ev)
	case k < 74:
		g.subscription(ev, who)
	case k < 76:
		ev.Customer = ""
		ev.Fact = &perennialv1.Event_MarketingSpend{MarketingSpend: &perennialv1.MarketingSpend{Touch: &perennialv1.Touch{Campaign: "camp1"}, Amount: g.money()}}
		g.put(ev)
	case k < 78:
		ev.SourceEventId = ""
		ev.Fact = &perennialv1.Event_Reassess{Reassess: &perennialv1.Reassess{Clock: timestamppb.New(time.UnixMilli(startOfTime + g.ahead + int64(g.rng.IntN(day))))}}
		g.put(ev)
	case k < 84:
		g.parameter(tenant)
	case k < 95:
		g.clock(tenant)
	default:
		g.poison(ev)
	}
}

// clock advances a tenant's clock by hours or weeks, or repeats an old time.
func (g *source) clock(tenant string) {
	to := startOfTime + int64(g.rng.IntN(60*day)) - 30*day
	if g.rng.IntN(5) > 0 {
		g.ahead += int64(g.rng.IntN([]int{2, 9, 30}[g.rng.IntN(3)] * day))
		to = startOfTime + g.ahead
	}
	ev := &perennialv1.Event{
		Tenant: tenant, Source: "importer", RecordedAt: timestamppb.New(time.UnixMilli(startOfTime)),
		Fact: &perennialv1.Event_ClockAdvanced{ClockAdvanced: &perennialv1.ClockAdvanced{To: timestamppb.New(time.UnixMilli(to))}},
	}
	for p := range g.partitions {
		g.putAt(int32(p), tenant+"/~clock", ev)
	}
}

func (g *source) refund(ev *perennialv1.Event, who string) {
	refund := &perennialv1.Refund{RefundId: g.id("r"), Amount: g.money(), Status: perennialv1.RefundStatus(g.rng.IntN(6)), Kind: perennialv1.RefundKind(g.rng.IntN(3))}
	if g.rng.IntN(5) > 0 {
		refund.OrderId = g.order(who)
	}
	ev.Fact = &perennialv1.Event_Refund{Refund: refund}
	g.put(ev)
}

func (g *source) sale(ev *perennialv1.Event, who string) {
	switch g.rng.IntN(4) {
	case 0:
		p := &perennialv1.Payment{PaymentId: g.id("p"), Amount: g.money()}
		if g.rng.IntN(2) == 0 {
			p.OrderId = g.order(who)
		}
		ev.Fact = &perennialv1.Event_Payment{Payment: p}
	default:
		o := &perennialv1.Order{OrderId: g.order(who), Amount: g.money(), Touch: g.touch()}
		if g.rng.IntN(3) == 0 {
			o.CostOfGoods = &perennialv1.Money{Minor: int64(g.rng.IntN(5_000)), Currency: "USD"}
		}
		if g.rng.IntN(3) == 0 {
			o.Product = []string{"basic", "pro", "shoes"}[g.rng.IntN(3)]
		}
		if g.rng.IntN(6) == 0 {
			o.Converted, o.Amount = o.Amount, &perennialv1.Money{Minor: 900, Currency: "EUR"}
		}
		ev.Fact = &perennialv1.Event_Order{Order: o}
	}
	g.put(ev)
}

func (g *source) call(ev *perennialv1.Event, who string) {
	c := &perennialv1.CallOutcome{
		Touch: g.touch(), Disposition: perennialv1.Disposition(g.rng.IntN(15)), Direction: perennialv1.Direction(g.rng.IntN(3)),
		TalkSeconds: int32(g.rng.IntN(900)), WrapSeconds: int32(g.rng.IntN(90)),
	}
	if g.rng.IntN(2) == 0 {
		c.Cost = &perennialv1.Money{Minor: int64(g.rng.IntN(400)), Currency: "USD"}
	}
	if g.rng.IntN(3) == 0 {
		c.OrderId = g.order(who)
	}
	c.Retention = g.rng.IntN(2) == 0
	g.lately(ev)
	ev.Fact = &perennialv1.Event_CallOutcome{CallOutcome: c}
	g.put(ev)
}

// poison publishes what can't be taken in.
func (g *source) poison(ev *perennialv1.Event) {
	key := ev.Tenant + "/" + ev.Customer
	ev.Fact = &perennialv1.Event_Order{Order: &perennialv1.Order{OrderId: g.id("o"), Amount: g.money()}}
	switch g.rng.IntN(8) {
	case 0: // no protobuf
		g.out = append(g.out, published{partition: g.partitionOf(key), key: []byte(key), value: []byte{0xff, byte(g.rng.IntN(256)), 1}})
	case 1: // from the future
		ev.RecordedAt = timestamppb.New(time.UnixMilli(startOfTime + 4000*day))
		g.put(ev)
	case 2: // another customer's key
		g.putAt(g.partitionOf(key), ev.Tenant+"/somebody", ev)
	case 3: // nothing in it
		ev.Fact = nil
		g.put(ev)
	case 4: // foreign money without its conversion
		ev.Fact.(*perennialv1.Event_Order).Order.Amount.Currency = "EUR"
		g.put(ev)
	case 6: // a price in foreign money
		ev.Fact = &perennialv1.Event_SubscriptionChanged{SubscriptionChanged: &perennialv1.SubscriptionChanged{
			SubscriptionId: "s-1", Price: &perennialv1.Money{Minor: 5, Currency: "EUR"}, PeriodDays: 30}}
		g.put(ev)
	case 5: // not built yet
		ev.Fact = &perennialv1.Event_IdentityLink{IdentityLink: &perennialv1.IdentityLink{Other: "c1"}}
		g.put(ev)
	default: // no key at all
		value, err := proto.Marshal(ev)
		if err != nil {
			panic(err)
		}
		g.out = append(g.out, published{partition: 0, value: value})
	}
}

// repeat sends some records again, and some with a revision.
func (g *source) repeat() {
	for i := range len(g.out) {
		switch g.rng.IntN(40) {
		case 0, 1:
			g.out = append(g.out, g.out[i])
		case 2:
			var ev perennialv1.Event
			if proto.Unmarshal(g.out[i].value, &ev) != nil {
				continue
			}
			ev.Revision++
			switch f := ev.Fact.(type) {
			case *perennialv1.Event_Order:
				f.Order.Amount = g.money()
				f.Order.Amount.Currency = "USD"
			case *perennialv1.Event_SubscriptionRenewed:
				f.SubscriptionRenewed.Amount = g.money()
			case *perennialv1.Event_SubscriptionCancelled:
				f.SubscriptionCancelled.Reason = perennialv1.CancellationReason(g.rng.IntN(4))
			case *perennialv1.Event_SurveyAnswer:
				f.SurveyAnswer.Score = int32(g.rng.IntN(11))
			case *perennialv1.Event_Refund:
				f.Refund.Status = perennialv1.RefundStatus(g.rng.IntN(6))
			case *perennialv1.Event_CallOutcome:
				f.CallOutcome.Disposition = perennialv1.Disposition(g.rng.IntN(15))
			}
			g.putAt(g.out[i].partition, string(g.out[i].key), &ev)
		}
	}
}

// shuffle puts records out of order: a little, or wholly.
func (g *source) shuffle() {
	if g.rng.IntN(4) == 0 {
		g.rng.Shuffle(len(g.out), func(i, j int) { g.out[i], g.out[j] = g.out[j], g.out[i] })
		return
	}
	for i := range g.out {
		if g.rng.IntN(3) == 0 {
			j := max(0, i-g.rng.IntN(12))
			r := g.out[i]
			g.out = slices.Insert(slices.Delete(g.out, i, i+1), j, r)
		}
	}
}
