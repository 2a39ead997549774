package store

import (
	"context"
	"errors"
	"iter"
	"maps"
	"slices"
	"sync"

	"github.com/perennial-cltv/perennial/pkg/task"
)

// Memory is the twin of a Redis server with one replica, for simulations. It
// answers as [Redis] does (package storetest holds both to that) and can be told to
// fail: jump back, fail over, lose everything, drop its connections. It reads no
// clock and nothing random, and starts no goroutine: the same calls in the same
// order give the same answers.
//
// A snapshot costs a map of the tasks; a task's maps are copied when it is first
// written after one.
type Memory struct {
	mu         sync.Mutex
	partitions int32
	tasks      map[int32]*memoryTask
	// era changes when the connections break.
	era      int
	replica  map[int32]*memoryTask
	stalled  bool
	full     bool
	evicting bool
	down     bool
	damaged  map[int32]bool
}

// memoryTask is the keys of one task. Values are never changed in place.
type memoryTask struct {
	stored     task.Stored
	states     map[string][]byte
	parameters map[string][]byte
	sums       map[sumName][]byte
	due        map[task.DueBucket][]string
	// shared says that a snapshot holds this task, too.
	shared bool
}

type sumName struct{ tenant, dimension, id string }

// Snapshot is what a Memory held at some moment.
type Snapshot struct{ tasks map[int32]*memoryTask }

// NewMemory returns an empty server for the tasks of a topic.
func NewMemory(partitions int32) *Memory {
	return &Memory{partitions: partitions, tasks: map[int32]*memoryTask{}, damaged: map[int32]bool{}}
}

// Connect connects to a task's keys.
func (m *Memory) Connect(_ context.Context, partition int32) (task.Store, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.down:
		return nil, broken("connect", errors.New("the server is down"))
	case partition < 0 || partition >= m.partitions:
		return nil, stop("connect", errors.New("no such partition"))
	}
	return &memoryConn{memory: m, partition: partition, era: m.era}, nil
}

// Snapshot returns what the server holds now.
func (m *Memory) Snapshot() *Snapshot {
	m.mu.Lock()
	defer m.mu.Unlock()
	return &Snapshot{tasks: m.share()}
}

// share returns the tasks, each to be copied before its next change.
func (m *Memory) share() map[int32]*memoryTask {
	for _, t := range m.tasks {
		t.shared = true
	}
	return maps.Clone(m.tasks)
}

// Restore puts a snapshot back, as a restart from an old file does, and breaks all
// connections. The replica follows.
func (m *Memory) Restore(s *Snapshot) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tasks = maps.Clone(s.tasks)
	m.replica = m.share()
	m.era++
}

// Wipe loses everything, on the replica as well, and breaks all connections.
func (m *Memory) Wipe() { m.Restore(&Snapshot{tasks: map[int32]*memoryTask{}}) }

// Break breaks all connections and loses nothing.
func (m *Memory) Break() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.era++
}

// SetDown breaks all connections and refuses new ones until it is unset.
func (m *Memory) SetDown(down bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.down = down
	m.era++
}

// Replicate brings the replica up to date, unless it is stalled. Otherwise only
// AwaitReplicas does.
func (m *Memory) Replicate() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.stalled {
		m.replica = m.share()
	}
}

// StallReplica keeps the replica where it is; AwaitReplicas then fails with
// KindRetry.
func (m *Memory) StallReplica(stalled bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stalled = stalled
}

// Failover loses what the replica doesn't have and breaks all connections.
func (m *Memory) Failover() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tasks = maps.Clone(m.replica)
	if m.tasks == nil {
		m.tasks = map[int32]*memoryTask{}
	}
	m.replica = m.share()
	m.era++
}

// SetFull makes all writes fail as those of a server whose memory is full.
func (m *Memory) SetFull(full bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.full = full
}

// SetEvicting makes Check find a server that evicts keys.
func (m *Memory) SetEvicting(evicting bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.evicting = evicting
}

// SetDamaged makes a task's commits and rebuilds fail as where a key has the wrong
// type.
func (m *Memory) SetDamaged(partition int32, damaged bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.damaged[partition] = damaged
}

// States yields the states of a task by key, in the order of the keys, as they are
// when the walk begins.
func (m *Memory) States(partition int32) iter.Seq2[string, []byte] {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := m.tasks[partition]
	if t == nil {
		return func(func(string, []byte) bool) {}
	}
	t.shared = true
	return func(yield func(string, []byte) bool) {
		for _, key := range slices.Sorted(maps.Keys(t.states)) {
			if !yield(key, t.states[key]) {
				return
			}
		}
	}
}

// task returns a task to read; an empty one where there is none.
func (m *Memory) task(partition int32) *memoryTask {
	if t := m.tasks[partition]; t != nil {
		return t
	}
	return &memoryTask{}
}

// change returns a task to write.
func (m *Memory) change(partition int32) *memoryTask {
	t := m.tasks[partition]
	switch {
	case t == nil:
		t = newMemoryTask()
	case t.shared:
		t = t.clone()
	}
	m.tasks[partition] = t
	return t
}

func newMemoryTask() *memoryTask {
	return &memoryTask{
		stored:     task.Stored{Clocks: map[string]int64{}},
		states:     map[string][]byte{},
		parameters: map[string][]byte{},
		sums:       map[sumName][]byte{},
		due:        map[task.DueBucket][]string{},
	}
}

func (t *memoryTask) clone() *memoryTask {
	c := *t
	c.shared = false
	c.stored.Clocks = maps.Clone(t.stored.Clocks)
	c.states = maps.Clone(t.states)
	c.parameters = maps.Clone(t.parameters)
	c.sums = maps.Clone(t.sums)
	c.due = make(map[task.DueBucket][]string, len(t.due))
	for bucket, customers := range t.due {
		// Clipped, so that appending copies instead of writing behind the other's back.
		c.due[bucket] = slices.Clip(customers)
	}
	return &c
}

// read returns a copy of the task's hash.
func (t *memoryTask) read() task.Stored {
	s := t.stored
	s.Clocks = nil
	if len(t.stored.Clocks) > 0 {
		s.Clocks = maps.Clone(t.stored.Clocks)
	}
	return s
}

// put writes what Redis.compose writes, in its order: a key that is both set and
// deleted ends up deleted.
func (t *memoryTask) put(c *task.Commit) {
	for i := range c.States {
		if w := &c.States[i]; w.Value != nil {
			t.states[w.Key] = copied(w.Value)
		}
	}
	for _, w := range c.Parameters {
		t.parameters[w.Tenant] = copied(w.Value)
	}
	for _, w := range c.Clocks {
		t.stored.Clocks[w.Tenant] = w.Unix
	}
	for _, w := range c.Sums {
		t.sums[sumName{w.Tenant, w.Dimension, w.ID}] = copied(w.Value)
	}
	for _, w := range c.Due {
		if len(w.Customers) > 0 {
			t.due[w.DueBucket] = append(t.due[w.DueBucket], w.Customers...)
		}
	}
	for i := range c.States {
		if w := &c.States[i]; w.Value == nil {
			delete(t.states, w.Key)
		}
	}
}

// copied returns a copy that isn't nil.
func copied(b []byte) []byte { return append(make([]byte, 0, len(b)), b...) }
