package bubble

import (
	"context"
	"fmt"
	"slices"

	"github.com/perennial-cltv/perennial/pkg/store"
	"github.com/perennial-cltv/perennial/pkg/task"
	"github.com/perennial-cltv/perennial/test/sim"
)

// collect reads what the tasks' topics have got since it was called last, before
// compaction and retention take it away.
func (w *world) collect(ctx context.Context) error {
	for topic := range task.NumTopics {
		if w.logs[topic] == nil {
			w.logs[topic] = make([][]task.Record, w.partitions)
		}
		err := w.client.Read(ctx, w.client.Topic(topic), nil, func(p int32, r *task.Record) error {
			log := &w.logs[topic][p]
			if n := len(*log); n == 0 || r.Offset > (*log)[n-1].Offset {
				*log = append(*log, clone(r))
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("reading %s: %w", w.client.Topic(topic), err)
		}
	}
	return nil
}

func clone(r *task.Record) task.Record {
	c := task.Record{Offset: r.Offset, Timestamp: r.Timestamp, Key: slices.Clone(r.Key), Value: slices.Clone(r.Value)}
	for _, h := range r.Headers {
		c.Headers = append(c.Headers, task.Header{Key: h.Key, Value: slices.Clone(h.Value)})
	}
	return c
}

// compare holds what is left behind against what the log says.
func (w *world) compare(ctx context.Context) error {
	remains := &sim.Remains{Logs: w.logs}
	for p := range w.partitions {
		t, err := w.taskRemains(ctx, int32(p))
		if err != nil {
			return err
		}
		remains.Tasks = append(remains.Tasks, t)
	}
	counts, err := w.check(remains)
	for what, n := range counts {
		w.journal.count(what, n)
	}
	return err
}

// taskRemains reads all that Redis has of a task.
func (w *world) taskRemains(ctx context.Context, p int32) (t sim.TaskRemains, err error) {
	reader, err := store.NewReader(ctx, w.storeConfig())
	if err != nil {
		return t, err
	}
	defer reader.Close()
	if t.Stored, err = reader.Task(ctx, p); err != nil {
		return t, err
	}
	if t.Contents, err = reader.Contents(ctx, p); err != nil {
		return t, err
	}
	_, _, err = reader.Scan(ctx, p, "", func(key string, value []byte) error {
		t.States = append(t.States, task.StateWrite{Key: key, Value: slices.Clone(value)})
		return nil
	})
	if err != nil {
		return t, err
	}
	connection, err := store.Connect(ctx, w.storeConfig(), p, int32(w.partitions))
	if err != nil {
		return t, err
	}
	defer connection.Close()
	for _, b := range t.Contents.Due {
		customers, err := connection.DueHead(ctx, b, 1_000_000)
		if err != nil {
			return t, err
		}
		t.Due = append(t.Due, task.DueWrite{DueBucket: b, Customers: slices.Clone(customers)})
	}
	return t, nil
}
