// Package trainer keeps the models of every tenant fitted to its customers.
//
// The way of a model:
//
//	follow    cltv.state.v1: purchases and contracts of every customer, kept current by
//	          each state that replaces another; clocks and parameters in force
//	          from the checkpoints                                    states.go
//	wait      until a tenant's clock has gone on by every_days since its models
//	          were decided on, or somebody else's was found in force  due.go
//	contest   each family fitted to what was before the latest window, compared
//	          in it with the model in force, which hasn't seen it either, and
//	          with baselines; segments shrunk to the tenant's model where they
//	          are small                                               decide.go, pkg/backtest
//	          models of contracts by the renewals that came due in it contracts.go
//	record    the decision, whatever it is, in model.decisions.v1     publish.go
//	publish   ModelPublished to every partition of customer.events.v1, where the
//	          candidate is no worse; again where it doesn't show      publish.go
//
// It keeps nothing of its own: started again, it reads the topic from its
// beginning. Two at once do no harm but the work twice, since the updater takes the
// higher number, and of two models with one number the same one everywhere.
package trainer

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/perennial-cltv/perennial/pkg/ops"
	"github.com/perennial-cltv/perennial/pkg/stream"
	perennialv1 "github.com/perennial-cltv/perennial/proto/perennial/v1"
	"github.com/perennial-cltv/perennial/services/connect"
)

// trainer is the service.
type trainer struct {
	settings Settings
	kafka    *stream.Client
	producer *stream.Producer
	log      *slog.Logger
	ready    *ops.Condition // fails until all states were read once, and with why the last round did

	states *states
	due    due

	decisions metric.Int64Counter
	seconds   metric.Float64Histogram
}

// closeWithin bounds the wait for what is still on its way to Kafka.
const closeWithin = 5 * time.Second

// Run serves until ctx ends.
func Run(ctx context.Context, rt *ops.Runtime, config Config) (err error) {
	kafka, err := connect.Kafka(Name, config.Kafka, rt)
	if err != nil {
		return err
	}
	t := &trainer{
		settings: config.Trainer, kafka: kafka, producer: kafka.NewProducer(), log: rt.Log,
		ready: rt.Health.Condition("training"), states: newStates(rt.Log), due: newDue(config.Trainer.EveryDays, rt.Log),
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeWithin)
		defer cancel()
		err = errors.Join(err, t.producer.Close(closing), kafka.Close())
	}()
	if err := t.measure(rt); err != nil {
		return err
	}
	t.ready.Set(errors.New("the states are still being read"))
	rt.Health.Ready("kafka", kafka.Ping)
	return ops.RunTasks(ctx, config.StopGrace, ops.Task{Name: "training", Run: t.run})
}

// run follows the states and trains who is due. What fails is tried again: nothing
// that it needs is anywhere but in Kafka.
func (t *trainer) run(ctx context.Context) error {
	for ctx.Err() == nil {
		if err := t.round(ctx); ctx.Err() == nil {
			t.ready.Set(err)
			if err != nil {
				t.log.WarnContext(ctx, "training failed, trying again", "error", err)
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(t.settings.Poll):
		}
	}
	return nil
}

// round takes in what is new, trains who is due, and publishes what was decided.
func (t *trainer) round(ctx context.Context) error {
	if err := t.due.follow(ctx, t.kafka); err != nil {
		return err
	}
	if err := t.states.follow(ctx, t.kafka); err != nil {
		return err
	}
	for _, name := range t.states.tenants() {
		s, ok := t.states.situation(name)
		if !ok {
			continue
		}
		if err := t.record(ctx, t.due.foreign(s, time.Now())); err != nil {
			return err
		}
		if err := t.publish(ctx, s); err != nil {
			return err
		}
		for _, training := range []struct {
			now    func(*situation) bool
			decide func(*situation, time.Time, int32, func(*situation, slot) bool) iter.Seq[*perennialv1.ModelDecision]
		}{{t.due.now, (*situation).decide}, {t.due.contractsNow, (*situation).decideContracts}} {
			if s, ok := t.states.situation(name); ok && training.now(s) {
				if err := t.train(ctx, s, training.decide(s, time.Now(), t.due.everyDays, t.due.rests)); err != nil {
					return err
				}
			}
		}
	}
	return ctx.Err()
}

// train makes the decisions on a tenant's models: all of them or, if it is stopped, or
// somebody else has published a model meanwhile, none.
func (t *trainer) train(ctx context.Context, s *situation, made iter.Seq[*perennialv1.ModelDecision]) error {
	begin := time.Now()
	var decisions []*perennialv1.ModelDecision
	for d := range made {
		if decisions = append(decisions, d); ctx.Err() != nil {
			return ctx.Err()
		}
	}
	t.seconds.Record(ctx, time.Since(begin).Seconds())
	if err := t.states.follow(ctx, t.kafka); err != nil {
		return err
	}
	if now, ok := t.states.situation(s.tenant); !ok || !now.sameModels(s) {
		t.log.InfoContext(ctx, "somebody else published a model while these were trained, which are dropped", "tenant", s.tenant)
		return nil // the next round sees it
	}
	if err := t.record(ctx, decisions); err != nil {
		return err
	}
	return t.publish(ctx, s)
}

func (t *trainer) measure(rt *ops.Runtime) error {
	meter := rt.Meters.Meter(Name)
	var errs [3]error
	t.decisions, errs[0] = meter.Int64Counter("trainer.decisions", metric.WithUnit("{decision}"),
		metric.WithDescription("Trainings, by what became of them."))
	t.seconds, errs[1] = meter.Float64Histogram("trainer.training", metric.WithUnit("s"),
		metric.WithDescription("Time to train the models of a tenant."),
		metric.WithExplicitBucketBoundaries(.1, .5, 1, 5, 10, 30, 60, 300, 900))
	_, errs[2] = meter.Int64ObservableGauge("trainer.customers", metric.WithUnit("{customer}"),
		metric.WithDescription("Customers with a purchase, by tenant."),
		metric.WithInt64Callback(func(_ context.Context, to metric.Int64Observer) error {
			t.states.eachCount(func(tenant string, customers int) {
				to.Observe(int64(customers), metric.WithAttributes(attribute.String("tenant", tenant)))
			})
			return nil
		}))
	if err := errors.Join(errs[:]...); err != nil {
		return fmt.Errorf("measuring the training: %w", err)
	}
	return nil
}
