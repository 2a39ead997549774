package main

import (
	"bytes"
	"context"
	"os"
	"testing"
	"time"

	"github.com/perennial-cltv/perennial/pkg/cltv"
	"github.com/perennial-cltv/perennial/pkg/store"
	"github.com/perennial-cltv/perennial/pkg/task"
	"github.com/perennial-cltv/perennial/pkg/wire"
	"github.com/perennial-cltv/perennial/services/control"
)

// BenchmarkMachine is one of four tasks of the drains, without Kafka and Redis:
// decoding, loading, folding, scoring and encoding. Its states lie in the
// in-memory store. The parts of a drain are these and the two clients.
func BenchmarkMachine(b *testing.B) {
	for _, c := range []struct {
		name      string
		customers int
		skew      float64
		span      time.Duration
	}{
		{"uniform", 250_000, 0, 300 * 24 * time.Hour},
		{"zipf", 25_000, zipfExponent, 300 * 24 * time.Hour},
		{"uniform-10m", 250_000, 0, 10 * time.Minute},
		{"zipf-10m", 25_000, zipfExponent, 10 * time.Minute},
	} {
		b.Run(c.name, func(b *testing.B) {
			const warm = 250_000
			l := &machineLog{}
			w := newWorkload(1, c.customers, warm+b.N, c.skew, c.span, time.Now())
			l.fill(b, w, warm+b.N)
			m := task.New(task.Config{Partitions: 1, CacheBytes: 40 << 20, Tables: new(cltv.Tables)})
			memory, now := store.NewMemory(1), time.Now().UnixMilli()
			m.Begin(now)
			l.run(b, m, memory, now, warm)
			b.ReportAllocs()
			b.ResetTimer()
			before := processCPU(b)
			l.run(b, m, memory, now, len(l.records))
			b.ReportMetric(float64(processCPU(b)-before)/float64(b.N), "cpu-ns/op")
			b.ReportMetric(float64(l.updates)/float64(len(l.records)), "updates/op")
			b.ReportMetric(float64(l.churn)/float64(len(l.records)), "churn/op")
			if l.dead != 0 {
				b.Fatalf("%d records were refused", l.dead)
			}
		})
	}
}

// processCPU is what this process has used, nanoseconds.
func processCPU(b *testing.B) int64 {
	used, err := cpuOf(os.Getpid())
	if err != nil {
		b.Fatal(err)
	}
	return used.Nanoseconds()
}

// machineLog is a log that ends where run says, and counts what is produced.
type machineLog struct {
	records              []task.Record
	states               []task.Record
	updates, churn, dead int
	connection           task.Store
}

func (l *machineLog) fill(b *testing.B, w *workload, count int) {
	add := func(key, value []byte) {
		l.records = append(l.records, task.Record{
			Offset: int64(len(l.records)), Timestamp: time.Now().UnixMilli(), Key: key, Value: value,
		})
	}
	for _, e := range parameters(w.begin) {
		message, err := control.Message(e)
		if err != nil {
			b.Fatal(err)
		}
		add(message.Key, message.Value)
	}
	var ev cltv.Event
	for range count {
		w.next(&ev)
		add([]byte(ev.Tenant+"/"+ev.Customer), wire.AppendEvent(nil, &ev))
	}
}

func (l *machineLog) run(b *testing.B, m *task.Machine, memory *store.Memory, now int64, to int) {
	ctx := context.Background()
	var errs [task.NumTopics]error
	for m.Stats().NextOffset < int64(to) {
		a := m.Next(now)
		var r task.Reply
		switch a.Do {
		case task.Sleep:
			b.Fatalf("sleeps: %+v", m.Stats())
		case task.Connect:
			l.connection, r.Err = memory.Connect(ctx, 0)
		case task.InitProducer:
			r.Token = task.Token{ProducerID: 1}
		case task.Fetch:
			r.Fetched = l.fetch(a.Topic, a.Offset, to)
		case task.ProduceAll:
			for i := range a.Produce {
				l.produce(&a.Produce[i])
			}
			r.Errs = errs[:len(a.Produce)]
		case task.Append, task.CommitOffset:
		default:
			r = task.Ask(ctx, l.connection, a)
		}
		m.Done(now, &r)
	}
}

func (l *machineLog) fetch(t task.Topic, offset int64, to int) task.Fetched {
	log := l.records[:to]
	if t == task.State {
		log = l.states
	}
	end := min(int(offset)+4000, len(log))
	return task.Fetched{Records: log[offset:end], NextOffset: int64(end), HighWatermark: int64(len(log))}
}

func (l *machineLog) produce(p *task.Produce) {
	switch p.Topic {
	case task.State:
		for _, out := range p.Records {
			l.states = append(l.states, task.Record{Offset: int64(len(l.states)), Key: bytes.Clone(out.Key), Value: bytes.Clone(out.Value)})
		}
	case task.Updates:
		l.updates += len(p.Records)
	case task.Churn:
		l.churn += len(p.Records)
	case task.DeadLetters:
		l.dead += len(p.Records)
	default:
	}
}
