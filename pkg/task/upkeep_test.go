package task_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/perennial-cltv/perennial/pkg/cltv"
	"github.com/perennial-cltv/perennial/pkg/store"
	"github.com/perennial-cltv/perennial/pkg/task"
	"github.com/perennial-cltv/perennial/pkg/wire"
)

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
	ctx := context.Background()
	memory := store.NewMemory(1)
	m := task.New(task.Config{Partitions: 1, CacheBytes: 256 << 20, BatchStates: batch, BatchBytes: 8 << 20, Tables: new(cltv.Tables)})
	m.Begin(now)
	var s task.Store
	var clocks, offsets int
	began := now
	for m.Stats().NextOffset < n {
		now += 50
		a := m.Next(now)
		var r task.Reply
		switch a.Do {
		case task.Sleep:
			t.Fatalf("sleeps: %+v", m.Stats())
		case task.Connect:
			s, r.Err = memory.Connect(ctx, 0)
		case task.InitProducer:
			r.Token, r.Err = l.InitProducer(ctx, 0)
		case task.Fetch:
			r.Fetched, r.Err = l.Fetch(ctx, a.Topic, 0, a.Offset)
		case task.ProduceAll:
			now += 2500
			r.Errs = make([]error, len(a.Produce))
			for i := range a.Produce {
				r.Errs[i] = l.Produce(ctx, &a.Produce[i])
			}
		case task.Append:
			if strings.HasSuffix(string(a.Records[0].Key), "/~clock") {
				clocks++
			}
		case task.CommitOffset:
			offsets++
		default:
			r = task.Ask(ctx, s, a)
		}
		m.Done(now, &r)
	}
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
