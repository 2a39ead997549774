package demo

import (
	"context"
	"fmt"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/perennial-cltv/perennial/pkg/store"
	"github.com/perennial-cltv/perennial/pkg/stream"
	"github.com/perennial-cltv/perennial/pkg/task"
	perennialv1 "github.com/perennial-cltv/perennial/proto/perennial/v1"
	"github.com/perennial-cltv/perennial/services/control"
	"github.com/perennial-cltv/perennial/services/perennial/cdnow"
)

// Player plays a story into the topics as fast as the services keep up: a week
// of calls and money, then the tenant's clock moves on by a week.
type Player struct {
	Client   *stream.Client
	Producer *stream.Producer
	Store    *store.Reader
	// Show is told how far the story is, now and then.
	Show func(Progress)
	// First is given the first updates that come out.
	First func(*perennialv1.CltvUpdate)

	mu       sync.Mutex
	progress Progress
	// published and forwarded count events that went into the raw topics, and
	// those that came out in customer.events.v1.
	published, forwarded int64
	first                int
}

// Progress is how far a story is.
type Progress struct {
	// Day is the tenant's clock.
	Day          time.Time
	Weeks, Total int
	// Calls and Purchases were published, Updates and Alarms came out.
	Calls, Purchases, Updates, Alarms int64
}

// firstUpdates is how many updates First is given.
const firstUpdates = 5

// lookEvery is how often it is looked whether the services have caught up.
const lookEvery = 5 * time.Millisecond

// Play plays the whole story and returns when every customer is scored as of its
// last day.
func (p *Player) Play(ctx context.Context, s *Story) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	listening := make(chan error, 1)
	go func() {
		err := p.listen(ctx)
		listening <- err
		stop() // without listening nothing would ever be seen to arrive
	}()
	err := p.play(ctx, s)
	stop()
	if heard := <-listening; heard != nil {
		return heard
	}
	return err
}

func (p *Player) play(ctx context.Context, s *Story) error {
	topics := p.Client.Config().Topics
	if err := control.ToAll(ctx, p.Client, p.Producer, topics.Events, steering(s)...); err != nil {
		return err
	}
	p.tell(func(g *Progress) { g.Total = len(s.Weeks) })
	for _, week := range s.Weeks {
		if err := p.publish(ctx, topics.Calls, week.Calls); err != nil {
			return err
		}
		if err := p.publish(ctx, topics.Billing, week.Billing); err != nil {
			return err
		}
		if err := p.await(ctx); err != nil {
			return err
		}
		if err := control.ToAll(ctx, p.Client, p.Producer, topics.Events, control.Clock(Tenant, week.End)); err != nil {
			return err
		}
		p.tell(func(g *Progress) { g.Day, g.Weeks = week.End, g.Weeks+1 })
	}
	if err := p.reassess(ctx, s); err != nil {
		return err
	}
	return p.await(ctx)
}

// steering is what is in force from the beginning.
func steering(s *Story) []*perennialv1.Event {
	start := s.Weeks[0].End
	costs := &perennialv1.UnitCostsSet{Number: 1, ByCampaign: map[string]int64{}}
	for _, c := range campaigns {
		costs.ByCampaign[c.ID] = c.mediaMinor
	}
	return []*perennialv1.Event{
		control.Policy(Tenant, &perennialv1.PolicySet{
			Number: 1, Currency: cdnow.Currency, ClockMode: perennialv1.ClockMode_CLOCK_MODE_PLAYBACK,
			MarginPpm: 350_000, ChurnHorizonDays: 273, RescoreDays: 28,
		}, start),
		control.Model(Tenant, control.CDNOW(1), start),
		control.UnitCosts(Tenant, costs, start),
		control.Thresholds(Tenant, &perennialv1.ThresholdsSet{Number: 1, Tiers: []*perennialv1.Tier{
			{Name: "bronze", FromMinor: 1000}, {Name: "silver", FromMinor: 3000}, {Name: "gold", FromMinor: 10_000}, {Name: "platinum", FromMinor: 30_000},
		}}, start),
	}
}

// publish sends events to a raw topic as a publisher would.
func (p *Player) publish(ctx context.Context, topic string, events []*perennialv1.Event) error {
	messages := make([]stream.Message, len(events))
	purchases, calls := int64(0), int64(0)
	for i, e := range events {
		value, err := proto.Marshal(e)
		if err != nil {
			return fmt.Errorf("encoding %s: %w", e.SourceEventId, err)
		}
		messages[i] = stream.Message{
			Key: []byte(e.Tenant + "/" + e.Customer), Value: value,
			Headers: []task.Header{{Key: "content-type", Value: []byte("application/protobuf")}},
		}
		if e.GetOrder() != nil {
			purchases++
		}
		if e.GetCallOutcome() != nil {
			calls++
		}
	}
	p.tell(func(g *Progress) { g.Calls, g.Purchases = g.Calls+calls, g.Purchases+purchases })
	p.mu.Lock()
	p.published += int64(len(messages))
	p.mu.Unlock()
	return p.Producer.Send(ctx, topic, messages)
}

// reassess asks for a score of every customer as of the last day.
func (p *Player) reassess(ctx context.Context, s *Story) error {
	seen := map[string]bool{}
	var messages []stream.Message
	for _, week := range s.Weeks {
		for _, e := range week.Billing {
			if e.Customer == "" || seen[e.Customer] {
				continue
			}
			seen[e.Customer] = true
			m, err := control.Message(control.Reassess(Tenant, e.Customer, lastSecond))
			if err != nil {
				return err
			}
			messages = append(messages, m)
		}
	}
	return p.Producer.Send(ctx, p.Client.Config().Topics.Events, messages)
}

// await returns when the intakes have forwarded everything that was published,
// and the updater has taken in everything that was forwarded.
func (p *Player) await(ctx context.Context) error {
	topics := p.Client.Config().Topics
	return p.until(ctx, func() (bool, error) {
		p.mu.Lock()
		all := p.forwarded >= p.published
		p.mu.Unlock()
		if !all {
			return false, nil
		}
		marks, err := p.Client.Watermarks(ctx, topics.Events)
		if err != nil {
			return false, err
		}
		tasks, err := p.Store.Tasks(ctx)
		if err != nil {
			return false, err
		}
		for i, m := range marks {
			if tasks[i].NextOffset < m.End {
				return false, nil
			}
		}
		return true, nil
	})
}

func (p *Player) until(ctx context.Context, done func() (bool, error)) error {
	for {
		ok, err := done()
		if ok || err != nil {
			return err
		}
		p.Show(p.Progress())
		select {
		case <-time.After(lookEvery):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
