// Package storetest holds every implementation of [task.Store] to the same answers.
package storetest

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"reflect"
	"slices"
	"testing"

	"github.com/perennial-cltv/perennial/pkg/task"
)

// Partitions is the number of tasks of the servers under test.
const Partitions = 8

// Server is an empty server under test.
type Server struct {
	// Connect connects to a task's keys.
	Connect func(partition int32) (task.Store, error)
	// Damage lists ways to give a key of the task the wrong type, by the name of
	// what is damaged, and to undo it.
	Damage func(partition int32) map[string]Damage
	// SetFull makes the server's memory full and undoes it. Nil where the
	// implementation can't be filled.
	SetFull func(full bool)
	// SetEvicting makes the server one that evicts and undoes it. Nil where it can't.
	SetEvicting func(evicting bool)
	// Wipe loses everything. The connections may break.
	Wipe func()
}

// Damage gives a key the wrong type, and restores it.
type Damage struct{ Do, Undo func() }

// Run runs the whole suite. start returns an empty server each time.
func Run(t *testing.T, start func(t *testing.T) *Server) {
	for _, part := range []struct {
		name string
		run  func(t *testing.T, f *fixture)
	}{
		{"Open", testOpen},
		{"OpenVerdicts", testOpenVerdicts},
		{"CommitVerdicts", testCommitVerdicts},
		{"CommitWhileRebuilding", testCommitWhileRebuilding},
		{"CommitTwice", testCommitTwice},
		{"CommitWritesEverything", testCommitWritesEverything},
		{"CommitIsWholeOrNothing", testCommitIsWholeOrNothing},
		{"CommitKeepsNothingOfTheCallers", testCommitKeepsNothingOfTheCallers},
		{"States", testStates},
		{"ManyOfEverything", testManyOfEverything},
		{"LargeStates", testLargeStates},
		{"DueBuckets", testDueBuckets},
		{"DueTrimVerdicts", testDueTrimVerdicts},
		{"Rebuild", testRebuild},
		{"RebuildInterrupted", testRebuildInterrupted},
		{"RebuildVerdicts", testRebuildVerdicts},
		{"TasksAreApart", testTasksAreApart},
		{"Wiped", testWiped},
		{"Full", testFull},
		{"Evicting", testEvicting},
		{"ClosedAndCancelled", testClosedAndCancelled},
		{"LimitsOfNumbers", testLimitsOfNumbers},
	} {
		t.Run(part.name, func(t *testing.T) {
			part.run(t, &fixture{t: t, server: start(t)})
		})
	}
}

// fixture is one test's server.
type fixture struct {
	t      *testing.T
	server *Server
}

func (f *fixture) connect(partition int32) task.Store {
	f.t.Helper()
	s, err := f.server.Connect(partition)
	if err != nil {
		f.t.Fatalf("connect to partition %d: %v", partition, err)
	}
	f.t.Cleanup(func() { _ = s.Close() })
	return s
}

// owner is an owner of a task, whose next commit is c.
type owner struct {
	task.Store
	f     *fixture
	token task.Token
	// opening, batch and offset are what the owner believes Redis to have.
	opening, batch, offset int64
}

var ctx = context.Background()

// open takes a task and ends its rebuild.
func (f *fixture) open(partition int32, producer int64) *owner {
	f.t.Helper()
	o := f.openOnly(partition, producer)
	f.verdict(task.OK)(o.BeginRebuild(ctx, o.token, o.opening))
	f.verdict(task.OK)(o.FinishRebuild(ctx, &task.Commit{Token: o.token, Opening: o.opening}))
	return o
}

// openOnly takes a task.
func (f *fixture) openOnly(partition int32, producer int64) *owner {
	f.t.Helper()
	s := f.connect(partition)
	stored := f.read(s)
	o := &owner{Store: s, f: f, token: task.Token{ProducerID: producer, Epoch: 3}, opening: stored.Opening + 1, batch: stored.Batch, offset: stored.NextOffset}
	f.openOK(s, task.OpenRequest{Token: o.token, ReadOpening: stored.Opening, FoldVersion: 5, Partitions: Partitions})
	return o
}

func (f *fixture) openOK(s task.Store, r task.OpenRequest) task.Stored {
	f.t.Helper()
	reply, err := s.Open(ctx, r)
	if err != nil || reply.Verdict != task.OK {
		f.t.Fatalf("open: verdict %d, %v", reply.Verdict, err)
	}
	return reply.Before
}

func (f *fixture) read(s task.Store) task.Stored {
	f.t.Helper()
	stored, err := s.Read(ctx)
	if err != nil {
		f.t.Fatalf("read: %v", err)
	}
	return stored
}

// next is an empty commit of n records.
func (o *owner) next(n int64) *task.Commit {
	return &task.Commit{Token: o.token, Opening: o.opening, Batch: o.batch, From: o.offset, To: o.offset + n, LastCRC: 0xFFFFFFFE, CheckpointOffset: -1}
}

// commit commits c, which must succeed, and goes on from there.
func (o *owner) commit(c *task.Commit) {
	o.f.t.Helper()
	o.f.verdict(task.OK)(o.Commit(ctx, c))
	o.batch, o.offset = c.Batch+1, c.To
}

// verdict expects a verdict and no error.
func (f *fixture) verdict(want task.Verdict) func(task.Verdict, error) {
	f.t.Helper()
	return func(got task.Verdict, err error) {
		f.t.Helper()
		if err != nil || got != want {
			f.t.Fatalf("verdict %d, error %v; want verdict %d", got, err, want)
		}
	}
}

// kind expects an error of a kind.
func (f *fixture) kind(want task.ErrorKind, err error) {
	f.t.Helper()
	var e *task.Error
	if !errors.As(err, &e) || e.Kind != want {
		f.t.Fatalf("error %v; want a *task.Error of kind %d", err, want)
	}
}

// dump is everything that a store says of its task.
type dump struct {
	Stored     task.Stored
	Position   task.Position
	Parameters map[string]string
	Sums       map[[3]string]string
	Due        map[task.DueBucket][]string
	States     map[string]string
}

// dump reads all of a task, and of its states those of the given customers.
func (f *fixture) dump(s task.Store, customers ...string) dump {
	f.t.Helper()
	d := dump{Stored: f.read(s), Parameters: map[string]string{}, Sums: map[[3]string]string{}, Due: map[task.DueBucket][]string{}, States: map[string]string{}}
	contents, err := s.Contents(ctx)
	if err != nil {
		f.t.Fatalf("contents: %v", err)
	}
	d.Position = contents.Position
	for tenant, value := range contents.Parameters {
		d.Parameters[tenant] = string(value)
	}
	for _, w := range contents.Sums {
		d.Sums[[3]string{w.Tenant, w.Dimension, w.ID}] = string(w.Value)
	}
	if len(d.Sums) != len(contents.Sums) {
		f.t.Fatalf("contents name a vector of sums twice")
	}
	for _, bucket := range contents.Due {
		if d.Due[bucket], err = s.DueHead(ctx, bucket, 1_000_000); err != nil {
			f.t.Fatalf("due head: %v", err)
		}
	}
	reply, err := s.Load(ctx, customers)
	if err != nil || len(reply.States) != len(customers) {
		f.t.Fatalf("load: %d states, %v", len(reply.States), err)
	}
	for i, state := range reply.States {
		if state != nil {
			d.States[customers[i]] = string(state)
		}
	}
	position, err := s.Position(ctx)
	if err != nil || position != reply.Position || position != d.Position || position != d.Stored.Position {
		f.t.Fatalf("positions differ: %+v %+v %+v %+v, %v", position, reply.Position, d.Position, d.Stored.Position, err)
	}
	return d
}

func (f *fixture) same(want, got any) {
	f.t.Helper()
	if !reflect.DeepEqual(want, got) {
		f.t.Fatalf("got  %+v\nwant %+v", got, want)
	}
}

// load loads states as copies.
func (f *fixture) load(s task.Store, customers ...string) [][]byte {
	f.t.Helper()
	reply, err := s.Load(ctx, customers)
	if err != nil {
		f.t.Fatalf("load: %v", err)
	}
	states := make([][]byte, len(reply.States))
	for i, state := range reply.States {
		if state != nil {
			states[i] = append([]byte{}, state...)
		}
	}
	return states
}

// everything is a commit that writes something of each sort.
func everything(o *owner) *task.Commit {
	c := o.next(10)
	c.CheckpointOffset = o.offset
	c.States = []task.StateWrite{{Key: "acme/ann", Value: []byte("one")}, {Key: "acme/bob", Value: []byte("two")}}
	c.Parameters = []task.ParametersWrite{{Tenant: "acme", Value: []byte("parameters")}}
	c.Clocks = []task.ClockWrite{{Tenant: "acme", Unix: 875_000_000}}
	c.Sums = []task.SumWrite{
		{Tenant: "acme", Dimension: "campaign", ID: "spring", Value: []byte{1, 2}},
		{Tenant: "acme", Dimension: "agent", ID: "a/b/c", Value: []byte{3}},
		{Tenant: "acme", Dimension: "campaign", ID: "~none", Value: []byte{4}},
	}
	c.Due = []task.DueWrite{
		{DueBucket: task.DueBucket{Tenant: "acme", Day: 20000}, Customers: []string{"acme/ann", "acme/bob"}},
		{DueBucket: task.DueBucket{Tenant: "acme", Day: -5}, Customers: []string{"acme/ann"}},
	}
	return c
}

// everythingDump is what a task holds after everything, when it was empty.
func everythingDump(o *owner) dump {
	position := task.Position{Token: o.token, Opening: o.opening, NextOffset: o.offset}
	return dump{
		Stored: task.Stored{
			Exists: true, Position: position, Batch: o.batch, LastCRC: 0xFFFFFFFE, CheckpointOffset: o.offset - 10,
			FoldVersion: 5, Partitions: Partitions, Clocks: map[string]int64{"acme": 875_000_000},
		},
		Position:   position,
		Parameters: map[string]string{"acme": "parameters"},
		Sums: map[[3]string]string{
			{"acme", "campaign", "spring"}: "\x01\x02", {"acme", "agent", "a/b/c"}: "\x03", {"acme", "campaign", "~none"}: "\x04",
		},
		Due: map[task.DueBucket][]string{
			{Tenant: "acme", Day: 20000}: {"acme/ann", "acme/bob"}, {Tenant: "acme", Day: -5}: {"acme/ann"},
		},
		States: map[string]string{"acme/ann": "one", "acme/bob": "two"},
	}
}

func sortedNames[T any](m map[string]T) []string { return slices.Sorted(maps.Keys(m)) }

func equalBytes(a, b [][]byte) bool {
	return slices.EqualFunc(a, b, func(x, y []byte) bool { return (x == nil) == (y == nil) && bytes.Equal(x, y) })
}
