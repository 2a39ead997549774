package store_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/perennial-cltv/perennial/pkg/store"
	"github.com/perennial-cltv/perennial/pkg/store/redistest"
	"github.com/perennial-cltv/perennial/pkg/task"
)

// The benchmarks report processor time per state, of the client (this process) and
// of the server, for batches of 500 of a million customers in 64 tasks.
const (
	benchCustomers  = 1_000_000
	benchPartitions = 64
	benchBatch      = 500
)

// benchTasks is a filled server and an owner of each task.
type benchTasks struct {
	server  *redistest.Server
	stores  []*store.Redis
	commits []*task.Commit
	keys    [][]string
	random  *rand.Rand
}

func newBenchTasks(b *testing.B) *benchTasks {
	f := &benchTasks{server: redistest.Start(b), random: rand.New(rand.NewPCG(1, 2))}
	before := f.server.UsedMemory()
	for p := range int32(benchPartitions) {
		s, err := store.Connect(t0, f.server.Config(), p, benchPartitions)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = s.Close() })
		token := task.Token{ProducerID: 1}
		if _, err := s.Open(t0, task.OpenRequest{Token: token, FoldVersion: 1, Partitions: benchPartitions}); err != nil {
			b.Fatal(err)
		}
		c := &task.Commit{Token: token, Opening: 1, CheckpointOffset: -1}
		if _, err := s.FinishRebuild(t0, c); err != nil {
			b.Fatal(err)
		}
		f.stores, f.commits, f.keys = append(f.stores, s), append(f.commits, c), append(f.keys, nil)
		for i := int(p); i < benchCustomers; i += benchPartitions {
			f.keys[p] = append(f.keys[p], fmt.Sprintf("acme/cust-%07d", i))
		}
		for from := 0; from < len(f.keys[p]); from += benchBatch {
			c.States = c.States[:0]
			for _, key := range f.keys[p][from:min(from+benchBatch, len(f.keys[p]))] {
				c.States = append(c.States, task.StateWrite{Key: key, Value: make([]byte, 150)})
			}
			f.commit(b, p)
		}
	}
	b.ReportMetric(float64(f.server.UsedMemory()-before)/benchCustomers, "B/customer")
	return f
}

// commit commits what is in the task's commit.
func (f *benchTasks) commit(b *testing.B, p int32) {
	c := f.commits[p]
	c.To = c.From + int64(len(c.States))
	v, err := f.stores[p].Commit(t0, c)
	if err != nil || v != task.OK {
		b.Fatalf("verdict %d, %v", v, err)
	}
	c.Batch++
	c.From = c.To
}

// measure runs f and reports processor time per state.
func (f *benchTasks) measure(b *testing.B, run func(p int32)) {
	runtime.GC()
	server, client := f.server.CPU(), ownCPU(b)
	b.ResetTimer()
	for range b.N {
		run(f.random.Int32N(benchPartitions))
	}
	b.StopTimer()
	states := float64(b.N) * benchBatch
	b.ReportMetric(float64((f.server.CPU()-server).Nanoseconds())/states/1000, "server-µs/state")
	b.ReportMetric(float64((ownCPU(b)-client).Nanoseconds())/states/1000, "client-µs/state")
}

func ownCPU(b *testing.B) time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// pick chooses customers of a task.
func (f *benchTasks) pick(p int32) string { return f.keys[p][f.random.IntN(len(f.keys[p]))] }

func BenchmarkCommit(b *testing.B) {
	f := newBenchTasks(b)
	value := make([]byte, 150)
	states := func(p int32) {
		c := f.commits[p]
		c.States = c.States[:0]
		for range benchBatch {
			c.States = append(c.States, task.StateWrite{Key: f.pick(p), Value: value})
		}
	}
	b.Run("states", func(b *testing.B) {
		f.measure(b, func(p int32) { states(p); f.commit(b, p) })
	})
	// What a real batch changes beside the states: 60 vectors of sums in 11
	// dimensions, a clock, and due entries of a fifth of the customers on 7 days.
	sums := make([]task.SumWrite, 0, 60)
	for i := range 60 {
		sums = append(sums, task.SumWrite{Tenant: "acme", Dimension: fmt.Sprintf("d%02d", i*11/60), ID: fmt.Sprint("id-", i), Value: make([]byte, 60)})
	}
	b.Run("everything", func(b *testing.B) {
		f.measure(b, func(p int32) {
			states(p)
			c := f.commits[p]
			c.Sums, c.Clocks, c.Due = sums, []task.ClockWrite{{Tenant: "acme", Unix: c.From}}, nil
			for day := range int32(7) {
				w := task.DueWrite{DueBucket: task.DueBucket{Tenant: "acme", Day: 20000 + day}}
				for i := range benchBatch / 5 / 7 {
					w.Customers = append(w.Customers, c.States[i].Key)
				}
				c.Due = append(c.Due, w)
			}
			f.commit(b, p)
		})
	})
}

func BenchmarkLoad(b *testing.B) {
	f := newBenchTasks(b)
	keys := make([]string, benchBatch)
	f.measure(b, func(p int32) {
		for i := range keys {
			keys[i] = f.pick(p)
		}
		reply, err := f.stores[p].Load(t0, keys)
		if err != nil || len(reply.States[17]) != 150 {
			b.Fatalf("%d states, %v", len(reply.States), err)
		}
	})
}
