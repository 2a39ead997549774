package storetest

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/perennial-cltv/perennial/pkg/task"
)

// Agree makes the same random calls of two servers and expects the same answers and
// the same contents. Owners come and go, numbers are right mostly, and everything
// happens on few keys so that it meets.
func Agree(t *testing.T, a, b *Server, seed uint64, steps int) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 1))
	fa, fb := &fixture{t: t, server: a}, &fixture{t: t, server: b}
	sa, sb := fa.connect(1), fb.connect(1)
	customers := make([]string, 12)
	for i := range customers {
		customers[i] = fmt.Sprintf("t%d/c%d", i%3, i)
	}
	w := &walker{r: r, customers: customers}
	for step := range steps {
		name, call := w.call()
		va, vb := call(sa), call(sb)
		if !reflect.DeepEqual(va, vb) {
			t.Fatalf("seed %d, step %d, %s: %+v and %+v", seed, step, name, va, vb)
		}
		da, db := fa.dump(sa, customers...), fb.dump(sb, customers...)
		if !reflect.DeepEqual(da, db) {
			t.Fatalf("seed %d, step %d, after %s:\n%+v\n%+v", seed, step, name, da, db)
		}
		w.stored = da.Stored
	}
}

// walker chooses the next call by what the task holds.
type walker struct {
	r         *rand.Rand
	customers []string
	stored    task.Stored
}

// near returns n, or once in ten times a number beside it.
func (w *walker) near(n int64) int64 {
	if w.r.IntN(10) == 0 {
		return max(n+w.r.Int64N(5)-2, 0)
	}
	return n
}

func (w *walker) token() task.Token {
	return task.Token{ProducerID: w.near(w.stored.Token.ProducerID), Epoch: int16(w.near(int64(w.stored.Token.Epoch)))}
}

func (w *walker) bucket() task.DueBucket {
	return task.DueBucket{Tenant: fmt.Sprintf("t%d", w.r.IntN(2)), Day: w.r.Int32N(3)}
}

func (w *walker) value() []byte {
	if w.r.IntN(4) == 0 {
		return nil
	}
	return []byte(fmt.Sprint(w.r.IntN(100)))[:w.r.IntN(2)]
}

func (w *walker) some(n int, f func()) {
	for range w.r.IntN(n + 1) {
		f()
	}
}

func (w *walker) commit() *task.Commit {
	c := &task.Commit{
		Token: w.token(), Opening: w.near(w.stored.Opening), Batch: w.near(w.stored.Batch), From: w.near(w.stored.NextOffset),
		LastCRC: w.r.Uint32(), CheckpointOffset: w.r.Int64N(20) - 1,
	}
	c.To = c.From + 1 + w.r.Int64N(3)
	if w.r.IntN(8) == 0 { // perhaps the last one again
		c.Batch, c.To = w.stored.Batch-1, w.stored.NextOffset
	}
	customer := func() string { return w.customers[w.r.IntN(len(w.customers))] }
	w.some(8, func() { c.States = append(c.States, task.StateWrite{Key: customer(), Value: w.value()}) })
	w.some(4, func() {
		c.Sums = append(c.Sums, task.SumWrite{Tenant: fmt.Sprintf("t%d", w.r.IntN(2)), Dimension: fmt.Sprintf("d%d", w.r.IntN(2)), ID: fmt.Sprint(w.r.IntN(3)), Value: append([]byte{}, w.value()...)})
	})
	w.some(2, func() {
		c.Parameters = append(c.Parameters, task.ParametersWrite{Tenant: fmt.Sprintf("t%d", w.r.IntN(2)), Value: append([]byte{}, w.value()...)})
	})
	w.some(2, func() {
		c.Clocks = append(c.Clocks, task.ClockWrite{Tenant: fmt.Sprintf("t%d", w.r.IntN(2)), Unix: w.r.Int64()})
	})
	w.some(3, func() {
		d := task.DueWrite{DueBucket: w.bucket()}
		w.some(3, func() { d.Customers = append(d.Customers, customer()) })
		c.Due = append(c.Due, d)
	})
	return c
}

// call chooses a call; what it returns is compared.
func (w *walker) call() (string, func(s task.Store) any) {
	type answer struct {
		Verdict task.Verdict
		Failed  bool
	}
	verdict := func(f func(s task.Store) (task.Verdict, error)) func(s task.Store) any {
		return func(s task.Store) any {
			v, err := f(s)
			return answer{v, err != nil}
		}
	}
	switch n := w.r.IntN(20); {
	case n < 3:
		r := task.OpenRequest{Token: task.Token{ProducerID: 1 + w.r.Int64N(3), Epoch: int16(w.r.IntN(12))}, ReadOpening: w.near(w.stored.Opening), FoldVersion: int32(1 + w.stored.Opening/8), Partitions: int32(w.near(Partitions))}
		if r.Partitions != Partitions && !w.stored.Exists {
			r.Partitions = Partitions
		}
		return fmt.Sprintf("open %+v", r), func(s task.Store) any {
			reply, err := s.Open(ctx, r)
			return []any{reply, err != nil}
		}
	case n < 12:
		c := w.commit()
		return fmt.Sprintf("commit %+v", c), verdict(func(s task.Store) (task.Verdict, error) { return s.Commit(ctx, c) })
	case n < 15:
		token, opening, bucket, many := w.token(), w.near(w.stored.Opening), w.bucket(), w.r.IntN(4)
		return fmt.Sprintf("due trim %+v %d", bucket, many), verdict(func(s task.Store) (task.Verdict, error) {
			return s.DueTrim(ctx, token, opening, bucket, many)
		})
	case n < 16:
		token, opening := w.token(), w.near(w.stored.Opening)
		return "begin rebuild", verdict(func(s task.Store) (task.Verdict, error) { return s.BeginRebuild(ctx, token, opening) })
	case n < 17:
		c := w.commit()
		return fmt.Sprintf("put %+v", c), verdict(func(s task.Store) (task.Verdict, error) { return s.RebuildPut(ctx, c) })
	case n < 19:
		c := w.commit()
		return fmt.Sprintf("finish %+v", c), verdict(func(s task.Store) (task.Verdict, error) { return s.FinishRebuild(ctx, c) })
	default:
		bucket, many := w.bucket(), w.r.IntN(4)
		return "due head", func(s task.Store) any {
			customers, err := s.DueHead(ctx, bucket, many)
			return []any{append([]string{}, customers...), err != nil}
		}
	}
}
