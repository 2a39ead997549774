package stream

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/perennial-cltv/perennial/pkg/task"
)

// headroomBytes is what a message may have above BatchBytes, so that a dead
// letter, which is a record of full size with more headers, can be sent.
const headroomBytes = 64 << 10

// Message is a record to be sent.
type Message struct {
	Key, Value []byte
	Headers    []task.Header
	// Timestamp is Unix milliseconds; 0 means now. It is never the time of the
	// business event: Kafka deletes by it.
	Timestamp int64
}

// TooLargeError says which message is larger than a batch may be.
type TooLargeError struct {
	Index, Bytes, Limit int
}

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("message %d has %d bytes, more than %d", e.Index, e.Bytes, e.Limit)
}

// Producer sends messages and says when every in-sync replica has them. Sends
// of many goroutines share batches: a partition with nothing under way sends at
// once, and what comes while it waits for Kafka goes with its next batch. So no
// send waits for a timer. One batch at a time is under way for a partition,
// which keeps the order of what one goroutine sends.
//
// A batch whose outcome is unknown is sent again: Kafka may then have it twice.
// Whatever goes through a Producer is recognised by its source's identity.
type Producer struct {
	client *Client

	mu       sync.Mutex
	queues   map[topicPartition]*queue
	buffered int
	closed   bool
	flushing sync.WaitGroup
}

// queue is what waits for one partition. Its batches are sent in order.
type queue struct {
	waiting []*batch
	busy    bool
}

// batch is messages of one partition and the sends that wait for them.
type batch struct {
	encoder *encoder
	bytes   int
	sends   []*send
}

// send is one call that waits for its batches.
type send struct {
	left int
	err  error
	done chan struct{}
}

// NewProducer makes a producer. It needs no connection yet.
func (c *Client) NewProducer() *Producer {
	return &Producer{client: c, queues: make(map[topicPartition]*queue)}
}

// Send sends messages to the partitions that their keys give (Murmur2Partition),
// and returns once Kafka acknowledged all. On an error some may have been
// written. ErrBusy, ErrClosed and *TooLargeError mean that none was. Other
// errors are *task.Error: KindUnknown, or KindStop where Kafka refuses for good.
// The messages' memory is the caller's again when Send returns.
func (p *Producer) Send(ctx context.Context, topic string, messages []Message) error {
	n, err := p.count(ctx, topic)
	if err != nil {
		return err
	}
	return p.send(ctx, topic, messages, func(m *Message) (from, to int32) {
		at := task.Murmur2Partition(m.Key, n)
		return at, at + 1
	})
}

// SendTo is Send to one partition, whatever the keys.
func (p *Producer) SendTo(ctx context.Context, topic string, partition int32, messages []Message) error {
	return p.send(ctx, topic, messages, func(*Message) (from, to int32) { return partition, partition + 1 })
}

// SendAll is Send of every message to every partition of the topic.
func (p *Producer) SendAll(ctx context.Context, topic string, messages []Message) error {
	n, err := p.count(ctx, topic)
	if err != nil {
		return err
	}
	return p.send(ctx, topic, messages, func(*Message) (from, to int32) { return 0, n })
}

func (p *Producer) count(ctx context.Context, topic string) (int32, error) {
	n, err := p.client.partitions(ctx, topic)
	if err != nil {
		return 0, failure(readKind(err), err, "send to topic %s", topic)
	}
	return n, nil
}

// send queues messages for the partitions [from, to) that where gives, and waits.
func (p *Producer) send(ctx context.Context, topic string, messages []Message, where func(*Message) (from, to int32)) error {
	if len(messages) == 0 {
		return nil
	}
	limit := p.client.config.BatchBytes + headroomBytes
	total := 0
	for i := range messages {
		m := &messages[i]
		n := recordBytes(m.Key, m.Value, m.Headers)
		if n > limit {
			return &TooLargeError{Index: i, Bytes: n, Limit: limit}
		}
		from, to := where(m)
		total += n * int(to-from)
	}
	s := &send{done: make(chan struct{})}
	if err := p.enqueue(s, topic, messages, where, total); err != nil {
		return err
	}
	select {
	case <-s.done:
		return s.err
	case <-ctx.Done():
		return failure(task.KindUnknown, ctx.Err(), "send to topic %s, %d messages", topic, len(messages))
	}
}

func (p *Producer) enqueue(s *send, topic string, messages []Message, where func(*Message) (from, to int32), total int) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return fmt.Errorf("send to topic %s: %w", topic, ErrClosed)
	}
	if p.buffered > 0 && p.buffered+total > p.client.config.ProduceBytes {
		return fmt.Errorf("send to topic %s: %w", topic, ErrBusy)
	}
	now := time.Now().UnixMilli()
	for i := range messages {
		m := &messages[i]
		timestamp := m.Timestamp
		if timestamp == 0 {
			timestamp = now
		}
		for partition, to := where(m); partition < to; partition++ {
			p.add(s, topicPartition{topic, partition}, m, timestamp)
		}
	}
	return nil
}

// add puts a message into the last batch of its partition, or into a new one.
func (p *Producer) add(s *send, tp topicPartition, m *Message, timestamp int64) {
	q := p.queues[tp]
	if q == nil {
		q = new(queue)
		p.queues[tp] = q
	}
	n := recordBytes(m.Key, m.Value, m.Headers)
	if len(q.waiting) == 0 || q.waiting[len(q.waiting)-1].encoder.size()+n > p.client.config.BatchBytes {
		b := &batch{encoder: p.client.encoders.Get().(*encoder)}
		b.encoder.reset()
		q.waiting = append(q.waiting, b)
	}
	b := q.waiting[len(q.waiting)-1]
	b.encoder.add(timestamp, m.Key, m.Value, m.Headers)
	b.bytes += n
	p.buffered += n
	if len(b.sends) == 0 || b.sends[len(b.sends)-1] != s {
		b.sends = append(b.sends, s)
		s.left++
	}
	if !q.busy {
		q.busy = true
		p.flushing.Go(func() { p.flush(tp, q) })
	}
}

// flush sends a partition's batches until none waits.
func (p *Producer) flush(tp topicPartition, q *queue) {
	for {
		p.mu.Lock()
		if len(q.waiting) == 0 {
			q.busy = false
			p.mu.Unlock()
			return
		}
		b := q.waiting[0]
		q.waiting = q.waiting[1:]
		p.mu.Unlock()
		p.finish(b, p.deliver(tp, b))
	}
}

// deliver sends one batch, the same bytes each time, until Kafka has it, says
// that it never will, or DeliverFor is over.
func (p *Producer) deliver(tp topicPartition, b *batch) error {
	set := b.encoder.finish(noProducerID, -1, -1)
	c := p.client
	tries := 0
	err := c.retry(c.lifetime, c.config.DeliverFor, func(ctx context.Context) error {
		tries++
		return c.produceOnce(ctx, tp.topic, tp.partition, set, int(b.encoder.count))
	})
	count := b.encoder.count
	if err == nil {
		if tries == 1 {
			c.encoders.Put(b.encoder) // else a request given up may still be reading it
		}
		return nil
	}
	kind := writeKind(err)
	if kind == task.KindFenced {
		kind = task.KindStop // there is no producer id to be fenced
	}
	return failure(kind, err, "send to topic %s partition %d, %d messages", tp.topic, tp.partition, count)
}

// finish tells the sends of a batch how it went.
func (p *Producer) finish(b *batch, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.buffered -= b.bytes
	for _, s := range b.sends {
		s.err = errors.Join(s.err, err)
		if s.left--; s.left == 0 {
			close(s.done)
		}
	}
}

// Close waits until what was taken is sent, or ctx ends. Sends after it fail.
func (p *Producer) Close(ctx context.Context) error {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	done := make(chan struct{})
	go func() {
		p.flushing.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("closing the producer: %w", ctx.Err())
	}
}
