package storetest

import (
	"math"
	"testing"

	"github.com/perennial-cltv/perennial/pkg/task"
)

func testOpen(t *testing.T, f *fixture) {
	s := f.connect(2)
	if err := s.Check(ctx); err != nil {
		t.Fatalf("check: %v", err)
	}
	f.same(task.Stored{}, f.read(s))
	f.same(dump{Parameters: map[string]string{}, Sums: map[[3]string]string{}, Due: map[task.DueBucket][]string{}, States: map[string]string{}}, f.dump(s, "acme/ann"))

	before := f.openOK(s, task.OpenRequest{Token: task.Token{ProducerID: 7, Epoch: 0}, FoldVersion: 5, Partitions: Partitions})
	f.same(task.Stored{}, before)
	created := task.Stored{
		Exists: true, Position: task.Position{Token: task.Token{ProducerID: 7}, Opening: 1},
		FoldVersion: 5, Partitions: Partitions, Rebuilding: true,
	}
	f.same(created, f.read(s))
	if err := s.AwaitReplicas(ctx); err != nil {
		t.Fatalf("await the replicas: %v", err)
	}

	// The next opening raises the fold version and keeps all else.
	other := f.connect(2)
	before = f.openOK(other, task.OpenRequest{Token: task.Token{ProducerID: 7, Epoch: 1}, ReadOpening: 1, FoldVersion: 6, Partitions: Partitions})
	f.same(created, before)
	created.Token.Epoch, created.Opening, created.FoldVersion = 1, 2, 6
	f.same(created, f.read(s))
}

func testOpenVerdicts(t *testing.T, f *fixture) {
	o := f.open(0, 7) // token (7, 3), opening 1, fold version 5
	o.commit(everything(o))
	for _, c := range []struct {
		name string
		r    task.OpenRequest
		want task.Verdict
	}{
		{"an opening number read too early", task.OpenRequest{Token: task.Token{ProducerID: 8}, ReadOpening: 0, FoldVersion: 5, Partitions: Partitions}, task.Stale},
		{"an opening number of the future", task.OpenRequest{Token: task.Token{ProducerID: 8}, ReadOpening: 2, FoldVersion: 5, Partitions: Partitions}, task.Stale},
		{"stale comes before all else", task.OpenRequest{Token: task.Token{ProducerID: 7}, ReadOpening: 0, FoldVersion: 1, Partitions: 1}, task.Stale},
		{"the same token", task.OpenRequest{Token: task.Token{ProducerID: 7, Epoch: 3}, ReadOpening: 1, FoldVersion: 5, Partitions: Partitions}, task.SameProducer},
		{"an earlier epoch", task.OpenRequest{Token: task.Token{ProducerID: 7, Epoch: 2}, ReadOpening: 1, FoldVersion: 5, Partitions: Partitions}, task.SameProducer},
		{"an earlier epoch and an old binary", task.OpenRequest{Token: task.Token{ProducerID: 7, Epoch: 2}, ReadOpening: 1, FoldVersion: 4, Partitions: 1}, task.SameProducer},
		{"an old binary", task.OpenRequest{Token: task.Token{ProducerID: 7, Epoch: 4}, ReadOpening: 1, FoldVersion: 4, Partitions: Partitions}, task.NewerFold},
		{"an old binary and another topic", task.OpenRequest{Token: task.Token{ProducerID: 8}, ReadOpening: 1, FoldVersion: 4, Partitions: 16}, task.NewerFold},
		{"another topic", task.OpenRequest{Token: task.Token{ProducerID: 8}, ReadOpening: 1, FoldVersion: 5, Partitions: 16}, task.OtherPartitions},
	} {
		before := f.dump(o, "acme/ann")
		s := f.connect(0)
		reply, err := s.Open(ctx, c.r)
		if err != nil || reply.Verdict != c.want {
			t.Errorf("%s: verdict %d, %v; want %d", c.name, reply.Verdict, err, c.want)
		}
		f.same(before.Stored, reply.Before)
		f.same(before, f.dump(o, "acme/ann"))
	}
	// Numbers compare as numbers: epoch 10 is later than 3, fold version 10 newer than 5.
	f.openOK(f.connect(0), task.OpenRequest{Token: task.Token{ProducerID: 7, Epoch: 10}, ReadOpening: 1, FoldVersion: 10, Partitions: Partitions})
	reply, err := f.connect(0).Open(ctx, task.OpenRequest{Token: task.Token{ProducerID: 7, Epoch: 9}, ReadOpening: 2, FoldVersion: 10, Partitions: Partitions})
	if err != nil || reply.Verdict != task.SameProducer {
		t.Errorf("epoch 9 after 10: verdict %d, %v", reply.Verdict, err)
	}
	reply, err = f.connect(0).Open(ctx, task.OpenRequest{Token: task.Token{ProducerID: 8}, ReadOpening: 2, FoldVersion: 9, Partitions: Partitions})
	if err != nil || reply.Verdict != task.NewerFold {
		t.Errorf("fold version 9 after 10: verdict %d, %v", reply.Verdict, err)
	}
	// Another producer id begins anew, whatever its epoch.
	before := f.openOK(f.connect(0), task.OpenRequest{Token: task.Token{ProducerID: 6}, ReadOpening: 2, FoldVersion: 10, Partitions: Partitions})
	if before.Clocks["acme"] != 875_000_000 || before.NextOffset != 10 || before.Rebuilding {
		t.Errorf("opening found %+v", before)
	}
	f.verdict(task.Fenced)(o.Commit(ctx, o.next(1)))
}

func testLimitsOfNumbers(_ *testing.T, f *fixture) {
	s := f.connect(1)
	token := task.Token{ProducerID: math.MaxInt64, Epoch: math.MaxInt16}
	f.openOK(s, task.OpenRequest{Token: token, FoldVersion: math.MaxInt32, Partitions: Partitions})
	// Beyond 2^53, where Lua's numbers have gaps.
	const batch, offset = math.MaxInt64 - 5, math.MaxInt64 - 4
	f.verdict(task.OK)(s.FinishRebuild(ctx, &task.Commit{Token: token, Opening: 1, Batch: batch, To: offset, LastCRC: math.MaxUint32, CheckpointOffset: offset}))
	o := &owner{Store: s, f: f, token: token, opening: 1, batch: batch, offset: offset}
	for _, wrong := range []func(c *task.Commit){
		func(c *task.Commit) { c.Batch-- },
		func(c *task.Commit) { c.From-- },
	} {
		c := o.next(1)
		wrong(c)
		f.verdict(task.Rewind)(s.Commit(ctx, c))
	}
	c := o.next(1)
	c.Clocks = []task.ClockWrite{{Tenant: "acme", Unix: math.MaxInt64}, {Tenant: "old", Unix: math.MinInt64}}
	c.Token.ProducerID--
	f.verdict(task.Fenced)(s.Commit(ctx, c))
	c.Token.ProducerID++
	o.commit(c)
	f.same(task.Stored{
		Exists: true, Position: task.Position{Token: token, Opening: 1, NextOffset: offset + 1}, Batch: batch + 1,
		LastCRC: 0xFFFFFFFE, CheckpointOffset: offset, FoldVersion: math.MaxInt32, Partitions: Partitions,
		Clocks: map[string]int64{"acme": math.MaxInt64, "old": math.MinInt64},
	}, f.read(s))
	f.verdict(task.Dup)(s.Commit(ctx, c))
}
