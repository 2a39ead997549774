package sim

import (
	"context"
	"errors"

	"github.com/perennial-cltv/perennial/pkg/store"
	"github.com/perennial-cltv/perennial/pkg/task"
)

// redis is the store's in-memory twin with a choice of replicas: before any
// write a copy may stay behind, and a failover makes it the primary. That equals
// a failover to any earlier state that the rules allow, for a copy vanishes
// once an owner has awaited the replicas.
type redis struct {
	memory *store.Memory
	behind []*store.Snapshot
	// late are requests of broken connections that the server may still carry out.
	late []func()
}

func newRedis(partitions int32) *redis { return &redis{memory: store.NewMemory(partitions)} }

// failover makes a copy that stayed behind the primary. The abandoned one may
// come back later.
func (r *redis) failover(i int, keepAbandoned bool) {
	abandoned := r.memory.Snapshot()
	r.memory.Restore(r.behind[i])
	r.behind, r.late = nil, nil
	if keepAbandoned {
		r.behind = append(r.behind, abandoned)
	}
}

// wipe loses everything, on all replicas.
func (r *redis) wipe() {
	r.memory.Wipe()
	r.behind, r.late = nil, nil
}

// connect gives a connection to a task's keys.
func (r *redis) connect(partition int32) task.Store {
	s, err := r.memory.Connect(context.Background(), partition)
	if err != nil {
		panic(err)
	}
	return s
}

// conn is one owner's connection. Where a rule of the store is switched off, it
// changes the request so that the twin can't hold to it.
type conn struct {
	w         *world
	partition int32
	store     task.Store
}

var errBroken = &task.Error{Kind: task.KindConnection, Op: "redis", Err: errors.New("connection lost")}

// ask carries out an action of the store.
func (c *conn) ask(a *task.Action) task.Reply {
	w := c.w
	if c.writes(a) && w.chance(w.plan.stayBehind) && len(w.redis.behind) < 4 {
		w.redis.behind = append(w.redis.behind, w.redis.memory.Snapshot())
	}
	if w.off&ruleBoundConnection != 0 { // reconnect silently, as clients do
		c.store = w.redis.connect(c.partition)
	}
	a = c.bend(a)
	r := task.Ask(context.Background(), c.store, a)
	switch {
	case r.Err != nil:
	case a.Do == task.AwaitReplicas:
		w.redis.behind = nil
	case a.Do == task.CommitBatch && r.Verdict == task.OK:
		w.checkCommit(c.partition, a.Commit)
	}
	return r
}

func (c *conn) writes(a *task.Action) bool {
	switch a.Do {
	case task.Open, task.CommitBatch, task.DueTrim, task.BeginRebuild, task.RebuildPut, task.FinishRebuild:
		return true
	default:
		return false
	}
}

// bend makes a request pass the comparisons that are switched off.
func (c *conn) bend(a *task.Action) *task.Action {
	off := c.w.off
	if off&(ruleTokenCompare|ruleOpeningCompare|ruleReadOpening|ruleSameProducer|ruleBatchCompare) == 0 || !c.writes(a) {
		return a
	}
	stored, err := c.w.redis.connect(c.partition).Read(context.Background())
	if err != nil {
		return a
	}
	b := *a
	if off&ruleTokenCompare != 0 {
		b.Token = stored.Token
	}
	if off&ruleOpeningCompare != 0 {
		b.Opening = stored.Opening
	}
	if a.Commit != nil {
		commit := *a.Commit
		if off&ruleTokenCompare != 0 {
			commit.Token = stored.Token
		}
		if off&ruleOpeningCompare != 0 {
			commit.Opening = stored.Opening
		}
		if off&ruleBatchCompare != 0 {
			commit.Batch = stored.Batch
			commit.From = stored.NextOffset
		}
		b.Commit = &commit
	}
	if a.Do == task.Open && off&ruleReadOpening != 0 {
		b.Open.ReadOpening = stored.Opening
	}
	return &b
}
