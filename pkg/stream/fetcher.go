package stream

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/perennial-cltv/perennial/pkg/task"
)

const (
	// freshFor is how long what was read ahead may wait for its reader. A task
	// that comes back later asks the broker again.
	freshFor = 2 * time.Second
	// corruptTries is how often a batch that fails its CRC is read again, in
	// case the network did it.
	corruptTries = 3
)

// fetcher reads one partition ahead of its reader. Reading is done by a pump, a
// goroutine that lives only while the reader comes back: it ends when enough is
// read ahead or nothing came.
type fetcher struct {
	client    *Client
	topic     string
	partition int32
	decoder   decoder

	// reading belongs to the reader: the chunks that its last result aliases,
	// and the records of several chunks as one slice.
	reading []*chunk
	merged  []task.Record

	mu sync.Mutex
	// handed is the offset at which the queue begins, next the one at which the
	// pump goes on.
	handed, next int64
	queue        []*chunk
	queuedBytes  int
	queuedAt     time.Time
	err          error
	used         time.Time
	waiting      bool
	// run numbers the pumps, so that one that was overtaken knows; cancel ends
	// the current one, and is nil where there is none.
	run    int
	cancel context.CancelFunc
	// wake tells the reader that something changed.
	wake chan struct{}
}

func newFetcher(c *Client, topic string, partition int32) *fetcher {
	return &fetcher{client: c, topic: topic, partition: partition, wake: make(chan struct{}, 1)}
}

// fetch returns what there is from offset on, and nothing after having waited a
// little. The result is good until the next call. It is not for two goroutines.
func (f *fetcher) fetch(ctx context.Context, offset int64) (task.Fetched, error) {
	f.giveBack()
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	f.used = now
	if offset != f.handed || len(f.queue) > 0 && now.Sub(f.queuedAt) > freshFor || f.err != nil {
		f.restart(offset)
	}
	if len(f.queue) > 0 && len(f.queue[0].records) == 0 && f.queue[len(f.queue)-1].next == offset {
		f.drop() // the end of an earlier wait
	}
	f.waiting = true
	defer func() { f.waiting = false }()
	for {
		if len(f.queue) > 0 {
			return f.take(), nil
		}
		if f.err != nil {
			err := f.err
			f.err = nil
			return task.Fetched{}, failure(readKind(err), err, "fetch of topic %s partition %d offset %d", f.topic, f.partition, offset)
		}
		if f.cancel == nil {
			f.start()
		}
		f.mu.Unlock()
		select {
		case <-f.wake:
			f.mu.Lock()
		case <-ctx.Done():
			f.mu.Lock()
			return task.Fetched{}, failure(task.KindRetry, ctx.Err(), "fetch of topic %s partition %d offset %d", f.topic, f.partition, offset)
		}
	}
}

// giveBack lets the memory of the last result be used again.
func (f *fetcher) giveBack() {
	for _, c := range f.reading {
		f.client.chunks.Put(c)
	}
	f.reading = f.reading[:0]
	clear(f.merged)
	f.merged = f.merged[:0]
}

// restart forgets what was read ahead and goes on at offset.
func (f *fetcher) restart(offset int64) {
	f.drop()
	f.err = nil
	f.handed, f.next = offset, offset
	f.stop()
}

// drop empties the queue.
func (f *fetcher) drop() {
	for _, c := range f.queue {
		f.client.chunks.Put(c)
	}
	f.queue, f.queuedBytes = f.queue[:0], 0
}

// stop ends the pump; what it has under way is thrown away.
func (f *fetcher) stop() {
	if f.cancel != nil {
		f.cancel()
		f.cancel = nil
	}
	f.run++
}

// take hands out the whole queue, and has the pump read on.
func (f *fetcher) take() task.Fetched {
	last := f.queue[len(f.queue)-1]
	got := task.Fetched{
		NextOffset: last.next, LogStart: last.logStart, HighWatermark: last.highWatermark,
		Records: f.queue[0].records,
	}
	if len(f.queue) > 1 {
		for _, c := range f.queue {
			f.merged = append(f.merged, c.records...)
		}
		got.Records = f.merged
	}
	f.reading = append(f.reading, f.queue...)
	f.queue, f.queuedBytes = f.queue[:0], 0
	f.handed = got.NextOffset
	if f.cancel == nil && len(got.Records) > 0 {
		f.start()
	}
	return got
}

// close ends reading ahead and gives all memory back.
func (f *fetcher) close() {
	f.giveBack()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.drop()
	f.stop()
}

func (f *fetcher) start() {
	ctx, cancel := context.WithCancel(f.client.lifetime)
	f.cancel = cancel
	f.run++
	run, offset := f.run, f.next
	f.client.running.Go(func() {
		defer cancel()
		f.pump(ctx, run, offset)
	})
}

// pump reads until enough waits, nothing came, or something is wrong.
func (f *fetcher) pump(ctx context.Context, run int, offset int64) {
	for {
		c, err := f.read(ctx, offset)
		f.mu.Lock()
		if run != f.run {
			f.mu.Unlock()
			if c != nil {
				f.client.chunks.Put(c)
			}
			return
		}
		goOn := f.put(c, err)
		if !goOn {
			f.cancel = nil
		}
		offset = f.next // c may be the reader's from here on
		f.mu.Unlock()
		select {
		case f.wake <- struct{}{}:
		default:
		}
		if !goOn {
			return
		}
	}
}

// put queues an answer and says whether to read on.
func (f *fetcher) put(c *chunk, err error) bool {
	switch {
	case err != nil:
		f.err = err
		return false
	case len(c.records) == 0 && c.next == f.next && !f.waiting:
		f.client.chunks.Put(c) // nothing came, and nobody waits to hear it
		return false
	}
	came := c.next > f.next
	f.queue = append(f.queue, c)
	f.queuedBytes += len(c.raw) + c.inflated
	f.queuedAt = time.Now()
	f.next = c.next
	return came && f.queuedBytes < f.client.config.PrefetchBytes && time.Since(f.used) < freshFor
}

// read does one fetch, trying again for a while.
func (f *fetcher) read(ctx context.Context, offset int64) (*chunk, error) {
	var c *chunk
	corrupt := 0
	err := f.client.retry(ctx, f.client.config.RetryFor, func(ctx context.Context) error {
		var err error
		c, err = f.client.fetchOnce(ctx, f, offset)
		if errors.Is(err, ErrCorrupt) {
			if corrupt++; corrupt < corruptTries {
				return err
			}
			return errors.Join(err, kafka.InvalidRecord) // meansStop
		}
		return err
	})
	return c, err
}

// fetchOnce sends one fetch. A chunk of a request that failed is not used
// again: the connection may still be writing to it.
func (c *Client) fetchOnce(ctx context.Context, f *fetcher, offset int64) (*chunk, error) {
	into := c.chunks.Get().(*chunk)
	into.reset()
	wait := c.config.FetchWait
	began := time.Now()
	message, err := c.roundTrip(ctx, &fetchRequest{
		clientID: c.config.ClientID, topic: f.topic, partition: f.partition, offset: offset,
		waitMs: int32(wait.Milliseconds()), maxBytes: int32(c.config.FetchBytes), into: into,
	}, wait+c.config.RequestTimeout)
	if err == nil {
		if code := message.(*fetchResponse).code; code != 0 {
			err = code
		}
	}
	if err != nil {
		c.meters.fetchFailed(ctx, f.topic, err)
		return nil, err
	}
	response := message.(*fetchResponse)
	if err := f.decoder.decode(into, response.set, offset, response.aborted); err != nil {
		c.meters.fetchFailed(ctx, f.topic, err)
		return nil, err
	}
	if into.next == offset && len(response.set) > 0 {
		c.meters.fetchFailed(ctx, f.topic, ErrCorrupt)
		return nil, errNoWholeBatch
	}
	into.logStart, into.highWatermark = response.logStart, response.highWatermark
	c.meters.fetched(ctx, f.topic, len(into.records), len(into.raw), time.Since(began))
	return into, nil
}
