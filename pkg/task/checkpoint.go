package task

import (
	"slices"

	"github.com/perennial-cltv/perennial/pkg/wire"
)

// checkpoint is the saving of committed states into cltv.state.v1.
//
// Why a replay from a checkpoint at offset c is exact. Let D be the keys that
// changed since the previous checkpoint began, as the set stood when this one
// began, at c. Every key's last state in the topic then contains all records
// before c: a key outside D had been written by an earlier checkpoint after its
// last change before c, and a key of D is written after c was reached. Such a
// state may contain records from c on, too, up to its own offset s; the fold
// skips records up to s, so folding the input from c over it gives each record
// exactly once. A record that the fold applied to a state was judged under the
// parameters and the clock at its offset; those at c are in the checkpoint, and
// the input from c on moves them as it did before. What was changed after c is
// in the next D, because that begins empty at c.
//
// States are written only after their commit, so the topic holds no state that
// isn't a function of a prefix of the input. The checkpoint record is sent after
// all of D is acknowledged, and Redis learns of it after it is acknowledged
// itself: what Redis points to is complete.
type checkpoint struct {
	// seen serves the scan at opening.
	seen map[string]struct{}
	// oldest is when Kafka took the first record that an owner before took in and didn't save, Unix milliseconds; 0: it saved all.
	oldest int64
	// dirty are the keys changed since the last checkpoint began, some twice.
	dirty []string
	// round counts checkpoints, so that an entry knows whether it is in dirty.
	round  uint32
	nextAt int64

	writing bool
	pending []string // keys still to be written
	chunk   []string // keys being written
	missing []string // of these, those to be loaded
	from    snapshot
	record  []byte
}

// snapshot is where a checkpoint stands in the input.
type snapshot struct {
	offset int64
	crc    uint32
	batch  int64
}

// markDirty notes that a key's state is changed and not saved.
func (m *Machine) markDirty(e *entry) {
	c := &m.checkpoint
	if e.dirty != c.round {
		e.dirty = c.round
		c.dirty = append(c.dirty, e.key)
	}
}

// begin starts the clock of an owner's first checkpoint. What owners before it left
// unsaved counts from when it came: however soon owners follow on one another, it
// is saved.
func (c *checkpoint) begin(now int64) {
	since := now
	if c.oldest != 0 {
		since = min(now, c.oldest)
	}
	c.oldest = 0
	c.nextAt = max(now, since+checkpointEvery)
}

// checkpointDue tells whether there is something to be done for a checkpoint.
func (m *Machine) checkpointDue() bool {
	c := &m.checkpoint
	if c.writing {
		return true
	}
	if m.next > m.checkpointOffset && (m.now >= c.nextAt || len(c.dirty) >= checkpointDirty) {
		return true
	}
	return m.tellCheckpoint()
}

// tellCheckpoint tells whether a commit is needed only to let Redis know the
// checkpoint: no batch is near that would take it along.
func (m *Machine) tellCheckpoint() bool {
	return m.checkpointOffset > m.checkpointStored && m.caughtUp && m.at == len(m.records)
}

func (m *Machine) checkpointStep() {
	c := &m.checkpoint
	switch {
	case c.writing && len(c.pending) == 0:
		m.sealCheckpoint()
	case c.writing:
		m.nextChunk()
	case m.tellCheckpoint():
		m.emptyCommit()
	default:
		m.beginCheckpoint()
	}
}

// beginCheckpoint takes the snapshot: offset, parameters and the set of keys.
func (m *Machine) beginCheckpoint() {
	c := &m.checkpoint
	c.writing = true
	c.pending, c.dirty = c.dirty, nil
	c.round++
	c.from = snapshot{m.next, m.lastCRC, m.batchNumber}
	c.record = m.checkpointRecord(c.from)
	if !m.holds(RuleCheckpointLast) {
		m.checkpointOffset = c.from.offset
		m.sendCheckpoint(func(m *Machine) { m.phase = phaseReady })
		return
	}
	m.phase = phaseReady
	m.upkeep.done = false
}

// checkpointRecord encodes a checkpoint with the parameters and clocks in force.
func (m *Machine) checkpointRecord(from snapshot) []byte {
	p := wire.Checkpoint{
		NextOffset:  from.offset,
		LastCRC:     from.crc,
		Batch:       from.batch,
		Partitions:  m.config.Partitions,
		FoldVersion: m.config.FoldVersion,
	}
	for _, name := range m.tenantNames() {
		t := m.tenants[name]
		stored := t.parameters()
		stored.ClockUnix = t.clock
		p.Tenants = append(p.Tenants, stored)
	}
	return wire.AppendCheckpoint(nil, &p)
}

// tenantNames lists the tenants in a fixed order.
func (m *Machine) tenantNames() []string {
	names := make([]string, 0, len(m.tenants))
	for name := range m.tenants {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// nextChunk takes the next keys, and loads those that are not in the cache.
func (m *Machine) nextChunk() {
	c := &m.checkpoint
	n := min(len(c.pending), m.config.BatchStates)
	c.chunk = append(c.chunk[:0], c.pending[:n]...)
	c.pending = c.pending[n:]
	c.missing = c.missing[:0]
	for _, key := range c.chunk {
		if e := m.cache.peek(key); e == nil || !e.loaded {
			c.missing = append(c.missing, key)
		}
	}
	m.phase = phaseCheckpointLoad
}

func (m *Machine) askCheckpointLoad() bool {
	c := &m.checkpoint
	if len(c.missing) == 0 {
		m.writeChunk(nil)
		return false
	}
	m.action.Do, m.action.Keys = Load, c.missing
	return true
}

func (m *Machine) checkpointLoaded(r *Reply) {
	if r.Loaded.Position != m.position() && m.holds(RuleCompareAtLoad) {
		m.rewind("load for the checkpoint")
		return
	}
	m.provenAt = m.now
	m.writeChunk(r.Loaded.States)
}

// writeChunk sends the states of a chunk, as many as fit; the rest waits for
// its turn.
func (m *Machine) writeChunk(loaded [][]byte) {
	c := &m.checkpoint
	out, bytes := m.outTopic[State][:0], 0
	for i, key := range c.chunk {
		var value []byte
		if len(c.missing) > 0 && c.missing[0] == key {
			value = slices.Clone(loaded[0])
			c.missing, loaded = c.missing[1:], loaded[1:]
		} else {
			value = m.cache.peek(key).value
		}
		if value == nil {
			continue // the key's records changed nothing
		}
		if bytes += len(key) + len(value); len(out) > 0 && bytes > m.config.BatchBytes {
			c.pending = append(slices.Clone(c.chunk[i:]), c.pending...)
			break
		}
		out = append(out, Out{Key: []byte(key), Value: value})
	}
	m.outTopic[State] = out
	m.produce(func(m *Machine) { m.phase = phaseReady }, State)
}

// sealCheckpoint sends the checkpoint record: all of its states are in.
func (m *Machine) sealCheckpoint() {
	c := &m.checkpoint
	switch {
	case !m.holds(RuleOffsetOfSnapshot):
		c.from = snapshot{m.next, m.lastCRC, m.batchNumber}
		c.record = m.checkpointRecord(c.from)
	case !m.holds(RuleParametersOfSnapshot):
		c.record = m.checkpointRecord(c.from)
	}
	m.sendCheckpoint(func(m *Machine) {
		c := &m.checkpoint
		m.checkpointOffset = c.from.offset
		c.writing, c.record = false, nil
		c.nextAt = m.now + checkpointEvery
		m.stats.Checkpoints++
		m.phase = phaseReady
	})
}

func (m *Machine) sendCheckpoint(then func(*Machine)) {
	m.outTopic[State] = append(m.outTopic[State][:0], Out{Key: []byte(CheckpointKey), Value: m.checkpoint.record})
	m.produce(then, State)
}

// emptyCommit moves nothing but the checkpoint's offset.
func (m *Machine) emptyCommit() {
	m.batch.reset()
	m.batch.from, m.batch.to = m.next, m.next
	m.batch.commit.LastCRC = m.lastCRC
	m.sealCommit()
	m.phase = phaseCommit
}
