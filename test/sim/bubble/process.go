package bubble

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/perennial-cltv/perennial/pkg/ops"
	"github.com/perennial-cltv/perennial/services/billing-consumer/consumer"
	"github.com/perennial-cltv/perennial/services/call-ingester/ingester"
	"github.com/perennial-cltv/perennial/services/cltv-updater/updater"
)

// program is a service that can be run, again and again.
type program struct {
	name  string
	serve func(ctx context.Context, rt *ops.Runtime) error
	now   *process // nil: it isn't running
	// startAt is when it is started again.
	startAt time.Time
	wanted  bool
}

// process is one run of a program.
type process struct {
	host   *host
	cancel context.CancelFunc
	killed bool
	done   chan struct{}
	err    error
}

// programs are the services with small caches and batches.
func (w *world) programs(brokers []string) []*program {
	kafka := ops.KafkaDefaults()
	kafka.Brokers = brokers
	common := func(c ops.Common) ops.Common {
		c.StopGrace = 20 * time.Second
		return c
	}
	calls, billing := ingester.Defaults(), consumer.Defaults()
	calls.Common, calls.Kafka = common(calls.Common), kafka
	billing.Common, billing.Kafka = common(billing.Common), kafka
	calls.HTTP.Listen, billing.HTTP.Listen = "127.0.0.1:8081", "127.0.0.1:8082"
	calls.Intake.FutureTolerance = 30 * 24 * time.Hour
	billing.Intake.FutureTolerance = 30 * 24 * time.Hour
	all := []*program{
		{name: ingester.Name, serve: func(ctx context.Context, rt *ops.Runtime) error { return ingester.Run(ctx, rt, calls) }},
		{name: consumer.Name, serve: func(ctx context.Context, rt *ops.Runtime) error { return consumer.Run(ctx, rt, billing) }},
	}
	for i := range updaters {
		c := updater.Defaults()
		c.Common, c.Kafka = common(c.Common), kafka
		c.Redis.Addrs = []string{redisAddress}
		c.Updater.EmbeddedRedis = true
		c.Updater.BatchStates = []int{1, 3, 20, 500}[w.rng.IntN(4)]
		c.Updater.CacheBytes = ops.Bytes([]int{0, 4000, 1 << 20}[w.rng.IntN(3)])
		all = append(all, &program{
			name:  fmt.Sprintf("updater-%d", i+1),
			serve: func(ctx context.Context, rt *ops.Runtime) error { return updater.Run(ctx, rt, c) },
		})
	}
	return all
}

// start runs a program on a host of its own. One that still ends is awaited.
func (w *world) start(ctx context.Context, p *program) error {
	p.wanted = true
	common := ops.CommonDefaults(":0")
	common.Log.Format = "text"
	rt, err := ops.NewRuntime(ctx, p.name, common, w.journal.writer(p.name))
	if err != nil {
		return err
	}
	run := &process{host: w.network.host(p.name), done: make(chan struct{})}
	ctx, run.cancel = context.WithCancel(ctx)
	rt.Network = ops.Network{Dial: run.host.dial, Listen: w.network.virtual.Listen}
	p.now = run
	w.journal.note(p.name, "STARTS")
	go func() {
		defer close(run.done)
		run.err = errors.Join(p.serve(ctx, rt), rt.Shutdown(context.WithoutCancel(ctx)))
		w.journal.note(p.name, "ENDED: %v", run.err)
	}()
	return nil
}

// kill ends a program as a power cut does. It returns when nothing of it is
// left.
func (w *world) kill(p *program) {
	w.journal.note(p.name, "KILLED")
	p.now.killed = true
	p.now.host.kill()
	p.now.cancel()
	<-p.now.done
	p.now = nil
}

// stop asks a program to end, and returns when it has.
func (w *world) stop(p *program) error {
	w.journal.note(p.name, "IS ASKED TO STOP")
	p.now.cancel()
	<-p.now.done
	err := p.now.err
	p.now = nil
	if err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	return nil
}
