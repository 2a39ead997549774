package updater

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/perennial-cltv/perennial/pkg/cltv"
	"github.com/perennial-cltv/perennial/pkg/formula"
	"github.com/perennial-cltv/perennial/pkg/store"
	"github.com/perennial-cltv/perennial/pkg/stream"
	"github.com/perennial-cltv/perennial/pkg/task"
)

// member is this process in the group: the machines of the partitions that it was
// given last, with their caches. A partition that stays, or comes back at once,
// finds its machine again; whoever else had it meanwhile has made its cache void.
type member struct {
	kafka    *stream.Client
	log      task.Log
	redis    store.Config
	settings Settings
	observer *observer
	slog     *slog.Logger

	partitions int32
	tables     *cltv.Tables
	machines   map[int32]*task.Machine
}

// work runs the tasks of one generation until it ends. The group calls it for
// one generation at a time.
func (m *member) work(ctx context.Context, g *stream.Generation) error {
	assigned := g.Partitions[m.kafka.Config().Topics.Events]
	for err := m.prepare(ctx, assigned); err != nil; err = m.prepare(ctx, assigned) {
		m.slog.WarnContext(ctx, "the partitions can't be taken yet, trying again", "error", err)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Second):
		}
	}
	m.observer.assigned(assigned)
	defer m.observer.assigned(nil)
	var tasks sync.WaitGroup
	for _, a := range assigned {
		machine := m.machines[a.Partition]
		tasks.Go(func() { task.Run(ctx, machine, m.environment(g, a.Partition)) })
	}
	tasks.Wait()
	if len(assigned) == 0 {
		<-ctx.Done() // a member without partitions waits for its turn
	}
	m.handOver(ctx, g, assigned)
	return nil
}

// prepare has a machine for each partition.
func (m *member) prepare(ctx context.Context, assigned []stream.Assignment) error {
	partitions, err := m.kafka.Partitions(ctx, m.kafka.Config().Topics.Events)
	if err != nil {
		return err
	}
	if m.partitions != partitions {
		// The first time, or the topic was made anew: the tasks say what they
		// think of that.
		m.partitions, m.machines, m.tables = partitions, nil, &cltv.Tables{Formulas: formula.Compile}
	}
	m.share(assigned)
	return nil
}

// share has a machine for each partition that was given, and none else, and
// parts the memory for caches between them.
func (m *member) share(assigned []stream.Assignment) {
	before := m.machines
	m.machines = make(map[int32]*task.Machine, len(assigned))
	for _, a := range assigned {
		bytes := int(m.settings.CacheBytes) / len(assigned)
		machine := before[a.Partition]
		if machine != nil {
			machine.SetCacheBytes(bytes)
		} else {
			machine = task.New(task.Config{
				Partition: a.Partition, Partitions: m.partitions, CacheBytes: bytes,
				BatchStates: m.settings.BatchStates, BatchBytes: int(m.settings.BatchBytes),
				Tables: m.tables, AcceptTrimmedLog: m.settings.AcceptTrimmedLog,
			})
		}
		m.machines[a.Partition] = machine
	}
}

// environment is the world of one task in one generation.
func (m *member) environment(g *stream.Generation, partition int32) *task.Env {
	return &task.Env{
		Log: m.log,
		Connect: func(ctx context.Context) (task.Store, error) {
			s, err := store.Connect(ctx, m.redis, partition, m.partitions)
			if err != nil {
				return nil, err // a nil *store.Redis would make a task.Store that isn't nil
			}
			return s, nil
		},
		CommitOffset: func(ctx context.Context, partition int32, offset int64) {
			if err := m.commitOffset(g, partition, offset); err != nil {
				m.slog.DebugContext(ctx, "the group didn't take an offset; Redis has it", "error", err)
			}
		},
		Observer: m.observer,
	}
}

// handOver tells the group where the tasks stand, so that lag shows right in
// everyone's tools.
func (m *member) handOver(ctx context.Context, g *stream.Generation, assigned []stream.Assignment) {
	for _, a := range assigned {
		if offset := m.machines[a.Partition].Stats().NextOffset; offset > 0 {
			if err := m.commitOffset(g, a.Partition, offset); err != nil {
				m.slog.DebugContext(ctx, "the group didn't take an offset; Redis has it", "error", err)
			}
		}
	}
}

func (m *member) commitOffset(g *stream.Generation, partition int32, offset int64) error {
	topic := m.kafka.Config().Topics.Events
	if err := g.Commit(map[string]map[int32]int64{topic: {partition: offset}}); err != nil {
		return fmt.Errorf("committing offset %d of partition %d: %w", offset, partition, err)
	}
	return nil
}
