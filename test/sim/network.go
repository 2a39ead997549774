package sim

import (
	"errors"
	"slices"

	"github.com/perennial-cltv/perennial/pkg/task"
)

// send puts numbered batches into the network.
func (w *world) send(o *owner, batches []task.Produce) {
	o.errs = make([]error, len(batches))
	o.unanswered = len(batches)
	for i := range batches {
		w.net = append(w.net, &request{owner: o, life: o.life, index: i, batch: cloneProduce(&batches[i]), waiting: true})
	}
}

// land lets a request reach its broker.
func (w *world) land(i int) {
	q := w.net[i]
	if !w.chance(w.plan.repeat) {
		w.net = slices.Delete(w.net, i, i+1)
	}
	p := w.kafka.topics[q.batch.Topic][q.batch.Partition]
	before := len(p.records)
	w.checkSize(topicNames[q.batch.Topic], q.batch.Records)
	err := w.kafka.produce(&q.batch)
	w.log("  lands: %s of %s, epoch %d, sequence %d+%d → %v", topicNames[q.batch.Topic], q.owner.name, q.batch.Token.Epoch, q.batch.Sequence, len(q.batch.Records), err)
	for _, r := range p.records[before:] {
		w.checkOutput(q.batch.Topic, q.batch.Partition, &r)
	}
	switch {
	case !q.waiting:
	case w.chance(w.plan.loseAnswer):
		w.answer(q, &task.Error{Kind: task.KindUnknown, Op: "produce", Err: errors.New("answer lost")})
	case err != nil:
		w.answer(q, &task.Error{Kind: task.KindFenced, Op: "produce", Err: err})
	default:
		w.answer(q, nil)
	}
}

// maxBatchBytes is Kafka's default of max.message.bytes.
const maxBatchBytes = 1<<20 + 12

// checkSize holds a batch to what a broker takes.
func (w *world) checkSize(topic string, records []task.Out) {
	bytes := 61
	for i := range records {
		bytes += 12 + len(records[i].Key) + len(records[i].Value)
		for _, h := range records[i].Headers {
			bytes += 4 + len(h.Key) + len(h.Value)
		}
	}
	if bytes > maxBatchBytes {
		w.fail("%s: a batch of %d records takes %d bytes, a broker takes %d", topic, len(records), bytes, maxBatchBytes)
	}
}

// timeOut lets an owner give up waiting; the request lands later, or never.
func (w *world) timeOut(q *request) {
	if w.rng.IntN(2) == 0 {
		w.forget(q)
		return
	}
	w.log("  %s waits no longer for %s", q.owner.name, topicNames[q.batch.Topic])
	w.answer(q, &task.Error{Kind: task.KindUnknown, Op: "produce", Err: errors.New("timed out")})
}

// forget loses a request; whoever waits for it learns nothing of its fate.
func (w *world) forget(q *request) {
	w.log("  %s of %s gets lost", topicNames[q.batch.Topic], q.owner.name)
	w.net = slices.DeleteFunc(w.net, func(other *request) bool { return other == q })
	if q.waiting {
		w.answer(q, &task.Error{Kind: task.KindUnknown, Op: "produce", Err: errors.New("timed out")})
	}
}

func (w *world) answer(q *request, err error) {
	q.waiting = false
	o := q.owner
	if o.life != q.life || !o.assigned {
		return
	}
	o.errs[q.index] = err
	if o.unanswered--; o.unanswered == 0 {
		o.machine.Done(w.now, &task.Reply{Errs: o.errs})
	}
}

// append adds records to the input; an answer may be lost, so that they come
// twice.
func (w *world) append(a *task.Action) error {
	p := w.kafka.topics[task.Input][a.Partition]
	w.checkSize("input", a.Records)
	failed := w.chance(w.plan.loseAnswer)
	if !failed || w.rng.IntN(2) == 0 {
		for _, out := range a.Records {
			p.append(task.Token{}, a.Timestamp, out)
		}
	}
	if failed {
		return &task.Error{Kind: task.KindRetry, Op: "append", Err: errors.New("answer lost")}
	}
	return nil
}

func cloneProduce(b *task.Produce) task.Produce {
	c := *b
	c.Records = nil
	for _, out := range b.Records {
		n := task.Out{Key: slices.Clone(out.Key), Value: slices.Clone(out.Value)}
		for _, h := range out.Headers {
			n.Headers = append(n.Headers, task.Header{Key: h.Key, Value: slices.Clone(h.Value)})
		}
		c.Records = append(c.Records, n)
	}
	return c
}

func cloneCommit(c *task.Commit) *task.Commit {
	n := *c
	n.States = slices.Clone(c.States)
	for i := range n.States {
		n.States[i].Value = slices.Clone(n.States[i].Value)
	}
	n.Sums = slices.Clone(c.Sums)
	n.Parameters = slices.Clone(c.Parameters)
	n.Clocks = slices.Clone(c.Clocks)
	n.Due = slices.Clone(c.Due)
	for i := range n.Due {
		n.Due[i].Customers = slices.Clone(n.Due[i].Customers)
	}
	return &n
}
