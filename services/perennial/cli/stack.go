package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/perennial-cltv/perennial/pkg/ops"
	"github.com/perennial-cltv/perennial/pkg/stream"
	"github.com/perennial-cltv/perennial/services/billing-consumer/consumer"
	"github.com/perennial-cltv/perennial/services/call-ingester/ingester"
	"github.com/perennial-cltv/perennial/services/cltv-updater/updater"
	"github.com/perennial-cltv/perennial/services/connect"
	"github.com/perennial-cltv/perennial/services/model-trainer/trainer"
	"github.com/perennial-cltv/perennial/services/perennial/local"
)

// stack is all services in this process, and the servers where they are in it,
// too.
type stack struct {
	config Config
	rt     *ops.Runtime
	twins  *local.Servers // nil with servers of one's own
	kafka  *stream.Client
}

// newStack starts the twins where the settings ask for them, and makes the
// topics that aren't there.
func (a *app) newStack(ctx context.Context, config Config, partitions int32) (s *stack, err error) {
	s = &stack{config: config}
	if err := s.startTwins(); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close(ctx))
		}
	}()
	if s.rt, err = ops.NewRuntime(ctx, "perennial", s.config.Common, a.Stderr); err != nil {
		return s, err
	}
	// The updater puts its own check in place of this one: nobody may find the
	// process ready before it came to that.
	s.rt.Health.Condition("tasks")
	if s.kafka, err = connect.Kafka("perennial", s.config.Kafka, nil); err != nil {
		return s, err
	}
	err = s.ensureTopics(ctx, partitions)
	return s, err
}

// startTwins puts the addresses of the twins in place of "in-process".
func (s *stack) startTwins() error {
	isTwin := func(addr string) bool {
		host, _, _ := net.SplitHostPort(addr)
		return host == inProcess
	}
	kafka, redis := slices.ContainsFunc(s.config.Kafka.Brokers, isTwin), slices.ContainsFunc(s.config.Redis.Addrs, isTwin)
	switch {
	case kafka && !redis:
		return ops.Usagef("redis.addrs is given and kafka.brokers isn't: give both, or neither for servers in this process")
	case redis && !kafka:
		return ops.Usagef("kafka.brokers is given and redis.addrs isn't: give both, or neither for servers in this process")
	case !kafka:
		return nil
	}
	twins, err := local.Start(local.Options{KafkaPort: 9092, RedisPort: 6379})
	if err != nil {
		return err
	}
	s.twins = twins
	s.config.Kafka.Brokers, s.config.Redis.Addrs = []string{twins.Broker}, []string{twins.Redis}
	s.config.Redis.Mode, s.config.Updater.EmbeddedRedis = ops.RedisSingle, true
	// A port that is taken is no reason not to start here: any other will do.
	for _, listen := range []*string{&s.config.Calls.HTTP.Listen, &s.config.Billing.HTTP.Listen, &s.config.Admin.Listen} {
		*listen = local.FreeAddress(*listen)
	}
	return nil
}

// ensureTopics makes topics that aren't there. Those that are keep their number
// of partitions. A Kafka that is still starting gets some seconds.
func (s *stack) ensureTopics(ctx context.Context, partitions int32) error {
	asking, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	for {
		if s.kafka.Ping(asking) == nil {
			return nil
		}
		if n, err := s.kafka.Partitions(asking, s.kafka.Config().Topics.Events); err == nil {
			partitions = n
		}
		err := s.kafka.CreateTopics(asking, partitions, -1)
		var mismatch *stream.PartitionsError
		if err == nil || errors.As(err, &mismatch) {
			return err
		}
		select {
		case <-asking.Done():
			return err
		case <-time.After(500 * time.Millisecond):
		}
	}
}

// tasks are the services.
func (s *stack) tasks() []ops.Task {
	c := s.config
	return []ops.Task{
		{Name: ingester.Name, Run: func(ctx context.Context) error {
			return ingester.Run(ctx, s.rt, ingester.Config{Common: c.Common, Kafka: c.Kafka, HTTP: c.Calls.HTTP, Intake: c.Intake})
		}},
		{Name: consumer.Name, Run: func(ctx context.Context) error {
			return consumer.Run(ctx, s.rt, consumer.Config{Common: c.Common, Kafka: c.Kafka, HTTP: c.Billing.HTTP, Intake: c.Intake})
		}},
		{Name: updater.Name, Run: func(ctx context.Context) error {
			return updater.Run(ctx, s.rt, updater.Config{Common: c.Common, Kafka: c.Kafka, Redis: c.Redis, Updater: c.Updater})
		}},
	}
}

// serve runs the services and what else is given until ctx ends.
func (s *stack) serve(ctx context.Context, more ...ops.Task) error {
	return s.rt.Serve(ctx, s.config.Common, append(s.tasks(), more...)...)
}

// training is model-trainer. The demo goes without: its figures are those of the
// published model.
func (s *stack) training() ops.Task {
	c := s.config
	return ops.Task{Name: trainer.Name, Run: func(ctx context.Context) error {
		return trainer.Run(ctx, s.rt, trainer.Config{Common: c.Common, Kafka: c.Kafka, Trainer: c.Trainer})
	}}
}

// close sends the last telemetry and ends the twins.
func (s *stack) close(ctx context.Context) error {
	var errs []error
	if s.kafka != nil {
		errs = append(errs, s.kafka.Close())
	}
	if s.rt != nil {
		errs = append(errs, s.rt.Shutdown(context.WithoutCancel(ctx)))
	}
	if s.twins != nil {
		s.twins.Stop()
	}
	return errors.Join(errs...)
}

// url answers how to reach a listener from this machine.
func url(listen, path string) string {
	host, port, _ := net.SplitHostPort(listen)
	if host == "" || net.ParseIP(host).IsUnspecified() {
		host = "localhost"
	}
	return fmt.Sprintf("http://%s%s", net.JoinHostPort(host, port), path)
}
