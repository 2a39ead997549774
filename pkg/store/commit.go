package store

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"unsafe"

	"github.com/perennial-cltv/perennial/pkg/task"
)

// Commit implements [task.Store]. A task that doesn't exist, and one that is being
// rebuilt, are answered like one that stands elsewhere: Fenced and Rewind.
func (s *Redis) Commit(ctx context.Context, c *task.Commit) (task.Verdict, error) {
	return s.write(ctx, &commitBatch, c)
}

// RebuildPut implements [task.Store].
func (s *Redis) RebuildPut(ctx context.Context, c *task.Commit) (task.Verdict, error) {
	return s.write(ctx, &putRebuilt, c)
}

// writing is a way to write a commit.
type writing struct {
	what string
	// judge tells whether it may be written; place, whether batch and offset are
	// written with it.
	judge func(*head, *task.Commit) task.Verdict
	place bool
}

var (
	commitBatch = writing{"commit batch", judgeCommit, true}
	putRebuilt  = writing{"put rebuilt states", judgeRebuildPut, false}
)

// head is what a task's hash says of owner and place, each as the decimal string
// that is stored, nil where it isn't there.
type head struct{ producer, epoch, opening, batch, offset, rebuilding []byte }

// isOf tells whether the owner of a commit is the task's.
func (h *head) isOf(c *task.Commit) bool {
	return is(h.producer, c.Token.ProducerID) && is(h.epoch, int64(c.Token.Epoch))
}

func is(stored []byte, n int64) bool {
	var digits [20]byte
	return bytes.Equal(stored, strconv.AppendInt(digits[:0], n, 10))
}

// judgeCommit tells whether a batch is the next one. The token is compared first.
func judgeCommit(h *head, c *task.Commit) task.Verdict {
	switch {
	case !h.isOf(c):
		return task.Fenced
	case !is(h.opening, c.Opening) || !is(h.rebuilding, 0):
		return task.Rewind
	case is(h.batch, c.Batch+1) && is(h.offset, c.To):
		return task.Dup
	case !is(h.batch, c.Batch) || !is(h.offset, c.From):
		return task.Rewind
	}
	return task.OK
}

// judgeRebuildPut tells whether the task is this owner's; nothing is written of
// batch and offset.
func judgeRebuildPut(h *head, c *task.Commit) task.Verdict {
	if !h.isOf(c) || !is(h.opening, c.Opening) {
		return task.Fenced
	}
	return task.OK
}

// watchAttempts bounds how often a commit looks again because a key that it
// writes was touched between its look and its write. Only a new owner does that,
// and is seen at the second look, or a foreign hand.
const watchAttempts = 5

// write looks and writes: it watches every key that it writes, compares what the
// task's hash says and the types of the keys, and writes in a transaction, which
// Redis refuses whole where a watched key was touched since the look. So the
// compare holds at the moment of the write, as if both were one script; see
// docs/decisions/0011 for why they aren't.
func (s *Redis) write(ctx context.Context, w *writing, c *task.Commit) (task.Verdict, error) {
	s.compose(c, w.place)
	op := func() string { return fmt.Sprintf("%s %d, offsets %d to %d,", w.what, c.Batch, c.From, c.To) }
	for range watchAttempts {
		verdict, err := s.look(ctx, c, w.judge)
		if err != nil || verdict != task.OK {
			// The next transaction on this connection is none of this one's business.
			// Where MULTI was refused there is none to discard, and only the watch ends.
			if ended := s.conn.send(ctx, []any{"discard"}, []any{"unwatch"}); err == nil {
				err = ended
			}
			if err != nil {
				return 0, s.fail(op(), err)
			}
			return verdict, nil
		}
		done, err := s.conn.exec(ctx, s.commands...)
		if err == nil && done {
			if err = s.conn.answers.noErrors(len(s.commands)); err != nil {
				err = s.torn(ctx, c, err)
			}
		}
		if err != nil {
			return 0, s.fail(op(), err)
		}
		if done {
			return task.OK, nil
		}
	}
	return 0, &task.Error{Kind: task.KindRetry, Op: op(), Err: errors.New("the task's keys are changed by others all the time")}
}

// torn marks a task of which a commit was written in part as one that is being
// rebuilt, so that nobody takes what is there for complete. Redis goes on after a
// command of a transaction that fails, and judges rights once more when it runs
// one: it takes an operator who takes a right away at that moment.
func (s *Redis) torn(ctx context.Context, c *task.Commit, cause error) error {
	verdict, err := s.verdictOf(ctx, rebuildBeginScript, []any{
		nil, nil, 1, s.keys.task, c.Token.ProducerID, c.Token.Epoch, c.Opening,
	})
	switch {
	case err != nil:
		return fmt.Errorf("%w; the commit was written in part, and that can't be marked (%w): delete %s and what is beside it, so that it is rebuilt", cause, err, s.keys.task)
	case verdict != task.OK:
		return fmt.Errorf("%w; the commit was written in part before another owner came: delete %s and what is beside it, so that it is rebuilt", cause, s.keys.task)
	}
	return fmt.Errorf("%w; the commit was written in part: the task will be rebuilt", cause)
}

// look watches the keys of a commit, judges where the task stands, and begins the
// transaction. MULTI goes with the look and not with the writes: writes that follow
// a MULTI that was refused would be run one by one, whoever the owner is. OK is
// answered only once Redis said that they will be queued. An error comes before
// anything is written.
func (s *Redis) look(ctx context.Context, c *task.Commit, judge func(*head, *task.Commit) task.Verdict) (task.Verdict, error) {
	if err := s.conn.send(ctx, s.looks...); err != nil {
		return 0, err
	}
	answers := &s.conn.answers
	if err := answers.status(); err != nil { // of WATCH
		return 0, err
	}
	var h head
	if _, err := answers.array(6); err != nil {
		return 0, err
	}
	for _, field := range [...]*[]byte{&h.producer, &h.epoch, &h.opening, &h.batch, &h.offset, &h.rebuilding} {
		var err error
		if *field, err = answers.bytes(); err != nil {
			return 0, err
		}
	}
	if verdict := judge(&h, c); verdict != task.OK {
		return verdict, nil
	}
	for i, want := range s.types {
		found, err := answers.word()
		if err != nil {
			return 0, err
		}
		if string(found) != want && string(found) != "none" {
			return 0, serverError(fmt.Sprintf("WRONGTYPE %v is a %s where a %s belongs", s.looks[i+2][1], found, want))
		}
	}
	if err := answers.status(); err != nil { // of MULTI
		return 0, err
	}
	return task.OK, nil
}

// verdictOf runs a script that answers a verdict.
func (s *Redis) verdictOf(ctx context.Context, script *script, args []any) (task.Verdict, error) {
	if err := s.conn.run(ctx, script, args); err != nil {
		return 0, err
	}
	return s.conn.answers.verdict()
}

// DueTrim implements [task.Store].
func (s *Redis) DueTrim(ctx context.Context, t task.Token, opening int64, b task.DueBucket, n int) (task.Verdict, error) {
	name := bucketName(b)
	verdict, err := s.verdictOf(ctx, dueTrimScript, []any{
		nil, nil, 3, s.keys.task, s.keys.due, s.keys.listPrefix + name,
		t.ProducerID, t.Epoch, opening, max(n, 0), name,
	})
	if err != nil {
		return 0, s.fail("trim due bucket "+name, err)
	}
	return verdict, nil
}

// FinishRebuild implements [task.Store]. It stores c.Batch as it is.
func (s *Redis) FinishRebuild(ctx context.Context, c *task.Commit) (task.Verdict, error) {
	verdict, err := s.verdictOf(ctx, rebuildFinishScript, []any{
		nil, nil, 1, s.keys.task, c.Token.ProducerID, c.Token.Epoch, c.Opening,
		c.Batch, c.To, c.LastCRC, checkpointText(c),
	})
	if err != nil {
		return 0, s.fail(fmt.Sprintf("finish the rebuild at offset %d", c.To), err)
	}
	return verdict, nil
}

// checkpointText is the checkpoint's offset, or nothing where it isn't to be set.
func checkpointText(c *task.Commit) string {
	if c.CheckpointOffset < 0 {
		return ""
	}
	return strconv.FormatInt(c.CheckpointOffset, 10)
}

// compose builds the commands of a commit: in s.looks what is asked before, in
// s.types the types that its keys must have, in s.commands what is written, in
// the order in which it is written. Strings are passed as pointers into what the
// caller holds, and numbers as strings of one buffer, so that an argument costs no
// allocation.
func (s *Redis) compose(c *task.Commit, place bool) {
	sums, dues := sortedSums(c.Sums), sortedDues(c.Due)
	groups := countRuns(sums, sameSumKey) + countRuns(dues, sameBucket)
	a := composer{s: s, args: s.args[:0], texts: s.texts[:0], nums: s.nums[:0]}
	a.reserve(c, groups)
	s.looks, s.types, s.commands = s.looks[:0], s.types[:0], s.commands[:0]
	s.watched = append(s.watched[:0], "watch")
	s.looks = append(s.looks, nil, []any{
		"hmget", s.keys.task, fieldProducer, fieldEpoch, fieldOpening, fieldBatch, fieldOffset, fieldRebuilding,
	})
	a.touches(s.keys.task, "hash")
	a.touches(s.keys.states, "hash")
	a.head(c, place)
	a.states(c)
	a.tenants(c)
	a.sums(sums)
	a.dues(dues)
	a.deletions(c)
	s.looks[0] = s.watched
	s.looks = append(s.looks, []any{"multi"})
	s.args, s.texts, s.nums = a.args, a.texts, a.nums
}

// composer gathers commands. texts and nums have their full capacity from the
// start, since args points into them.
type composer struct {
	s     *Redis
	args  []any
	texts []string
	nums  []byte
	start int // of the command being gathered
}

// begin begins a command that writes to a key, which must be touched once.
func (a *composer) begin(command, key string) {
	a.start = len(a.args)
	a.args = append(a.args, command, key)
}

// end ends the command, unless it was given nothing to write.
func (a *composer) end() {
	if len(a.args) > a.start+2 {
		a.s.commands = append(a.s.commands, a.args[a.start:len(a.args):len(a.args)])
	}
}

// touches has a key watched, and its type looked at. It is called once for each.
func (a *composer) touches(key, kind string) {
	s := a.s
	s.watched = append(s.watched, key)
	s.looks = append(s.looks, []any{"type", key})
	s.types = append(s.types, kind)
}

// head is the first write: one that Redis refuses where its memory is full.
func (a *composer) head(c *task.Commit, place bool) {
	a.begin("hset", a.s.keys.task)
	if place {
		a.field(fieldBatch, c.Batch+1)
		a.field(fieldOffset, c.To)
		a.field(fieldCRC, int64(c.LastCRC))
		if c.CheckpointOffset >= 0 {
			a.field(fieldCheckpoint, c.CheckpointOffset)
		}
	}
	for i := range c.Clocks {
		a.text(fieldClock + c.Clocks[i].Tenant)
		a.number(c.Clocks[i].Unix)
	}
	a.end()
}

func (a *composer) field(name string, n int64) {
	a.args = append(a.args, name)
	a.number(n)
}

// setChunk is the most states that one command sets.
const setChunk = 500

func (a *composer) states(c *task.Commit) {
	for from := 0; from < len(c.States); from += setChunk {
		a.begin("hset", a.s.keys.states)
		for i := from; i < min(from+setChunk, len(c.States)); i++ {
			if w := &c.States[i]; w.Value != nil {
				a.args = append(a.args, &w.Key)
				a.bytes(w.Value)
			}
		}
		a.end()
	}
}

func (a *composer) tenants(c *task.Commit) {
	if len(c.Parameters) == 0 {
		return
	}
	a.touches(a.s.keys.parameters, "hash")
	a.begin("hset", a.s.keys.parameters)
	for i := range c.Parameters {
		a.args = append(a.args, &c.Parameters[i].Tenant)
		a.bytes(c.Parameters[i].Value)
	}
	a.end()
}

func (a *composer) sums(sums []task.SumWrite) {
	if len(sums) == 0 {
		return
	}
	for run := range runs(sums, sameSumKey) {
		key := a.s.keys.sum(run[0].Tenant, run[0].Dimension)
		a.touches(key, "hash")
		a.begin("hset", key)
		for i := range run {
			a.args = append(a.args, &run[i].ID)
			a.bytes(run[i].Value)
		}
		a.end()
	}
	a.touches(a.s.keys.sumKeys, "set")
	a.begin("sadd", a.s.keys.sumKeys)
	for run := range runs(sums, sameSumKey) {
		a.args = append(a.args, a.s.keys.sum(run[0].Tenant, run[0].Dimension))
	}
	a.end()
}

func (a *composer) dues(dues []task.DueWrite) {
	if len(dues) == 0 {
		return
	}
	a.touches(a.s.keys.due, "zset")
	a.begin("zadd", a.s.keys.due)
	for run := range runs(dues, sameBucket) {
		a.number(int64(run[0].Day))
		a.text(bucketName(run[0].DueBucket))
	}
	a.end()
	for run := range runs(dues, sameBucket) {
		key := a.s.keys.listPrefix + bucketName(run[0].DueBucket)
		a.touches(key, "list")
		a.begin("rpush", key)
		for i := range run {
			for j := range run[i].Customers {
				a.args = append(a.args, &run[i].Customers[j])
			}
		}
		a.end()
	}
}

// deletions come last: a customer that is both set and deleted is gone.
func (a *composer) deletions(c *task.Commit) {
	a.begin("hdel", a.s.keys.states)
	for i := range c.States {
		if c.States[i].Value == nil {
			a.args = append(a.args, &c.States[i].Key)
		}
	}
	a.end()
}

// reserve makes room for what c needs with so many sum and due keys.
func (a *composer) reserve(c *task.Commit, groups int) {
	const longest = len("-9223372036854775808")
	numbers := 4 + len(c.Clocks) + groups
	a.texts = slices.Grow(a.texts, numbers+len(c.States)+len(c.Parameters)+len(c.Clocks)+len(c.Sums)+2*groups)
	a.nums = slices.Grow(a.nums, numbers*longest)
}

// text adds a string.
func (a *composer) text(s string) {
	a.texts = append(a.texts, s)
	a.args = append(a.args, &a.texts[len(a.texts)-1])
}

// bytes adds a value without copying it; the caller holds it still until sent.
func (a *composer) bytes(b []byte) { a.text(unsafe.String(unsafe.SliceData(b), len(b))) }

// number adds a decimal number.
func (a *composer) number(n int64) {
	start := len(a.nums)
	a.nums = strconv.AppendInt(a.nums, n, 10)
	a.bytes(a.nums[start:])
}

// sortedSums returns the sums with those of one key beside each other. Most
// callers have them so already.
func sortedSums(sums []task.SumWrite) []task.SumWrite {
	order := func(x, y task.SumWrite) int {
		return cmp.Or(cmp.Compare(x.Tenant, y.Tenant), cmp.Compare(x.Dimension, y.Dimension))
	}
	if !slices.IsSortedFunc(sums, order) {
		sums = slices.Clone(sums)
		slices.SortStableFunc(sums, order)
	}
	return sums
}

func sameSumKey(x, y *task.SumWrite) bool {
	return x.Tenant == y.Tenant && x.Dimension == y.Dimension
}

// sortedDues is sortedSums for due buckets. Buckets without customers are left out.
func sortedDues(dues []task.DueWrite) []task.DueWrite {
	order := func(x, y task.DueWrite) int {
		return cmp.Or(cmp.Compare(x.Tenant, y.Tenant), cmp.Compare(x.Day, y.Day))
	}
	empty := func(w task.DueWrite) bool { return len(w.Customers) == 0 }
	if slices.ContainsFunc(dues, empty) {
		dues = slices.DeleteFunc(slices.Clone(dues), empty)
	}
	if !slices.IsSortedFunc(dues, order) {
		dues = slices.Clone(dues)
		slices.SortStableFunc(dues, order)
	}
	return dues
}

func sameBucket(x, y *task.DueWrite) bool { return x.DueBucket == y.DueBucket }

// runs yields the stretches of list whose items are the same.
func runs[T any](list []T, same func(x, y *T) bool) func(yield func([]T) bool) {
	return func(yield func([]T) bool) {
		for start := 0; start < len(list); {
			end := start + 1
			for end < len(list) && same(&list[start], &list[end]) {
				end++
			}
			if !yield(list[start:end]) {
				return
			}
			start = end
		}
	}
}

func countRuns[T any](list []T, same func(x, y *T) bool) int {
	n := 0
	for range runs(list, same) {
		n++
	}
	return n
}
