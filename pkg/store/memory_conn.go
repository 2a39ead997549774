package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/perennial-cltv/perennial/pkg/task"
)

// memoryConn is a connection to a Memory. Like a real one it is used by one
// goroutine, and what Load returns is overwritten by the next call.
type memoryConn struct {
	memory    *Memory
	partition int32
	era       int
	closed    bool
	loaded    []byte
	states    [][]byte
}

// enter locks the server; the caller unlocks it where there is no error.
func (c *memoryConn) enter(ctx context.Context, op string) error {
	for i := range c.loaded { // whoever kept a state too long shall see it
		c.loaded[i] = 0xDB
	}
	c.memory.mu.Lock()
	var err error
	switch {
	case c.closed:
		err = broken(op, errClosed)
	case c.era != c.memory.era:
		err = broken(op, errors.New("the connection is broken"))
	case ctx.Err() != nil:
		c.closed = true
		err = broken(op, context.Cause(ctx))
	default:
		return nil
	}
	c.memory.mu.Unlock()
	return err
}

// writable refuses a write to a server that is full or damaged, before any change.
func (c *memoryConn) writable(op string) error {
	switch {
	case c.memory.full:
		return wrap(op, serverError("OOM command not allowed when used memory > 'maxmemory'."))
	case c.memory.damaged[c.partition]:
		return wrap(op, serverError("WRONGTYPE a key of the task has the wrong type"))
	}
	return nil
}

func (c *memoryConn) op(what string) string {
	return fmt.Sprintf("%s of partition %d", what, c.partition)
}

// Check implements task.Store.
func (c *memoryConn) Check(ctx context.Context) error {
	op := c.op("check")
	if err := c.enter(ctx, op); err != nil {
		return err
	}
	defer c.memory.mu.Unlock()
	if c.memory.evicting {
		return stop(op, errors.New("maxmemory-policy must be noeviction"))
	}
	return nil
}

// Read implements task.Store.
func (c *memoryConn) Read(ctx context.Context) (task.Stored, error) {
	if err := c.enter(ctx, c.op("read")); err != nil {
		return task.Stored{}, err
	}
	defer c.memory.mu.Unlock()
	return c.memory.task(c.partition).read(), nil
}

// Open implements task.Store.
func (c *memoryConn) Open(ctx context.Context, r task.OpenRequest) (task.OpenReply, error) {
	op := c.op("open")
	if err := c.enter(ctx, op); err != nil {
		return task.OpenReply{}, err
	}
	defer c.memory.mu.Unlock()
	before := c.memory.task(c.partition).read()
	switch {
	case before.Opening != r.ReadOpening:
		return task.OpenReply{Verdict: task.Stale, Before: before}, nil
	case before.Exists && before.Token.ProducerID == r.Token.ProducerID && before.Token.Epoch >= r.Token.Epoch:
		return task.OpenReply{Verdict: task.SameProducer, Before: before}, nil
	case before.Exists && before.FoldVersion > r.FoldVersion:
		return task.OpenReply{Verdict: task.NewerFold, Before: before}, nil
	case before.Exists && before.Partitions != r.Partitions:
		return task.OpenReply{Verdict: task.OtherPartitions, Before: before}, nil
	}
	if c.memory.full {
		return task.OpenReply{}, c.writable(op)
	}
	s := &c.memory.change(c.partition).stored
	s.Token, s.Opening, s.FoldVersion = r.Token, r.ReadOpening+1, r.FoldVersion
	if !before.Exists {
		s.Exists, s.Partitions, s.Rebuilding = true, r.Partitions, true
	}
	return task.OpenReply{Verdict: task.OK, Before: before}, nil
}

// AwaitReplicas implements task.Store.
func (c *memoryConn) AwaitReplicas(ctx context.Context) error {
	op := c.op("await the replicas")
	if err := c.enter(ctx, op); err != nil {
		return err
	}
	defer c.memory.mu.Unlock()
	if c.memory.stalled {
		return &task.Error{Kind: task.KindRetry, Op: op, Err: errTooFew{0, 1}}
	}
	c.memory.replica = c.memory.share()
	return nil
}

// Contents implements task.Store.
func (c *memoryConn) Contents(ctx context.Context) (task.Contents, error) {
	if err := c.enter(ctx, c.op("read the contents")); err != nil {
		return task.Contents{}, err
	}
	defer c.memory.mu.Unlock()
	t := c.memory.task(c.partition)
	contents := task.Contents{Position: t.stored.Position, Parameters: map[string][]byte{}}
	for tenant, value := range t.parameters {
		contents.Parameters[tenant] = copied(value)
	}
	for name, value := range t.sums {
		contents.Sums = append(contents.Sums, task.SumWrite{Tenant: name.tenant, Dimension: name.dimension, ID: name.id, Value: copied(value)})
	}
	slices.SortFunc(contents.Sums, func(x, y task.SumWrite) int {
		return cmp.Or(strings.Compare(x.Tenant, y.Tenant), strings.Compare(x.Dimension, y.Dimension), strings.Compare(x.ID, y.ID))
	})
	contents.Due = slices.SortedFunc(maps.Keys(t.due), func(x, y task.DueBucket) int {
		return cmp.Or(cmp.Compare(x.Day, y.Day), strings.Compare(x.Tenant, y.Tenant))
	})
	return contents, nil
}

// Load implements task.Store.
func (c *memoryConn) Load(ctx context.Context, customers []string) (task.LoadReply, error) {
	if err := c.enter(ctx, c.op("load states")); err != nil {
		return task.LoadReply{}, err
	}
	defer c.memory.mu.Unlock()
	t := c.memory.task(c.partition)
	size := 0
	for _, customer := range customers {
		size += len(t.states[customer])
	}
	c.loaded = slices.Grow(c.loaded[:0], size+1) // never nil: an empty state isn't a missing one
	c.states = c.states[:0]
	for _, customer := range customers {
		state, found := t.states[customer]
		if !found {
			c.states = append(c.states, nil)
			continue
		}
		start := len(c.loaded)
		c.loaded = append(c.loaded, state...)
		c.states = append(c.states, c.loaded[start:len(c.loaded):len(c.loaded)])
	}
	return task.LoadReply{Position: t.stored.Position, States: c.states}, nil
}

// Position implements task.Store.
func (c *memoryConn) Position(ctx context.Context) (task.Position, error) {
	if err := c.enter(ctx, c.op("read the position")); err != nil {
		return task.Position{}, err
	}
	defer c.memory.mu.Unlock()
	return c.memory.task(c.partition).stored.Position, nil
}

// owned says whether the task is the caller's.
func (c *memoryConn) owned(t task.Token, opening int64) (token, both bool) {
	stored := &c.memory.task(c.partition).stored
	token = stored.Exists && stored.Token == t
	return token, token && stored.Opening == opening
}

// Commit implements task.Store.
func (c *memoryConn) Commit(ctx context.Context, commit *task.Commit) (task.Verdict, error) {
	op := c.op("commit")
	if err := c.enter(ctx, op); err != nil {
		return 0, err
	}
	defer c.memory.mu.Unlock()
	token, both := c.owned(commit.Token, commit.Opening)
	stored := &c.memory.task(c.partition).stored
	switch {
	case !token:
		return task.Fenced, nil
	case !both || stored.Rebuilding:
		return task.Rewind, nil
	case stored.Batch == commit.Batch+1 && stored.NextOffset == commit.To:
		return task.Dup, nil
	case stored.Batch != commit.Batch || stored.NextOffset != commit.From:
		return task.Rewind, nil
	}
	if err := c.writable(op); err != nil {
		return 0, err
	}
	t := c.memory.change(c.partition)
	t.put(commit)
	t.stored.Batch++
	t.place(commit)
	return task.OK, nil
}

// place sets what a commit and the end of a rebuild set.
func (t *memoryTask) place(c *task.Commit) {
	t.stored.NextOffset, t.stored.LastCRC = c.To, c.LastCRC
	if c.CheckpointOffset >= 0 {
		t.stored.CheckpointOffset = c.CheckpointOffset
	}
}

// DueHead implements task.Store.
func (c *memoryConn) DueHead(ctx context.Context, b task.DueBucket, n int) ([]string, error) {
	if err := c.enter(ctx, c.op("read a due bucket")); err != nil {
		return nil, err
	}
	defer c.memory.mu.Unlock()
	customers := c.memory.task(c.partition).due[b]
	return slices.Clone(customers[:min(max(n, 0), len(customers))]), nil
}

// DueTrim implements task.Store.
func (c *memoryConn) DueTrim(ctx context.Context, token task.Token, opening int64, b task.DueBucket, n int) (task.Verdict, error) {
	op := c.op("trim a due bucket")
	if err := c.enter(ctx, op); err != nil {
		return 0, err
	}
	defer c.memory.mu.Unlock()
	switch isToken, both := c.owned(token, opening); {
	case !isToken:
		return task.Fenced, nil
	case !both:
		return task.Rewind, nil
	case c.memory.damaged[c.partition]:
		return 0, c.writable(op)
	}
	t := c.memory.change(c.partition)
	if left := t.due[b][min(max(n, 0), len(t.due[b])):]; len(left) > 0 {
		t.due[b] = left
	} else {
		delete(t.due, b)
	}
	return task.OK, nil
}

// rebuild runs one step of a rebuild, fenced.
func (c *memoryConn) rebuild(ctx context.Context, token task.Token, opening int64, step func(t *memoryTask)) (task.Verdict, error) {
	op := c.op("rebuild")
	if err := c.enter(ctx, op); err != nil {
		return 0, err
	}
	defer c.memory.mu.Unlock()
	if _, both := c.owned(token, opening); !both {
		return task.Fenced, nil
	}
	if err := c.writable(op); err != nil {
		return 0, err
	}
	step(c.memory.change(c.partition))
	return task.OK, nil
}

// BeginRebuild implements task.Store.
func (c *memoryConn) BeginRebuild(ctx context.Context, token task.Token, opening int64) (task.Verdict, error) {
	return c.rebuild(ctx, token, opening, func(t *memoryTask) {
		stored := t.stored
		*t = *newMemoryTask()
		clocks := t.stored.Clocks
		t.stored = stored
		t.stored.Clocks, t.stored.Rebuilding = clocks, true
	})
}

// RebuildPut implements task.Store.
func (c *memoryConn) RebuildPut(ctx context.Context, commit *task.Commit) (task.Verdict, error) {
	return c.rebuild(ctx, commit.Token, commit.Opening, func(t *memoryTask) { t.put(commit) })
}

// FinishRebuild implements task.Store.
func (c *memoryConn) FinishRebuild(ctx context.Context, commit *task.Commit) (task.Verdict, error) {
	return c.rebuild(ctx, commit.Token, commit.Opening, func(t *memoryTask) {
		t.stored.Rebuilding, t.stored.Batch = false, commit.Batch
		t.place(commit)
	})
}

// Close implements task.Store.
func (c *memoryConn) Close() error {
	c.closed = true
	return nil
}
