package sim

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/perennial-cltv/perennial/pkg/cltv"
	"github.com/perennial-cltv/perennial/pkg/task"
)

// storeRule is a rule that the store keeps, and that the simulation can break.
type storeRule uint

const (
	ruleTokenCompare storeRule = 1 << iota
	ruleOpeningCompare
	ruleReadOpening
	ruleSameProducer
	ruleBatchCompare
	ruleBoundConnection
)

// plan is what a seed decides once: how large everything is, and how often what
// goes wrong. Chances are per mille.
type plan struct {
	partitions, members int
	records             int
	batchStates         int
	batchBytes          int
	produceBytes        int
	cacheBytes          int
	fetch               int // records at most
	stayBehind          int // a replica stays behind before a write
	loseAnswer          int // of a produce or commit
	breakConnection     int
	errorReply          int // "try again", nothing done
	repeat              int // a request stays in the network after it landed
	faults              int // weight of faults among steps
	wipes               bool
}

// world is everything: members with their machines, Kafka, Redis, the network,
// and what is still to be published.
type world struct {
	rng        *rand.Rand
	plan       plan
	off        storeRule
	machineOff task.Rule
	fold       func(f *cltv.Folder, s *cltv.State, ev *cltv.Event, at cltv.At) cltv.Step

	now    int64 // Unix milliseconds
	kafka  *kafka
	redis  *redis
	owners []*owner
	net    []*request
	input  []published
	refs   []*reference
	tables *cltv.Tables
	steps  int
	calm   bool // no more faults
	trace  func(format string, args ...any)
	counts map[string]int
}

// owner is one member's machine for one task.
type owner struct {
	name       string
	partition  int32
	machine    *task.Machine
	conn       *conn
	assigned   bool
	life       int // counts crashes, so that answers to the dead are not delivered
	frozen     int // steps during which it doesn't move
	wakeAt     int64
	errs       []error
	unanswered int

	// What it got since it last read the task, see checkOrder.
	token              task.Token
	opened, replicated bool
}

// request is a numbered batch in the network.
type request struct {
	owner   *owner
	life    int
	index   int // of the owner's produces
	batch   task.Produce
	waiting bool // somebody waits for the answer
}

// published is a record that a source will publish.
type published struct {
	partition int32
	key       []byte
	value     []byte
	headers   []task.Header
	// skew is added to the time of publishing for the record's timestamp.
	skew int64
}

// violation is a broken promise.
type violation struct{ text string }

func (w *world) fail(format string, args ...any) {
	panic(violation{fmt.Sprintf(format, args...)})
}

func (w *world) log(format string, args ...any) {
	if w.trace != nil {
		w.trace("%5d %s", w.steps, fmt.Sprintf(format, args...))
	}
}

// chance is true in n of 1,000 cases, and never once all is calm.
func (w *world) chance(n int) bool { return !w.calm && n > 0 && w.rng.IntN(1000) < n }

// newMachine gives an owner a machine that knows nothing.
func (w *world) newMachine(o *owner) {
	w.tally(o)
	c := task.Config{
		Partition: o.partition, Partitions: int32(w.plan.partitions),
		CacheBytes: w.plan.cacheBytes, BatchStates: w.plan.batchStates, BatchBytes: w.plan.batchBytes, ProduceBytes: w.plan.produceBytes,
		Tables: w.tables, Off: w.machineOff, Fold: w.fold,
	}
	o.machine = task.New(c)
	o.life++
	o.assigned, o.conn, o.unanswered, o.wakeAt, o.frozen = false, nil, 0, 0, 0
}

// step makes one thing happen.
func (w *world) step() {
	w.steps++
	w.now += int64(w.rng.IntN(3))
	type choice struct {
		weight int
		do     func()
	}
	var choices []choice
	total := 0
	add := func(weight int, do func()) {
		if weight > 0 {
			choices = append(choices, choice{weight, do})
			total += weight
		}
	}
	for _, o := range w.owners {
		if o.frozen > 0 {
			o.frozen--
			continue
		}
		if o.assigned && o.unanswered == 0 && w.now >= o.wakeAt {
			add(30, func() { w.move(o) })
		}
	}
	for i := range w.net {
		add(15, func() { w.land(i) })
	}
	if len(w.input) > 0 {
		add(12, w.publish)
	}
	if n := len(w.redis.late); n > 0 {
		add(6, func() { w.landLate(w.rng.IntN(n)) })
	}
	add(4, w.letTimePass)
	if !w.calm {
		w.addFaults(add)
	}
	pick := w.rng.IntN(total)
	for _, c := range choices {
		if pick -= c.weight; pick < 0 {
			c.do()
			return
		}
	}
}

// publish appends the next record of the sources.
func (w *world) publish() {
	r := w.input[0]
	w.input = w.input[1:]
	p := w.kafka.topics[task.Input][r.partition]
	w.log("input %d/%d: %s", r.partition, p.next, r.key)
	p.append(task.Token{}, w.now+r.skew, task.Out{Key: r.key, Value: r.value, Headers: r.headers})
}

// move makes an owner do what its machine asks for.
func (w *world) move(o *owner) {
	a := o.machine.Next(w.now)
	if a.Do != task.Sleep {
		w.log("%s: %s %s", o.name, a.Do, describe(a))
	}
	var r task.Reply
	switch a.Do {
	case task.Sleep:
		if a.Until > w.now {
			o.wakeAt = a.Until
			return
		}
	case task.Connect:
		o.conn = &conn{w: w, partition: o.partition, store: w.redis.connect(o.partition)}
	case task.InitProducer:
		r.Token = w.kafka.initProducer(o.partition, w.now)
		if w.chance(w.plan.loseAnswer) {
			r = task.Reply{Err: &task.Error{Kind: task.KindRetry, Op: "init producer", Err: errors.New("answer lost")}}
		}
	case task.Fetch:
		p := w.kafka.topics[a.Topic][a.Partition]
		r.Fetched, r.Err = p.fetch(a.Offset, 1+w.rng.IntN(w.plan.fetch))
		if len(r.Fetched.Records) == 0 {
			o.wakeAt = w.now + 100
		}
	case task.ProduceAll:
		w.checkOrder(o, a)
		w.send(o, a.Produce)
		return
	case task.Append:
		r.Err = w.append(a)
	case task.CommitOffset:
	default:
		w.checkOrder(o, a)
		r = w.ask(o, a)
	}
	switch {
	case r.Err != nil:
	case a.Do == task.Read:
		o.token, o.opened, o.replicated = task.Token{}, false, false
	case a.Do == task.InitProducer:
		o.token = r.Token
	case a.Do == task.Open:
		o.opened = r.Opened.Verdict == task.OK
	case a.Do == task.AwaitReplicas:
		o.replicated = true
	}
	o.machine.Done(w.now, &r)
	if r.Err != nil {
		w.log("  → %v", r.Err)
	}
	if s := o.machine.Stats(); s.Stopped && !w.calm {
		w.fail("partition %d: %s stops: %s", o.partition, o.name, s.Reason)
	}
}

// checkOrder holds an owner to the order of opening: the opening number read, a
// token from Kafka, OPEN with it, and nothing loaded or produced before OPEN
// said yes.
func (w *world) checkOrder(o *owner, a *task.Action) {
	switch a.Do {
	case task.Open:
		if a.Open.Token != o.token {
			w.fail("%s opens with a token that Kafka didn't give it since it read the task", o.name)
		}
	case task.ProduceAll, task.Load, task.CommitBatch, task.BeginRebuild, task.RebuildPut, task.FinishRebuild:
		if !o.opened || !o.replicated && w.machineOff&task.RuleAwaitReplicas == 0 {
			w.fail("%s asks to %s before the task is its own", o.name, a.Do)
		}
	default:
	}
}

// ask carries out an action of the store, or breaks the connection before, in
// between, or after it.
func (w *world) ask(o *owner, a *task.Action) task.Reply {
	if w.chance(w.plan.errorReply) {
		return task.Reply{Err: &task.Error{Kind: task.KindRetry, Op: a.Do.String(), Err: errors.New("busy")}}
	}
	if !w.chance(w.plan.breakConnection) {
		return o.conn.ask(a)
	}
	w.log("  the connection of %s breaks", o.name)
	c := *o.conn
	switch w.rng.IntN(3) {
	case 0: // nothing was done
	case 1: // done, the answer is lost
		c.ask(a)
	case 2: // done later, or never
		late := *a
		if a.Commit != nil {
			late.Commit = cloneCommit(a.Commit)
		}
		late.Keys = nil
		if c.writes(a) {
			w.redis.late = append(w.redis.late, func() {
				w.log("late: %s of %s", late.Do, o.name)
				c.ask(&late)
			})
		}
	}
	o.conn = &conn{w: w, partition: o.partition, store: c.store}
	return task.Reply{Err: errBroken}
}

func (w *world) landLate(i int) {
	do := w.redis.late[i]
	w.redis.late = slices.Delete(w.redis.late, i, i+1)
	do()
}

var topicNames = [task.NumTopics]string{"input", "updates", "churn", "state", "dead letters"}

func describe(a *task.Action) string {
	switch a.Do {
	case task.Open:
		return fmt.Sprintf("epoch %d, opening %d", a.Open.Token.Epoch, a.Open.ReadOpening)
	case task.Fetch:
		return fmt.Sprintf("%s from %d", topicNames[a.Topic], a.Offset)
	case task.Load:
		return fmt.Sprint(a.Keys)
	case task.ProduceAll:
		var s string
		for i := range a.Produce {
			s += fmt.Sprintf("%s %d+%d ", topicNames[a.Produce[i].Topic], a.Produce[i].Sequence, len(a.Produce[i].Records))
		}
		return s
	case task.CommitBatch, task.FinishRebuild:
		return fmt.Sprintf("batch %d, %d to %d, %d states, checkpoint %d", a.Commit.Batch, a.Commit.From, a.Commit.To, len(a.Commit.States), a.Commit.CheckpointOffset)
	case task.Append:
		return fmt.Sprintf("%d records to %d", len(a.Records), a.Partition)
	case task.DueHead, task.DueTrim:
		return fmt.Sprint(a.Bucket, a.N)
	default:
		return ""
	}
}
