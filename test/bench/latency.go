package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"google.golang.org/protobuf/proto"

	"github.com/perennial-cltv/perennial/pkg/cltv"
	"github.com/perennial-cltv/perennial/pkg/stream"
	"github.com/perennial-cltv/perennial/pkg/task"
	"github.com/perennial-cltv/perennial/pkg/wire"
	perennialv1 "github.com/perennial-cltv/perennial/proto/perennial/v1"
)

// Latency is how long after the moment at which an event was to be sent a
// consumer of cltv.updates.v1 had read the update that contains it,
// milliseconds. An event that is sent late, because something held the sender
// up, counts from when it should have been sent.
type Latency struct {
	EventsPerSecond int     `json:"events_per_second"`
	Events          int     `json:"events"`
	WarmUp          int     `json:"warm_up_events"`
	Customers       int     `json:"customers"`
	P50             float64 `json:"p50_ms"`
	P90             float64 `json:"p90_ms"`
	P99             float64 `json:"p99_ms"`
	P999            float64 `json:"p999_ms"`
	Max             float64 `json:"max_ms"`
	// Used is what the load took, CPU-seconds per million events.
	Used Usage `json:"used"`
}

// load is an open loop of events, number i to be sent at begin + i/rate.
//
// Which events an update contains is told by its version: every event of the
// workload changes its customer, so version v contains the customer's first v.
type load struct {
	begin     time.Time
	rate      int
	warmUp    int
	customers []int32
	// of lists the events of a customer, base is the customer's version before.
	of   map[int32][]int32
	base []int32
	// seen is how many of a customer's events were seen in updates, written by the
	// consumer of the customer's partition alone.
	seen []int32
	left atomic.Int64
	done chan struct{} // closed when none is left
}

func newLoad(w *workload, rate int, warmUp, duration time.Duration) *load {
	n := int(float64(rate) * (warmUp + duration).Seconds())
	l := &load{
		rate: rate, warmUp: int(float64(rate) * warmUp.Seconds()), customers: make([]int32, n),
		of: map[int32][]int32{}, base: make([]int32, w.customers), seen: make([]int32, w.customers), done: make(chan struct{}),
	}
	for i := range l.customers {
		customer := int32(w.customer())
		l.customers[i] = customer
		l.of[customer] = append(l.of[customer], int32(i))
	}
	for customer := range l.base {
		l.base[customer] = w.known[customer].events
	}
	l.left.Store(int64(n))
	return l
}

// intended is when an event is to be sent.
func (l *load) intended(i int) time.Time {
	return l.begin.Add(time.Duration(i) * time.Second / time.Duration(l.rate))
}

// latency runs the load on top of what the drain left.
func (s *stack) latency(o *options, w *workload) (*Latency, error) {
	l := newLoad(w, o.rate, o.latencyWarmUp, o.latencyFor)
	ctx, cancel := context.WithTimeout(s.host.ctx, o.latencyWarmUp+o.latencyFor+time.Minute)
	defer cancel()
	topic := s.client.Config().Topics.Updates
	marks, err := s.client.Watermarks(ctx, topic)
	if err != nil {
		return nil, err
	}
	consuming, stop := context.WithCancel(ctx)
	defer stop()
	histograms := make([]*hdrhistogram.Histogram, len(marks))
	failed := make(chan error, len(marks)+1)
	var consumers sync.WaitGroup
	l.begin = time.Now().Add(200 * time.Millisecond)
	for i, mark := range marks {
		histograms[i] = hdrhistogram.New(1, int64(time.Minute/time.Microsecond), 3)
		consumers.Go(func() {
			err := l.consume(consuming, s.client, mark, histograms[i])
			if consuming.Err() == nil {
				failed <- err
			}
		})
	}
	before, err := s.read(0)
	if err != nil {
		return nil, err
	}
	if err := l.send(ctx, s.client, w); err != nil {
		return nil, err
	}
	if err := l.await(ctx, failed); err != nil {
		return nil, err
	}
	after, err := s.read(int64(len(l.customers)))
	if err != nil {
		return nil, err
	}
	stop()
	consumers.Wait()
	for _, h := range histograms[1:] {
		histograms[0].Merge(h)
	}
	return l.result(histograms[0], w.customers, usage(before, after)), s.noneRefused()
}

// await returns when every event was seen in an update.
func (l *load) await(ctx context.Context, failed <-chan error) error {
	select {
	case <-l.done:
		return nil
	case err := <-failed:
		return err
	case <-ctx.Done():
		return fmt.Errorf("waiting for the updates of %d events: %w", l.left.Load(), ctx.Err())
	}
}

func (l *load) result(h *hdrhistogram.Histogram, customers int, used Usage) *Latency {
	ms := func(quantile float64) float64 { return float64(h.ValueAtQuantile(quantile)) / 1000 }
	return &Latency{
		EventsPerSecond: l.rate, Events: int(h.TotalCount()), WarmUp: l.warmUp, Customers: customers,
		P50: ms(50), P90: ms(90), P99: ms(99), P999: ms(99.9), Max: float64(h.Max()) / 1000, Used: used,
	}
}

// send sends each event when its time has come, whatever became of those before.
func (l *load) send(ctx context.Context, client *stream.Client, w *workload) error {
	producer := client.NewProducer()
	defer closeProducer(producer)
	topic := client.Config().Topics.Events
	var sends sync.WaitGroup
	var mu sync.Mutex
	var failure error
	for next := 0; next < len(l.customers); {
		time.Sleep(time.Until(l.intended(next)))
		var messages []stream.Message
		for now := time.Now(); next < len(l.customers) && !l.intended(next).After(now); next++ {
			messages = append(messages, l.message(w, next, now))
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		sends.Go(func() {
			if err := producer.Send(ctx, topic, messages); err != nil {
				mu.Lock()
				failure = errors.Join(failure, err)
				mu.Unlock()
			}
		})
	}
	sends.Wait()
	return failure
}

func (l *load) message(w *workload, i int, now time.Time) stream.Message {
	var ev cltv.Event
	w.event(&ev, int(l.customers[i]), now)
	ev.RecordedAt = now.UnixMilli()
	return stream.Message{Key: []byte(ev.Tenant + "/" + ev.Customer), Value: wire.AppendEvent(nil, &ev)}
}

// consume reads the updates of a partition from its present end on, until ctx
// ends or something fails.
func (l *load) consume(ctx context.Context, client *stream.Client, mark stream.Watermark, h *hdrhistogram.Histogram) error {
	var update perennialv1.CltvUpdate
	for offset := mark.End; ; {
		fetched, err := client.Fetch(ctx, task.Updates, mark.Partition, offset)
		if err != nil {
			return err
		}
		now := time.Now()
		for i := range fetched.Records {
			if err := proto.Unmarshal(fetched.Records[i].Value, &update); err != nil {
				return err
			}
			if err := l.saw(&update, now, h); err != nil {
				return err
			}
		}
		offset = fetched.NextOffset
	}
}

// saw notes an update.
func (l *load) saw(update *perennialv1.CltvUpdate, now time.Time, h *hdrhistogram.Histogram) error {
	customer, err := customerNumber(update.GetCustomer())
	if err != nil {
		return err
	}
	events := l.of[customer]
	contained := int32(update.GetVersion()) - l.base[customer]
	if contained > int32(len(events)) {
		return fmt.Errorf("customer %s has version %d, and %d events make at most %d",
			update.GetCustomer(), update.GetVersion(), len(events), int(l.base[customer])+len(events))
	}
	for ; l.seen[customer] < contained; l.seen[customer]++ {
		i := int(events[l.seen[customer]])
		if i >= l.warmUp {
			if err := h.RecordValue(max(1, now.Sub(l.intended(i)).Microseconds())); err != nil {
				return err
			}
		}
		if l.left.Add(-1) == 0 {
			close(l.done)
		}
	}
	return nil
}
