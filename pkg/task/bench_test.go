package task_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"

	"github.com/perennial-cltv/perennial/pkg/cltv"
	"github.com/perennial-cltv/perennial/pkg/store"
	"github.com/perennial-cltv/perennial/pkg/task"
	"github.com/perennial-cltv/perennial/pkg/wire"
)

// memoryLog gives its records a fetch at a time, from the beginning again where
// they end, and swallows what is produced.
type memoryLog struct {
	records []task.Record
	end     int64
	perCall int
	states  []task.Record
}

func (l *memoryLog) InitProducer(context.Context, int32) (task.Token, error) {
	return task.Token{ProducerID: 1}, nil
}

func (l *memoryLog) Fetch(_ context.Context, t task.Topic, _ int32, offset int64) (task.Fetched, error) {
	if t == task.State {
		return task.Fetched{Records: l.states[offset:], NextOffset: int64(len(l.states)), HighWatermark: int64(len(l.states))}, nil
	}
	n := min(int64(l.perCall), l.end-offset, int64(len(l.records))-offset%int64(len(l.records)))
	f := task.Fetched{NextOffset: offset + n, HighWatermark: l.end}
	if n <= 0 {
		return f, nil
	}
	at := offset % int64(len(l.records))
	f.Records = l.records[at : at+n]
	for i := range f.Records {
		f.Records[i].Offset = offset + int64(i)
	}
	return f, nil
}

func (l *memoryLog) Produce(_ context.Context, p *task.Produce) error {
	if p.Topic == task.State {
		for _, out := range p.Records {
			l.states = append(l.states, task.Record{Offset: int64(len(l.states)), Key: out.Key, Value: append([]byte(nil), out.Value...)})
		}
	}
	return nil
}

func (l *memoryLog) Append(context.Context, int32, int64, []task.Out) error { return nil }

// bench runs b.N records of calls and orders through a machine.
func bench(b *testing.B, customers int, zipf bool) {
	rng := rand.New(rand.NewPCG(1, 2))
	distribution := rand.NewZipf(rng, 1.2, 8, uint64(customers-1))
	const n = 1 << 18 // half of them warm the cache; a run takes at most the rest as news
	l := &memoryLog{perCall: 2000}
	now := int64(1_700_000_000_000)
	for i := range n {
		c := rng.IntN(customers)
		if zipf {
			c = int(distribution.Uint64())
		}
		ev := cltv.Event{
			Tenant: "acme", Customer: fmt.Sprintf("customer-%07d", c), Source: "vicidial", SourceEventID: fmt.Sprint("call-", i),
			OccurredAt: now - rng.Int64N(300*86_400_000), RecordedAt: now, Kind: cltv.KindCall, Code: 2, Number: 120, Number2: 15,
			Touch: cltv.Touch{Campaign: fmt.Sprint("c", i%20), Agent: fmt.Sprint("a", i%200)},
		}
		if i%4 == 0 {
			ev.Kind, ev.Code, ev.Number, ev.Number2 = cltv.KindOrder, 0, 0, 0
			ev.Ref, ev.AmountMinor, ev.Currency = fmt.Sprint("o-", i), 4900, "USD"
		}
		l.records = append(l.records, task.Record{
			Timestamp: now, Key: []byte("acme/" + ev.Customer), Value: wire.AppendEvent(nil, &ev),
		})
	}
	memory := store.NewMemory(1)
	m := task.New(task.Config{Partitions: 1, CacheBytes: 256 << 20, Tables: new(cltv.Tables)})
	env := &world{log: l, memory: memory, b: b}
	m.Begin(now)
	l.end = n / 2
	env.run(m, now, l.end) // warm: every customer is known
	b.ReportAllocs()
	b.ResetTimer()
	before := cpuTime(b)
	l.end += int64(b.N)
	env.run(m, now, l.end)
	b.ReportMetric(float64(cpuTime(b)-before)/float64(b.N), "cpu-ns/op")
}

// cpuTime is what the process has used of its processors, nanoseconds: unlike
// the time on the wall it doesn't depend on who else is running.
func cpuTime(b *testing.B) int64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return usage.Utime.Nano() + usage.Stime.Nano()
}

// world carries out actions until the machine stands at an offset.
type world struct {
	log    *memoryLog
	memory *store.Memory
	store  task.Store
	b      *testing.B
}

func (w *world) run(m *task.Machine, now, to int64) {
	ctx := context.Background()
	var errs [task.NumTopics]error
	for m.Stats().NextOffset < to {
		a := m.Next(now)
		var r task.Reply
		switch a.Do {
		case task.Sleep:
			w.b.Fatalf("sleeps: %+v", m.Stats())
		case task.Connect:
			w.store, r.Err = w.memory.Connect(ctx, 0)
		case task.InitProducer:
			r.Token, r.Err = w.log.InitProducer(ctx, 0)
		case task.Fetch:
			r.Fetched, r.Err = w.log.Fetch(ctx, a.Topic, 0, a.Offset)
		case task.ProduceAll:
			for i := range a.Produce {
				errs[i] = w.log.Produce(ctx, &a.Produce[i])
			}
			r.Errs = errs[:len(a.Produce)]
		case task.Append, task.CommitOffset:
		default:
			r = task.Ask(ctx, w.store, a)
		}
		m.Done(now, &r)
	}
}

// BenchmarkMachine is the machine with decoding, fold, scoring and encoding, but
// without Kafka's and Redis's clients.
func BenchmarkMachine(b *testing.B) {
	b.Run("uniform", func(b *testing.B) { bench(b, 50_000, false) })
	b.Run("zipf", func(b *testing.B) { bench(b, 50_000, true) })
}
