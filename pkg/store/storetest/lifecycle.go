package storetest

import (
	"context"
	"fmt"
	"testing"

	"github.com/perennial-cltv/perennial/pkg/task"
)

func testDueBuckets(_ *testing.T, f *fixture) {
	o := f.open(4, 7)
	monday, tuesday := task.DueBucket{Tenant: "acme", Day: 10}, task.DueBucket{Tenant: "acme", Day: 11}
	head := func(b task.DueBucket, n int) []string {
		f.t.Helper()
		customers, err := o.DueHead(ctx, b, n)
		if err != nil {
			f.t.Fatalf("due head: %v", err)
		}
		return append([]string{}, customers...)
	}
	f.same([]string{}, head(monday, 10))

	c := o.next(1)
	c.Due = []task.DueWrite{{DueBucket: tuesday, Customers: []string{"acme/x"}}, {DueBucket: monday, Customers: []string{"acme/a", "acme/b", "acme/c", "acme/a"}}}
	o.commit(c)
	f.same([]string{"acme/a", "acme/b"}, head(monday, 2))
	f.same([]string{"acme/a", "acme/b", "acme/c", "acme/a"}, head(monday, 100))
	f.same([]string{}, head(monday, 0))

	trim := func(b task.DueBucket, n int) {
		f.t.Helper()
		f.verdict(task.OK)(o.DueTrim(ctx, o.token, o.opening, b, n))
	}
	trim(monday, 0)
	trim(monday, 3)
	f.same([]string{"acme/a"}, head(monday, 100))
	// What comes meanwhile goes to the end.
	c = o.next(1)
	c.Due = []task.DueWrite{{DueBucket: monday, Customers: []string{"acme/d"}}}
	o.commit(c)
	f.same([]string{"acme/a", "acme/d"}, head(monday, 100))
	f.same(2, len(f.dump(o).Due))
	trim(monday, 2)
	f.same(map[task.DueBucket][]string{tuesday: {"acme/x"}}, f.dump(o).Due)
	trim(monday, 5) // there is none any more
	trim(tuesday, 5)
	f.same(map[task.DueBucket][]string{}, f.dump(o).Due)
	// A bucket that vanished can come back.
	c = o.next(1)
	c.Due = []task.DueWrite{{DueBucket: monday, Customers: []string{"acme/e"}}}
	o.commit(c)
	f.same(map[task.DueBucket][]string{monday: {"acme/e"}}, f.dump(o).Due)
}

func testDueTrimVerdicts(_ *testing.T, f *fixture) {
	bucket := task.DueBucket{Tenant: "acme", Day: 20000}
	s := f.connect(4)
	f.verdict(task.Fenced)(s.DueTrim(ctx, task.Token{}, 0, bucket, 1)) // no task at all
	o := f.open(4, 7)
	o.commit(everything(o))
	want := f.dump(o)
	f.verdict(task.Fenced)(o.DueTrim(ctx, task.Token{ProducerID: 7, Epoch: 2}, o.opening, bucket, 1))
	f.verdict(task.Fenced)(o.DueTrim(ctx, task.Token{ProducerID: 8, Epoch: 3}, o.opening, bucket, 1))
	f.verdict(task.Rewind)(o.DueTrim(ctx, o.token, o.opening+1, bucket, 1))
	f.same(want, f.dump(o))
	damages := f.server.Damage(4)
	damages["due"].Do()
	_, err := o.DueTrim(ctx, o.token, o.opening, bucket, 2)
	f.kind(task.KindStop, err)
	damages["due"].Undo()
	f.same(want, f.dump(o))
}

// rebuilt is a part of a rebuild.
func rebuilt(o *owner) *task.Commit {
	c := everything(o)
	c.Batch, c.From, c.To, c.CheckpointOffset = 40, 0, 400, 390
	return c
}

func testRebuild(_ *testing.T, f *fixture) {
	o := f.open(5, 7)
	c := everything(o)
	c.States = append(c.States, task.StateWrite{Key: "acme/stale", Value: []byte("x")})
	c.Sums = append(c.Sums, task.SumWrite{Tenant: "stale", Dimension: "agent", ID: "x", Value: []byte{1}})
	c.Parameters = append(c.Parameters, task.ParametersWrite{Tenant: "stale", Value: []byte{1}})
	c.Clocks = append(c.Clocks, task.ClockWrite{Tenant: "stale", Unix: 1})
	o.commit(c)

	f.verdict(task.OK)(o.BeginRebuild(ctx, o.token, o.opening))
	d := f.dump(o, "acme/ann", "acme/stale")
	f.same(true, d.Stored.Rebuilding)
	f.same(task.Position{Token: o.token, Opening: o.opening, NextOffset: 10}, d.Position)
	f.same(0, len(d.States)+len(d.Sums)+len(d.Parameters)+len(d.Due)+len(d.Stored.Clocks))
	f.verdict(task.Rewind)(o.Commit(ctx, o.next(1)))

	c = rebuilt(o)
	f.verdict(task.OK)(o.RebuildPut(ctx, c))
	d = f.dump(o, "acme/ann")
	f.same([]any{int64(1), int64(10), int64(0)}, []any{d.Stored.Batch, d.Stored.NextOffset, d.Stored.CheckpointOffset})
	f.verdict(task.OK)(o.RebuildPut(ctx, &task.Commit{Token: o.token, Opening: o.opening, CheckpointOffset: -1})) // nothing
	f.verdict(task.OK)(o.FinishRebuild(ctx, c))
	o.batch, o.offset = 40, 400
	want := everythingDump(o)
	f.same(want, f.dump(o, "acme/ann", "acme/bob", "acme/stale"))
	o.commit(o.next(1))
}

func testRebuildInterrupted(_ *testing.T, f *fixture) {
	first := f.openOnly(5, 7)
	f.verdict(task.OK)(first.BeginRebuild(ctx, first.token, first.opening))
	c := rebuilt(first)
	c.States = append(c.States, task.StateWrite{Key: "acme/stale", Value: []byte("x")})
	f.verdict(task.OK)(first.RebuildPut(ctx, c))
	_ = first.Close()

	second := f.openOnly(5, 8)
	f.same(true, f.read(second).Rebuilding)
	f.verdict(task.OK)(second.BeginRebuild(ctx, second.token, second.opening))
	f.verdict(task.OK)(second.BeginRebuild(ctx, second.token, second.opening))
	c = rebuilt(second)
	f.verdict(task.OK)(second.RebuildPut(ctx, c))
	f.verdict(task.OK)(second.FinishRebuild(ctx, c))
	second.batch, second.offset = 40, 400
	f.same(everythingDump(second), f.dump(second, "acme/ann", "acme/bob", "acme/stale"))
}

func testRebuildVerdicts(t *testing.T, f *fixture) {
	steps := map[string]func(s task.Store, c *task.Commit) (task.Verdict, error){
		"begin": func(s task.Store, c *task.Commit) (task.Verdict, error) {
			return s.BeginRebuild(ctx, c.Token, c.Opening)
		},
		"put":    func(s task.Store, c *task.Commit) (task.Verdict, error) { return s.RebuildPut(ctx, c) },
		"finish": func(s task.Store, c *task.Commit) (task.Verdict, error) { return s.FinishRebuild(ctx, c) },
	}
	s := f.connect(5)
	for _, name := range sortedNames(steps) {
		f.verdict(task.Fenced)(steps[name](s, &task.Commit{CheckpointOffset: -1})) // no task at all
	}
	o := f.open(5, 7)
	o.commit(everything(o))
	want := f.dump(o, "acme/ann", "acme/bob")
	for _, name := range sortedNames(steps) {
		for _, change := range []func(c *task.Commit){
			func(c *task.Commit) { c.Token.Epoch-- },
			func(c *task.Commit) { c.Token.ProducerID++ },
			func(c *task.Commit) { c.Opening++ },
			func(c *task.Commit) { c.Opening-- },
		} {
			c := rebuilt(o)
			change(c)
			if got, err := steps[name](o, c); err != nil || got != task.Fenced {
				t.Errorf("%s: verdict %d, %v; want %d", name, got, err, task.Fenced)
			}
		}
	}
	f.same(want, f.dump(o, "acme/ann", "acme/bob"))
}

func testTasksAreApart(_ *testing.T, f *fixture) {
	var owners []*owner
	for p := range int32(Partitions) {
		o := f.open(p, 100+int64(p))
		o.commit(everything(o))
		owners = append(owners, o)
	}
	f.verdict(task.OK)(owners[2].BeginRebuild(ctx, owners[2].token, owners[2].opening))
	for p, o := range owners {
		if p != 2 {
			f.same(everythingDump(o), f.dump(o, "acme/ann", "acme/bob"))
		}
	}
}

func testWiped(_ *testing.T, f *fixture) {
	o := f.open(6, 7)
	o.commit(everything(o))
	f.server.Wipe()
	s := f.connect(6)
	f.same(task.Stored{}, f.read(s))
	f.verdict(task.Fenced)(s.Commit(ctx, o.next(1)))
	f.same(task.Stored{}, f.read(s))
}

func testFull(t *testing.T, f *fixture) {
	if f.server.SetFull == nil {
		t.Skip("this server's memory can't be filled")
	}
	o := f.open(6, 7)
	o.commit(everything(o))
	want := f.dump(o, "acme/ann", "acme/bob")
	writes := map[string]func() error{
		"commit": func() error { _, err := o.Commit(ctx, everything(o)); return err },
		"commit that only deletes": func() error {
			c := o.next(1)
			c.States = []task.StateWrite{{Key: "acme/ann"}}
			_, err := o.Commit(ctx, c)
			return err
		},
		"open": func() error {
			_, err := f.connect(6).Open(ctx, task.OpenRequest{Token: task.Token{ProducerID: 9}, ReadOpening: o.opening, FoldVersion: 5, Partitions: Partitions})
			return err
		},
		"begin":  func() error { _, err := o.BeginRebuild(ctx, o.token, o.opening); return err },
		"put":    func() error { _, err := o.RebuildPut(ctx, rebuilt(o)); return err },
		"finish": func() error { _, err := o.FinishRebuild(ctx, rebuilt(o)); return err },
	}
	f.server.SetFull(true)
	for _, name := range sortedNames(writes) {
		err := writes[name]()
		t.Logf("%s: %v", name, err)
		f.kind(task.KindStop, err)
	}
	f.server.SetFull(false)
	f.same(want, f.dump(o, "acme/ann", "acme/bob"))
	// It goes on by itself once there is room.
	o.commit(everything(o))
}

func testEvicting(t *testing.T, f *fixture) {
	if f.server.SetEvicting == nil {
		t.Skip("this server doesn't evict")
	}
	s := f.connect(0)
	f.server.SetEvicting(true)
	err := s.Check(ctx)
	t.Log(err)
	f.kind(task.KindStop, err)
	f.server.SetEvicting(false)
	if err := s.Check(ctx); err != nil {
		t.Fatalf("check: %v", err)
	}
}

func testClosedAndCancelled(t *testing.T, f *fixture) {
	o := f.open(7, 7)
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	calls := func(ctx context.Context, s task.Store) map[string]error {
		errs := map[string]error{"check": s.Check(ctx), "await": s.AwaitReplicas(ctx)}
		_, errs["read"] = s.Read(ctx)
		_, errs["open"] = s.Open(ctx, task.OpenRequest{ReadOpening: 1, Token: task.Token{ProducerID: 50}, FoldVersion: 5, Partitions: Partitions})
		_, errs["contents"] = s.Contents(ctx)
		_, errs["load"] = s.Load(ctx, []string{"acme/ann"})
		_, errs["position"] = s.Position(ctx)
		_, errs["commit"] = s.Commit(ctx, everything(o))
		_, errs["due head"] = s.DueHead(ctx, task.DueBucket{Tenant: "acme"}, 1)
		_, errs["due trim"] = s.DueTrim(ctx, o.token, o.opening, task.DueBucket{Tenant: "acme"}, 1)
		_, errs["begin"] = s.BeginRebuild(ctx, o.token, o.opening)
		_, errs["put"] = s.RebuildPut(ctx, rebuilt(o))
		_, errs["finish"] = s.FinishRebuild(ctx, rebuilt(o))
		return errs
	}
	dead := f.connect(7)
	_, err := dead.Load(cancelled, []string{"acme/ann"})
	f.kind(task.KindConnection, err)
	closed := f.connect(7)
	_ = closed.Close()
	for what, s := range map[string]task.Store{"cancelled": dead, "closed": closed} {
		for name, err := range calls(ctx, s) {
			t.Run(fmt.Sprint(what, "/", name), func(t *testing.T) {
				(&fixture{t: t}).kind(task.KindConnection, err)
			})
		}
	}
	// Nothing was changed, and others' connections live.
	f.same(task.Position{Token: o.token, Opening: o.opening}, f.dump(o).Position)
}
