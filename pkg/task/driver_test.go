package task_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/perennial-cltv/perennial/pkg/cltv"
	"github.com/perennial-cltv/perennial/pkg/store"
	"github.com/perennial-cltv/perennial/pkg/task"
	"github.com/perennial-cltv/perennial/pkg/wire"
)

// waitingLog is a log whose fetch waits for records, as Kafka's does.
type waitingLog struct {
	mu       sync.Mutex
	topics   [task.NumTopics][]task.Record
	epoch    int16
	arrived  chan struct{}
	produced map[task.Topic]int
	// stuck makes Produce of updates wait for its context, and takes is how long
	// it takes else.
	stuck bool
	takes time.Duration
}

func newWaitingLog() *waitingLog {
	return &waitingLog{arrived: make(chan struct{}, 1000), produced: map[task.Topic]int{}}
}

func (l *waitingLog) InitProducer(context.Context, int32) (task.Token, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.epoch++
	return task.Token{ProducerID: 7, Epoch: l.epoch}, nil
}

func (l *waitingLog) Fetch(ctx context.Context, t task.Topic, _ int32, offset int64) (task.Fetched, error) {
	l.mu.Lock()
	records := l.topics[t]
	l.mu.Unlock()
	if int(offset) >= len(records) {
		select {
		case <-l.arrived:
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
			return task.Fetched{}, &task.Error{Kind: task.KindRetry, Op: "fetch", Err: ctx.Err()}
		}
		l.mu.Lock()
		records = l.topics[t]
		l.mu.Unlock()
	}
	return task.Fetched{Records: records[offset:], NextOffset: int64(len(records)), HighWatermark: int64(len(records))}, nil
}

func (l *waitingLog) Produce(ctx context.Context, p *task.Produce) error {
	l.mu.Lock()
	stuck := l.stuck && p.Topic == task.Updates
	l.mu.Unlock()
	if stuck {
		<-ctx.Done()
		return &task.Error{Kind: task.KindUnknown, Op: "produce", Err: ctx.Err()}
	}
	if p.Topic == task.Updates {
		time.Sleep(l.takes)
	}
	for _, out := range p.Records {
		l.put(p.Topic, p.Timestamp, out.Key, out.Value)
	}
	l.mu.Lock()
	l.produced[p.Topic] += len(p.Records)
	l.mu.Unlock()
	return nil
}

func (l *waitingLog) Append(_ context.Context, _ int32, timestamp int64, records []task.Out) error {
	for _, out := range records {
		l.put(task.Input, timestamp, out.Key, out.Value)
	}
	return nil
}

func (l *waitingLog) put(t task.Topic, timestamp int64, key, value []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.topics[t] = append(l.topics[t], task.Record{
		Offset: int64(len(l.topics[t])), Timestamp: timestamp,
		Key: append([]byte(nil), key...), Value: append([]byte(nil), value...),
	})
	if t == task.Input {
		l.arrived <- struct{}{}
	}
}

func (l *waitingLog) order(customer string, n int) {
	now := time.Now().UnixMilli()
	ev := cltv.Event{
		Tenant: "acme", Customer: customer, Source: "crm", SourceEventID: fmt.Sprint(n), Kind: cltv.KindOrder,
		OccurredAt: now, RecordedAt: now, Ref: fmt.Sprint("o", n), AmountMinor: 100, Currency: "USD",
	}
	l.put(task.Input, now, []byte("acme/"+customer), wire.AppendEvent(nil, &ev))
}

func (l *waitingLog) count(t task.Topic) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.produced[t]
}

// watcher keeps the last Stats.
type watcher struct {
	mu      sync.Mutex
	last    task.Stats
	batches int
	stopped bool
}

func (o *watcher) Batch(int32, task.BatchReport, time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.batches++
}

func (o *watcher) Stats(s task.Stats) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.last = s
	o.stopped = o.stopped || s.Stopped
}

func (o *watcher) stats() task.Stats {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.last
}

// running is a task in a bubble of virtual time.
type running struct {
	log     *waitingLog
	memory  *store.Memory
	machine *task.Machine
	seen    *watcher
	env     *task.Env
	stop    context.CancelFunc
	done    chan struct{}
}

func newRunning() *running {
	r := &running{log: newWaitingLog(), memory: store.NewMemory(1), seen: &watcher{}}
	r.machine = task.New(task.Config{Partitions: 1, CacheBytes: 1 << 20, Tables: new(cltv.Tables)})
	r.env = &task.Env{
		Log:      r.log,
		Connect:  func(ctx context.Context) (task.Store, error) { return r.memory.Connect(ctx, 0) },
		Observer: r.seen,
	}
	return r
}

func (r *running) run() {
	ctx, cancel := context.WithCancel(context.Background())
	r.stop, r.done = cancel, make(chan struct{})
	go func() {
		defer close(r.done)
		task.Run(ctx, r.machine, r.env)
	}()
}

func TestRunTakesInAndStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRunning()
		r.run()
		r.log.order("a", 1)
		r.log.order("b", 2)
		time.Sleep(5 * time.Second)
		if n := r.log.count(task.Updates); n != 2 {
			t.Errorf("%d updates, want 2", n)
		}
		if s := r.seen.stats(); !s.Ready || s.Applied < 2 || s.Lag != 0 || s.Reason != "" {
			t.Errorf("stats %+v", s)
		}
		asked := time.Now()
		r.stop()
		<-r.done
		if took := time.Since(asked); took != 0 {
			t.Errorf("an idle task took %v to stop", took)
		}
		if s := r.seen.stats(); s.Ready {
			t.Error("a task that was left is ready")
		}
	})
}

func TestRunGivesUpAStuckStep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRunning()
		r.log.stuck = true
		r.run()
		r.log.order("a", 1)
		time.Sleep(3 * time.Second)
		asked := time.Now()
		r.stop()
		<-r.done
		if took := time.Since(asked); took != time.Second {
			t.Errorf("took %v to give up, want a second", took)
		}
		r.log.mu.Lock()
		r.log.stuck = false
		r.log.mu.Unlock()
		r.run()
		time.Sleep(3 * time.Second)
		if n := r.log.count(task.Updates); n != 1 {
			t.Errorf("%d updates after it came back, want 1", n)
		}
		r.stop()
		<-r.done
	})
}

func TestRunKeepsTheCache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRunning()
		r.run()
		r.log.order("a", 1)
		time.Sleep(2 * time.Second)
		r.stop()
		<-r.done
		r.run()
		time.Sleep(2 * time.Second)
		if s := r.seen.stats(); s.KeptCaches != 1 || s.CacheStates == 0 {
			t.Errorf("the cache wasn't kept: %+v", s)
		}
		r.stop()
		<-r.done
	})
}

// TestRunFinishesItsBatch: a task that is withdrawn in the middle of a batch, as
// one under load mostly is, commits it and so keeps its cache.
func TestRunFinishesItsBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRunning()
		r.log.takes = 300 * time.Millisecond
		r.run()
		r.log.order("a", 1)
		time.Sleep(5 * time.Second)
		r.log.order("a", 2)
		time.Sleep(100 * time.Millisecond) // it is being produced
		asked := time.Now()
		r.stop()
		<-r.done
		if took := time.Since(asked); took != 200*time.Millisecond {
			t.Errorf("took %v to stop, and producing as long as 200ms", took)
		}
		r.run()
		time.Sleep(5 * time.Second)
		if s := r.seen.stats(); s.KeptCaches != 1 {
			t.Errorf("the cache wasn't kept: %+v", s)
		}
		if n := r.log.count(task.Updates); n != 2 {
			t.Errorf("%d updates, want 2: none was given up", n)
		}
		r.stop()
		<-r.done
	})
}

func TestRunWaitsForAnOperator(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRunning()
		r.memory.SetEvicting(true)
		r.run()
		r.log.order("a", 1)
		time.Sleep(5 * time.Second)
		if s := r.seen.stats(); !s.Stopped || s.Ready || s.Reason == "" {
			t.Errorf("stats %+v, want it stopped, and why", s)
		}
		r.memory.SetEvicting(false)
		time.Sleep(time.Minute)
		if s := r.seen.stats(); s.Stopped || !s.Ready || s.Applied == 0 {
			t.Errorf("stats %+v, want it to go on", s)
		}
		r.memory.SetFull(true)
		r.log.order("a", 2)
		time.Sleep(5 * time.Second)
		if s := r.seen.stats(); !s.Stopped {
			t.Errorf("stats %+v, want it stopped by a full Redis", s)
		}
		r.memory.SetFull(false)
		time.Sleep(time.Minute)
		if s := r.seen.stats(); s.Stopped || s.Lag != 0 {
			t.Errorf("stats %+v, want it to go on", s)
		}
		r.stop()
		<-r.done
	})
}

func TestRunSurvivesLostConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRunning()
		var refuse atomic.Bool
		refuse.Store(true)
		connect := r.env.Connect
		r.env.Connect = func(ctx context.Context) (task.Store, error) {
			if refuse.Load() {
				return nil, &task.Error{Kind: task.KindConnection, Op: "connect", Err: errors.New("refused")}
			}
			return connect(ctx)
		}
		r.run()
		r.log.order("a", 1)
		time.Sleep(20 * time.Second)
		if s := r.seen.stats(); s.Ready || s.Reason == "" {
			t.Errorf("stats %+v, want the reason", s)
		}
		refuse.Store(false)
		time.Sleep(20 * time.Second)
		if s := r.seen.stats(); !s.Ready || s.Applied == 0 {
			t.Errorf("stats %+v, want it to go on", s)
		}
		r.stop()
		<-r.done
	})
}
