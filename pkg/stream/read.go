package stream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/perennial-cltv/perennial/pkg/task"
)

// Span is a stretch of a partition: offsets from From to before To. A negative
// From means the first there is, a negative To the end as it was when the
// reading began.
type Span struct {
	Partition int32
	From, To  int64
}

// Read calls do for the records of spans, one span after the other, each in the
// order of offsets. Without spans it reads the whole topic as it was when Read
// began. The record is good until do returns. An error of do ends Read and is
// its result.
func (c *Client) Read(ctx context.Context, topic string, spans []Span, do func(partition int32, r *task.Record) error) error {
	marks, err := c.Watermarks(ctx, topic)
	if err != nil {
		return err
	}
	if len(spans) == 0 {
		for _, m := range marks {
			spans = append(spans, Span{Partition: m.Partition, From: -1, To: -1})
		}
	}
	for _, s := range spans {
		if s.Partition < 0 || int(s.Partition) >= len(marks) {
			return fmt.Errorf("topic %s has no partition %d", topic, s.Partition)
		}
		m := marks[s.Partition]
		if s.From < m.Start {
			s.From = m.Start
		}
		if s.To < 0 || s.To > m.End {
			s.To = m.End
		}
		if err := c.readSpan(ctx, topic, s, do); err != nil {
			return err
		}
	}
	return nil
}

func (c *Client) readSpan(ctx context.Context, topic string, s Span, do func(partition int32, r *task.Record) error) error {
	f := newFetcher(c, topic, s.Partition)
	defer f.close()
	for offset := s.From; offset < s.To; {
		got, err := c.patiently(ctx, f, offset)
		if err != nil {
			return err
		}
		for i := range got.Records {
			if got.Records[i].Offset >= s.To {
				return nil
			}
			if err := do(s.Partition, &got.Records[i]); err != nil {
				return err
			}
		}
		offset = got.NextOffset
	}
	return nil
}

// patiently fetches, trying again until ctx ends or Kafka refuses for good.
func (c *Client) patiently(ctx context.Context, f *fetcher, offset int64) (task.Fetched, error) {
	for {
		got, err := f.fetch(ctx, offset)
		if err == nil || ctx.Err() != nil || kindOf(err) != task.KindRetry {
			return got, err
		}
		pause(ctx, c.config.MetadataTTL)
	}
}

// TailOptions say where Tail begins.
type TailOptions struct {
	// Last is how many records of each partition to show first; negative for
	// all there are.
	Last int64
	// Partitions to follow; none means all.
	Partitions []int32
}

// Tail calls do, from one goroutine at a time, for the records of topics as
// they come, until ctx ends or do returns an error, which is its result. It is
// no member of a group. The order is kept within a partition only. The record
// is good until do returns.
func (c *Client) Tail(ctx context.Context, topics []string, o TailOptions, do func(topic string, partition int32, r *task.Record) error) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var one sync.Mutex
	var following sync.WaitGroup
	for _, topic := range topics {
		marks, err := c.Watermarks(ctx, topic)
		if err != nil {
			stop(err)
			break
		}
		for _, m := range marks {
			if len(o.Partitions) > 0 && !slices.Contains(o.Partitions, m.Partition) {
				continue
			}
			from := m.Start
			if o.Last >= 0 {
				from = max(m.Start, m.End-o.Last)
			}
			following.Go(func() {
				stop(c.follow(ctx, topic, m.Partition, from, func(r *task.Record) error {
					one.Lock()
					defer one.Unlock()
					if ctx.Err() != nil {
						return ctx.Err()
					}
					return do(topic, m.Partition, r)
				}))
			})
		}
	}
	following.Wait()
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}

// follow never returns nil.
func (c *Client) follow(ctx context.Context, topic string, partition int32, offset int64, do func(r *task.Record) error) error {
	f := newFetcher(c, topic, partition)
	defer f.close()
	for {
		got, err := c.patiently(ctx, f, offset)
		if err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return err
		}
		for i := range got.Records {
			if err := do(&got.Records[i]); err != nil {
				return err
			}
		}
		offset = got.NextOffset
	}
}
