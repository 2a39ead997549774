package bubble

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/twmb/franz-go/pkg/kfake"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/perennial-cltv/perennial/pkg/btyd"
	"github.com/perennial-cltv/perennial/pkg/ops"
	"github.com/perennial-cltv/perennial/pkg/stream"
	perennialv1 "github.com/perennial-cltv/perennial/proto/perennial/v1"
	"github.com/perennial-cltv/perennial/services/cltv-updater/updater"
	"github.com/perennial-cltv/perennial/services/control"
	"github.com/perennial-cltv/perennial/services/model-trainer/trainer"
)

// shop is a call centre whose customers come in the first 300 days; from day 401 on
// others come, who buy otherwise.
type shop struct {
	*world
	updater, trainer *program
	began            time.Time
	bought           []purchase // not yet published
}

type purchase struct {
	customer, day int
	minor         int64
}

const (
	shopTenant   = "shop"
	shopSize     = 900 // of each kind
	shopPatience = 10 * time.Minute
)

// TestTrainer has the updater and the trainer follow customers who are played back:
// a first model, nothing before it is due, nothing twice after a restart, a model
// that fits once customers buy otherwise, and an operator who goes back.
func TestTrainer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		if err := train(t, j); err != nil {
			t.Errorf("%v\n%s", err, j.text(100))
		}
	})
}

func train(t *testing.T, j *journal) (err error) {
	ctx := context.Background()
	redis := miniredis.NewMiniRedis()
	w := &world{journal: j, redis: redis, network: newNetwork(1, redis), partitions: 3}
	w.kafka, err = kfake.NewCluster(kfake.Ports(9092), kfake.ListenFn(w.network.virtual.Listen))
	if err != nil {
		return err
	}
	defer w.kafka.Close()
	defer redis.Close()
	if err := w.open(); err != nil {
		return err
	}
	s := newShop(w)
	err = s.live(ctx, t)
	for _, p := range []*program{s.trainer, s.updater} {
		if p.now != nil {
			err = errors.Join(err, w.stop(p))
		}
	}
	return errors.Join(err, w.close(ctx))
}

func newShop(w *world) *shop {
	kafka := ops.KafkaDefaults()
	kafka.Brokers = w.kafka.ListenAddrs()
	up, train := updater.Defaults(), trainer.Defaults()
	up.Kafka, train.Kafka = kafka, kafka
	up.Redis.Addrs, up.Updater.EmbeddedRedis = []string{redisAddress}, true
	s := &shop{world: w, began: time.Date(1996, 1, 1, 0, 0, 0, 0, time.UTC)}
	s.updater = &program{name: updater.Name, serve: func(ctx context.Context, rt *ops.Runtime) error { return updater.Run(ctx, rt, up) }}
	s.trainer = &program{name: trainer.Name, serve: func(ctx context.Context, rt *ops.Runtime) error { return trainer.Run(ctx, rt, train) }}
	rng := rand.New(rand.NewPCG(1, 2))
	for c := range 2 * shopSize {
		first, m := rng.IntN(300), btyd.BGNBD{R: .9, Alpha: 10, A: .7, B: 3}
		if c >= shopSize {
			first, m = 401+rng.IntN(100), btyd.BGNBD{R: 2, Alpha: 5, A: .3, B: 3}
		}
		price := 1000 + rng.Int64N(5000)
		s.bought = append(s.bought, purchase{c, first, price})
		for _, week := range m.Simulate(rng, 100) {
			s.bought = append(s.bought, purchase{c, first + 1 + int(7*week), price/2 + rng.Int64N(price)})
		}
	}
	return s
}

// until publishes the purchases before a day, and moves the clock there.
func (s *shop) until(ctx context.Context, day int) error {
	var messages []stream.Message
	later := s.bought[:0]
	for i, p := range s.bought {
		if p.day >= day {
			later = append(later, p)
			continue
		}
		at := timestamppb.New(s.at(p.day).Add(10 * time.Hour))
		segment := []string{"gold", "silver"}[p.customer%2]
		events := []*perennialv1.Event{{
			Tenant: shopTenant, Customer: fmt.Sprint("c-", p.customer), Source: "shop", SourceEventId: fmt.Sprint("o-", day, "-", i), OccurredAt: at, RecordedAt: at, Backfill: true,
			Fact: &perennialv1.Event_Order{Order: &perennialv1.Order{OrderId: fmt.Sprint("o-", day, "-", i), Amount: &perennialv1.Money{Minor: p.minor, Currency: "USD"}}},
		}, {
			Tenant: shopTenant, Customer: fmt.Sprint("c-", p.customer), Source: "shop", SourceEventId: fmt.Sprint("p-", p.customer), OccurredAt: at, RecordedAt: at, Backfill: true,
			Fact: &perennialv1.Event_Profile{Profile: &perennialv1.Profile{Segment: segment}},
		}}
		for _, e := range events {
			m, err := control.Message(e)
			if err != nil {
				return err
			}
			messages = append(messages, m)
		}
	}
	s.bought = later
	topic := s.client.Config().Topics.Events
	if err := s.producer.Send(ctx, topic, messages); err != nil {
		return err
	}
	return control.ToAll(ctx, s.client, s.producer, topic, control.Clock(shopTenant, s.at(day)))
}

func (s *shop) at(day int) time.Time { return s.began.AddDate(0, 0, day) }

// decisions waits until there are more than so many on the whole tenant, and
// answers all of them.
func (s *shop) decisions(ctx context.Context, after int) ([]*perennialv1.ModelDecision, error) {
	for end := time.Now().Add(shopPatience); ; {
		all, err := s.decided(ctx)
		if err != nil || len(all) > after {
			return all, err
		}
		if time.Now().After(end) {
			return nil, fmt.Errorf("%d decisions after %v, more than %d are awaited", len(all), shopPatience, after)
		}
		time.Sleep(5 * time.Second)
	}
}

// decided are the decisions on the whole tenant.
func (s *shop) decided(ctx context.Context) (whole []*perennialv1.ModelDecision, err error) {
	all, err := control.Decisions(ctx, s.client, shopTenant)
	for _, d := range all {
		if d.Scope == "" {
			whole = append(whole, d)
		}
	}
	return whole, err
}

// live is the life of the shop.
func (s *shop) live(ctx context.Context, t *testing.T) error {
	if err := s.client.CreateTopics(ctx, int32(s.partitions), 1); err != nil {
		return err
	}
	topic := s.client.Config().Topics.Events
	policy := control.Policy(shopTenant, &perennialv1.PolicySet{Number: 1, Currency: "USD", ClockMode: perennialv1.ClockMode_CLOCK_MODE_PLAYBACK}, s.at(0))
	if err := control.ToAll(ctx, s.client, s.producer, topic, policy); err != nil {
		return err
	}
	for _, p := range []*program{s.updater, s.trainer} {
		if err := s.start(ctx, p); err != nil {
			return err
		}
	}

	// Too early for a model: nothing is decided, and nothing is said.
	if err := s.until(ctx, 100); err != nil {
		return err
	}
	time.Sleep(2 * time.Minute)
	if all, err := s.decided(ctx); err != nil || len(all) > 0 {
		return fmt.Errorf("after 100 days: %d decisions, %w", len(all), err)
	}

	if err := s.until(ctx, 400); err != nil {
		return err
	}
	made, err := s.decisions(ctx, 0)
	if err != nil {
		return err
	}
	first := made[0]
	t.Logf("first: %v, %s", first.Outcome, first.Reason)
	if first.Outcome != perennialv1.Outcome_OUTCOME_PUBLISHED || first.Candidate.Number != 1 || first.Candidate.Customers != shopSize ||
		!first.WindowUntil.AsTime().Equal(s.at(399)) || first.Candidate.GammaGamma == nil {
		t.Errorf("the first decision is %v", first)
	}
	models, err := control.Models(ctx, s.client, shopTenant)
	if err != nil {
		return err
	}
	if len(models) == 0 || models[0].Number != 1 || !models[0].InForce || models[0].Reason != first.Reason {
		t.Errorf("models after the first decision: %v", models)
	}

	// Killed and started again, and 27 days later: there is nothing to decide.
	s.kill(s.trainer)
	if err := s.start(ctx, s.trainer); err != nil {
		return err
	}
	if err := s.until(ctx, 427); err != nil {
		return err
	}
	time.Sleep(2 * time.Minute)
	if made, err = s.decided(ctx); err != nil || len(made) != 1 {
		return fmt.Errorf("before four weeks are over: %d decisions, %w", len(made), err)
	}
	// Four weeks after the first there is.
	if err := s.until(ctx, 428); err != nil {
		return err
	}
	if made, err = s.decisions(ctx, 1); err != nil {
		return err
	}
	t.Logf("four weeks later: %v, %s", made[1].Outcome, made[1].Reason)

	// More and more of the customers buy otherwise.
	number := int64(0)
	for n, day := range []int{460, 500, 540, 580} {
		if err := s.until(ctx, day); err != nil {
			return err
		}
		if made, err = s.decisions(ctx, 2+n); err != nil {
			return err
		}
		last := made[len(made)-1]
		t.Logf("day %d: %v, %s", day, last.Outcome, last.Reason)
		number = max(number, last.GetCandidate().GetNumber())
	}
	last := made[len(made)-1]
	rate := func(d *perennialv1.ModelDecision) float64 {
		_, parameters := control.Process(d.Candidate)
		return parameters[0].Value / parameters[1].Value
	}
	if number < 3 || rate(last) < 1.5*rate(first) {
		t.Errorf("number %d is in force, with %.3f purchases a week after %.3f", number, rate(last), rate(first))
	}
	return s.goBack(ctx, t, len(made), number)
}

// goBack has an operator go back to the first model: it is left in force for four
// weeks, however long before the last decision was.
func (s *shop) goBack(ctx context.Context, t *testing.T, decided int, number int64) error {
	models, err := control.Models(ctx, s.client, shopTenant)
	if err != nil {
		return err
	}
	again := models[0].ModelPublished
	again.Number = number + 1
	event, err := control.Publish(shopTenant, again, time.Now())
	if err != nil {
		return err
	}
	if err := s.until(ctx, 600); err != nil {
		return err
	}
	time.Sleep(2 * time.Minute) // until every partition has said so
	if err := control.ToAll(ctx, s.client, s.producer, s.client.Config().Topics.Events, event); err != nil {
		return err
	}
	made, err := s.decisions(ctx, decided)
	if err != nil {
		return err
	}
	if last := made[len(made)-1]; last.Outcome != perennialv1.Outcome_OUTCOME_HELD || last.Candidate.Number != number+1 {
		t.Errorf("an operator went back, and the decision is %v", last)
	}
	if err := s.until(ctx, 627); err != nil {
		return err
	}
	time.Sleep(2 * time.Minute)
	if all, err := s.decided(ctx); err != nil || len(all) != decided+1 {
		return fmt.Errorf("four weeks after the operator aren't over: %d decisions, %w", len(all), err)
	}
	if err := s.until(ctx, 628); err != nil {
		return err
	}
	if made, err = s.decisions(ctx, decided+1); err != nil {
		return err
	}
	last := made[len(made)-1]
	t.Logf("four weeks after the operator: %v, %s", last.Outcome, last.Reason)
	if last.Outcome != perennialv1.Outcome_OUTCOME_PUBLISHED || last.Candidate.Number != number+2 {
		t.Errorf("four weeks after the operator: %v", last)
	}
	return nil
}
