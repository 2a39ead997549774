package stream_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/perennial-cltv/perennial/pkg/stream"
	"github.com/perennial-cltv/perennial/pkg/stream/kafkatest"
	"github.com/perennial-cltv/perennial/pkg/task"
)

// TestVirtualTime runs an intake and a reader in a bubble of virtual time, on a
// network in memory: ten minutes pass in a second, nothing is left running.
func TestVirtualTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var network kfake.VirtualNetwork
		cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.ListenFn(network.Listen))
		if err != nil {
			t.Fatal(err)
		}
		config := kafkatest.Config(t, cluster.ListenAddrs())
		config.Dial = network.DialContext
		c, err := stream.New(config)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		if err := c.CreateTopics(ctx, 2, 1); err != nil {
			t.Fatal(err)
		}
		p := c.NewProducer()
		var running sync.WaitGroup
		running.Go(func() {
			if err := c.Consume(ctx, stream.Consumer{
				Topic: config.Topics.Calls, Group: config.Groups.Ingester, To: config.Topics.Events, Producer: p,
				Handle: func(_ context.Context, b stream.Batch) (stream.Result, error) {
					var out stream.Result
					for _, r := range b.Records {
						out.Messages = append(out.Messages, stream.Message{Key: r.Key, Value: r.Value})
					}
					return out, nil
				},
			}); err != nil {
				t.Error(err)
			}
		})
		const n = 60
		for i := range n {
			time.Sleep(10 * time.Second) // virtual
			if err := p.Send(ctx, config.Topics.Calls, []stream.Message{{Key: fmt.Appendf(nil, "k%d", i), Value: []byte("v")}}); err != nil {
				t.Fatal(err)
			}
		}
		seen := 0
		tailing, stop := context.WithCancel(ctx)
		err = c.Tail(tailing, []string{config.Topics.Events}, stream.TailOptions{Last: -1}, func(string, int32, *task.Record) error {
			if seen++; seen == n {
				stop()
			}
			return nil
		})
		if err != nil || seen != n {
			t.Errorf("%d records came, %v", seen, err)
		}
		stop()
		cancel()
		running.Wait()
		if err := p.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		cluster.Close()
	})
}
