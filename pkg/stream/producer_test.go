package stream_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/perennial-cltv/perennial/pkg/stream"
	"github.com/perennial-cltv/perennial/pkg/stream/kafkatest"
	"github.com/perennial-cltv/perennial/pkg/task"
)

func TestProducerPartitionsByKey(t *testing.T) {
	onBoth(t, func(t *testing.T, brokers []string, _ bool) {
		const partitions = 5
		config := kafkatest.Config(t, brokers)
		c := kafkatest.Client(t, config)
		kafkatest.Topics(t, c, partitions, 1)
		p := c.NewProducer()
		topic := config.Topics.Events
		var messages []stream.Message
		want := make([][]string, partitions)
		for i := range 200 {
			key, value := fmt.Sprintf("acme/%d", i%37), fmt.Sprintf("v-%d", i)
			messages = append(messages, stream.Message{Key: []byte(key), Value: []byte(value)})
			at := task.Murmur2Partition([]byte(key), partitions)
			want[at] = append(want[at], value)
		}
		if err := p.Send(limit(t), topic, messages); err != nil {
			t.Fatal(err)
		}
		if err := p.SendTo(limit(t), topic, 3, []stream.Message{{Key: []byte("acme/1"), Value: []byte("to 3")}}); err != nil {
			t.Fatal(err)
		}
		if err := p.SendAll(limit(t), topic, []stream.Message{{Key: []byte("acme/~model"), Value: []byte("to all")}}); err != nil {
			t.Fatal(err)
		}
		want[3] = append(want[3], "to 3")
		for i := range int32(partitions) {
			if got := values(t, c, topic, i); !slices.Equal(got, append(want[i], "to all")) {
				t.Errorf("partition %d has %v, want %v and 'to all'", i, got, want[i])
			}
		}
	})
}

// TestSendsShareBatches: what comes while a batch is under way goes with the next.
func TestSendsShareBatches(t *testing.T) {
	cluster := kafkatest.Fake(t)
	config := kafkatest.Config(t, cluster.ListenAddrs())
	c := kafkatest.Client(t, config)
	kafkatest.Topics(t, c, 1, 1)
	p := c.NewProducer()
	arrived, release := make(chan struct{}), make(chan struct{})
	var first sync.Once
	cluster.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		first.Do(func() {
			close(arrived)
			cluster.SleepControl(func() { <-release })
		})
		return nil, nil, false
	})
	requests := cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Count: -1, Observe: true})
	send := func(value string) error {
		return p.Send(limit(t), config.Topics.Events, []stream.Message{{Key: []byte("k"), Value: []byte(value)}})
	}
	var sends sync.WaitGroup
	sends.Go(func() {
		if err := send("first"); err != nil {
			t.Error(err)
		}
	})
	<-arrived
	const more = 200
	for i := range more {
		sends.Go(func() {
			if err := send(fmt.Sprintf("v-%d", i)); err != nil {
				t.Error(err)
			}
		})
	}
	for c.Buffered(p) < more { // all have queued behind the first
		if limit(t).Err() != nil {
			t.Fatal("the sends don't queue")
		}
	}
	close(release)
	sends.Wait()
	if got := values(t, c, config.Topics.Events, 0); len(got) != more+1 || got[0] != "first" {
		t.Errorf("the log has %d records, the first is %s", len(got), got[0])
	}
	if requests.Hits() != 2 {
		t.Errorf("%d requests, want 2", requests.Hits())
	}
}

func TestProducerRefuses(t *testing.T) {
	cluster := kafkatest.Fake(t)
	config := kafkatest.Config(t, cluster.ListenAddrs())
	config.ProduceBytes = 4096
	c := kafkatest.Client(t, config)
	kafkatest.Topics(t, c, 1, 1)
	p := c.NewProducer()
	topic := config.Topics.Events
	message := func(n int) []stream.Message {
		return []stream.Message{{Key: []byte("k"), Value: make([]byte, n)}}
	}

	var large *stream.TooLargeError
	err := p.Send(limit(t), topic, append(message(1), message(config.BatchBytes+70<<10)...))
	if !errors.As(err, &large) || large.Index != 1 {
		t.Errorf("a message that is too large: %v", err)
	}
	if err := p.Send(limit(t), topic, message(10_000)); err != nil {
		t.Errorf("more than the buffers hold, while they are empty: %v", err)
	}

	arrived, release := make(chan struct{}), make(chan struct{})
	var first sync.Once
	cluster.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		first.Do(func() {
			close(arrived)
			cluster.SleepControl(func() { <-release })
		})
		return nil, nil, false
	})
	slow := make(chan error, 1)
	go func() { slow <- p.Send(limit(t), topic, message(3000)) }()
	<-arrived
	if err := p.Send(limit(t), topic, message(3000)); !errors.Is(err, stream.ErrBusy) {
		t.Errorf("beyond the buffers: %v", err)
	}
	given, cancel := context.WithCancel(t.Context())
	cancel()
	wantKind(t, p.Send(given, topic, message(10)), task.KindUnknown)
	close(release)
	if err := <-slow; err != nil {
		t.Error(err)
	}
	if err := p.Close(limit(t)); err != nil {
		t.Error(err)
	}
	if err := p.Send(limit(t), topic, message(1)); !errors.Is(err, stream.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	if got := values(t, c, topic, 0); len(got) != 3 {
		t.Errorf("the log has %d records, want 3: what was refused isn't there, what was given up is", len(got))
	}
}
