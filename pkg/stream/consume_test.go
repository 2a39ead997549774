package stream_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/perennial-cltv/perennial/pkg/stream"
	"github.com/perennial-cltv/perennial/pkg/stream/kafkatest"
	"github.com/perennial-cltv/perennial/pkg/task"
)

// consumeInto runs a consumer that copies values, prefixed, and dead-letters
// those that start with "bad".
func consumeInto(t *testing.T, config stream.Config, name string, seen func(partition int32, r *task.Record)) (stop func()) {
	t.Helper()
	c := kafkatest.Client(t, config)
	p := c.NewProducer()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- c.Consume(ctx, stream.Consumer{
			Topic: config.Topics.Calls, Group: config.Groups.Ingester, To: config.Topics.Events, Producer: p,
			Handle: func(_ context.Context, b stream.Batch) (stream.Result, error) {
				var out stream.Result
				for i := range b.Records {
					r := &b.Records[i]
					seen(b.Partition, r)
					if string(r.Value[:3]) == "bad" {
						out.Dead = append(out.Dead, stream.Dead{Index: i, Cause: stream.Cause{Service: "call-ingester", Stage: "DECODE", Code: "malformed", Text: "it's bad"}})
						continue
					}
					out.Messages = append(out.Messages, stream.Message{Key: r.Key, Value: append([]byte("ok:"), r.Value...), Headers: r.Headers})
				}
				return out, nil
			},
		})
	}()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			select {
			case err := <-done:
				if err != nil {
					t.Errorf("consumer %s: %v", name, err)
				}
			case <-time.After(30 * time.Second):
				t.Errorf("consumer %s doesn't stop", name)
			}
		})
	}
	t.Cleanup(stop)
	return stop
}

// TestConsumersComeAndGo: whatever the rebalances, every record arrives, those
// of a key in their order once repetitions are set aside, and the group's
// offset never moves backwards.
func TestConsumersComeAndGo(t *testing.T) {
	onBoth(t, func(t *testing.T, brokers []string, _ bool) {
		const partitions, keys, each = 6, 20, 60
		config := kafkatest.Config(t, brokers)
		c := kafkatest.Client(t, config)
		kafkatest.Topics(t, c, partitions, 1)
		ctx := limit(t)

		watching, stopWatching := context.WithCancel(ctx)
		var watch sync.WaitGroup
		watch.Go(func() {
			last := slices.Repeat([]int64{-1}, partitions)
			for watching.Err() == nil {
				lag, err := c.Lag(watching, config.Groups.Ingester, config.Topics.Calls)
				for _, l := range lag {
					if err == nil && l.Committed < last[l.Partition] {
						t.Errorf("the group's offset on partition %d went from %d to %d", l.Partition, last[l.Partition], l.Committed)
					}
					last[l.Partition] = max(last[l.Partition], l.Committed)
				}
				time.Sleep(20 * time.Millisecond) // how often to look
			}
		})

		ignore := func(int32, *task.Record) {}
		stopA := consumeInto(t, config, "a", ignore)
		p := c.NewProducer()
		for i := range each {
			var messages []stream.Message
			for k := range keys {
				value := fmt.Sprintf("%d/%d", k, i)
				if i == 7 {
					value = "bad" + value
				}
				messages = append(messages, stream.Message{Key: fmt.Appendf(nil, "acme/%d", k), Value: []byte(value), Headers: []task.Header{{Key: "h", Value: []byte("v")}}})
			}
			if err := p.Send(ctx, config.Topics.Calls, messages); err != nil {
				t.Fatal(err)
			}
			switch i {
			case 10:
				consumeInto(t, config, "b", ignore)
			case 25:
				stopA()
			case 40:
				consumeInto(t, config, "c", ignore)
			}
		}
		for behind := int64(1); behind > 0; {
			lag, err := c.Lag(ctx, config.Groups.Ingester, config.Topics.Calls)
			if err != nil {
				t.Fatal(err)
			}
			behind = 0
			for _, l := range lag {
				behind += l.Behind
			}
			time.Sleep(20 * time.Millisecond) // how often to look
		}
		stopWatching()
		watch.Wait()

		next := make(map[string]int)
		repeated := 0
		if err := c.Read(ctx, config.Topics.Events, nil, func(_ int32, r *task.Record) error {
			var k, i int
			if _, err := fmt.Sscanf(string(r.Value), "ok:%d/%d", &k, &i); err != nil {
				return err
			}
			key := string(r.Key)
			if next[key] == 7 {
				next[key] = 8
			}
			switch {
			case i < next[key]:
				repeated++
			case i == next[key]:
				next[key]++
			default:
				t.Errorf("key %s has %d where %d was next", key, i, next[key])
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		for k := range keys {
			if n := next[fmt.Sprintf("acme/%d", k)]; n != each {
				t.Errorf("key %d arrived up to %d", k, n)
			}
		}
		t.Logf("%d records were repeated", repeated)
		checkLetters(t, c, config, keys)
	})
}

// checkLetters reads the dead letters, and has them sent again.
func checkLetters(t *testing.T, c *stream.Client, config stream.Config, want int) {
	t.Helper()
	found := make(map[string]stream.Letter)
	err := c.Read(limit(t), stream.DeadLetterTopic(config.Topics.Calls), nil, func(_ int32, r *task.Record) error {
		l, ok := stream.ParseDeadLetter(r)
		if !ok {
			return fmt.Errorf("no dead letter: %v", r.Headers)
		}
		if l.Topic != config.Topics.Calls || l.Cause != (stream.Cause{Service: "call-ingester", Stage: "DECODE", Code: "malformed", Text: "it's bad"}) {
			t.Errorf("letter %+v", l)
		}
		if again := l.Redrive(); string(again.Value[:3]) != "bad" || len(again.Headers) != 1 || again.Headers[0].Key != "h" {
			t.Errorf("redriven as %+v", again)
		}
		found[fmt.Sprint(l.Partition, "/", l.Offset)] = l
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) != want {
		t.Errorf("%d dead letters, want %d", len(found), want)
	}
}

// TestConsumerFindsItsPlace: records deleted before they were read, and a topic
// made anew, are survived, and nothing that is there is missed.
func TestConsumerFindsItsPlace(t *testing.T) {
	cluster := kafkatest.Fake(t)
	config := kafkatest.Config(t, cluster.ListenAddrs())
	c := kafkatest.Client(t, config)
	kafkatest.Topics(t, c, 1, 1)
	topic := config.Topics.Calls
	p := c.NewProducer()
	admin := &kafka.Client{Addr: kafka.TCP(cluster.ListenAddrs()...)}
	send := func(from, to int) {
		t.Helper()
		var messages []stream.Message
		for i := from; i < to; i++ {
			messages = append(messages, stream.Message{Key: []byte("k"), Value: fmt.Appendf(nil, "v-%d", i)})
		}
		if err := p.Send(limit(t), topic, messages); err != nil {
			t.Fatal(err)
		}
	}
	consume := func(last string) []string {
		t.Helper()
		var mu sync.Mutex
		var got []string
		done := make(chan struct{})
		stop := consumeInto(t, config, "c", func(_ int32, r *task.Record) {
			mu.Lock()
			defer mu.Unlock()
			got = append(got, string(r.Value))
			if string(r.Value) == last {
				close(done)
			}
		})
		select {
		case <-done:
		case <-limit(t).Done():
			t.Fatalf("never saw %s", last)
		}
		stop()
		mu.Lock()
		defer mu.Unlock()
		return got
	}
	send(0, 10)
	if got := consume("v-9"); len(got) != 10 {
		t.Errorf("read %v", got)
	}
	send(10, 20)
	deleteBefore(t, cluster, topic, 15)
	if got := consume("v-19"); fmt.Sprint(got) != "[v-15 v-16 v-17 v-18 v-19]" {
		t.Errorf("after a deletion read %v", got)
	}
	if _, err := admin.DeleteTopics(limit(t), &kafka.DeleteTopicsRequest{Topics: []string{topic}}); err != nil {
		t.Fatal(err)
	}
	kafkatest.Topics(t, c, 1, 1)
	send(100, 105)
	if got := consume("v-104"); len(got) != 5 {
		t.Errorf("of the new topic read %v", got)
	}
	lag, err := c.Lag(limit(t), config.Groups.Ingester, topic)
	if err != nil || lag[0].Committed != 5 {
		t.Errorf("the group stands at %+v, %v; want 5", lag, err)
	}
}

// deleteBefore has a Kafka delete the records of partition 0 before an offset.
func deleteBefore(t *testing.T, cluster *kfake.Cluster, topic string, offset int64) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	request := kmsg.NewPtrDeleteRecordsRequest()
	rt := kmsg.NewDeleteRecordsRequestTopic()
	rt.Topic = topic
	rp := kmsg.NewDeleteRecordsRequestTopicPartition()
	rp.Offset = offset
	rt.Partitions = append(rt.Partitions, rp)
	request.Topics = append(request.Topics, rt)
	response, err := request.RequestWith(limit(t), client)
	if err != nil {
		t.Fatal(err)
	}
	if code := response.Topics[0].Partitions[0].ErrorCode; code != 0 {
		t.Fatal(kerr.ErrorForCode(code))
	}
}

// TestHandlerErrors: what can't be done now is tried again, and nothing that
// follows overtakes it; what can't be done at all ends the consumer, and is not
// committed.
func TestHandlerErrors(t *testing.T) {
	config := kafkatest.Config(t, kafkatest.Fake(t).ListenAddrs())
	c := kafkatest.Client(t, config)
	kafkatest.Topics(t, c, 1, 1)
	p := c.NewProducer()
	ctx := limit(t)
	send := func(value string) {
		t.Helper()
		if err := p.Send(ctx, config.Topics.Calls, []stream.Message{{Key: []byte("k"), Value: []byte(value)}}); err != nil {
			t.Fatal(err)
		}
	}
	send("first")
	send("second")
	tries := 0
	broken := &task.Error{Kind: task.KindStop, Op: "identity", Err: errors.New("broken")}
	err := c.Consume(ctx, stream.Consumer{
		Topic: config.Topics.Calls, Group: config.Groups.Ingester, To: config.Topics.Events, Producer: p,
		Handle: func(_ context.Context, b stream.Batch) (stream.Result, error) {
			if tries++; tries < 3 {
				return stream.Result{}, errors.New("not now")
			}
			var out stream.Result
			for _, r := range b.Records {
				if string(r.Value) == "last" {
					return stream.Result{}, broken
				}
				out.Messages = append(out.Messages, stream.Message{Key: r.Key, Value: r.Value})
			}
			if tries == 3 {
				send("last")
			}
			return out, nil
		},
	})
	if !errors.Is(err, broken) {
		t.Errorf("ended with %v", err)
	}
	if got := values(t, c, config.Topics.Events, 0); fmt.Sprint(got) != "[first second]" {
		t.Errorf("the log has %v", got)
	}
	lag, err := c.Lag(ctx, config.Groups.Ingester, config.Topics.Calls)
	if err != nil || lag[0].Committed != 2 || lag[0].Behind != 1 {
		t.Errorf("lag %+v, %v", lag, err)
	}
}

// TestConsumerOutlivesLargeRecords: a raw topic can hold records that are larger
// than what a producer sends, with their publishers' compression or by another
// setting. Such a record is a dead letter like any other, which says where it is.
func TestConsumerOutlivesLargeRecords(t *testing.T) {
	config := kafkatest.Config(t, kafkatest.Fake(t).ListenAddrs())
	c := kafkatest.Client(t, config)
	kafkatest.Topics(t, c, 1, 1)
	publisher := config
	publisher.BatchBytes = 2 * config.BatchBytes
	p := kafkatest.Client(t, publisher).NewProducer()
	ctx := limit(t)
	large := bytes.Repeat([]byte{'x'}, config.BatchBytes+200<<10)
	for _, m := range []stream.Message{
		{Key: []byte("acme/a"), Value: append([]byte("bad"), large...)},
		{Key: large, Value: []byte("bad")},
		{Key: []byte("acme/c"), Value: []byte("bad"), Headers: []task.Header{{Key: "h", Value: large}}},
		{Key: []byte("acme/d"), Value: []byte("good")},
	} {
		if err := p.Send(ctx, config.Topics.Calls, []stream.Message{m}); err != nil {
			t.Fatal(err)
		}
	}
	stop := consumeInto(t, config, "a", func(int32, *task.Record) {})
	for {
		lag, err := c.Lag(ctx, config.Groups.Ingester, config.Topics.Calls)
		if err != nil {
			t.Fatal(err)
		}
		if lag[0].Behind == 0 {
			break
		}
		time.Sleep(20 * time.Millisecond) // how often to look
	}
	stop()
	if got := values(t, c, config.Topics.Events, 0); fmt.Sprint(got) != "[ok:good]" {
		t.Errorf("the log has %.200v", got)
	}
	var keys []string
	if err := c.Read(ctx, stream.DeadLetterTopic(config.Topics.Calls), nil, func(_ int32, r *task.Record) error {
		l, ok := stream.ParseDeadLetter(r)
		if !ok || !l.Omitted || l.Value != nil || len(l.Headers) != 0 || l.Offset != int64(len(keys)) {
			t.Errorf("letter %+v, %v", l, ok)
		}
		keys = append(keys, string(l.Key))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(keys) != "[acme/a  acme/c]" {
		t.Errorf("letters of %.200v", keys)
	}
}
