package sim

import (
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	perennialv1 "github.com/perennial-cltv/perennial/proto/perennial/v1"
)

// contract gives a contract of the customer that is known, or none, or one that
// nobody began.
func (g *source) contract(who string) string {
	known := g.contracts[who]
	if n := g.rng.IntN(len(known) + 3); n < len(known) {
		return known[n]
	}
	return []string{"s-1", ""}[g.rng.IntN(2)]
}

// lately moves an event into the months that a score looks at, or some days ahead.
func (g *source) lately(ev *perennialv1.Event) {
	if g.rng.IntN(3) > 0 {
		ev.OccurredAt = timestamppb.New(time.UnixMilli(startOfTime - int64(g.rng.IntN(120*day)) + int64(g.rng.IntN(20*day))))
	}
}

// life is that of a contract: how it began, the renewals, and what came between.
// Its last renewal is due about the beginning of the run, so that it is renewed,
// overdue and over while the clocks go on.
type life struct {
	*source
	tenant, customer, id string
	// loaded: its history comes as such, and is seen as it went.
	loaded       bool
	at, period   int64
	plan         string
	price        int64
	said, billed bool // period_end is said, invoices are named
}

// put publishes a fact of the contract.
func (l *life) put(at int64, ev *perennialv1.Event) {
	ev.Tenant, ev.Customer, ev.Source, ev.SourceEventId = l.tenant, l.customer, "crm", l.source.id("e")
	ev.OccurredAt = timestamppb.New(time.UnixMilli(at))
	if ev.RecordedAt = timestamppb.New(time.UnixMilli(startOfTime)); l.loaded && at < startOfTime {
		ev.RecordedAt, ev.Backfill = ev.OccurredAt, true
	}
	l.source.put(ev)
}

func (g *source) life(tenant, customer string) {
	who := tenant + "/" + customer
	l := &life{
		source: g, tenant: tenant, customer: customer, id: g.id("s"), loaded: g.rng.IntN(2) == 0,
		period: []int64{7, 30, 30, 30, 91, 365}[g.rng.IntN(6)] * day, plan: []string{"basic", "pro", ""}[g.rng.IntN(3)],
		price: int64(g.rng.IntN(9000)), said: g.rng.IntN(2) == 0, billed: g.rng.IntN(2) == 0,
	}
	if g.rng.IntN(4) == 0 {
		l.price = 0
	}
	g.contracts[who] = append(g.contracts[who], l.id)
	paid := 1 + g.rng.IntN(5)
	if l.period > 90*day {
		paid = 1
	}
	l.at = startOfTime + int64(g.rng.IntN(50*day)) - 25*day - int64(paid)*l.period
	if g.rng.IntN(5) > 0 {
		l.start()
	}
	for range paid - 1 {
		l.at += l.period
		if g.rng.IntN(5) > 0 {
			l.renew()
		}
		if g.rng.IntN(3) == 0 {
			l.meantime()
		}
	}
	if g.rng.IntN(2) == 0 {
		l.end()
	}
	for range g.rng.IntN(5) {
		if ev := g.event(tenant, customer); g.rng.IntN(3) == 0 {
			g.call(ev, who)
		} else {
			g.mark(ev, who)
		}
	}
}

// within is a time in the period after the last payment.
func (l *life) within() int64 { return l.at + 1 + int64(float64(l.period)*l.rng.Float64()) }

func (l *life) periodEnd() *timestamppb.Timestamp {
	if !l.said && l.rng.IntN(5) > 0 {
		return nil
	}
	return timestamppb.New(time.UnixMilli(l.at + l.period))
}

func (l *life) start() {
	s := &perennialv1.SubscriptionStarted{
		SubscriptionId: l.id, Plan: l.plan, Price: &perennialv1.Money{Minor: l.price, Currency: "USD"}, PeriodDays: int32(l.period / day),
		PeriodEnd: l.periodEnd(), Touch: l.touch(),
	}
	if l.billed {
		s.InvoiceId = l.source.id("i")
	}
	if l.period == 30*day && l.rng.IntN(3) == 0 {
		s.PeriodDays = 0
	}
	l.put(l.at, &perennialv1.Event{Fact: &perennialv1.Event_SubscriptionStarted{SubscriptionStarted: s}})
}

func (l *life) renew() {
	at := l.at + int64(l.rng.IntN(3*day)) - day
	r := &perennialv1.SubscriptionRenewed{
		SubscriptionId: l.id, InvoiceId: l.source.id("i"), Amount: &perennialv1.Money{Minor: l.price + int64(l.rng.IntN(50)), Currency: "USD"},
		PeriodEnd: l.periodEnd(),
	}
	l.put(at, &perennialv1.Event{Fact: &perennialv1.Event_SubscriptionRenewed{SubscriptionRenewed: r}})
	if l.rng.IntN(6) == 0 {
		refund := &perennialv1.Refund{RefundId: l.source.id("r"), OrderId: r.InvoiceId, Amount: r.Amount}
		if l.rng.IntN(2) == 0 {
			refund.Amount = l.money()
		}
		l.put(at+int64(l.rng.IntN(9*day)), &perennialv1.Event{Fact: &perennialv1.Event_Refund{Refund: refund}})
	}
}

// meantime is what happens between two renewals.
func (l *life) meantime() {
	at := l.within()
	switch l.rng.IntN(3) {
	case 0:
		c := &perennialv1.SubscriptionChanged{
			SubscriptionId: l.id, Plan: "pro", Price: l.money(), PeriodDays: int32(l.period / day), Type: perennialv1.OrderType(l.rng.IntN(6)),
		}
		switch l.rng.IntN(5) {
		case 0:
			at = l.at // at the time of a start
		case 1:
			c.Price = nil
		}
		l.put(at, &perennialv1.Event{Fact: &perennialv1.Event_SubscriptionChanged{SubscriptionChanged: c}})
	default:
		l.fail(at)
	}
}

func (l *life) fail(at int64) {
	f := &perennialv1.PaymentFailed{InvoiceId: l.source.id("i"), Attempt: 1, Amount: l.money()}
	if l.rng.IntN(3) > 0 {
		f.SubscriptionId = l.id
	}
	l.put(at, &perennialv1.Event{Fact: &perennialv1.Event_PaymentFailed{PaymentFailed: f}})
}

// end is what comes about when the last period is over: nothing, failed payments,
// an end at once or later, and one that is taken back.
func (l *life) end() {
	at := l.within()
	if l.rng.IntN(3) == 0 {
		l.fail(l.at + l.period + int64(l.rng.IntN(4*day)))
		return
	}
	c := &perennialv1.SubscriptionCancelled{SubscriptionId: l.id, Reason: perennialv1.CancellationReason(l.rng.IntN(4))}
	switch l.rng.IntN(3) {
	case 0:
		c.EffectiveAt = timestamppb.New(time.UnixMilli(l.at + l.period))
	case 1:
		c.EffectiveAt = timestamppb.New(time.UnixMilli(at + int64(l.rng.IntN(60*day)) - 10*day))
	}
	l.put(at, &perennialv1.Event{Fact: &perennialv1.Event_SubscriptionCancelled{SubscriptionCancelled: c}})
	if l.rng.IntN(3) == 0 {
		l.at = at + int64(l.rng.IntN(20*day))
		if l.rng.IntN(2) == 0 {
			l.start()
		} else {
			l.renew()
		}
	}
}

func (g *source) mark(ev *perennialv1.Event, who string) {
	g.lately(ev)
	switch g.rng.IntN(7) {
	case 0, 1:
		ticket := g.id("t")
		ev.Fact = &perennialv1.Event_TicketOpened{TicketOpened: &perennialv1.TicketOpened{TicketId: ticket, Complaint: g.rng.IntN(2) == 0}}
		if g.rng.IntN(2) == 0 {
			done := g.event(ev.Tenant, ev.Customer)
			done.OccurredAt = timestamppb.New(ev.OccurredAt.AsTime().Add(time.Duration(g.rng.IntN(40*day)-2*day) * time.Millisecond))
			done.Fact = &perennialv1.Event_TicketResolved{TicketResolved: &perennialv1.TicketResolved{TicketId: ticket}}
			g.put(done)
		}
	case 6:
		ev.Fact = &perennialv1.Event_PaymentFailed{PaymentFailed: &perennialv1.PaymentFailed{InvoiceId: g.order(who), SubscriptionId: g.contract(who), Attempt: 1}}
	case 2:
		ev.Fact = &perennialv1.Event_SurveyAnswer{SurveyAnswer: &perennialv1.SurveyAnswer{Score: int32(g.rng.IntN(11))}}
	case 3:
		r := &perennialv1.ChannelResponse{Channel: perennialv1.Channel(g.rng.IntN(5)), Response: perennialv1.Response(g.rng.IntN(6))}
		if g.rng.IntN(3) == 0 {
			r.Response = perennialv1.Response_RESPONSE_UNSUBSCRIBED
		}
		ev.Fact = &perennialv1.Event_ChannelResponse{ChannelResponse: r}
	case 4:
		ev.Fact = &perennialv1.Event_Referral{Referral: &perennialv1.Referral{ReferredCustomer: "c9"}}
	default:
		ev.Fact = &perennialv1.Event_PaymentFailed{PaymentFailed: &perennialv1.PaymentFailed{InvoiceId: g.order(who), Attempt: 1, Amount: g.money()}}
	}
	g.put(ev)
}

func (g *source) subscription(ev *perennialv1.Event, who string) {
	switch g.rng.IntN(4) {
	case 0:
		ev.Fact = &perennialv1.Event_SubscriptionStarted{SubscriptionStarted: &perennialv1.SubscriptionStarted{
			SubscriptionId: "s-1", Plan: "basic", Price: g.money(), PeriodDays: 30, InvoiceId: g.order(who), Touch: g.touch()}}
	case 1:
		ev.Fact = &perennialv1.Event_SubscriptionRenewed{SubscriptionRenewed: &perennialv1.SubscriptionRenewed{
			SubscriptionId: g.contract(who), InvoiceId: g.order(who), Amount: g.money()}}
	case 2:
		ev.Fact = &perennialv1.Event_SubscriptionChanged{SubscriptionChanged: &perennialv1.SubscriptionChanged{
			SubscriptionId: g.contract(who), Plan: "pro", Price: g.money(), PeriodDays: 30, Type: perennialv1.OrderType(g.rng.IntN(6))}}
	default:
		ev.Fact = &perennialv1.Event_SubscriptionCancelled{SubscriptionCancelled: &perennialv1.SubscriptionCancelled{
			SubscriptionId: g.contract(who), Reason: perennialv1.CancellationReason(g.rng.IntN(4))}}
	}
	g.put(ev)
}
