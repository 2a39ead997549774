package stream_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/perennial-cltv/perennial/pkg/stream"
	"github.com/perennial-cltv/perennial/pkg/stream/kafkatest"
	"github.com/perennial-cltv/perennial/pkg/task"
)

func TestMain(m *testing.M) { kafkatest.Main(m) }

// onBoth runs a test on the fake Kafka and on a real one.
func onBoth(t *testing.T, test func(t *testing.T, brokers []string, fake bool)) {
	t.Run("fake", func(t *testing.T) { test(t, kafkatest.Fake(t).ListenAddrs(), true) })
	t.Run("real", func(t *testing.T) { test(t, kafkatest.Brokers(t), false) })
}

// ready makes a client and its topics.
func ready(t *testing.T, brokers []string, partitions int32) *stream.Client {
	t.Helper()
	c := kafkatest.Client(t, kafkatest.Config(t, brokers))
	kafkatest.Topics(t, c, partitions, 1)
	return c
}

// limit is a context that ends before the test's patience does.
func limit(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// outs makes records whose values are name and a number.
func outs(name string, from, to int) []task.Out {
	var out []task.Out
	for i := from; i < to; i++ {
		out = append(out, task.Out{Key: []byte("acme/c"), Value: fmt.Appendf(nil, "%s-%d", name, i)})
	}
	return out
}

// wantKind checks the kind of an error of task.Log, 0 for none.
func wantKind(t *testing.T, err error, kind task.ErrorKind) {
	t.Helper()
	var e *task.Error
	switch {
	case kind == 0 && err == nil:
	case kind == 0:
		t.Fatalf("unexpected error: %v", err)
	case !errors.As(err, &e) || e.Kind != kind:
		t.Fatalf("error %v, want kind %d", err, kind)
	}
}

// values reads a partition from offset to the end it has now.
func values(t *testing.T, c *stream.Client, topic string, partition int32) []string {
	t.Helper()
	var got []string
	err := c.Read(limit(t), topic, []stream.Span{{Partition: partition, From: -1, To: -1}}, func(_ int32, r *task.Record) error {
		got = append(got, string(r.Value))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// fetchAll fetches until n records came.
func fetchAll(t *testing.T, c *stream.Client, topic task.Topic, partition int32, offset int64, n int) []string {
	t.Helper()
	ctx := limit(t)
	var got []string
	for len(got) < n {
		f, err := c.Fetch(ctx, topic, partition, offset)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range f.Records {
			got = append(got, string(r.Value))
		}
		offset = f.NextOffset
	}
	return got
}
