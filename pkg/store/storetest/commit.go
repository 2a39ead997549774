package storetest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/perennial-cltv/perennial/pkg/task"
)

func testCommitVerdicts(t *testing.T, f *fixture) {
	o := f.open(3, 7)
	o.commit(everything(o))
	o.commit(o.next(5)) // stands at batch 2, offset 15
	want := f.dump(o, "acme/ann", "acme/bob")
	for _, c := range []struct {
		name   string
		change func(c *task.Commit)
		want   task.Verdict
	}{
		{"an earlier epoch", func(c *task.Commit) { c.Token.Epoch-- }, task.Fenced},
		{"a later epoch", func(c *task.Commit) { c.Token.Epoch++ }, task.Fenced},
		{"another producer", func(c *task.Commit) { c.Token.ProducerID++ }, task.Fenced},
		{"the token is compared first", func(c *task.Commit) { c.Token.Epoch--; c.Opening--; c.Batch--; c.From-- }, task.Fenced},
		{"another's commit that looks like this one's repetition", func(c *task.Commit) { c.Token.Epoch--; c.Batch, c.From, c.To = 1, 10, 15 }, task.Fenced},
		{"an earlier opening", func(c *task.Commit) { c.Opening-- }, task.Rewind},
		{"a later opening", func(c *task.Commit) { c.Opening++ }, task.Rewind},
		{"an earlier opening that looks like a repetition", func(c *task.Commit) { c.Opening--; c.Batch, c.From, c.To = 1, 10, 15 }, task.Rewind},
		{"redis is ahead by more than one", func(c *task.Commit) { c.Batch, c.From, c.To = 0, 0, 10 }, task.Rewind},
		{"redis is behind", func(c *task.Commit) { c.Batch, c.From, c.To = 3, 20, 25 }, task.Rewind},
		{"the batch before with another end", func(c *task.Commit) { c.Batch, c.From, c.To = 1, 10, 16 }, task.Rewind},
		{"the right batch with an earlier offset", func(c *task.Commit) { c.From-- }, task.Rewind},
		{"the right batch with a later offset", func(c *task.Commit) { c.From++ }, task.Rewind},
		{"the right offset with the batch before", func(c *task.Commit) { c.Batch-- }, task.Rewind},
		{"the right offset with the batch after", func(c *task.Commit) { c.Batch++ }, task.Rewind},
		{"numbers compare as a whole", func(c *task.Commit) { c.Batch, c.From = 22, 155 }, task.Rewind},
		{"the last commit again", func(c *task.Commit) { c.Batch, c.From, c.To = 1, 10, 15 }, task.Dup},
		{"the last commit again, begun elsewhere", func(c *task.Commit) { c.Batch, c.From, c.To = 1, 3, 15 }, task.Dup},
	} {
		commit := everything(o)
		commit.States[0].Value = []byte("changed")
		commit.Sums[0].Value = []byte("changed")
		commit.Clocks[0].Unix = 1
		commit.Parameters[0].Value = nil
		c.change(commit)
		if got, err := o.Commit(ctx, commit); err != nil || got != c.want {
			t.Errorf("%s: verdict %d, %v; want %d", c.name, got, err, c.want)
		}
		f.same(want, f.dump(o, "acme/ann", "acme/bob"))
	}
	o.commit(everything(o))
}

func testCommitWhileRebuilding(_ *testing.T, f *fixture) {
	o := f.openOnly(3, 7)
	f.verdict(task.Rewind)(o.Commit(ctx, everything(o)))
	f.same(map[string]string{}, f.dump(o, "acme/ann").States)
}

// A commit whose answer was lost is sent again, on the same connection or another.
func testCommitTwice(_ *testing.T, f *fixture) {
	o := f.open(3, 7)
	c := everything(o)
	o.commit(c)
	want := everythingDump(o)
	f.same(want, f.dump(o, "acme/ann", "acme/bob"))
	f.verdict(task.Dup)(o.Commit(ctx, c))
	f.verdict(task.Dup)(f.connect(3).Commit(ctx, c))
	f.same(want, f.dump(o, "acme/ann", "acme/bob"))
}

func testCommitWritesEverything(_ *testing.T, f *fixture) {
	o := f.open(3, 7)
	o.commit(everything(o))
	want := everythingDump(o)
	f.same(want, f.dump(f.connect(3), "acme/ann", "acme/bob", "acme/cid"))

	// A second commit replaces, deletes, and adds to the due buckets.
	c := o.next(1)
	c.LastCRC = 17
	c.States = []task.StateWrite{{Key: "acme/ann"}, {Key: "acme/cid", Value: []byte("three")}, {Key: "acme/nobody"}}
	c.Parameters = []task.ParametersWrite{{Tenant: "acme", Value: []byte("newer")}, {Tenant: "zeta", Value: []byte{}}}
	c.Clocks = []task.ClockWrite{{Tenant: "acme", Unix: 875_000_060}, {Tenant: "zeta", Unix: -1}}
	c.Sums = []task.SumWrite{{Tenant: "acme", Dimension: "campaign", ID: "spring", Value: []byte{9}}, {Tenant: "zeta", Dimension: "campaign", ID: "", Value: []byte{}}}
	c.Due = []task.DueWrite{
		{DueBucket: task.DueBucket{Tenant: "acme", Day: 20000}, Customers: []string{"acme/cid"}},
		{DueBucket: task.DueBucket{Tenant: "acme", Day: 20001}},
		{DueBucket: task.DueBucket{Tenant: "zeta", Day: 20000}, Customers: []string{"zeta/x"}},
		{DueBucket: task.DueBucket{Tenant: "acme", Day: 20000}, Customers: []string{"acme/ann"}},
	}
	o.commit(c)
	want.Stored.NextOffset, want.Stored.Batch, want.Stored.LastCRC = 11, 2, 17
	want.Position.NextOffset = 11
	want.Stored.Clocks = map[string]int64{"acme": 875_000_060, "zeta": -1}
	want.Parameters = map[string]string{"acme": "newer", "zeta": ""}
	want.Sums[[3]string{"acme", "campaign", "spring"}] = "\x09"
	want.Sums[[3]string{"zeta", "campaign", ""}] = ""
	want.Due[task.DueBucket{Tenant: "acme", Day: 20000}] = []string{"acme/ann", "acme/bob", "acme/cid", "acme/ann"}
	want.Due[task.DueBucket{Tenant: "zeta", Day: 20000}] = []string{"zeta/x"}
	want.States = map[string]string{"acme/bob": "two", "acme/cid": "three"}
	f.same(want, f.dump(f.connect(3), "acme/ann", "acme/bob", "acme/cid", "acme/nobody"))
}

// A key that can't be written stops a commit before anything is.
func testCommitIsWholeOrNothing(t *testing.T, f *fixture) {
	o := f.open(3, 7)
	o.commit(everything(o))
	customers := []string{"acme/ann", "acme/bob", "acme/cid"}
	want := f.dump(o, customers...)
	damages := f.server.Damage(3)
	for _, name := range sortedNames(damages) {
		c := everything(o)
		c.States = append(c.States, task.StateWrite{Key: "acme/cid", Value: []byte("x")}, task.StateWrite{Key: "acme/ann"})
		damages[name].Do()
		verdict, err := o.Commit(ctx, c)
		t.Logf("%s damaged: %v", name, err)
		f.kind(task.KindStop, err)
		if verdict != 0 {
			t.Errorf("%s: an error and verdict %d", name, verdict)
		}
		damages[name].Undo()
		f.same(want, f.dump(o, customers...))
	}
	o.commit(everything(o))
}

// What the caller passed may be reused once the call has returned.
func testCommitKeepsNothingOfTheCallers(_ *testing.T, f *fixture) {
	o := f.open(3, 7)
	c := everything(o)
	o.commit(c)
	want := everythingDump(o)
	for _, b := range [][]byte{c.States[0].Value, c.States[1].Value, c.Parameters[0].Value, c.Sums[0].Value, c.Sums[1].Value, c.Sums[2].Value} {
		for i := range b {
			b[i] = 'X'
		}
	}
	for _, d := range c.Due {
		for i := range d.Customers {
			d.Customers[i] = "X"
		}
	}
	f.same(want, f.dump(o, "acme/ann", "acme/bob"))
	contents, err := o.Contents(ctx)
	if err != nil {
		f.t.Fatal(err)
	}
	for _, w := range contents.Sums {
		for i := range w.Value {
			w.Value[i] = 'X'
		}
	}
	f.same(want, f.dump(o, "acme/ann", "acme/bob"))
}

func testStates(t *testing.T, f *fixture) {
	o := f.open(3, 7)
	binary := make([]byte, 256)
	for i := range binary {
		binary[i] = byte(i)
	}
	keys := []string{"acme/none", "acme/empty", "acme/binary", "acme/\r\n$3\r\n\x00ü", "acme/Größe {x}", "a/~spend/src/id/with/slashes"}
	values := [][]byte{nil, {}, binary, []byte("$-1\r\n"), []byte("*2\r\n"), {0}}
	c := o.next(1)
	for i, key := range keys {
		c.States = append(c.States, task.StateWrite{Key: key, Value: values[i]})
	}
	o.commit(c)
	if got := f.load(o, keys...); !equalBytes(got, values) {
		t.Fatalf("loaded %q, want %q", got, values)
	}
	if got := f.load(f.connect(3), keys[1]); !equalBytes(got, values[1:2]) {
		t.Fatalf("an empty state alone: loaded %q", got)
	}
	// In the order asked for, each as often as asked for.
	got := f.load(o, keys[2], keys[0], keys[2], keys[1])
	if want := [][]byte{binary, nil, binary, {}}; !equalBytes(got, want) {
		t.Fatalf("loaded %q, want %q", got, want)
	}
	if got := f.load(o); len(got) != 0 {
		t.Fatalf("loaded %q for no customer", got)
	}
	// Set and deleted in one commit: deleted.
	c = o.next(1)
	c.States = []task.StateWrite{{Key: keys[2]}, {Key: keys[2], Value: []byte("x")}}
	o.commit(c)
	if got := f.load(o, keys[2]); got[0] != nil {
		t.Fatalf("loaded %q after a deletion", got)
	}
}

func testManyOfEverything(t *testing.T, f *fixture) {
	o := f.open(3, 7)
	const states, deletions, sums, due = 3701, 2503, 1203, 2999
	c := o.next(9000)
	var customers []string
	for i := range states {
		customers = append(customers, fmt.Sprintf("acme/%d", i))
		c.States = append(c.States, task.StateWrite{Key: customers[i], Value: fmt.Appendf(nil, "state %d", i)})
	}
	for i := range sums {
		// Some keys have more vectors than a call takes, and there are many keys.
		c.Sums = append(c.Sums, task.SumWrite{Tenant: "acme", Dimension: "agent", ID: fmt.Sprint(i), Value: fmt.Appendf(nil, "%d", i)},
			task.SumWrite{Tenant: fmt.Sprintf("t%d", i), Dimension: "all", ID: "", Value: []byte{1}})
	}
	bucket := task.DueBucket{Tenant: "acme", Day: 1}
	c.Due = []task.DueWrite{{DueBucket: bucket, Customers: customers[:due]}}
	for i := range 600 {
		c.Due = append(c.Due, task.DueWrite{DueBucket: task.DueBucket{Tenant: "acme", Day: int32(i + 2)}, Customers: customers[i : i+1]})
		c.Clocks = append(c.Clocks, task.ClockWrite{Tenant: fmt.Sprintf("t%d", i), Unix: int64(i)})
		c.Parameters = append(c.Parameters, task.ParametersWrite{Tenant: fmt.Sprintf("t%d", i), Value: []byte{byte(i)}})
	}
	o.commit(c)
	d := f.dump(o, customers...)
	if len(d.States) != states || len(d.Sums) != 2*sums || len(d.Due) != 601 || len(d.Due[bucket]) != due || len(d.Parameters) != 600 || len(d.Stored.Clocks) != 600 {
		t.Fatalf("%d states, %d sums, %d buckets, %d due, %d parameters, %d clocks", len(d.States), len(d.Sums), len(d.Due), len(d.Due[bucket]), len(d.Parameters), len(d.Stored.Clocks))
	}
	for i, key := range customers {
		if d.States[key] != fmt.Sprintf("state %d", i) {
			t.Fatalf("%s has %q", key, d.States[key])
		}
	}
	f.same(customers[:due], d.Due[bucket])
	if d.Sums[[3]string{"acme", "agent", "1202"}] != "1202" || d.Stored.Clocks["t599"] != 599 || d.Parameters["t17"] != "\x11" {
		t.Fatalf("a vector, a clock or parameters came out wrong")
	}

	c = o.next(1)
	for _, key := range customers[:deletions] {
		c.States = append(c.States, task.StateWrite{Key: key})
	}
	o.commit(c)
	if d := f.dump(o, customers...); len(d.States) != states-deletions || d.States[customers[deletions]] == "" {
		t.Fatalf("%d states are left", len(d.States))
	}
	// A rebuild finds and deletes all of it.
	f.verdict(task.OK)(o.BeginRebuild(ctx, o.token, o.opening))
	d = f.dump(o, customers...)
	if len(d.States)+len(d.Sums)+len(d.Due)+len(d.Parameters)+len(d.Stored.Clocks) != 0 {
		t.Fatalf("a rebuild's beginning left %+v", d)
	}
}

func testLargeStates(t *testing.T, f *fixture) {
	o := f.open(3, 7)
	c := o.next(500)
	var customers []string
	for i := range 500 {
		customers = append(customers, fmt.Sprintf("acme/%d", i))
		c.States = append(c.States, task.StateWrite{Key: customers[i], Value: []byte(strings.Repeat(string(rune('a'+i%26)), 8192+i))})
	}
	o.commit(c)
	for i, state := range f.load(o, customers...) {
		if len(state) != 8192+i || state[0] != byte('a'+i%26) || state[len(state)-1] != state[0] {
			t.Fatalf("state %d has %d bytes", i, len(state))
		}
	}
}
