package oracle

import (
	"fmt"

	"google.golang.org/protobuf/types/known/timestamppb"

	perennialv1 "github.com/perennial-cltv/perennial/proto/perennial/v1"
)

// Customer is all facts of one customer, and all versions.
type Customer struct {
	facts    map[string]*fact // by identity, the content that counts
	profile  map[string]profileEntry
	denied   [3]int64 // calls, e-mail, text: occurred_at + 1 of the latest
	granted  [3]int64
	asOf     int64
	Versions []Version
}

type profileEntry struct {
	at, revision int64
	value        string
}

// fact is one thing that happened, in the content that counts.
type fact struct {
	ev       *perennialv1.Event
	kind     string
	at       int64 // ms
	revision int64
	// rank are what decides between contents of equal revision, in this order.
	rank []int64

	name     string // what others call it
	parent   string // what it belongs to
	contract string // the subscription that it names, by its source
	until    int64  // ms, end of a paid period or of a contract; 0: not said
	amount   int64
	cost     int64 // −1: unknown
	touch    touch
}

type touch struct{ campaign, agent, offer, list string }

func touchOf(t *perennialv1.Touch) touch {
	return touch{t.GetCampaign(), t.GetAgent(), t.GetOffer(), t.GetLeadSource()}
}

func (f *fact) beats(old *fact) bool {
	if f.revision != old.revision {
		return f.revision > old.revision
	}
	for i := range f.rank {
		if f.rank[i] != old.rank[i] {
			return f.rank[i] > old.rank[i]
		}
	}
	return false
}

func money(amount, converted *perennialv1.Money) *perennialv1.Money {
	if converted != nil {
		return converted
	}
	return amount
}

func costOf(m *perennialv1.Money) int64 {
	if m == nil {
		return -1
	}
	return m.Minor
}

func milli(at *timestamppb.Timestamp) int64 {
	if at == nil {
		return 0
	}
	return at.AsTime().UnixMilli()
}

// subscription is a subscription as its source knows it; empty where none is named.
func subscription(ev *perennialv1.Event, id string) string {
	if id == "" {
		return ""
	}
	return ev.Source + "|" + id
}

func first(names ...string) string {
	for _, n := range names {
		if n != "" {
			return n
		}
	}
	return ""
}

// newFact reads a fact; identity is its kind with what the source calls it.
func newFact(ev *perennialv1.Event) *fact {
	f := &fact{ev: ev, at: ev.GetOccurredAt().AsTime().UnixMilli(), revision: ev.Revision, cost: -1}
	switch v := ev.Fact.(type) {
	case *perennialv1.Event_CallOutcome:
		f.kind, f.touch, f.cost = "call", touchOf(v.CallOutcome.Touch), costOf(v.CallOutcome.Cost)
		f.rank = []int64{f.at, int64(v.CallOutcome.Disposition)}
	case *perennialv1.Event_Order:
		f.kind, f.name = "order", first(v.Order.OrderId, ev.SourceEventId)
		f.amount, f.cost, f.touch = money(v.Order.Amount, v.Order.Converted).GetMinor(), costOf(v.Order.CostOfGoods), touchOf(v.Order.Touch)
		f.rank = []int64{f.at, f.amount, f.cost}
	case *perennialv1.Event_Payment:
		f.kind, f.name, f.parent = "payment", first(v.Payment.PaymentId, ev.SourceEventId), v.Payment.OrderId
		f.amount = money(v.Payment.Amount, v.Payment.Converted).GetMinor()
		f.rank = []int64{f.at, f.amount}
	case *perennialv1.Event_SubscriptionStarted:
		f.kind, f.name = "start", v.SubscriptionStarted.InvoiceId
		f.amount, f.touch = v.SubscriptionStarted.Price.GetMinor(), touchOf(v.SubscriptionStarted.Touch)
		f.contract, f.until = subscription(ev, v.SubscriptionStarted.SubscriptionId), milli(v.SubscriptionStarted.PeriodEnd)
		f.rank = []int64{f.at, f.amount}
	case *perennialv1.Event_SubscriptionRenewed:
		f.kind, f.name = "renewal", first(v.SubscriptionRenewed.InvoiceId, ev.SourceEventId)
		f.amount = money(v.SubscriptionRenewed.Amount, v.SubscriptionRenewed.Converted).GetMinor()
		f.contract, f.until = subscription(ev, v.SubscriptionRenewed.SubscriptionId), milli(v.SubscriptionRenewed.PeriodEnd)
		f.rank = []int64{f.at, f.amount}
	case *perennialv1.Event_Refund:
		f.kind, f.name, f.parent = "refund", first(v.Refund.RefundId, ev.SourceEventId), v.Refund.OrderId
		f.amount = money(v.Refund.Amount, v.Refund.Converted).GetMinor()
		f.rank = []int64{int64(v.Refund.Status), f.at, f.amount}
	case *perennialv1.Event_MarketingSpend:
		f.kind, f.touch = "spend", touchOf(v.MarketingSpend.Touch)
		f.amount = money(v.MarketingSpend.Amount, v.MarketingSpend.Converted).GetMinor()
		f.rank = []int64{f.at, f.amount}
	default:
		f.mark(ev)
	}
	return f
}

// mark reads the facts that aren't money or calls.
func (f *fact) mark(ev *perennialv1.Event) {
	f.rank = []int64{f.at}
	switch v := ev.Fact.(type) {
	case *perennialv1.Event_PaymentFailed:
		f.kind, f.contract = "payment failed", subscription(ev, v.PaymentFailed.SubscriptionId)
	case *perennialv1.Event_SubscriptionChanged:
		f.kind, f.contract = "changed", subscription(ev, v.SubscriptionChanged.SubscriptionId)
	case *perennialv1.Event_SubscriptionCancelled:
		f.kind, f.contract = "cancelled", subscription(ev, v.SubscriptionCancelled.SubscriptionId)
		f.until = milli(v.SubscriptionCancelled.EffectiveAt)
	case *perennialv1.Event_TicketOpened:
		f.kind, f.name = "opened", v.TicketOpened.TicketId
	case *perennialv1.Event_TicketResolved:
		f.kind, f.name = "resolved", v.TicketResolved.TicketId
	case *perennialv1.Event_SurveyAnswer:
		f.kind = "answer"
	case *perennialv1.Event_ChannelResponse:
		f.kind = "response"
	case *perennialv1.Event_Referral:
		f.kind, f.name = "referral", v.Referral.ReferredCustomer
	}
}

func (f *fact) identity() string {
	name := f.name
	if f.kind == "start" {
		name = first(name, f.ev.GetSubscriptionStarted().SubscriptionId)
	}
	return fmt.Sprintf("%s|%s|%s", f.ev.Source, f.kind, first(name, f.ev.SourceEventId))
}

// understands says whether the record can be judged at all.
func (t *tenant) understands(ev *perennialv1.Event) bool {
	if ev.GetReassess() != nil {
		return ev.Customer != ""
	}
	spend := ev.GetMarketingSpend() != nil
	if ev.Fact == nil || ev.Source == "" || ev.SourceEventId == "" || ev.Customer == "" && !spend {
		return false
	}
	var amounts []*perennialv1.Money
	switch v := ev.Fact.(type) {
	case *perennialv1.Event_IdentityLink, *perennialv1.Event_Absorbed, *perennialv1.Event_Erase:
		return false
	case *perennialv1.Event_CallOutcome:
		amounts = append(amounts, v.CallOutcome.Cost)
	case *perennialv1.Event_Order:
		amounts = append(amounts, money(v.Order.Amount, v.Order.Converted), v.Order.CostOfGoods)
	case *perennialv1.Event_Payment:
		amounts = append(amounts, money(v.Payment.Amount, v.Payment.Converted))
	case *perennialv1.Event_Refund:
		amounts = append(amounts, money(v.Refund.Amount, v.Refund.Converted))
	case *perennialv1.Event_SubscriptionStarted:
		amounts = append(amounts, v.SubscriptionStarted.Price)
	case *perennialv1.Event_SubscriptionRenewed:
		amounts = append(amounts, money(v.SubscriptionRenewed.Amount, v.SubscriptionRenewed.Converted))
	case *perennialv1.Event_SubscriptionChanged:
		amounts = append(amounts, v.SubscriptionChanged.Price)
	case *perennialv1.Event_MarketingSpend:
		amounts = append(amounts, money(v.MarketingSpend.Amount, v.MarketingSpend.Converted))
	}
	for _, m := range amounts {
		if m.GetCurrency() != t.currency() && (m.GetMinor() != 0 || m.GetCurrency() != "") {
			return false
		}
	}
	return true
}

// take takes in a record of the customer.
func (c *Customer) take(t *tenant, ev *perennialv1.Event) Verdict {
	if !t.understands(ev) {
		return Dead
	}
	asOf := max(c.asOf, ev.GetRecordedAt().GetSeconds(), t.clock)
	news := false
	switch v := ev.Fact.(type) {
	case *perennialv1.Event_Reassess:
		asOf = max(asOf, v.Reassess.GetClock().GetSeconds())
		if n := len(c.Versions); n > 0 {
			last := &c.Versions[n-1]
			news = asOf != c.asOf || last.numbers != c.numbers(t)
		}
	case *perennialv1.Event_Profile:
		news = c.takeProfile(ev, v.Profile)
	case *perennialv1.Event_Consent:
		news = c.takeConsent(ev, v.Consent)
	default:
		news = c.deny(ev)
		f := newFact(ev)
		if old := c.facts[f.identity()]; old == nil || f.beats(old) {
			c.facts[f.identity()] = f
			news = true
		}
	}
	if !news {
		return NothingNew
	}
	c.asOf = asOf
	c.Versions = append(c.Versions, c.version(t, ev))
	return Applied
}

func (c *Customer) segment() string { return c.profile["segment"].value }

func (c *Customer) takeProfile(ev *perennialv1.Event, p *perennialv1.Profile) bool {
	at, news := ev.GetOccurredAt().AsTime().UnixMilli(), false
	for field, value := range map[string]string{"segment": p.Segment, "region": p.Region, "age": p.AgeBand} {
		if value == "" {
			continue
		}
		old, known := c.profile[field]
		if !known || at > old.at || at == old.at && (ev.Revision > old.revision || ev.Revision == old.revision && value > old.value) {
			c.profile[field] = profileEntry{at, ev.Revision, value}
			news = true
		}
	}
	return news
}

func (c *Customer) takeConsent(ev *perennialv1.Event, v *perennialv1.Consent) bool {
	if v.Granted && v.Evidence == "" {
		return false
	}
	news := false
	for i := range 3 {
		if v.Channel != 0 && int(v.Channel) != i+1 {
			continue
		}
		list := &c.denied
		if v.Granted {
			list = &c.granted
		}
		if at := ev.GetOccurredAt().AsTime().UnixMilli() + 1; at > list[i] {
			list[i] = at
			news = true
		}
	}
	return news
}

// deny heeds a wish not to be called or written to, in whatever it comes.
func (c *Customer) deny(ev *perennialv1.Event) bool {
	about := -1
	if call := ev.GetCallOutcome(); call != nil && call.Disposition == perennialv1.Disposition_DISPOSITION_DO_NOT_CALL {
		about = 0
	}
	if r := ev.GetChannelResponse(); r != nil && r.Response == perennialv1.Response_RESPONSE_UNSUBSCRIBED {
		switch r.Channel {
		case perennialv1.Channel_CHANNEL_EMAIL:
			about = 1
		case perennialv1.Channel_CHANNEL_SMS:
			about = 2
		default:
		}
	}
	if about < 0 {
		return false
	}
	at := ev.GetOccurredAt().AsTime().UnixMilli() + 1
	if at <= c.denied[about] {
		return false
	}
	c.denied[about] = at
	return true
}
