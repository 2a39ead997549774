package demo

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	perennialv1 "github.com/perennial-cltv/perennial/proto/perennial/v1"
	"github.com/perennial-cltv/perennial/services/perennial/cdnow"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// teller draws the calls around one customer's purchases.
type teller struct {
	random   *rand.Rand
	customer string
	campaign Campaign
	calls    int
	events   []*perennialv1.Event
}

// tell draws everything and answers the campaign that won the customer.
func (t *teller) tell(purchases []cdnow.Purchase) string {
	t.campaign = t.draw(len(purchases) > 1)
	t.attempts(purchases[0].Day)
	for i, p := range purchases {
		order := fmt.Sprintf("o-%s-%02d", t.customer, i+1)
		at := p.Day.Add(9*time.Hour + time.Duration(t.random.IntN(11*3600))*time.Second)
		// The first purchase is always won by a call; of the later ones a third,
		// the rest come by themselves.
		if i == 0 || t.random.IntN(3) == 0 {
			t.sale(at.Add(-time.Duration(60+t.random.IntN(240))*time.Second), order)
		}
		t.order(at, order, p)
		t.aftermath(p.Day)
	}
	t.obey()
	return t.campaign.ID
}

// obey drops what the call centre wouldn't have done: call a customer who asked
// not to be called. Those who bought on the telephone later rang up themselves.
func (t *teller) obey() {
	silent := lastSecond
	for _, e := range t.events {
		if c := e.GetCallOutcome(); c.GetDisposition() == perennialv1.Disposition_DISPOSITION_DO_NOT_CALL && e.OccurredAt.AsTime().Before(silent) {
			silent = e.OccurredAt.AsTime()
		}
	}
	t.events = slices.DeleteFunc(t.events, func(e *perennialv1.Event) bool {
		c := e.GetCallOutcome()
		if !e.OccurredAt.AsTime().After(silent) || c.GetDirection() != perennialv1.Direction_DIRECTION_OUTBOUND {
			return false
		}
		if c.Disposition == perennialv1.Disposition_DISPOSITION_SALE {
			c.Direction = perennialv1.Direction_DIRECTION_INBOUND
			return false
		}
		return true
	})
}

// draw picks a campaign by its weights.
func (t *teller) draw(loyal bool) Campaign {
	weight := func(c Campaign) int {
		if loyal {
			return c.loyal
		}
		return c.weight
	}
	total := 0
	for _, c := range campaigns {
		total += weight(c)
	}
	at := t.random.IntN(total)
	for _, c := range campaigns {
		if at -= weight(c); at < 0 {
			return c
		}
	}
	panic("demo: the weights don't add up")
}

// attempts draws calls that didn't sell, in the days before the first purchase.
func (t *teller) attempts(first time.Time) {
	for n := t.random.IntN(4); n > 0; n-- {
		at := t.officeHour(first.AddDate(0, 0, -n-t.random.IntN(3)))
		switch t.random.IntN(10) {
		case 0, 1, 2, 3:
			t.call(at, perennialv1.Disposition_DISPOSITION_NO_ANSWER, 0)
		case 4, 5:
			t.call(at, perennialv1.Disposition_DISPOSITION_MACHINE, 8+t.random.IntN(20))
		case 6:
			t.call(at, perennialv1.Disposition_DISPOSITION_BUSY, 0)
		case 7, 8:
			t.call(at, perennialv1.Disposition_DISPOSITION_CALLBACK, 40+t.random.IntN(120))
		default:
			t.call(at, perennialv1.Disposition_DISPOSITION_NOT_INTERESTED, 30+t.random.IntN(90))
		}
	}
}

// aftermath draws what follows a purchase: a service call now and then, and an
// attempt to sell more, mostly in vain.
func (t *teller) aftermath(day time.Time) {
	if t.random.IntN(12) == 0 {
		disposition := perennialv1.Disposition_DISPOSITION_SERVICE
		if t.random.IntN(4) == 0 {
			disposition = perennialv1.Disposition_DISPOSITION_COMPLAINT
		}
		t.inbound(t.officeHour(day.AddDate(0, 0, 2+t.random.IntN(10))), disposition, 120+t.random.IntN(480))
	}
	for range t.random.IntN(3) {
		at := t.officeHour(day.AddDate(0, 0, 14+t.random.IntN(100)))
		switch t.random.IntN(40) {
		case 0:
			t.call(at, perennialv1.Disposition_DISPOSITION_DO_NOT_CALL, 20+t.random.IntN(40))
		case 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18:
			t.call(at, perennialv1.Disposition_DISPOSITION_NO_ANSWER, 0)
		case 19, 20, 21, 22, 23, 24:
			t.call(at, perennialv1.Disposition_DISPOSITION_MACHINE, 8+t.random.IntN(20))
		default:
			t.call(at, perennialv1.Disposition_DISPOSITION_NOT_INTERESTED, 30+t.random.IntN(150))
		}
	}
}

// officeHour draws a time of a day at which people are called.
func (t *teller) officeHour(day time.Time) time.Time {
	return day.Add(9*time.Hour + time.Duration(t.random.IntN(11*3600))*time.Second)
}

// sale is a call that led to an order.
func (t *teller) sale(at time.Time, order string) {
	c := t.outcome(at, perennialv1.Disposition_DISPOSITION_SALE, 150+t.random.IntN(450), t.skilled())
	c.OrderId = order
	if t.campaign.ID == "radio-inbound" || t.campaign.ID == "tv-late-night" {
		c.Direction = perennialv1.Direction_DIRECTION_INBOUND
	}
}

// call is an outbound call that didn't sell; none comes after the end of the
// story.
func (t *teller) call(at time.Time, disposition perennialv1.Disposition, talkSeconds int) {
	if !at.After(lastSecond) {
		t.outcome(at, disposition, talkSeconds, t.unskilled())
	}
}

// inbound is a call of the customer.
func (t *teller) inbound(at time.Time, disposition perennialv1.Disposition, talkSeconds int) {
	if !at.After(lastSecond) {
		t.outcome(at, disposition, talkSeconds, 1+t.random.IntN(agents)).Direction = perennialv1.Direction_DIRECTION_INBOUND
	}
}

// skilled and unskilled draw an agent, the former rather a good one.
func (t *teller) skilled() int   { return 1 + min(t.random.IntN(agents), t.random.IntN(agents)) }
func (t *teller) unskilled() int { return 1 + max(t.random.IntN(agents), t.random.IntN(agents)) }

// outcome adds a call.
func (t *teller) outcome(at time.Time, disposition perennialv1.Disposition, talkSeconds, agent int) *perennialv1.CallOutcome {
	t.calls++
	wrapSeconds := 0
	if talkSeconds > 0 {
		wrapSeconds = 15 + t.random.IntN(60)
	}
	call := &perennialv1.CallOutcome{
		Touch: &perennialv1.Touch{
			Campaign: t.campaign.ID, Agent: fmt.Sprintf("agent-%02d", agent),
			Offer: offers[t.random.IntN(len(offers))], LeadSource: t.campaign.LeadSource,
		},
		Disposition: disposition, Direction: perennialv1.Direction_DIRECTION_OUTBOUND,
		TalkSeconds: int32(talkSeconds), WrapSeconds: int32(wrapSeconds),
		Cost: &perennialv1.Money{Minor: lineMinor + int64(talkSeconds+wrapSeconds)*agentMinuteMinor/60, Currency: cdnow.Currency},
	}
	t.events = append(t.events, &perennialv1.Event{
		Tenant: Tenant, Customer: t.customer, Source: dialerSource, SourceEventId: fmt.Sprintf("c-%s-%03d", t.customer, t.calls),
		OccurredAt: timestamppb.New(at), Backfill: true, Fact: &perennialv1.Event_CallOutcome{CallOutcome: call},
	})
	return call
}

// order adds a purchase.
func (t *teller) order(at time.Time, id string, p cdnow.Purchase) {
	t.events = append(t.events, &perennialv1.Event{
		Tenant: Tenant, Customer: t.customer, Source: billingSource, SourceEventId: id,
		OccurredAt: timestamppb.New(at), Backfill: true,
		Fact: &perennialv1.Event_Order{Order: &perennialv1.Order{
			OrderId: id, Product: "cd", Amount: &perennialv1.Money{Minor: p.AmountMinor, Currency: cdnow.Currency},
		}},
	})
}
