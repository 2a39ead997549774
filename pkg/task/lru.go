package task

// entry is one customer's committed state in the cache.
type entry struct {
	key string
	// value is the encoded state as it was last committed; nil: Redis has none.
	value []byte
	// loaded is false between the request and the answer of a load.
	loaded bool
	// slot is the place in the batch being folded, -1 outside of one.
	slot int32
	// last is the place of the key's last record among those at hand.
	last int32
	// dirty is the checkpoint round in which the key was noted as changed.
	dirty uint32
	// kept holds the decoded value, nil where it isn't kept; met is one more than
	// the number of the last batch that the key occurred in, 0: none.
	kept *slot
	met  uint32
	// id is the entry's own place, prev and next are those of its neighbours.
	id, prev, next uint32
}

// entryOverhead is what an entry costs besides its key and value: the struct,
// the map's share, allocation rounding.
const entryOverhead = 150

func (e *entry) size() int { return entryOverhead + len(e.key) + cap(e.value) }

// lru keeps encoded states, the least recently used leaving first, within a
// bound of bytes. Invariant: what it holds is what Redis holds at the owner's
// position, because entries change only after a commit was answered OK or DUP,
// and everything is dropped on any other turn. It may exceed its bound while a
// batch is under way; trim restores it.
//
// Entries lie in chunks and refer to each other by number: the garbage collector
// has a third of the pointers to follow that a list of entries would have. An
// entry that was evicted is used again by the next add, so nobody may hold on to
// one beyond trim.
type lru struct {
	ids    map[string]uint32
	chunks []*[entriesPerChunk]entry
	// free are the ids of evicted entries, used counts all that were ever given.
	free  []uint32
	used  uint32
	bytes int
	limit int
	// decoded are the states that are kept decoded. They count within the bound, and
	// take at most a quarter of it.
	decoded *slots
}

const entriesPerChunk = 256

// ring is the id of the sentinel of the order of use: its next is the most
// recently used.
const ring = 0

func newLRU(limit int, decoded *slots) *lru {
	l := &lru{decoded: decoded}
	l.setLimit(limit)
	l.clear()
	return l
}

func (l *lru) setLimit(limit int) {
	l.limit, l.decoded.limit = limit, limit/4
	l.decoded.trim()
}

func (l *lru) clear() {
	l.ids = make(map[string]uint32)
	l.chunks, l.free, l.used = nil, nil, 0
	l.fresh() // the sentinel, its own neighbour
	l.bytes = 0
}

// len is the number of entries.
func (l *lru) len() int { return len(l.ids) }

func (l *lru) at(id uint32) *entry { return &l.chunks[id/entriesPerChunk][id%entriesPerChunk] }

// fresh gives an entry that isn't in use.
func (l *lru) fresh() *entry {
	if n := len(l.free); n > 0 {
		id := l.free[n-1]
		l.free = l.free[:n-1]
		return l.at(id)
	}
	if int(l.used) == len(l.chunks)*entriesPerChunk {
		l.chunks = append(l.chunks, new([entriesPerChunk]entry))
	}
	e := l.at(l.used)
	e.id = l.used
	l.used++
	return e
}

// peek returns the entry of a key without marking it as used; nil: not there.
func (l *lru) peek(key string) *entry {
	if id, ok := l.ids[key]; ok {
		return l.at(id)
	}
	return nil
}

// get returns the entry of a key and marks it as used; nil: not there.
func (l *lru) get(key []byte) *entry {
	id, ok := l.ids[string(key)]
	if !ok {
		return nil
	}
	e := l.at(id)
	if l.at(ring).next != id {
		l.unlink(e)
		l.front(e)
	}
	return e
}

// add puts a new entry for a key that isn't there.
func (l *lru) add(key string) *entry {
	e := l.fresh()
	e.key, e.slot = key, slotNone
	l.ids[key] = e.id
	l.front(e)
	l.bytes += e.size()
	return e
}

// set copies a committed value into an entry.
func (l *lru) set(e *entry, value []byte) {
	before := e.size()
	switch {
	case value == nil:
		e.value = nil
	case cap(e.value) >= len(value) && cap(e.value) <= 2*len(value)+64:
		e.value = append(e.value[:0], value...)
	default:
		// A little room, because states grow record by record.
		e.value = append(make([]byte, 0, len(value)+len(value)/8+16), value...)
	}
	e.loaded = true
	l.bytes += e.size() - before
}

// trim evicts until the bound holds. It is called once a batch is over, and while
// the machine isn't run: a batch that was given up is dropped before the next.
func (l *lru) trim() {
	for l.bytes+l.decoded.bytes > l.limit && l.at(ring).prev != ring {
		e := l.at(l.at(ring).prev)
		l.unlink(e)
		if e.kept != nil {
			l.decoded.release(e.kept)
		}
		delete(l.ids, e.key)
		l.bytes -= e.size()
		l.free = append(l.free, e.id)
		*e = entry{id: e.id, slot: slotNone}
	}
}

func (l *lru) unlink(e *entry) {
	l.at(e.prev).next, l.at(e.next).prev = e.next, e.prev
}

func (l *lru) front(e *entry) {
	first := l.at(ring).next
	e.prev, e.next = ring, first
	l.at(first).prev, l.at(ring).next = e.id, e.id
}
