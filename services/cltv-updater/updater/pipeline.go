// Package updater owns tasks: the partitions of customer.events.v1 that Kafka's
// group gives to this member.
//
// The way of a record, all of it in pkg/task, whose driver is run here:
//
//	fetch     customer.events.v1 from the offset that Redis has        pkg/stream
//	decode    the record into an event, or a dead letter with a cause  pkg/wire
//	load      the customer's state, with proof that Redis stands where
//	          the owner believes                                       pkg/store
//	fold      state × event × parameters → state, score                pkg/cltv
//	produce   cltv.updates.v1, churn.risk.v1, and wait                 pkg/stream
//	commit    states, sums, due times and the next offset, or nothing  pkg/store
//
// Files: pipeline.go wires, member.go holds what one member of the group keeps,
// observe.go tells how the tasks fare, trace.go makes them part of traces.
package updater

import (
	"context"
	"errors"

	"github.com/perennial-cltv/perennial/pkg/ops"
	"github.com/perennial-cltv/perennial/services/connect"
)

// Run serves until ctx ends, then finishes the batches under way, hands the
// partitions over and returns.
func Run(ctx context.Context, rt *ops.Runtime, config Config) (err error) {
	kafka, err := connect.Kafka(Name, config.Kafka, rt)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, kafka.Close()) }()
	redis, err := connect.Redis(config.Redis)
	if err != nil {
		return err
	}
	redis.Embedded, redis.Dialer = config.Updater.EmbeddedRedis, rt.Network.Dial
	observer, err := newObserver(rt)
	if err != nil {
		return err
	}
	member := &member{
		kafka: kafka, log: traced(kafka, rt), redis: redis, settings: config.Updater,
		observer: observer, slog: rt.Log,
	}
	topics, groups := kafka.Config().Topics, kafka.Config().Groups
	rt.Health.Ready("kafka", kafka.Ping)
	return ops.RunTasks(ctx, config.StopGrace, ops.Task{Name: "tasks", Run: func(ctx context.Context) error {
		return kafka.RunGroup(ctx, groups.Updater, []string{topics.Events}, member.work)
	}})
}
