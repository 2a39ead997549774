package stream_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/perennial-cltv/perennial/pkg/stream"
	"github.com/perennial-cltv/perennial/pkg/stream/kafkatest"
	"github.com/perennial-cltv/perennial/pkg/task"
)

// breaker opens connections that lose the answers to produce requests: while
// lose is above zero, the answer is read, thrown away, and the connection ends.
// So Kafka has written, and the client can't know.
type breaker struct{ lose atomic.Int32 }

func (b *breaker) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &brokenConn{Conn: conn, breaker: b}, nil
}

type brokenConn struct {
	net.Conn
	breaker *breaker
	losing  atomic.Bool
}

func (c *brokenConn) Write(p []byte) (int, error) {
	const produceKey = 0
	if len(p) > 8 && binary.BigEndian.Uint16(p[4:]) == produceKey && !c.losing.Load() {
		if c.breaker.lose.Add(-1) >= 0 {
			c.losing.Store(true)
		}
	}
	return c.Conn.Write(p)
}

func (c *brokenConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.losing.Load() && err == nil {
		c.Close()
		return 0, io.EOF
	}
	return n, err
}

func TestLostAnswersAreResolvedByTheSameBytes(t *testing.T) {
	onBoth(t, func(t *testing.T, brokers []string, _ bool) {
		var b breaker
		config := kafkatest.Config(t, brokers)
		config.Dial = b.dial
		config.RetryFor = time.Millisecond // one try for each call
		c := kafkatest.Client(t, config)
		patient := config
		patient.RetryFor = 10 * time.Second
		p := kafkatest.Client(t, patient)
		kafkatest.Topics(t, p, 1, 1)
		tok := token(t, p, 0)

		var want []string
		for i := range 10 {
			records := outs("r", 10*i, 10*i+10)
			for _, r := range records {
				want = append(want, string(r.Value))
			}
			wantKind(t, produce(t, p, tok, int32(10*i), nil), 0) // nothing is nothing
			if i%3 == 0 {
				b.lose.Store(1)
				wantKind(t, produce(t, c, tok, int32(10*i), records), task.KindUnknown)
				b.lose.Store(0)
			}
			if i%3 == 1 {
				b.lose.Store(2) // lost twice within one call
			}
			wantKind(t, produce(t, p, tok, int32(10*i), records), 0)
			b.lose.Store(0)
		}
		if got := values(t, p, p.Topic(task.Updates), 0); !slices.Equal(got, want) {
			t.Errorf("the log has %v, want %v", got, want)
		}
	})
}

func TestProducerLosesNothingWithItsAnswers(t *testing.T) {
	onBoth(t, func(t *testing.T, brokers []string, _ bool) {
		var b breaker
		config := kafkatest.Config(t, brokers)
		config.Dial = b.dial
		c := kafkatest.Client(t, config)
		kafkatest.Topics(t, c, 1, 1)
		p := c.NewProducer()
		var want []string
		for i := range 20 {
			if i%4 == 0 {
				b.lose.Store(1)
			}
			value := fmt.Sprintf("m-%d", i)
			want = append(want, value)
			if err := p.Send(limit(t), config.Topics.Events, []stream.Message{{Key: []byte("k"), Value: []byte(value)}}); err != nil {
				t.Fatal(err)
			}
		}
		got := values(t, c, config.Topics.Events, 0)
		if len(got) == len(want) {
			t.Errorf("%d records for %d messages: no answer was lost, so nothing was tested", len(got), len(want))
		}
		if got = slices.Compact(got); !slices.Equal(got, want) {
			t.Errorf("the log has %v, want %v, each at least once and in order", got, want)
		}
	})
}

// TestMeaningOfProduceErrors has the fake Kafka answer each error once, or for good.
func TestMeaningOfProduceErrors(t *testing.T) {
	for _, test := range []struct {
		err  *kerr.Error
		kind task.ErrorKind
	}{
		{kerr.InvalidProducerEpoch, task.KindFenced},
		{kerr.ProducerFenced, task.KindFenced},
		{kerr.InvalidProducerIDMapping, task.KindFenced},
		{kerr.OutOfOrderSequenceNumber, task.KindFenced},
		{kerr.UnknownProducerID, task.KindFenced},
		{kerr.DuplicateSequenceNumber, 0},
		{kerr.NotLeaderForPartition, task.KindUnknown},
		{kerr.LeaderNotAvailable, task.KindUnknown},
		{kerr.UnknownTopicOrPartition, task.KindUnknown},
		{kerr.RequestTimedOut, task.KindUnknown},
		{kerr.NotEnoughReplicas, task.KindUnknown},
		{kerr.NotEnoughReplicasAfterAppend, task.KindUnknown},
		{kerr.KafkaStorageError, task.KindUnknown},
		{kerr.CorruptMessage, task.KindUnknown},
		{kerr.UnknownServerError, task.KindUnknown},
		{kerr.ThrottlingQuotaExceeded, task.KindUnknown},
		{kerr.MessageTooLarge, task.KindStop},
		{kerr.RecordListTooLarge, task.KindStop},
		{kerr.InvalidRecord, task.KindStop},
		{kerr.InvalidTimestamp, task.KindStop},
		{kerr.TopicAuthorizationFailed, task.KindStop},
		{kerr.ClusterAuthorizationFailed, task.KindStop},
		{kerr.TransactionalIDAuthorizationFailed, task.KindStop},
		{kerr.PolicyViolation, task.KindStop},
		{kerr.UnsupportedForMessageFormat, task.KindStop},
	} {
		t.Run(test.err.Message, func(t *testing.T) {
			cluster := kafkatest.Fake(t)
			config := kafkatest.Config(t, cluster.ListenAddrs())
			config.RetryFor = 50 * time.Millisecond
			c := kafkatest.Client(t, config)
			kafkatest.Topics(t, c, 1, 1)
			tok := token(t, c, 0)
			cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: test.err, Count: -1})
			wantKind(t, produce(t, c, tok, 0, outs("a", 0, 1)), test.kind)
		})
	}
}

// TestPassingErrorsAreRetried: once each, and the call doesn't show it.
func TestPassingErrorsAreRetried(t *testing.T) {
	cluster := kafkatest.Fake(t)
	c := ready(t, cluster.ListenAddrs(), 1)
	for _, e := range []*kerr.Error{kerr.NotCoordinator, kerr.CoordinatorLoadInProgress, kerr.CoordinatorNotAvailable, kerr.ConcurrentTransactions} {
		f := cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.InitProducerID}, Err: e, Count: 2, TopLevel: true})
		token(t, c, 0)
		if f.Hits() != 2 {
			t.Errorf("%s was answered %d times", e.Message, f.Hits())
		}
	}
	tok := token(t, c, 0)
	sequence := int32(0)
	for _, e := range []*kerr.Error{kerr.NotLeaderForPartition, kerr.RequestTimedOut, kerr.NotEnoughReplicasAfterAppend, kerr.KafkaStorageError} {
		f := cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: e, Count: 3})
		wantKind(t, produce(t, c, tok, sequence, outs("a", int(sequence), int(sequence)+2)), 0)
		sequence += 2
		if f.Hits() != 3 {
			t.Errorf("%s was answered %d times", e.Message, f.Hits())
		}
	}
	if got := values(t, c, c.Topic(task.Updates), 0); len(got) != int(sequence) {
		t.Errorf("the log has %v", got)
	}
	wantKind(t, c.Append(limit(t), 0, 1, outs("i", 0, 3)), 0)
	for _, e := range []*kerr.Error{kerr.NotLeaderForPartition, kerr.UnknownTopicOrPartition, kerr.KafkaStorageError, kerr.OffsetNotAvailable, kerr.FencedLeaderEpoch} {
		f := cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Err: e, Count: 2})
		got, err := c.Fetch(limit(t), task.Input, 0, 0)
		wantKind(t, err, 0)
		if len(got.Records) != 3 || f.Hits() != 2 {
			t.Errorf("%s: %d records, answered %d times", e.Message, len(got.Records), f.Hits())
		}
		f.Remove()
	}
}

func TestLastingFetchErrors(t *testing.T) {
	for _, test := range []struct {
		err  *kerr.Error
		kind task.ErrorKind
	}{
		{kerr.NotLeaderForPartition, task.KindRetry},
		{kerr.OffsetOutOfRange, task.KindOffsetOutOfRange},
		{kerr.TopicAuthorizationFailed, task.KindStop},
	} {
		cluster := kafkatest.Fake(t)
		config := kafkatest.Config(t, cluster.ListenAddrs())
		config.RetryFor = 50 * time.Millisecond
		c := kafkatest.Client(t, config)
		kafkatest.Topics(t, c, 1, 1)
		cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Err: test.err, Count: -1})
		_, err := c.Fetch(limit(t), task.Input, 0, 0)
		wantKind(t, err, test.kind)
	}
}

// moveWhile produces numbered batches and fetches them back while move changes
// the leaders between, and checks that the log has each record once, in order.
func moveWhile(t *testing.T, c *stream.Client, batches int, move func(i int)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	tok := token(t, c, 0)
	const each = 5
	offset := int64(0)
	var got, want []string
	for i := range batches {
		move(i)
		records := outs("r", i*each, (i+1)*each)
		for _, r := range records {
			want = append(want, string(r.Value))
		}
		for {
			err := c.Produce(ctx, &task.Produce{Topic: task.State, Token: tok, Sequence: int32(i * each), Timestamp: 1, Records: records})
			if err == nil {
				break
			}
			wantKind(t, err, task.KindUnknown)
		}
		for offset < int64((i+1)*each) {
			f, err := c.Fetch(ctx, task.State, 0, offset)
			if err != nil {
				wantKind(t, err, task.KindRetry)
				continue
			}
			for _, r := range f.Records {
				got = append(got, string(r.Value))
			}
			offset = f.NextOffset
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("read %d records, want %d, each once and in order", len(got), len(want))
	}
	if stored := values(t, c, c.Topic(task.State), 0); !slices.Equal(stored, want) {
		t.Errorf("the log has %d records, want %d", len(stored), len(want))
	}
}

func TestLeaderMoves(t *testing.T) {
	cluster := kafkatest.Fake(t, kfake.NumBrokers(3))
	config := kafkatest.Config(t, cluster.ListenAddrs())
	c := kafkatest.Client(t, config)
	kafkatest.Topics(t, c, 1, -1)
	moveWhile(t, c, 30, func(i int) {
		if i%5 == 4 {
			if err := cluster.MoveTopicPartition(config.Topics.State, 0, int32(i/5%3)); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// TestLeaderDies has real brokers of three crash, come back, and freeze: a
// frozen leader may still write what was sent before, after another one was
// elected and had the same.
func TestLeaderDies(t *testing.T) {
	cluster := kafkatest.Start(t, 3)
	config := kafkatest.Config(t, cluster.Addrs())
	config.RequestTimeout = 2 * time.Second
	c := kafkatest.Client(t, config)
	kafkatest.Topics(t, c, 1, 3)
	began := time.Now()
	moveWhile(t, c, 60, func(i int) {
		t.Logf("batch %d after %v", i, time.Since(began))
		switch i {
		case 10:
			cluster.Kill(t, 0)
		case 20:
			cluster.Restart(t, 0)
		case 30:
			cluster.Freeze(t, 1)
		case 40:
			cluster.Thaw(t, 1)
		case 50:
			cluster.Kill(t, 2)
		}
	})
}
