package task_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/perennial-cltv/perennial/pkg/cltv"
	"github.com/perennial-cltv/perennial/pkg/store"
	"github.com/perennial-cltv/perennial/pkg/task"
	"github.com/perennial-cltv/perennial/pkg/wire"
)

// drive is a task alone on a log and a store in memory, in time that it is given.
type drive struct {
	t       *testing.T
	now     int64 // Unix milliseconds
	log     *memoryLog
	memory  *store.Memory
	machine *task.Machine
	store   task.Store
	epoch   int16

	produceTakes int64 // milliseconds
	sleeps       func()
	appended     func(records []task.Out)
	offsets      int // that Kafka's group was told
}

// step does what the machine asks for, which takes 50 ms.
func (d *drive) step() {
	ctx := d.t.Context()
	d.now += 50
	a := d.machine.Next(d.now)
	var r task.Reply
	switch a.Do {
	case task.Sleep:
		d.sleeps()
	case task.Connect:
		d.store, r.Err = d.memory.Connect(ctx, 0)
	case task.InitProducer:
		d.epoch++
		r.Token = task.Token{ProducerID: 1, Epoch: d.epoch}
	case task.Fetch:
		r.Fetched, r.Err = d.log.Fetch(ctx, a.Topic, 0, a.Offset)
	case task.ProduceAll:
		d.now += d.produceTakes
		r.Errs = make([]error, len(a.Produce))
		for i := range a.Produce {
			r.Errs[i] = d.log.Produce(ctx, &a.Produce[i])
		}
	case task.Append:
		d.appended(a.Records)
	case task.CommitOffset:
		d.offsets++
	default:
		r = task.Ask(ctx, d.store, a)
	}
	d.machine.Done(d.now, &r)
}

// TestClocksUnderLoad: a task that is behind, whose checkpoints follow on one
// another because each batch changes thousands of customers, still tells its
// tenants the minute, and Kafka's group where it stands.
func TestClocksUnderLoad(t *testing.T) {
	const batch, n = 5000, 250_000
	now := int64(1_700_000_000_000)
	l := &memoryLog{perCall: batch, end: n}
	for i := range n {
		ev := cltv.Event{
			Tenant: "acme", Customer: fmt.Sprint(i), Source: "crm", SourceEventID: fmt.Sprint(i), Kind: cltv.KindConsent,
			OccurredAt: now, RecordedAt: now, Code: 1, Code2: 1,
		}
		l.records = append(l.records, task.Record{Timestamp: now, Key: []byte("acme/" + ev.Customer), Value: wire.AppendEvent(nil, &ev)})
	}
	d := &drive{t: t, now: now, log: l, memory: store.NewMemory(1)}
	d.machine = task.New(task.Config{Partitions: 1, CacheBytes: 256 << 20, BatchStates: batch, BatchBytes: 8 << 20, Tables: new(cltv.Tables)})
	var clocks int
	d.appended = func(records []task.Out) {
		if strings.HasSuffix(string(records[0].Key), "/~clock") {
			clocks++
		}
	}
	d.produceTakes = 2500
	d.sleeps = func() { t.Fatalf("sleeps: %+v", d.machine.Stats()) }
	m := d.machine
	m.Begin(now)
	began := now
	for m.Stats().NextOffset < n {
		d.step()
	}
	offsets := d.offsets
	now = d.now
	stats := m.Stats()
	minutes := int((now - began) / 60_000)
	t.Logf("%d minutes, %d checkpoints, %d clocks, %d offsets", minutes, stats.Checkpoints, clocks, offsets)
	if stats.Applied != n || stats.Checkpoints < 2 {
		t.Fatalf("the load is none: %+v", stats)
	}
	if clocks < minutes-1 {
		t.Errorf("%d clocks in %d minutes", clocks, minutes)
	}
	if offsets < minutes {
		t.Errorf("%d offsets in %d minutes", offsets, minutes)
	}
}

// TestReassessOfHistory: what a task asks for itself about a customer who is played
// back is marked as history, and nothing else is.
func TestReassessOfHistory(t *testing.T) {
	const hour, day = int64(3_600_000), 24 * int64(3_600_000)
	now := int64(1_700_000_000_000)
	l := &memoryLog{perCall: 100}
	write := func(ev cltv.Event, at int64) {
		ev.Source, ev.SourceEventID, ev.OccurredAt, ev.RecordedAt = "shop", fmt.Sprint(len(l.records)), at, at
		key := ev.Tenant + "/" + ev.Customer
		if ev.Customer == "" {
			key += "~parameters"
		}
		l.records = append(l.records, task.Record{Timestamp: now, Key: []byte(key), Value: wire.AppendEvent(nil, &ev)})
		l.end++
	}
	write(cltv.Event{Tenant: "old", Kind: cltv.KindPolicySet, Policy: &cltv.Policy{Number: 1, ClockMode: cltv.ClockPlayback}}, now)
	for _, tenant := range []string{"old", "live"} {
		order := cltv.Event{Tenant: tenant, Customer: "ann", Kind: cltv.KindOrder, Ref: "o", AmountMinor: 100, Currency: "USD", Backfill: true}
		write(order, now-100*day)
		write(cltv.Event{Tenant: tenant, Kind: cltv.KindClockAdvanced, Until: now - hour}, now-hour)
	}

	d := &drive{t: t, now: now, log: l, memory: store.NewMemory(1)}
	d.machine = task.New(task.Config{Partitions: 1, CacheBytes: 1 << 20, BatchStates: 100, BatchBytes: 1 << 20, Tables: new(cltv.Tables)})
	asked := map[string]bool{}
	d.appended = func(records []task.Out) {
		for i := range records {
			var ev cltv.Event
			if err := wire.DecodeEvent(records[i].Value, &ev); err != nil {
				t.Fatal(err)
			}
			if ev.Kind == cltv.KindReassess {
				asked[ev.Tenant] = ev.Backfill
			}
		}
	}
	d.sleeps = func() { d.now += 1000 }
	d.machine.Begin(now)
	for step := 0; len(asked) < 2 && step < 10_000; step++ {
		d.step()
	}
	if len(asked) != 2 || !asked["old"] || asked["live"] {
		t.Errorf("asked about %v, the value being whether it is history; %+v", asked, d.machine.Stats())
	}
}

// TestCheckpointsOfShortLivedOwners: where no owner lives as long as it is between
// two checkpoints, what they take in is saved all the same.
func TestCheckpointsOfShortLivedOwners(t *testing.T) {
	now := int64(1_700_000_000_000)
	d := &drive{t: t, now: now, log: &memoryLog{perCall: 100}, memory: store.NewMemory(1), appended: func([]task.Out) {}}
	d.sleeps = func() { d.now += 1000 }
	checkpoints := int64(0)
	for owner := range 4 {
		ev := cltv.Event{
			Tenant: "acme", Customer: fmt.Sprint(owner), Source: "crm", SourceEventID: fmt.Sprint(owner), Kind: cltv.KindConsent,
			OccurredAt: d.now, RecordedAt: d.now, Code: 1, Code2: 1,
		}
		d.log.records = append(d.log.records, task.Record{Timestamp: d.now, Key: []byte("acme/" + ev.Customer), Value: wire.AppendEvent(nil, &ev)})
		d.log.end++
		d.machine = task.New(task.Config{Partitions: 1, CacheBytes: 1 << 20, BatchStates: 100, BatchBytes: 1 << 20, Tables: new(cltv.Tables)})
		d.machine.Begin(d.now)
		for end := d.now + 20_000; d.now < end; {
			d.step()
		}
		stats := d.machine.Stats()
		if stats.NextOffset != int64(owner+1) {
			t.Fatalf("owner %d: %+v", owner, stats)
		}
		checkpoints += stats.Checkpoints
		if owner == 0 && checkpoints > 0 {
			t.Errorf("owner %d has written a checkpoint after 20 s", owner)
		}
	}
	if checkpoints == 0 {
		t.Error("four owners of 20 s each, and no checkpoint")
	}
}
