package oracle

import (
	"math"
	"slices"

	perennialv1 "github.com/perennial-cltv/perennial/proto/perennial/v1"
)

// stage is how far a contract is.
type stage int

const (
	runs stage = iota
	ending
	ended
)

// contract is what the facts up to a day say of one subscription; days are local.
type contract struct {
	id                  string
	payments            []*fact // starts and renewals
	plan                string
	price, period       int64
	began, paidOn, due  int64
	tenure              int64
	stage               stage
	end                 int64 // of one that isn't simply running
	cancelledForPayment bool
}

// inTime orders facts by their time, changes of a plan after everything else.
func inTime(a, b *fact) int {
	if c := compare(a.at, b.at); c != 0 {
		return c
	}
	last := func(f *fact) int {
		if f.kind == "changed" {
			return 1
		}
		return 0
	}
	return compare(last(a), last(b))
}

// contractsOn are those that have begun by a day.
func (t *tenant) contractsOn(facts []*fact, day int64) []*contract {
	of := map[string][]*fact{}
	var ids []string
	for _, f := range facts {
		if f.contract == "" || t.localDay(f.at) > day {
			continue
		}
		if of[f.contract] == nil {
			ids = append(ids, f.contract)
		}
		of[f.contract] = append(of[f.contract], f)
	}
	slices.Sort(ids)
	var list []*contract
	for _, id := range ids {
		if c := t.contract(id, of[id]); c != nil {
			c.judge(t, of[id], day)
			list = append(list, c)
		}
	}
	return list
}

// contract reads terms and days; nil: neither a start nor a renewal is known.
func (t *tenant) contract(id string, facts []*fact) *contract {
	c := &contract{id: id, began: math.MinInt64, period: 30}
	renewed := int64(0)
	for _, f := range facts {
		switch f.kind {
		case "start":
			c.payments = append(c.payments, f)
			c.began = t.localDay(f.at) // the latest
		case "renewal":
			c.payments = append(c.payments, f)
			renewed = f.amount
		}
		if plan, price, days, ok := terms(f); ok {
			if plan != "" {
				c.plan = plan
			}
			if price > 0 {
				c.price = price
			}
			if days > 0 {
				c.period = days
			}
		}
	}
	if len(c.payments) == 0 {
		return nil
	}
	if c.price == 0 {
		c.price = renewed
	}
	if c.began == math.MinInt64 {
		c.began = t.localDay(c.payments[0].at)
	}
	latest := c.payments[len(c.payments)-1]
	c.paidOn = t.localDay(latest.at)
	c.due = math.MinInt64
	for _, f := range c.payments {
		if f.until > 0 {
			c.due = max(c.due, t.localDay(f.until))
		}
	}
	if latest.until <= latest.at {
		c.due = max(c.due, c.paidOn+c.period)
	}
	c.tenure = max(1, floor(2*(c.due-c.began)+c.period, 2*c.period))
	return c
}

// terms are those that a start or a change says: empty and 0 leave what was.
func terms(f *fact) (plan string, price, days int64, ok bool) {
	switch f.kind {
	case "start":
		s := f.ev.GetSubscriptionStarted()
		return s.Plan, s.GetPrice().GetMinor(), int64(s.PeriodDays), true
	case "changed":
		s := f.ev.GetSubscriptionChanged()
		return s.Plan, s.GetPrice().GetMinor(), int64(s.PeriodDays), true
	}
	return "", 0, 0, false
}

// judge finds out whether the contract still runs.
func (c *contract) judge(t *tenant, facts []*fact, day int64) {
	var cancelled *fact
	for _, f := range facts {
		if f.kind == "cancelled" {
			cancelled = f
		}
	}
	if cancelled != nil && c.payments[len(c.payments)-1].at <= cancelled.at {
		v := cancelled.ev.GetSubscriptionCancelled()
		c.cancelledForPayment = v.Reason == perennialv1.CancellationReason_CANCELLATION_REASON_PAYMENT
		c.stage, c.end = ended, t.localDay(max(cancelled.at, cancelled.until))
		if day < c.end {
			c.stage = ending
		}
		return
	}
	if day > c.due+t.grace() {
		c.stage, c.end = ended, c.due
	}
}

// grace is how many days a renewal may be late.
func (t *tenant) grace() int64 { return max(0, or(t.policy.GetGraceDays(), 14)) }

// planAt is the plan of a subscription at a moment, for what its renewal brought.
func planAt(facts []*fact, id string, at int64) string {
	plan := ""
	for _, f := range facts {
		if p, _, _, ok := terms(f); ok && p != "" && f.contract == id && f.at <= at {
			plan = p
		}
	}
	return plan
}

// features are what the facts up to a day reveal of the next renewal.
func (c *contract) features(t *tenant, facts []*fact, day int64) map[string]float64 {
	z := map[string]float64{}
	contact := c.began
	var answers []*fact
	left := map[perennialv1.Channel]bool{}
	var waited []float64
	for _, f := range facts {
		on := t.localDay(f.at)
		if on > day {
			continue
		}
		within := func(days int64) float64 {
			if day-on <= days {
				return 1
			}
			return 0
		}
		if f.isContact() {
			contact = max(contact, on)
		}
		switch f.kind {
		case "payment failed":
			switch {
			case f.contract != "" && f.contract != c.id:
			case on > c.paidOn:
				z["failed_payments"]++
			case c.paidOn-on <= 365:
				z["past_failures"]++
			}
		case "opened":
			if f.ev.GetTicketOpened().Complaint {
				z["complaints"] += within(90)
			}
			switch done := t.resolvedOn(facts, f); {
			case done > day:
				z["open_tickets"]++
			case day-done <= 180:
				waited = append(waited, float64(max(0, done-on)))
			}
		case "answer":
			answers = append(answers, f)
		case "call":
			call := f.ev.GetCallOutcome()
			switch call.Disposition {
			case perennialv1.Disposition_DISPOSITION_COMPLAINT:
				z["complaints"] += within(90)
			case perennialv1.Disposition_DISPOSITION_NOT_INTERESTED, perennialv1.Disposition_DISPOSITION_DO_NOT_CALL:
				z["refusals"] += within(90)
			case perennialv1.Disposition_DISPOSITION_RETAINED:
				z["retained"] += within(180)
			case perennialv1.Disposition_DISPOSITION_SERVICE:
				z["service_calls"] += within(90)
			default:
			}
			if call.Retention && unanswered(call) {
				z["unanswered_retention"] += within(90)
			}
		case "changed":
			switch {
			case f.contract != c.id:
			case f.ev.GetSubscriptionChanged().Type == perennialv1.OrderType_ORDER_TYPE_UPSELL:
				z["upgrades"] += within(365)
			default:
				z["other_changes"] += within(365)
			}
		case "response":
			switch r := f.ev.GetChannelResponse(); r.Response {
			case perennialv1.Response_RESPONSE_BOUNCED:
			case perennialv1.Response_RESPONSE_UNSUBSCRIBED:
				left[r.Channel] = left[r.Channel] || within(365) == 1
			default:
				z["responses"] += within(90)
			}
		}
	}
	z["overdue_days"] = float64(max(0, day-c.due))
	z["silent_months"] = float64(max(0, day-contact)) / 30
	for _, gone := range left {
		if gone {
			z["unsubscribed"]++
		}
	}
	if len(waited) > 0 {
		sum := 0.0
		for _, w := range waited {
			sum += w
		}
		z["resolution_days"] = sum / float64(len(waited))
	}
	if n := len(answers); n > 0 && day-t.localDay(answers[n-1].at) <= 365 {
		score := float64(answers[n-1].ev.GetSurveyAnswer().Score)
		z["score"] = score - 7
		if n > 1 && t.localDay(answers[n-1].at)-t.localDay(answers[n-2].at) <= 730 {
			z["score_trend"] = score - float64(answers[n-2].ev.GetSurveyAnswer().Score)
		}
	}
	for name, most := range featureMost {
		z[name] = min(z[name], most)
	}
	return z
}

// featureMost is the greatest value of each feature.
var featureMost = map[string]float64{
	"failed_payments": 5, "past_failures": 5, "overdue_days": 30, "open_tickets": 5, "resolution_days": 30, "complaints": 5,
	"score": 3, "score_trend": 10, "refusals": 5, "unanswered_retention": 5, "retained": 3, "service_calls": 5,
	"silent_months": 12, "upgrades": 3, "other_changes": 3, "responses": 10, "unsubscribed": 3,
}

// resolvedOn is the day on which a ticket is resolved, beyond all days where it isn't.
func (t *tenant) resolvedOn(facts []*fact, ticket *fact) int64 {
	for _, f := range facts {
		if f.kind == "resolved" && f.ev.Source == ticket.ev.Source && first(f.name, f.ev.SourceEventId) == first(ticket.name, ticket.ev.SourceEventId) {
			return t.localDay(f.at)
		}
	}
	return math.MaxInt64
}

func unanswered(call *perennialv1.CallOutcome) bool {
	switch call.Disposition {
	case perennialv1.Disposition_DISPOSITION_NO_ANSWER, perennialv1.Disposition_DISPOSITION_BUSY, perennialv1.Disposition_DISPOSITION_MACHINE:
		return true
	default:
		return false
	}
}

// isContact says whether the customer was there.
func (f *fact) isContact() bool {
	switch f.kind {
	case "call":
		return f.ev.GetCallOutcome().TalkSeconds > 0 && !unanswered(f.ev.GetCallOutcome())
	case "response":
		return f.ev.GetChannelResponse().Response != perennialv1.Response_RESPONSE_BOUNCED
	case "opened", "answer", "changed", "referral":
		return true
	}
	return false
}
