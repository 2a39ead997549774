package sim

import (
	"context"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	perennialv1 "github.com/perennial-cltv/perennial/proto/perennial/v1"

	"github.com/perennial-cltv/perennial/pkg/cltv"
	"github.com/perennial-cltv/perennial/pkg/task"
)

// revivedOwner is the model checker's shortest schedule for a failover that
// forgets OPEN: the former owner's token, opening and offset match again, it
// commits, and a late write of the newer owner lands after the final version.
func revivedOwner(o Options) error {
	return scripted(o, func(s *script) {
		x, y := s.owner("A0"), s.owner("B0")
		s.playback()
		s.order("a")
		s.order("a")
		s.order("a")
		s.assign(x)
		s.until(x, sends(task.Updates))
		s.move(x) // v1 is under way
		s.assign(y)
		s.until(y, asks(task.Open))
		s.redis.behind = append(s.redis.behind, s.redis.memory.Snapshot()) // a replica stays behind
		s.until(y, sends(task.Updates))
		s.move(y) // v1 of the newer epoch is under way
		s.landAll(x)
		if len(s.redis.behind) > 0 {
			s.redis.failover(0, false)
		}
		for range 60 {
			s.once(x)
		}
		s.end(x)
	})
}

// forgottenIDs are the two ways in which Kafka forgets an id in use.
func forgottenIDs(o Options) error {
	if err := forgottenID(o); err != nil {
		return err
	}
	return frozenOwner(o)
}

// frozenOwner: an owner freezes between a load and what it would produce, wakes
// up eight days later, and sends it with a token of which Kafka knows nothing.
func frozenOwner(o Options) error {
	return scripted(o, func(s *script) {
		x, y := s.owner("A0"), s.owner("B0")
		s.playback()
		s.assign(x)
		s.until(x, s.idle)
		s.order("a")
		s.until(x, func(a *task.Action) bool { return a.Do == task.Load && a.Keys[0] == "acme/a" })
		s.once(x)
		s.now += 8 * day
		s.order("a")
		s.assign(y)
		s.until(y, s.idle)
		s.once(x)
		s.end(y)
	})
}

// forgottenID: an owner lives for eight days; its last write is late, and a new
// owner writes before it lands.
func forgottenID(o Options) error {
	return scripted(o, func(s *script) {
		x, y := s.owner("A0"), s.owner("B0")
		s.playback()
		s.assign(x)
		s.until(x, s.idle)
		for range 8 * 24 {
			s.now += 3600 * 1000
			s.until(x, s.idle)
			s.once(x)
		}
		s.order("a")
		s.until(x, sends(task.Updates))
		s.move(x)
		s.order("a")
		s.plan.fetch = 10
		s.assign(y)
		s.until(y, s.idle)
		s.end(y) // x's write lands somewhere in here
	})
}

// lostCommit: a failover takes the last commit back while its owner has nothing
// to do.
func lostCommit(o Options) error {
	return scripted(o, func(s *script) {
		x := s.owner("A0")
		s.playback()
		s.order("a")
		s.assign(x)
		s.until(x, asks(task.CommitBatch))
		s.until(x, func(a *task.Action) bool { return a.Do == task.CommitBatch && len(a.Commit.States) > 0 })
		behind := s.redis.memory.Snapshot()
		s.until(x, s.idle)
		s.redis.memory.Restore(behind)
		s.end(x)
	})
}

// cacheOfBefore: a member gets its task back, and between its read and its OPEN
// another owner commits. The store's own compare of the opening number is off,
// because it covers for this rule.
func cacheOfBefore(o Options) error {
	return scripted(o, func(s *script) {
		x, y := s.owner("A0"), s.owner("B0")
		s.playback()
		s.order("a")
		s.assign(x)
		s.until(x, s.idle)
		s.assign(x) // it comes back to the same member
		s.until(x, asks(task.Open))
		s.order("a")
		s.assign(y)
		s.until(y, s.idle)
		s.crash(y)
		s.order("a")
		s.end(x)
	})
}

// interruptedRebuild kills the owner at each step of a rebuild in turn.
func interruptedRebuild(o Options) error {
	for steps := 1; ; steps++ {
		over := false
		err := scripted(o, func(s *script) {
			x, y := s.owner("A0"), s.owner("B0")
			s.playback()
			s.assign(x)
			for _, customer := range []string{"a", "b", "c", "d"} { // a checkpoint after each
				s.order(customer)
				s.checkpoint(x)
			}
			s.redis.wipe()
			s.crash(x)
			s.plan.batchStates = 1
			s.newMachine(y)
			s.assign(y)
			s.until(y, asks(task.BeginRebuild))
			for range steps {
				if over = y.machine.Stats().Ready; over {
					break
				}
				s.once(y)
			}
			s.crash(y)
			s.end(x)
		})
		if err != nil || over {
			return err
		}
	}
}

// laterParameters: a policy comes while a checkpoint is being written, after a
// record that a rebuild will replay.
func laterParameters(o Options) error {
	o.adjust = func(p *plan) { p.batchStates = 1 }
	return scripted(o, func(s *script) {
		x := s.owner("A0")
		s.playback()
		for _, customer := range []string{"a", "b", "c", "d", "e"} { // chunks enough for both records in between
			s.order(customer)
		}
		s.assign(x)
		s.until(x, s.idle)
		s.now += 31_000
		s.until(x, sends(task.State))
		s.order("z")
		s.put("acme/~policy", &perennialv1.Event{
			Tenant: "acme", Source: "operator", RecordedAt: timestamppb.New(time.UnixMilli(startOfTime)),
			Fact: &perennialv1.Event_PolicySet{PolicySet: &perennialv1.PolicySet{Number: 2, MarginPpm: 100_000, ClockMode: perennialv1.ClockMode_CLOCK_MODE_PLAYBACK}},
		})
		s.until(x, func(a *task.Action) bool { return a.Do == task.CommitBatch && a.Commit.CheckpointOffset >= 0 })
		s.crash(x)
		s.redis.wipe()
		s.end(s.owner("B0"))
	})
}

// forgottenCustomer: the owner dies just after a due customer left the index.
func forgottenCustomer(o Options) error {
	return scripted(o, func(s *script) {
		x := s.owner("A0")
		s.playback()
		s.order("a")
		s.put("acme/~clock", &perennialv1.Event{
			Tenant: "acme", Source: "importer", RecordedAt: timestamppb.New(time.UnixMilli(startOfTime)),
			Fact: &perennialv1.Event_ClockAdvanced{ClockAdvanced: &perennialv1.ClockAdvanced{To: timestamppb.New(time.UnixMilli(startOfTime + 9*day))}},
		})
		s.assign(x)
		s.until(x, asks(task.DueTrim))
		s.once(x)
		s.crash(x)
		s.end(s.owner("B0"))
	})
}

// repeatedInPart: Redis goes back, the next owner repeats the outputs in part,
// and Redis is lost: what is saved is ahead of the last output.
func repeatedInPart(o Options) error {
	return scripted(o, func(s *script) {
		x, y := s.owner("A0"), s.owner("B0")
		s.playback()
		s.plan.fetch = 100
		s.assign(x)
		s.until(x, s.idle)
		behind := s.redis.memory.Snapshot()
		s.order("a")
		s.order("a")
		s.checkpoint(x)
		s.crash(x)
		s.redis.memory.Restore(behind)
		s.plan.fetch = 1
		s.assign(y)
		s.until(y, sends(task.Updates))
		s.once(y) // version 1 stands behind version 2
		s.crash(y)
		s.kafka.topics[task.State][0].compact(0)
		s.redis.wipe()
		s.end(x)
	})
}

// settledTask runs a task to the end of some input, with a checkpoint.
func (s *script) settledTask() {
	x := s.owner("A0")
	s.playback()
	s.order("a")
	s.order("b")
	s.assign(x)
	s.checkpoint(x)
	s.crash(x)
}

// checkpoint runs an owner to the end of the input and through a checkpoint that
// Redis knows.
func (s *script) checkpoint(o *owner) {
	s.until(o, s.idle)
	s.now += 31_000
	s.once(o)
	s.until(o, func(a *task.Action) bool { return a.Do == task.CommitBatch && a.Commit.CheckpointOffset >= 0 })
	s.until(o, s.idle)
}

// staleLoad: Redis goes back between two batches, on a connection that doesn't
// notice, and the next batch loads a state of then.
func staleLoad(o Options) error {
	o.adjust = func(p *plan) { p.cacheBytes = 0 }
	return scripted(o, func(s *script) {
		x := s.owner("A0")
		s.playback()
		s.order("a")
		s.assign(x)
		s.until(x, func(a *task.Action) bool { return a.Do == task.CommitBatch && len(a.Commit.States) > 0 })
		behind := s.redis.memory.Snapshot()
		s.until(x, s.idle)
		s.redis.memory.Restore(behind)
		s.order("a")
		s.end(x)
	})
}

// lostTogether: Redis goes back while a batch's outputs are under way, on a
// connection that doesn't notice.
func lostTogether(o Options) error {
	return scripted(o, func(s *script) {
		x := s.owner("A0")
		s.playback()
		s.order("a")
		s.assign(x)
		s.until(x, func(a *task.Action) bool { return a.Do == task.CommitBatch && len(a.Commit.States) > 0 })
		behind := s.redis.memory.Snapshot()
		s.until(x, s.idle)
		s.order("a")
		s.until(x, asks(task.CommitBatch))
		s.redis.memory.Restore(behind)
		s.end(x)
	})
}

func replacedLog(o Options) error {
	return scripted(o, func(s *script) {
		s.settledTask()
		p := s.kafka.topics[task.Input][0]
		next := p.next
		*p = *newKafka(1).topics[task.Input][0]
		for p.next < next+2 {
			s.order("z")
		}
		s.refs[0] = newReference(0, s.tables)
		s.refuses(s.owner("B0"), "the log was replaced")
	})
}

func newerFold(o Options) error {
	return scripted(o, func(s *script) {
		s.settledTask()
		store := s.redis.connect(0)
		stored, err := store.Read(context.Background())
		if err != nil {
			s.fail("%v", err)
		}
		if _, err := store.Open(context.Background(), task.OpenRequest{
			Token: task.Token{ProducerID: 99}, ReadOpening: stored.Opening, FoldVersion: cltv.FoldVersion + 1, Partitions: 1,
		}); err != nil {
			s.fail("%v", err)
		}
		s.refuses(s.owner("B0"), "a newer program folded the task")
	})
}

// otherPartitions: the checkpoint in cltv.state.v1 was made with another number
// of partitions.
func otherPartitions(o Options) error {
	return scripted(o, func(s *script) {
		s.settledTask()
		s.redis.wipe()
		b := s.owner("B0")
		b.machine = task.New(task.Config{Partition: 0, Partitions: 2, CacheBytes: 1 << 20, Tables: s.tables, Off: s.machineOff})
		s.refuses(b, "customers would change their partition")
	})
}

func lostInput(o Options) error {
	return scripted(o, func(s *script) {
		s.settledTask()
		s.redis.wipe()
		state := s.kafka.topics[task.State][0]
		state.records = nil // no checkpoint, no states
		s.kafka.topics[task.Input][0].trim(2)
		s.refuses(s.owner("B0"), "the beginning of the input is gone")
	})
}

// fullSum: a sum stands just below its bound.
func fullSum(o Options) error {
	return scripted(o, func(s *script) {
		s.settledTask()
		ctx := context.Background()
		store := s.redis.connect(0)
		stored, err := store.Read(ctx)
		if err != nil {
			s.fail("%v", err)
		}
		var full cltv.Sums
		full[cltv.SumGross] = cltv.SumLimit - 5
		if _, err := store.RebuildPut(ctx, &task.Commit{
			Token: stored.Token, Opening: stored.Opening, CheckpointOffset: -1,
			Sums: []task.SumWrite{{Tenant: "acme", Dimension: cltv.DimTenant.String(), ID: cltv.AllID, Value: full.AppendTo(nil)}},
		}); err != nil {
			s.fail("%v", err)
		}
		b := s.owner("B0")
		s.assign(b)
		s.until(b, s.idle)
		before := len(s.kafka.topics[task.Updates][0].records)
		s.order("a")
		for range 20 {
			if s.once(b); b.machine.Stats().Stopped {
				break
			}
		}
		if !b.machine.Stats().Stopped || len(s.kafka.topics[task.Updates][0].records) != before {
			s.fail("a sum left its bounds, and the task goes on")
		}
	})
}

// directed schedules what random seeds meet too rarely.
var directed = map[task.Rule]func(o Options) error{
	task.RuleCompareAtLoad:        staleLoad,
	task.RuleRewindOnCommit:       lostTogether,
	task.RuleParametersOfSnapshot: laterParameters,
	task.RuleDueTrimLast:          forgottenCustomer,
	task.RuleClearBeforeRebuild:   interruptedRebuild,
	task.RuleRepair:               repeatedInPart,
	task.RuleIdleCheck:            lostCommit,
	task.RuleCompareCRC:           replacedLog,
	task.RuleReopen:               forgottenIDs,
	task.RuleRefuseNewerFold:      newerFold,
	task.RuleRefusePartitions:     otherPartitions,
	task.RuleOffsetLast:           interruptedRebuild,
	task.RuleRebuildNeedsInput:    lostInput,
	task.RuleCheckOverflow:        fullSum,
	task.RuleAwaitReplicas:        revivedOwner,
	task.RuleKeepCacheByOpen:      cacheOfBefore,
}

// covers are rules that hide the absence of another: what the other prevents
// shows only where they are off, too. The same runs pass with the covers alone
// switched off, so it is the rule that is caught.
var covers = map[task.Rule]Options{
	task.RuleCompareAtLoad:     {storeOff: ruleBoundConnection},
	task.RuleAwaitReplicas:     {storeOff: ruleBoundConnection},
	task.RuleKeepCacheByOpen:   {storeOff: ruleReadOpening},
	task.RuleRebuildNeedsInput: {Off: task.RuleCompareCRC},
	task.RuleRewindOnCommit:    {storeOff: ruleBoundConnection, Off: task.RuleIdleCheck},
}

// storeMutations break what the store compares. Single ones of the token, the
// opening number and the order of InitProducerID and OPEN are not seen: they
// cover for one another (and storetest holds the store to each).
var storeMutations = []struct {
	name     string
	off      storeRule
	cover    Options
	directed func(o Options) error
}{
	{"token and opening compare", ruleTokenCompare | ruleOpeningCompare, Options{}, nil},
	{"batch and offset compare", ruleBatchCompare, Options{storeOff: ruleBoundConnection}, nil},
	{"bound connection", ruleBoundConnection, Options{Off: task.RuleAwaitReplicas}, revivedOwner},
}
