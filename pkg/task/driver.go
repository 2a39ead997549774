package task

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Env is the world of a task.
type Env struct {
	Log Log
	// Connect takes a new connection to the task's Redis process. Its error is an
	// *Error, as the Store's.
	Connect func(ctx context.Context) (Store, error)
	// CommitOffset tells Kafka's group how far the task is; nil: nobody does. It
	// may fail: Redis's offset is the one that counts.
	CommitOffset func(ctx context.Context, partition int32, offset int64)
	// Observer learns how the task fares; nil: nobody does.
	Observer Observer
}

// Observer learns how a task fares. Its methods are called from Run's goroutine
// and must return soon.
type Observer interface {
	// Batch is told of each committed batch, and when the commit was answered.
	Batch(partition int32, r BatchReport, committed time.Time)
	// Stats is told of each step that isn't part of a batch, and of each second.
	Stats(s Stats)
}

// stopAfter is how long a batch that is under way may go on after Run's context
// ended.
const stopAfter = time.Second

// Run owns the task for as long as ctx lives: from the assignment of the
// partition to its withdrawal. It returns within about a second after; a batch
// under way may finish until then, and is given up otherwise. The machine may be
// run again later, and keeps its cache if nobody else owned the task meanwhile.
//
// Run returns only when ctx ends: whatever fails is tried again, because an
// assignment must not be held by somebody who stands still.
func Run(ctx context.Context, m *Machine, env *Env) {
	steps, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	context.AfterFunc(ctx, func() { time.AfterFunc(stopAfter, stop) })

	d := &driver{ctx: ctx, env: env, clock: newClock()}
	defer d.close()
	m.Begin(d.clock.now())
	var last Stats
	var toldAt int64
	for ctx.Err() == nil || m.midway() {
		a := m.Next(d.clock.now())
		do := a.Do
		reply := d.do(steps, a)
		if ctx.Err() != nil && (do == Sleep || do == Fetch || steps.Err() != nil) {
			break // given up: the outcome of the step is not looked at
		}
		batches := m.stats.Batches
		now := d.clock.now()
		m.Done(now, &reply)
		if env.Observer == nil {
			continue
		}
		if m.stats.Batches != batches {
			env.Observer.Batch(m.config.Partition, m.stats.lastReport, time.UnixMilli(now))
		}
		if s := m.Stats(); s.Ready != last.Ready || s.Stopped != last.Stopped || s.Reason != last.Reason || now-toldAt >= 1000 {
			env.Observer.Stats(s)
			last, toldAt = s, now
		}
	}
	if env.Observer != nil {
		s := m.Stats()
		s.Ready, s.Stopped, s.Phase, s.Reason = false, false, "left", ""
		env.Observer.Stats(s)
	}
}

// driver carries out actions.
type driver struct {
	ctx   context.Context // of the assignment
	env   *Env
	store Store
	clock *clock
}

var errNoStore = &Error{Kind: KindConnection, Op: "store", Err: errors.New("not connected")}

// do carries out one action. steps ends a little after the assignment.
func (d *driver) do(steps context.Context, a *Action) (r Reply) {
	switch a.Do {
	case Sleep:
		d.sleep(time.Duration(a.Until-d.clock.now()) * time.Millisecond)
	case Connect:
		d.close()
		d.store, r.Err = d.env.Connect(steps)
	case InitProducer:
		r.Token, r.Err = d.env.Log.InitProducer(steps, a.Partition)
	case Fetch:
		// Ends with the assignment: nothing is lost by not waiting for records.
		r.Fetched, r.Err = d.env.Log.Fetch(d.ctx, a.Topic, a.Partition, a.Offset)
	case ProduceAll:
		r.Errs = d.produce(steps, a.Produce)
	case Append:
		r.Err = d.env.Log.Append(steps, a.Partition, a.Timestamp, a.Records)
	case CommitOffset:
		if d.env.CommitOffset != nil {
			d.env.CommitOffset(steps, a.Partition, a.Offset)
		}
	default:
		if d.store == nil {
			return Reply{Err: errNoStore}
		}
		return Ask(steps, d.store, a)
	}
	return r
}

// Ask carries out an action of the store.
func Ask(ctx context.Context, s Store, a *Action) (r Reply) {
	switch a.Do {
	case Check:
		r.Err = s.Check(ctx)
	case Read:
		r.Stored, r.Err = s.Read(ctx)
	case Open:
		r.Opened, r.Err = s.Open(ctx, a.Open)
	case AwaitReplicas:
		r.Err = s.AwaitReplicas(ctx)
	case ReadContents:
		r.Contents, r.Err = s.Contents(ctx)
	case Load:
		r.Loaded, r.Err = s.Load(ctx, a.Keys)
	case CommitBatch:
		r.Verdict, r.Err = s.Commit(ctx, a.Commit)
	case ReadPosition:
		r.Position, r.Err = s.Position(ctx)
	case DueHead:
		r.Customers, r.Err = s.DueHead(ctx, a.Bucket, a.N)
	case DueTrim:
		r.Verdict, r.Err = s.DueTrim(ctx, a.Token, a.Opening, a.Bucket, a.N)
	case BeginRebuild:
		r.Verdict, r.Err = s.BeginRebuild(ctx, a.Token, a.Opening)
	case RebuildPut:
		r.Verdict, r.Err = s.RebuildPut(ctx, a.Commit)
	case FinishRebuild:
		r.Verdict, r.Err = s.FinishRebuild(ctx, a.Commit)
	default: // no action of the store
		r.Err = &Error{Kind: KindStop, Op: a.Do.String(), Err: errors.New("the store can't do that")}
	}
	return r
}

// produce sends numbered batches at the same time: they go to different
// partitions, and the batch waits for the slowest.
func (d *driver) produce(ctx context.Context, batches []Produce) []error {
	errs := make([]error, len(batches))
	var others sync.WaitGroup
	for i := 1; i < len(batches); i++ {
		others.Go(func() { errs[i] = d.env.Log.Produce(ctx, &batches[i]) })
	}
	errs[0] = d.env.Log.Produce(ctx, &batches[0])
	others.Wait()
	return errs
}

func (d *driver) sleep(t time.Duration) {
	timer := time.NewTimer(t)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-d.ctx.Done():
	}
}

func (d *driver) close() {
	if d.store != nil {
		_ = d.store.Close() // it is given up, whatever it says
		d.store = nil
	}
}

// clock gives Unix milliseconds that never go back, and go on where the wall
// clock is set back.
type clock struct {
	at   time.Time
	unix int64
}

func newClock() *clock {
	now := time.Now()
	return &clock{at: now, unix: now.UnixMilli()}
}

func (c *clock) now() int64 {
	t := time.Now()
	elapsed := t.Sub(c.at).Milliseconds()
	c.unix = max(c.unix+elapsed, t.UnixMilli())
	c.at = c.at.Add(time.Duration(elapsed) * time.Millisecond)
	return c.unix
}
