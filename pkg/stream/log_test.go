package stream_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/perennial-cltv/perennial/pkg/stream"
	"github.com/perennial-cltv/perennial/pkg/stream/kafkatest"
	"github.com/perennial-cltv/perennial/pkg/task"
)

func produce(t *testing.T, c *stream.Client, token task.Token, sequence int32, records []task.Out) error {
	t.Helper()
	return c.Produce(limit(t), &task.Produce{
		Topic: task.Updates, Partition: 0, Token: token, Sequence: sequence, Timestamp: time.Now().UnixMilli(), Records: records,
	})
}

func token(t *testing.T, c *stream.Client, partition int32) task.Token {
	t.Helper()
	tok, err := c.InitProducer(limit(t), partition)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

func TestTokensRise(t *testing.T) {
	onBoth(t, func(t *testing.T, brokers []string, _ bool) {
		c := ready(t, brokers, 2)
		first, second, other := token(t, c, 0), token(t, c, 0), token(t, c, 1)
		if second.ProducerID != first.ProducerID || second.Epoch <= first.Epoch {
			t.Errorf("second token %+v doesn't follow %+v", second, first)
		}
		if other.ProducerID == first.ProducerID {
			t.Errorf("two tasks share producer id %d", other.ProducerID)
		}
	})
}

func TestProduceSameBytesTwiceIsOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, brokers []string, _ bool) {
		c := ready(t, brokers, 1)
		tok := token(t, c, 0)
		first, second := outs("a", 0, 5), outs("a", 5, 9)
		wantKind(t, produce(t, c, tok, 0, first), 0)
		wantKind(t, produce(t, c, tok, 0, first), 0)
		wantKind(t, produce(t, c, tok, 5, second), 0)
		wantKind(t, produce(t, c, tok, 5, second), 0)
		wantKind(t, produce(t, c, tok, 0, first), 0)
		got := values(t, c, c.Topic(task.Updates), 0)
		if want := []string{"a-0", "a-1", "a-2", "a-3", "a-4", "a-5", "a-6", "a-7", "a-8"}; !slices.Equal(got, want) {
			t.Errorf("the log has %v, want %v", got, want)
		}
	})
}

func TestProduceOutOfSequenceIsFenced(t *testing.T) {
	onBoth(t, func(t *testing.T, brokers []string, _ bool) {
		c := ready(t, brokers, 1)
		tok := token(t, c, 0)
		wantKind(t, produce(t, c, tok, 0, outs("a", 0, 2)), 0)
		wantKind(t, produce(t, c, tok, 7, outs("a", 7, 8)), task.KindFenced)
		next := token(t, c, 0)
		wantKind(t, produce(t, c, next, 0, outs("b", 0, 1)), 0)
	})
}

// TestFormerOwnerIsFenced: Kafka refuses an old epoch on a partition once the
// new one wrote there, and the fake one at once.
func TestFormerOwnerIsFenced(t *testing.T) {
	onBoth(t, func(t *testing.T, brokers []string, fake bool) {
		c := ready(t, brokers, 1)
		former := token(t, c, 0)
		wantKind(t, produce(t, c, former, 0, outs("former", 0, 1)), 0)
		owner := token(t, c, 0)
		late := produce(t, c, former, 1, outs("former", 1, 2))
		if fake {
			wantKind(t, late, task.KindFenced)
		} else {
			wantKind(t, late, 0)
		}
		wantKind(t, produce(t, c, owner, 0, outs("owner", 0, 1)), 0)
		wantKind(t, produce(t, c, former, 2, outs("former", 2, 3)), task.KindFenced)
		got := values(t, c, c.Topic(task.Updates), 0)
		if slices.Contains(got, "former-2") || !slices.Contains(got, "owner-0") {
			t.Errorf("the log has %v", got)
		}
	})
}

func TestProduceTooLargeStops(t *testing.T) {
	onBoth(t, func(t *testing.T, brokers []string, _ bool) {
		c := ready(t, brokers, 1)
		wantKind(t, produce(t, c, token(t, c, 0), 0, []task.Out{{Key: []byte("k"), Value: make([]byte, 3<<20)}}), task.KindStop)
	})
}

func TestProduceWithoutKeyOnCompactedTopicStops(t *testing.T) {
	onBoth(t, func(t *testing.T, brokers []string, fake bool) {
		if fake {
			t.Skip("the fake Kafka takes records without a key on compacted topics")
		}
		c := ready(t, brokers, 1)
		wantKind(t, produce(t, c, token(t, c, 0), 0, []task.Out{{Value: []byte("v")}}), task.KindStop)
	})
}

// TestRecordsComeAsTheyWent: nulls, empty values, headers and timestamps.
func TestRecordsComeAsTheyWent(t *testing.T) {
	onBoth(t, func(t *testing.T, brokers []string, _ bool) {
		c := ready(t, brokers, 1)
		stamp := time.Now().UnixMilli() - 5000
		sent := []task.Out{
			{Key: []byte("k"), Value: nil},
			{Key: []byte{}, Value: []byte{}},
			{Key: []byte("k"), Value: []byte("v"), Headers: []task.Header{{Key: "a", Value: nil}, {Key: "", Value: []byte("x")}, {Key: "a", Value: []byte{}}}},
		}
		err := c.Produce(limit(t), &task.Produce{Topic: task.State, Token: token(t, c, 0), Timestamp: stamp, Records: sent})
		wantKind(t, err, 0)
		got, err := c.Fetch(limit(t), task.State, 0, 0)
		wantKind(t, err, 0)
		if len(got.Records) != len(sent) || got.NextOffset != 3 || got.HighWatermark != 3 || got.LogStart != 0 {
			t.Fatalf("fetched %+v", got)
		}
		for i, r := range got.Records {
			want := task.Record{Offset: int64(i), Timestamp: stamp, Key: sent[i].Key, Value: sent[i].Value, Headers: sent[i].Headers}
			if fmt.Sprintf("%#v", r) != fmt.Sprintf("%#v", want) {
				t.Errorf("record %d is %#v, want %#v", i, r, want)
			}
		}
	})
}

func TestFetchOutOfRange(t *testing.T) {
	onBoth(t, func(t *testing.T, brokers []string, _ bool) {
		c := ready(t, brokers, 1)
		ctx := limit(t)
		wantKind(t, c.Append(ctx, 0, time.Now().UnixMilli(), outs("a", 0, 3)), 0)
		got, err := c.Fetch(ctx, task.Input, 0, 3) // the end is in range
		wantKind(t, err, 0)
		if len(got.Records) != 0 || got.NextOffset != 3 || got.HighWatermark != 3 {
			t.Errorf("at the end: %+v", got)
		}
		got, err = c.Fetch(ctx, task.Input, 0, 4)
		wantKind(t, err, task.KindOffsetOutOfRange)
		if got.LogStart != 0 || got.HighWatermark != 3 {
			t.Errorf("after the end: the log is said to be %d to %d", got.LogStart, got.HighWatermark)
		}
		got, err = c.Fetch(ctx, task.Input, 0, 1) // and it goes on after an error
		wantKind(t, err, 0)
		if len(got.Records) != 2 || got.Records[0].Offset != 1 {
			t.Errorf("from 1: %+v", got)
		}
	})
}

// TestFetchFollowsTheLog: what is appended while a reader reads comes once, in
// order, however the reader jumps back between.
func TestFetchFollowsTheLog(t *testing.T) {
	onBoth(t, func(t *testing.T, brokers []string, _ bool) {
		c := ready(t, brokers, 1)
		const batches, each = 60, 50
		appended := make(chan error, 1)
		go func() {
			for i := range batches {
				if err := c.Append(limit(t), 0, time.Now().UnixMilli(), outs("r", i*each, (i+1)*each)); err != nil {
					appended <- err
					return
				}
			}
			appended <- nil
		}()
		offset, back := int64(0), 0
		ctx := limit(t)
		for offset < batches*each {
			got, err := c.Fetch(ctx, task.Input, 0, offset)
			wantKind(t, err, 0)
			for i, r := range got.Records {
				want := fmt.Sprintf("r-%d", offset+int64(i))
				if r.Offset != offset+int64(i) || string(r.Value) != want {
					t.Fatalf("offset %d has %q, want %q", r.Offset, r.Value, want)
				}
			}
			offset = got.NextOffset
			if offset > 1000 && back < 3 {
				back++
				offset -= 777
			}
		}
		if err := <-appended; err != nil {
			t.Fatal(err)
		}
	})
}

// fillCompacted writes n values of one key, each beside a key of its own.
func fillCompacted(t *testing.T, c *stream.Client, n int) {
	t.Helper()
	tok := token(t, c, 0)
	for i := range n {
		records := []task.Out{{Key: []byte("same"), Value: fmt.Appendf(nil, "v%d", i)}, {Key: fmt.Appendf(nil, "own-%d", i), Value: []byte("x")}}
		wantKind(t, c.Produce(limit(t), &task.Produce{
			Topic: task.State, Token: tok, Sequence: int32(2 * i), Timestamp: time.Now().UnixMilli(), Records: records,
		}), 0)
	}
}

// TestFetchGapsOfCompaction: the next offset follows the log, not the records.
func TestFetchGapsOfCompaction(t *testing.T) {
	t.Run("fake", func(t *testing.T) {
		cluster := kafkatest.Fake(t)
		c := ready(t, cluster.ListenAddrs(), 1)
		fillCompacted(t, c, 20)
		cluster.Compact()
		if got := values(t, c, c.Topic(task.State), 0); len(got) >= 40 {
			t.Fatalf("%d records: nothing was compacted", len(got))
		}
		checkCompacted(t, c, 20)
	})
	t.Run("real", func(t *testing.T) {
		brokers := kafkatest.Brokers(t)
		c := ready(t, brokers, 1)
		compactSoon(t, brokers, c.Topic(task.State))
		fillCompacted(t, c, 20)
		// The cleaner leaves the last segment alone, which a record after it ends.
		again := token(t, c, 0)
		ctx := limit(t)
		for sequence := int32(0); len(values(t, c, c.Topic(task.State), 0)) > 25+int(sequence); sequence++ {
			wantKind(t, c.Produce(ctx, &task.Produce{
				Topic: task.State, Token: again, Sequence: sequence, Timestamp: time.Now().UnixMilli(),
				Records: []task.Out{{Key: []byte("same"), Value: []byte("v19")}},
			}), 0)
			time.Sleep(500 * time.Millisecond) // how often to look
		}
		checkCompacted(t, c, 20)
	})
}

// compactSoon has a real Kafka compact a topic as soon as it can.
func compactSoon(t *testing.T, brokers []string, topic string) {
	t.Helper()
	set := func(name, value string) kafka.IncrementalAlterConfigsRequestConfig {
		return kafka.IncrementalAlterConfigsRequestConfig{Name: name, Value: value, ConfigOperation: kafka.ConfigOperationSet}
	}
	response, err := (&kafka.Client{Addr: kafka.TCP(brokers...)}).IncrementalAlterConfigs(limit(t), &kafka.IncrementalAlterConfigsRequest{
		Resources: []kafka.IncrementalAlterConfigsRequestResource{{
			ResourceType: kafka.ResourceTypeTopic, ResourceName: topic,
			Configs: []kafka.IncrementalAlterConfigsRequestConfig{set("segment.ms", "100"), set("min.cleanable.dirty.ratio", "0.01"), set("max.compaction.lag.ms", "100")},
		}},
	})
	if err != nil || response.Resources[0].Error != nil {
		t.Fatal(err, response)
	}
}

// checkCompacted reads the state topic through its gaps: every key once or
// more, its last value last, offsets rising.
func checkCompacted(t *testing.T, c *stream.Client, n int) {
	t.Helper()
	marks, err := c.Watermarks(limit(t), c.Topic(task.State))
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[string]string)
	last := int64(-1)
	for offset := marks[0].Start; offset < marks[0].End; {
		got, err := c.Fetch(limit(t), task.State, 0, offset)
		wantKind(t, err, 0)
		for _, r := range got.Records {
			if r.Offset <= last {
				t.Fatalf("offset %d after %d", r.Offset, last)
			}
			last = r.Offset
			seen[string(r.Key)] = string(r.Value)
		}
		if got.NextOffset <= last {
			t.Fatalf("next offset %d after record %d", got.NextOffset, last)
		}
		offset = got.NextOffset
	}
	if want := fmt.Sprintf("v%d", n-1); len(seen) != n+1 || seen["same"] != want {
		t.Errorf("%d keys, same = %q, want %d and %q", len(seen), seen["same"], n+1, want)
	}
}

func TestFetchEndsWithItsContext(t *testing.T) {
	c := ready(t, kafkatest.Fake(t).ListenAddrs(), 1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := c.Fetch(ctx, task.Input, 0, 0)
	wantKind(t, err, task.KindRetry)
}
