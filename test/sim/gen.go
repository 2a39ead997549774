package sim

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	perennialv1 "github.com/perennial-cltv/perennial/proto/perennial/v1"

	"github.com/perennial-cltv/perennial/pkg/task"
)

// startOfTime is when a run begins.
var startOfTime = time.Date(2024, 3, 1, 9, 0, 0, 0, time.UTC).UnixMilli()

const day = 24 * 3600 * 1000

// source makes what the sources publish: customers who buy, refund, call,
// complain; parameters; clocks; and what goes wrong outside: duplicates,
// revisions, disorder, refunds before orders, poison.
type source struct {
	rng        *rand.Rand
	partitions int
	tenants    []string
	ids        int
	numbers    int64
	// orders that refunds, payments and calls may name.
	orders map[string][]string
	out    []published
}

// generate makes about n records and their disorder.
func generate(rng *rand.Rand, n, partitions int) []published {
	g := &source{rng: rng, partitions: partitions, tenants: []string{"acme"}, orders: map[string][]string{}}
	if rng.IntN(3) == 0 {
		g.tenants = append(g.tenants, "zoo-2")
	}
	for _, t := range g.tenants {
		if rng.IntN(8) > 0 {
			g.model(t)
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
	g.putAt(g.partitionOf(key), key, ev)
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

// fact publishes one record of some kind.
func (g *source) fact() {
	tenant := g.tenant()
	customer := fmt.Sprint("c", g.rng.IntN(5))
	who := tenant + "/" + customer
	ev := g.event(tenant, customer)
	switch k := g.rng.IntN(100); {
	case k < 30:
		g.sale(ev, who)
	case k < 42:
		refund := &perennialv1.Refund{RefundId: g.id("r"), Amount: g.money(), Status: perennialv1.RefundStatus(g.rng.IntN(6)), Kind: perennialv1.RefundKind(g.rng.IntN(3))}
		if g.rng.IntN(5) > 0 {
			refund.OrderId = g.order(who)
		}
		ev.Fact = &perennialv1.Event_Refund{Refund: refund}
		g.put(ev)
	case k < 62:
		g.call(ev, who)
	case k < 74:
		g.mark(ev, who)
	case k < 78:
		ev.Fact = &perennialv1.Event_Profile{Profile: &perennialv1.Profile{Segment: []string{"", "smb", "pro"}[g.rng.IntN(3)], Region: []string{"", "north"}[g.rng.IntN(2)]}}
		g.put(ev)
	case k < 82:
		ev.Fact = &perennialv1.Event_Consent{Consent: &perennialv1.Consent{Channel: perennialv1.ConsentChannel(g.rng.IntN(4)), Granted: g.rng.IntN(2) == 0, Evidence: []string{"", "form-1"}[g.rng.IntN(2)]}}
		g.put(ev)
	case k < 85:
		g.subscription(ev, who)
	case k < 87:
		ev.Customer = ""
		ev.Fact = &perennialv1.Event_MarketingSpend{MarketingSpend: &perennialv1.MarketingSpend{Touch: &perennialv1.Touch{Campaign: "camp1"}, Amount: g.money()}}
		g.put(ev)
	case k < 89:
		ev.SourceEventId = ""
		ev.Fact = &perennialv1.Event_Reassess{Reassess: &perennialv1.Reassess{Clock: timestamppb.New(time.UnixMilli(startOfTime + int64(g.rng.IntN(day))))}}
		g.put(ev)
	case k < 93:
		g.parameter(tenant)
	case k < 95:
		to := time.UnixMilli(startOfTime + int64(g.rng.IntN(60*day)) - 30*day)
		clock := &perennialv1.Event{
			Tenant: tenant, Source: "importer", RecordedAt: timestamppb.New(time.UnixMilli(startOfTime)),
			Fact: &perennialv1.Event_ClockAdvanced{ClockAdvanced: &perennialv1.ClockAdvanced{To: timestamppb.New(to)}},
		}
		for p := range g.partitions {
			g.putAt(int32(p), tenant+"/~clock", clock)
		}
	default:
		g.poison(ev)
	}
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
	ev.Fact = &perennialv1.Event_CallOutcome{CallOutcome: c}
	g.put(ev)
}

func (g *source) mark(ev *perennialv1.Event, who string) {
	switch g.rng.IntN(6) {
	case 0:
		ev.Fact = &perennialv1.Event_TicketOpened{TicketOpened: &perennialv1.TicketOpened{TicketId: g.id("t"), Complaint: g.rng.IntN(2) == 0}}
	case 1:
		ev.Fact = &perennialv1.Event_TicketResolved{TicketResolved: &perennialv1.TicketResolved{TicketId: "t-1"}}
	case 2:
		ev.Fact = &perennialv1.Event_SurveyAnswer{SurveyAnswer: &perennialv1.SurveyAnswer{Score: int32(g.rng.IntN(11))}}
	case 3:
		ev.Fact = &perennialv1.Event_ChannelResponse{ChannelResponse: &perennialv1.ChannelResponse{Channel: perennialv1.Channel(g.rng.IntN(5)), Response: perennialv1.Response(g.rng.IntN(6))}}
	case 4:
		ev.Fact = &perennialv1.Event_Referral{Referral: &perennialv1.Referral{ReferredCustomer: "c9"}}
	default:
		ev.Fact = &perennialv1.Event_PaymentFailed{PaymentFailed: &perennialv1.PaymentFailed{InvoiceId: g.order(who), Attempt: 1, Amount: g.money()}}
	}
	g.put(ev)
}

func (g *source) subscription(ev *perennialv1.Event, who string) {
	switch g.rng.IntN(3) {
	case 0:
		ev.Fact = &perennialv1.Event_SubscriptionStarted{SubscriptionStarted: &perennialv1.SubscriptionStarted{
			SubscriptionId: "s-1", Plan: "basic", Price: g.money(), PeriodDays: 30, InvoiceId: g.order(who), Touch: g.touch()}}
	case 1:
		ev.Fact = &perennialv1.Event_SubscriptionRenewed{SubscriptionRenewed: &perennialv1.SubscriptionRenewed{
			SubscriptionId: "s-1", InvoiceId: g.order(who), Amount: g.money()}}
	default:
		ev.Fact = &perennialv1.Event_SubscriptionCancelled{SubscriptionCancelled: &perennialv1.SubscriptionCancelled{
			SubscriptionId: "s-1", Reason: perennialv1.CancellationReason(g.rng.IntN(4))}}
	}
	g.put(ev)
}

func (g *source) parameter(tenant string) {
	switch g.rng.IntN(4) {
	case 0:
		g.model(tenant)
	case 1:
		g.policy(tenant)
	case 2:
		g.everywhere(tenant, "/~thresholds", func(ev *perennialv1.Event) {
			ev.Fact = &perennialv1.Event_ThresholdsSet{ThresholdsSet: &perennialv1.ThresholdsSet{
				Number: g.numbers, Tiers: []*perennialv1.Tier{{Name: "silver", FromMinor: int64(1000 + g.rng.IntN(5000))}, {Name: "gold", FromMinor: 20_000}}}}
		})
	default:
		g.everywhere(tenant, "/~unit-costs", func(ev *perennialv1.Event) {
			ev.Fact = &perennialv1.Event_UnitCostsSet{UnitCostsSet: &perennialv1.UnitCostsSet{
				Number: g.numbers, DefaultMinor: int64(g.rng.IntN(900)), ByCampaign: map[string]int64{"camp1": 700}, ByLeadSource: map[string]int64{"list2": 50}}}
		})
	}
}

// everywhere writes a parameter record to every partition, in order from 0. A
// publisher may die in between; what it misses, the owner of 0 repeats.
func (g *source) everywhere(tenant, suffix string, fill func(*perennialv1.Event)) {
	g.numbers++
	if g.rng.IntN(4) == 0 {
		g.numbers -= int64(g.rng.IntN(int(min(g.numbers, 3)))) // an older or equal one, late
	}
	ev := &perennialv1.Event{Tenant: tenant, Source: "operator", SourceEventId: g.id("p"), RecordedAt: timestamppb.New(time.UnixMilli(startOfTime))}
	fill(ev)
	for p := range g.partitions {
		g.putAt(int32(p), tenant+suffix, ev)
		if g.rng.IntN(6) == 0 {
			return
		}
	}
}

func (g *source) model(tenant string) {
	scope := ""
	if g.rng.IntN(4) == 0 {
		scope = "smb"
	}
	g.everywhere(tenant, "/~model", func(ev *perennialv1.Event) {
		scale := 1 + float64(g.rng.IntN(3))/10
		m := &perennialv1.ModelPublished{
			Number: g.numbers, ModelId: fmt.Sprint("m", g.numbers), Scope: scope,
			GammaGamma: &perennialv1.GammaGamma{P: 6.24935, Q: 3.74426, Gamma: 15.44431 * scale},
		}
		switch g.rng.IntN(5) {
		case 0:
			m.MbgNbd = &perennialv1.MbgNbd{R: .524843 * scale, Alpha: 6.18309, A: .891359, B: 1.614001}
		case 1:
			m.ParetoNbd = &perennialv1.ParetoNbd{R: .553277 * scale, Alpha: 10.57768, S: .606240, Beta: 11.66874}
		default:
			m.BgNbd = &perennialv1.BgNbd{R: .242594 * scale, Alpha: 4.41360, A: .792922, B: 2.425906}
		}
		ev.Fact = &perennialv1.Event_ModelPublished{ModelPublished: m}
	})
}

func (g *source) policy(tenant string) {
	g.everywhere(tenant, "/~policy", func(ev *perennialv1.Event) {
		p := &perennialv1.PolicySet{
			Number: g.numbers, MarginPpm: int32(500_000 + 100_000*g.rng.IntN(5)), MinuteCostMinor: int64(g.rng.IntN(30)),
			TicketCostMinor: int64(g.rng.IntN(200)), ClockMode: perennialv1.ClockMode(g.rng.IntN(3)), RescoreDays: int32(g.rng.IntN(9)),
		}
		if g.rng.IntN(2) == 0 {
			p.ZoneOffsets = []*perennialv1.ZoneOffset{{OffsetSeconds: -5 * 3600}, {FromUnix: startOfTime / 1000, OffsetSeconds: -4 * 3600}}
		}
		if g.rng.IntN(2) == 0 {
			p.BandPpm = []int32{200_000, 400_000, 600_000, 800_000}
		}
		ev.Fact = &perennialv1.Event_PolicySet{PolicySet: p}
	})
}

// poison publishes what can't be taken in.
func (g *source) poison(ev *perennialv1.Event) {
	key := ev.Tenant + "/" + ev.Customer
	ev.Fact = &perennialv1.Event_Order{Order: &perennialv1.Order{OrderId: g.id("o"), Amount: g.money()}}
	switch g.rng.IntN(7) {
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
