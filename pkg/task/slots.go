package task

import (
	"unsafe"

	"github.com/perennial-cltv/perennial/pkg/cltv"
)

// slot holds one customer's decoded state. From the customer's first record of a
// batch to its last it is in use; after that it is free, or kept for a customer
// that recurs.
type slot struct {
	entry  *entry
	tenant *tenant
	state  cltv.State
	// before is what the state contributed when the batch met it.
	before *cltv.Contribution
	// enqueueDay is the bucket of the due index that the customer goes to; 0: none.
	enqueueDay int32
	changed    bool
	// step is what the last applied record did, cause what outputs say of it. Its
	// strings alias the record, which is valid until the next fetch.
	step        cltv.Step
	cause       cltv.Event
	traceparent []byte

	// size is what the slot counts for while it is kept, newer and older are its
	// neighbours then.
	size         int
	newer, older *slot
}

// slots are those of a task. A customer that occurs in batch after batch keeps its
// decoded state, so that it isn't decoded each time.
//
// Invariant, at a batch border: what a kept slot holds is what its entry's value
// decodes to. That holds because states change in batches only, and a batch that
// isn't committed is followed by drop.
type slots struct {
	// free hold no customer. The one that became free last is used first: where
	// each record is another customer's, one slot stays in the processor's cache.
	free []*slot
	// kept by how recently they were used.
	newest, oldest *slot
	bytes          int
	limit          int
	contributions  []*cltv.Contribution
}

// recurrence is within how many batches a customer must occur again for its
// decoded state to be kept.
const recurrence = 8

// maxFree bounds the free slots, and with them what their states' memory adds up to
// after many were in use or kept at once.
const maxFree = 256

// take gives a slot: the one that is kept for the entry, or else a free one.
func (l *slots) take(e *entry) (s *slot, kept bool) {
	if e.kept != nil {
		s, kept = e.kept, true
		l.unlink(s)
	} else if n := len(l.free); n > 0 {
		s, l.free = l.free[n-1], l.free[:n-1]
	} else {
		s = new(slot)
	}
	if n := len(l.contributions); n > 0 {
		s.before, l.contributions = l.contributions[n-1], l.contributions[:n-1]
	} else {
		s.before = new(cltv.Contribution)
	}
	return s, kept
}

// putBack ends the use of a slot in a batch.
func (l *slots) putBack(s *slot, keep bool) {
	l.contributions = append(l.contributions, s.before)
	// What a record said must not outlive its fetch: a slot may be kept for long, and
	// a few bytes of a record hold the whole of what it was fetched with in memory.
	s.before, s.tenant, s.step, s.cause, s.traceparent = nil, nil, cltv.Step{}, cltv.Event{}, nil
	if keep {
		if s.size = s.state.Footprint() + int(unsafe.Sizeof(*s)-unsafe.Sizeof(s.state)); s.size <= l.limit/8 {
			l.link(s)
			l.trim()
			return
		}
	}
	l.setFree(s)
}

// setFree takes a slot that holds no customer.
func (l *slots) setFree(s *slot) {
	if len(l.free) < maxFree {
		l.free = append(l.free, s)
	}
}

// trim releases those that weren't used for longest until the bound holds.
func (l *slots) trim() {
	for l.bytes > l.limit {
		l.release(l.oldest)
	}
}

// release makes a kept slot free.
func (l *slots) release(s *slot) {
	l.unlink(s)
	s.entry = nil
	l.setFree(s)
}

// drop releases all. Slots in use are left to the garbage collector.
func (l *slots) drop() {
	for l.oldest != nil {
		l.release(l.oldest)
	}
}

func (l *slots) link(s *slot) {
	s.entry.kept = s
	s.newer, s.older = nil, l.newest
	if l.newest != nil {
		l.newest.newer = s
	} else {
		l.oldest = s
	}
	l.newest = s
	l.bytes += s.size
}

func (l *slots) unlink(s *slot) {
	s.entry.kept = nil
	if s.newer != nil {
		s.newer.older = s.older
	} else {
		l.newest = s.older
	}
	if s.older != nil {
		s.older.newer = s.newer
	} else {
		l.oldest = s.newer
	}
	s.newer, s.older = nil, nil
	l.bytes -= s.size
}
