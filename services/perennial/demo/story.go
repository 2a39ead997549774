// Package demo plays a call centre's year and a half: the real purchases of the
// CDNOW data set, and around them calls, campaigns, agents and costs that are
// made up, the same for the same seed.
//
//	story.go   who called whom when, drawn from a seed
//	player.go  the story into the topics, week by week
//	report.go  what came out of it
package demo

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	perennialv1 "github.com/perennial-cltv/perennial/proto/perennial/v1"
	"github.com/perennial-cltv/perennial/services/perennial/cdnow"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Tenant is whose customers the demo plays.
const Tenant = "cdnow"

// The sources that the demo's events name.
const (
	dialerSource  = "demo-dialer"
	billingSource = "demo-billing"
	mediaSource   = "demo-media"
)

// Campaign is one way in which the customers were won.
type Campaign struct {
	ID, LeadSource string
	// weight is its share of the customers who bought once, and loyal of those
	// who bought again, both in parts of their sum.
	weight, loyal int
	// mediaMinor is what an acquired customer cost in media.
	mediaMinor int64
}

// campaigns differ in what they cost and in whom they brought.
var campaigns = []Campaign{
	{"web-callback", "web-form", 20, 32, 650},
	{"radio-inbound", "radio", 22, 24, 900},
	{"catalogue-insert", "mail", 18, 20, 1150},
	{"tv-late-night", "tv", 25, 14, 1900},
	{"partner-list", "partner", 15, 10, 1400},
}

var offers = []string{"three-for-two", "free-shipping", "new-release", "box-set"}

// agents are named from best to worst: the first are likelier to have taken a
// call that sold.
const agents = 12

// callMinor is what a call costs: the line, and the agent by the minute.
const (
	lineMinor        = 4
	agentMinuteMinor = 45
)

// Week is what happened in seven days.
type Week struct {
	// End is the last second of it.
	End time.Time
	// Calls go to dialer.calls.v1, Billing to billing.events.v1.
	Calls, Billing []*perennialv1.Event
}

// Story is all that the demo plays.
type Story struct {
	Weeks []Week
	// Acquired counts customers by campaign.
	Acquired map[string]int64
	// Calls and Purchases count what is in Weeks.
	Calls, Purchases int
}

// NewStory draws the story of a seed.
func NewStory(seed uint64) (*Story, error) {
	purchases, err := cdnow.Read()
	if err != nil {
		return nil, err
	}
	s := &Story{Acquired: map[string]int64{}}
	var events []*perennialv1.Event
	for index, of := range byCustomer(purchases) {
		t := &teller{random: rand.New(rand.NewPCG(seed, uint64(index))), customer: of[0].Customer}
		s.Acquired[t.tell(of)]++
		events = append(events, t.events...)
	}
	events = append(events, spend(s.Acquired)...)
	slices.SortStableFunc(events, func(a, b *perennialv1.Event) int {
		return cmp.Or(a.OccurredAt.AsTime().Compare(b.OccurredAt.AsTime()), cmp.Compare(a.SourceEventId, b.SourceEventId))
	})
	s.cut(events)
	return s, nil
}

// byCustomer groups purchases, which are in order of the customer.
func byCustomer(purchases []cdnow.Purchase) [][]cdnow.Purchase {
	var groups [][]cdnow.Purchase
	for start := 0; start < len(purchases); {
		end := start
		for end < len(purchases) && purchases[end].Customer == purchases[start].Customer {
			end++
		}
		groups = append(groups, purchases[start:end])
		start = end
	}
	return groups
}

// cut puts the events, in order of time, into weeks, and what no time is left
// for into the last.
func (s *Story) cut(events []*perennialv1.Event) {
	for end := firstWeekEnd; ; end = end.AddDate(0, 0, 7) {
		last := !end.Before(lastSecond)
		if last {
			end = lastSecond
		}
		week := Week{End: end}
		for len(events) > 0 && (last || !events[0].OccurredAt.AsTime().After(end)) {
			if events[0].GetCallOutcome() != nil {
				week.Calls = append(week.Calls, events[0])
				s.Calls++
			} else {
				week.Billing = append(week.Billing, events[0])
			}
			if events[0].GetOrder() != nil {
				s.Purchases++
			}
			events = events[1:]
		}
		s.Weeks = append(s.Weeks, week)
		if last {
			return
		}
	}
}

var (
	firstWeekEnd = time.Date(1997, 1, 7, 23, 59, 59, 0, time.UTC)
	lastSecond   = time.Date(1998, 6, 30, 23, 59, 59, 0, time.UTC)
)

// spend answers the media bills of each campaign, one a week over the quarter in
// which the customers were won.
func spend(acquired map[string]int64) []*perennialv1.Event {
	const weeks = 13
	var events []*perennialv1.Event
	for _, c := range campaigns {
		for week := range weeks {
			day := time.Date(1997, 1, 1+7*week, 6, 0, 0, 0, time.UTC)
			events = append(events, &perennialv1.Event{
				Tenant: Tenant, Source: mediaSource, SourceEventId: fmt.Sprintf("%s-%02d", c.ID, week+1),
				OccurredAt: timestamppb.New(day), Backfill: true,
				Fact: &perennialv1.Event_MarketingSpend{MarketingSpend: &perennialv1.MarketingSpend{
					Touch:  &perennialv1.Touch{Campaign: c.ID, LeadSource: c.LeadSource},
					Amount: &perennialv1.Money{Minor: acquired[c.ID] * c.mediaMinor / weeks, Currency: cdnow.Currency},
				}},
			})
		}
	}
	return events
}
