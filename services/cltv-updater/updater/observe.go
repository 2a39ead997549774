package updater

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/perennial-cltv/perennial/pkg/ops"
	"github.com/perennial-cltv/perennial/pkg/stream"
	"github.com/perennial-cltv/perennial/pkg/task"
)

// observer tells how the tasks fare: metrics, readiness and logs.
type observer struct {
	log     *slog.Logger
	records metric.Int64Counter
	batches metric.Int64Counter
	seconds metric.Float64Histogram

	mu    sync.Mutex
	held  map[int32]bool // partitions of this generation; nil before the first
	tasks map[int32]task.Stats
}

func newObserver(rt *ops.Runtime) (*observer, error) {
	o := &observer{log: rt.Log, tasks: map[int32]task.Stats{}}
	meter := rt.Meters.Meter(Name)
	var errs [3]error
	o.records, errs[0] = meter.Int64Counter("updater.records", metric.WithUnit("{record}"),
		metric.WithDescription("Records taken in, by what became of them."))
	o.batches, errs[1] = meter.Int64Counter("updater.batches", metric.WithUnit("{batch}"), metric.WithDescription("Batches committed."))
	o.seconds, errs[2] = meter.Float64Histogram("updater.latency", metric.WithUnit("s"),
		metric.WithDescription("From the time Kafka took in a batch's oldest record to the commit of the batch."),
		metric.WithExplicitBucketBoundaries(ops.LatencyBuckets...))
	if err := errors.Join(errors.Join(errs[:]...), o.gauges(meter)); err != nil {
		return nil, fmt.Errorf("measuring the tasks: %w", err)
	}
	rt.Health.Ready("tasks", o.ready)
	return o, nil
}

// gauges shows what each task last said of itself.
func (o *observer) gauges(meter metric.Meter) error {
	var errs []error
	show := func(name, unit, what string, value func(task.Stats) int64) {
		_, err := meter.Int64ObservableGauge(name, metric.WithUnit(unit), metric.WithDescription(what),
			metric.WithInt64Callback(func(_ context.Context, to metric.Int64Observer) error {
				o.mu.Lock()
				defer o.mu.Unlock()
				for partition := range o.held {
					to.Observe(value(o.tasks[partition]), metric.WithAttributes(attribute.Int("partition", int(partition))))
				}
				return nil
			}))
		errs = append(errs, err)
	}
	show("updater.lag", "{record}", "Records that wait for the task.", func(s task.Stats) int64 { return s.Lag })
	show("updater.stopped", "{task}", "1 where a task waits for an operator.", func(s task.Stats) int64 { return number(s.Stopped) })
	show("updater.ready", "{task}", "1 where a task takes in records.", func(s task.Stats) int64 { return number(s.Ready) })
	show("updater.openings", "{opening}", "How often the task was opened here.", func(s task.Stats) int64 { return s.Openings })
	show("updater.rewinds", "{rewind}", "How often Redis stood elsewhere than believed.", func(s task.Stats) int64 { return s.Rewinds })
	show("updater.fenced", "{fencing}", "How often another owner had taken the task.", func(s task.Stats) int64 { return s.Fenced })
	show("updater.retries", "{retry}", "Steps that were tried again.", func(s task.Stats) int64 { return s.Retries })
	show("updater.rebuilds", "{rebuild}", "How often Redis was rebuilt from cltv.state.v1.", func(s task.Stats) int64 { return s.Rebuilds })
	show("updater.checkpoints", "{checkpoint}", "Checkpoints written.", func(s task.Stats) int64 { return s.Checkpoints })
	show("updater.cache", "By", "Size of the cache of states.", func(s task.Stats) int64 { return int64(s.CacheBytes) })
	return errors.Join(errs...)
}

func number(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// The outcomes of a record, as the attribute of its counter.
var (
	applied     = metric.WithAttributes(attribute.String("outcome", "applied"))
	duplicates  = metric.WithAttributes(attribute.String("outcome", "duplicate"))
	unchanged   = metric.WithAttributes(attribute.String("outcome", "unchanged"))
	deadLetters = metric.WithAttributes(attribute.String("outcome", "dead_letter"))
)

// Batch counts a committed batch.
func (o *observer) Batch(_ int32, r task.BatchReport, committed time.Time) {
	ctx := context.Background()
	o.batches.Add(ctx, 1)
	o.records.Add(ctx, int64(r.Applied), applied)
	o.records.Add(ctx, int64(r.Duplicates), duplicates)
	o.records.Add(ctx, int64(r.Unchanged), unchanged)
	o.records.Add(ctx, int64(r.DeadLetters), deadLetters)
	if r.Records > 0 {
		o.seconds.Record(ctx, committed.Sub(time.UnixMilli(r.OldestTimestamp)).Seconds())
	}
}

// Stats remembers how a task fares, and logs where that changed.
func (o *observer) Stats(s task.Stats) {
	o.mu.Lock()
	before := o.tasks[s.Partition]
	o.tasks[s.Partition] = s
	o.mu.Unlock()
	log := o.log.With("partition", s.Partition, "offset", s.NextOffset)
	switch {
	case s.Stopped && (!before.Stopped || s.Reason != before.Reason):
		log.Error("a task waits for an operator", "reason", s.Reason)
	case s.Ready && !before.Ready:
		log.Info("a task is open", "opening", s.Openings)
	case !s.Ready && s.Reason != "" && s.Reason != before.Reason:
		log.Warn("a task isn't ready", "phase", s.Phase, "reason", s.Reason)
	}
}

// assigned says which partitions this generation has.
func (o *observer) assigned(given []stream.Assignment) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.held = map[int32]bool{}
	for _, a := range given {
		o.held[a.Partition] = true
	}
}

// ready fails until the group has given partitions for the first time, and while
// a task isn't open. A member that was given none is ready: others serve.
func (o *observer) ready(context.Context) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.held == nil {
		return errors.New("the group hasn't given out partitions yet")
	}
	var errs []error
	for _, partition := range slices.Sorted(maps.Keys(o.held)) {
		s := o.tasks[partition]
		switch {
		case s.Stopped:
			errs = append(errs, fmt.Errorf("partition %d waits for an operator: %s", partition, s.Reason))
		case !s.Ready:
			errs = append(errs, fmt.Errorf("partition %d is %s", partition, describe(s)))
		}
	}
	return errors.Join(errs...)
}

func describe(s task.Stats) string {
	switch {
	case s.Phase == "":
		return "starting"
	case s.Reason == "":
		return s.Phase
	default:
		return s.Phase + ": " + s.Reason
	}
}
