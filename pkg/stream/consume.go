package stream

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/perennial-cltv/perennial/pkg/task"
)

// finishWithin is how long a consumer that stops waits for Kafka to acknowledge
// what it has under way.
const finishWithin = 700 * time.Millisecond

// Batch is a stretch of one partition. Its records are good until the handler
// returns.
type Batch struct {
	Topic     string
	Partition int32
	Records   []task.Record
}

// Result is what a handler made of a batch.
type Result struct {
	// Messages go to Consumer.To.
	Messages []Message
	// Dead are records of the batch that nobody can use.
	Dead []Dead
}

// Dead is a record of a batch, by its place there, and why it is dead.
type Dead struct {
	Index int
	Cause Cause
}

// Handler turns a batch into messages. An error means that it can't be done
// now: the same batch is handled again after a pause, for as long as it takes,
// unless the error is a *task.Error of KindStop, which ends Consume. It must
// not fail because of what a record contains: that is a dead letter. What it
// made is kept, with what that aliases of the batch, until Kafka has it.
type Handler func(ctx context.Context, b Batch) (Result, error)

// Consumer reads Topic as a member of Group and sends what Handle makes of it
// to To, its dead letters to the topic's dead-letter topic.
type Consumer struct {
	Topic, Group, To string
	Producer         *Producer
	Handle           Handler
}

// Consume runs a consumer until ctx ends, then finishes the batches under way,
// commits and leaves the group. Every record is handled at least once, those of
// one partition in their order: its offset is committed only after Kafka has
// acknowledged all that came of it.
//
// Where Kafka deleted records before they were read, Consume says how many in
// the log and in the metrics, and goes on with the first one there is. Where
// the topic was made anew it starts at its beginning.
func (c *Client) Consume(ctx context.Context, consumer Consumer) error {
	return c.RunGroup(ctx, consumer.Group, []string{consumer.Topic}, func(ctx context.Context, g *Generation) error {
		return (&consumption{client: c, consumer: consumer, generation: g, done: make(map[int32]int64)}).run(ctx)
	})
}

// consumption is one generation of a consumer.
type consumption struct {
	client     *Client
	consumer   Consumer
	generation *Generation

	mu   sync.Mutex
	done map[int32]int64 // the offset to commit, by partition
}

func (n *consumption) run(ctx context.Context) error {
	failed := make(chan error, len(n.generation.Partitions[n.consumer.Topic]))
	var loops sync.WaitGroup
	working, stop := context.WithCancel(ctx)
	defer stop()
	for _, a := range n.generation.Partitions[n.consumer.Topic] {
		loops.Go(func() {
			if err := n.loop(working, a); err != nil {
				failed <- err
				stop()
			}
		})
	}
	ticker := time.NewTicker(n.client.config.CommitInterval)
	defer ticker.Stop()
	for working.Err() == nil {
		select {
		case <-ticker.C:
			if err := n.commit(); err != nil {
				n.client.log.WarnContext(ctx, "committing offsets failed, trying again", "error", err)
			}
		case <-working.Done():
		}
	}
	loops.Wait()
	err := n.commit()
	if len(failed) > 0 {
		return errors.Join(<-failed, err)
	}
	return err
}

func (n *consumption) commit() error {
	n.mu.Lock()
	offsets := make(map[int32]int64, len(n.done))
	for p, o := range n.done {
		offsets[p] = o
	}
	n.mu.Unlock()
	return n.generation.Commit(map[string]map[int32]int64{n.consumer.Topic: offsets})
}

// loop consumes one partition until ctx ends.
func (n *consumption) loop(ctx context.Context, a Assignment) error {
	offset := a.Committed
	f := newFetcher(n.client, n.consumer.Topic, a.Partition)
	defer f.close()
	for ctx.Err() == nil {
		if offset < 0 {
			at, err := n.start(ctx, a.Partition)
			if err != nil {
				continue
			}
			offset = at
		}
		got, err := f.fetch(ctx, offset)
		if err != nil {
			if offset, err = n.recover(ctx, a.Partition, offset, err); err != nil {
				return err
			}
			continue
		}
		if len(got.Records) > 0 {
			if err := n.process(ctx, Batch{Topic: n.consumer.Topic, Partition: a.Partition, Records: got.Records}); err != nil {
				if ctx.Err() != nil {
					return nil // not committed: whoever comes next handles it
				}
				return err
			}
		}
		offset = got.NextOffset
		n.mu.Lock()
		n.done[a.Partition] = offset
		n.mu.Unlock()
	}
	return nil
}

// start is the beginning of a partition that the group never committed.
func (n *consumption) start(ctx context.Context, partition int32) (int64, error) {
	marks, err := n.client.watermarks(ctx, n.consumer.Topic, []int32{partition})
	if err != nil {
		n.client.log.WarnContext(ctx, "the beginning of a partition is unknown, trying again",
			"topic", n.consumer.Topic, "partition", partition, "error", err)
		pause(ctx, time.Second)
		return 0, err
	}
	return marks[0].Start, nil
}

// recover decides where to go on after a fetch failed.
func (n *consumption) recover(ctx context.Context, partition int32, offset int64, cause error) (int64, error) {
	kind := kindOf(cause)
	switch {
	case ctx.Err() != nil:
		return offset, nil //nolint:nilerr // the loop ends with ctx
	case kind == task.KindStop:
		return offset, cause
	case kind == task.KindOffsetOutOfRange:
		marks, err := n.client.watermarks(ctx, n.consumer.Topic, []int32{partition})
		if err != nil {
			n.client.log.WarnContext(ctx, "the bounds of a partition are unknown, trying again", "error", err)
			pause(ctx, time.Second)
			return offset, nil
		}
		if start := marks[0].Start; offset < start {
			n.client.meters.losses.Add(ctx, start-offset, ofTopic(n.consumer.Topic))
			n.client.log.ErrorContext(ctx, "records were deleted before they were read; is the topic's retention too short?",
				"topic", n.consumer.Topic, "partition", partition, "from", offset, "to", start)
			return start, nil
		}
		n.client.log.ErrorContext(ctx, "the topic ends before what was read of it: it was made anew, starting at its beginning",
			"topic", n.consumer.Topic, "partition", partition, "offset", offset, "start", marks[0].Start, "end", marks[0].End)
		n.generation.lower(n.consumer.Topic, partition, marks[0].Start)
		return marks[0].Start, nil
	default:
		n.client.log.WarnContext(ctx, "a fetch failed, trying again", "error", cause)
		pause(ctx, 200*time.Millisecond)
		return offset, nil
	}
}

// process handles a batch and sends what came of it, each again and again until
// that is done. A batch that has been handled is sent also after ctx has ended,
// for as long as a request may take: what would come of handling it twice is
// right, but costs.
func (n *consumption) process(ctx context.Context, b Batch) error {
	var left remaining
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		err := n.try(ctx, b, &left)
		if err == nil {
			return nil
		}
		var large *TooLargeError
		if ctx.Err() != nil || kindOf(err) == task.KindStop || errors.As(err, &large) || errors.Is(err, ErrClosed) {
			return fmt.Errorf("topic %s partition %d, records from offset %d: %w", b.Topic, b.Partition, b.Records[0].Offset, err)
		}
		if !errors.Is(err, ErrBusy) {
			n.client.log.WarnContext(ctx, "a batch failed, trying again",
				"topic", b.Topic, "partition", b.Partition, "offset", b.Records[0].Offset, "error", err)
		}
		pause(ctx, wait)
	}
}

// remaining is what is still to be done of a batch.
type remaining struct {
	handled           bool
	messages, letters []Message
}

// try does what remains of a batch, as far as it comes.
func (n *consumption) try(ctx context.Context, b Batch, left *remaining) error {
	if !left.handled {
		result, err := n.consumer.Handle(ctx, b)
		if err != nil {
			return err
		}
		left.handled, left.messages = true, result.Messages
		for _, d := range result.Dead {
			left.letters = append(left.letters, DeadLetter(b.Topic, b.Partition, &b.Records[d.Index], d.Cause))
		}
	}
	sending, cancel := outlive(ctx, finishWithin)
	defer cancel()
	if err := n.consumer.Producer.Send(sending, n.consumer.To, left.messages); err != nil {
		return err
	}
	left.messages = nil
	if err := n.consumer.Producer.Send(sending, DeadLetterTopic(b.Topic), left.letters); err != nil {
		return err
	}
	n.client.meters.deadLetters.Add(ctx, int64(len(left.letters)), ofTopic(b.Topic))
	return nil
}

// outlive returns a context that ends d after ctx.
func outlive(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	out, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(d, cancel) })
	return out, func() {
		stop()
		cancel()
	}
}

// pause waits, or returns early when ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
