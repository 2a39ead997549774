package task

import (
	"github.com/perennial-cltv/perennial/pkg/cltv"
	"github.com/perennial-cltv/perennial/pkg/wire"
)

// rebuild makes the task anew from cltv.state.v1: Redis is empty, or a former
// rebuild was interrupted.
//
// The topic is read from its beginning to this owner's opening record, after
// which no former owner can have written. Redis itself remembers the last state
// of each key, so that memory doesn't grow with the number of customers: a
// chunk of states loads what stands under its keys, takes its contributions
// from the sums, and writes the later ones. The offset comes last: until then
// the task is marked, and whoever opens it begins again by deleting everything.
type rebuild struct {
	from int64 // in cltv.state.v1
	// keys of the chunk in order, and the last value of each.
	keys   []string
	values map[string][]byte
	bytes  int
	// ended is set once the own opening record was read; the rest of a fetch
	// waits in records.
	ended   bool
	records []Record
	next    int64 // where to fetch once records are used up
	put     Commit
	repair  repair
	// hasCheckpoint tells whether found holds one.
	hasCheckpoint bool
	found         wire.Checkpoint
	// early is set where RuleOffsetLast is off, and the offset is written.
	early bool
}

func (m *Machine) askRebuildBegin() bool {
	m.action.Do = BeginRebuild
	if m.holds(RuleClearBeforeRebuild) {
		return true
	}
	m.rebuildBegun(&Reply{Verdict: OK})
	return false
}

func (m *Machine) rebuildBegun(r *Reply) {
	if !m.verdict(r.Verdict, "begin of the rebuild") {
		return
	}
	m.stats.Rebuilds++
	m.forgetContents()
	m.rebuild.values = make(map[string][]byte)
	m.phase = phaseRebuildRead
}

func (m *Machine) askRebuildRead() bool {
	b := &m.rebuild
	if len(b.records) > 0 || b.ended {
		m.rebuildTake()
		return false
	}
	m.action.Do, m.action.Topic, m.action.Offset = Fetch, State, b.from
	return true
}

func (m *Machine) rebuildHave(r *Reply) {
	b := &m.rebuild
	if len(r.Fetched.Records) == 0 && r.Fetched.NextOffset <= b.from {
		// The own opening record was acknowledged, so it stands further on, unless
		// compaction took it for the sake of a newer owner's.
		m.reopen("the own opening record isn't in cltv.state.v1")
		return
	}
	b.records, b.next = r.Fetched.Records, r.Fetched.NextOffset
	m.rebuildTake()
}

// rebuildTake gathers a chunk from the records at hand, and goes to write it
// once it is full or they are used up.
func (m *Machine) rebuildTake() {
	b := &m.rebuild
	for len(b.records) > 0 && !b.ended && len(b.keys) < m.config.BatchStates && b.bytes < m.config.BatchBytes {
		r := &b.records[0]
		b.records = b.records[1:]
		if r.Offset < b.from {
			continue
		}
		b.from = r.Offset + 1
		if !m.rebuildTakeOne(r) {
			return
		}
	}
	if len(b.records) == 0 && !b.ended {
		b.from = max(b.from, b.next)
	}
	switch {
	case len(b.keys) > 0:
		m.phase = phaseRebuildLoad
	case b.ended:
		m.beginRepair()
	default:
		m.phase = phaseRebuildRead
	}
}

// rebuildTakeOne takes one record of cltv.state.v1. false: the task stopped.
func (m *Machine) rebuildTakeOne(r *Record) bool {
	b := &m.rebuild
	switch string(r.Key) {
	case OpeningKey, RebuildingKey:
		var o wire.Opening
		if err := wire.DecodeOpening(r.Value, &o); err != nil {
			m.refuse("opening record at offset %d of cltv.state.v1: %w", r.Offset, err)
			return false
		}
		if string(r.Key) == OpeningKey {
			b.repair.opening(r.Offset, o.NextOffset)
		}
		b.ended = Token{o.ProducerID, int16(o.ProducerEpoch)} == m.token && o.Opening == m.opening
	case CheckpointKey:
		if err := wire.DecodeCheckpoint(r.Value, &b.found); err != nil {
			m.refuse("checkpoint at offset %d of cltv.state.v1: %w", r.Offset, err)
			return false
		}
		b.hasCheckpoint = true
	default:
		if !m.holds(RuleOffsetLast) && !b.early {
			return true // finds the checkpoint first
		}
		key := string(r.Key)
		if _, known := b.values[key]; !known {
			b.keys = append(b.keys, key)
		}
		b.values[key] = append([]byte(nil), r.Value...)
		b.bytes += len(key) + len(r.Value)
		if err := b.repair.saved(r.Value); err != nil {
			m.refuse("state of %q at offset %d of cltv.state.v1: %w", key, r.Offset, err)
			return false
		}
	}
	return true
}

func (m *Machine) askRebuildLoad() bool {
	m.action.Do, m.action.Keys = Load, m.rebuild.keys
	return true
}

func (m *Machine) rebuildLoaded(r *Reply) {
	p := r.Loaded.Position
	if p.Token != m.token || p.Opening != m.opening {
		m.rewind("load of the rebuild")
		return
	}
	b := &m.rebuild
	b.put = Commit{Token: m.token, Opening: m.opening, CheckpointOffset: -1}
	m.batch.arena = m.batch.arena[:0]
	due := make(map[DueBucket]int)
	for i, key := range b.keys {
		if !m.rebuildState(key, r.Loaded.States[i], b.values[key], due) {
			return
		}
	}
	if err := m.composeSums(&b.put); err != nil {
		m.stop(err)
		return
	}
	b.keys, b.bytes = b.keys[:0], 0
	clear(b.values)
	m.phase = phaseRebuildPut
}

// rebuildState puts one state in place of what Redis has under its key.
func (m *Machine) rebuildState(key string, before, after []byte, due map[DueBucket]int) bool {
	name, customer, ok := splitKey(key)
	if !ok {
		m.refuse("cltv.state.v1 holds a state under the key %q", key)
		return false
	}
	t := m.tenantOf(name)
	b := &m.rebuild
	var s cltv.State
	var none, old, now cltv.Contribution
	indexed := int32(0)
	if before != nil {
		if err := s.Decode(before); err != nil {
			m.refuse("state of %q in Redis: %w", key, err)
			return false
		}
		old.Set(&s)
		m.account(t, &old, &none)
		indexed = s.IndexedDay()
	}
	b.put.States = append(b.put.States, StateWrite{Key: key, Value: after})
	if len(after) == 0 {
		b.put.States[len(b.put.States)-1].Value = nil
		return true
	}
	if err := s.Decode(after); err != nil {
		m.refuse("state of %q in cltv.state.v1: %w", key, err)
		return false
	}
	now.Set(&s)
	m.account(t, &none, &now)
	if day := s.IndexedDay(); day != 0 && day != indexed { // else the entry of before will do
		bucket := DueBucket{Tenant: t.name, Day: day}
		i, known := due[bucket]
		if !known {
			i = len(b.put.Due)
			due[bucket] = i
			b.put.Due = append(b.put.Due, DueWrite{DueBucket: bucket})
		}
		b.put.Due[i].Customers = append(b.put.Due[i].Customers, customer)
	}
	return true
}

func (m *Machine) askRebuildPut() bool {
	m.action.Do, m.action.Commit = RebuildPut, &m.rebuild.put
	return true
}

func (m *Machine) rebuildWritten(r *Reply) {
	if !m.verdict(r.Verdict, "write of the rebuild") {
		return
	}
	m.phase = phaseRebuildRead
}

// askRebuildCompare fetches the record before the checkpoint's offset, or the
// first of the log where there is no checkpoint.
func (m *Machine) askRebuildCompare() bool {
	b := &m.rebuild
	if b.hasCheckpoint && !m.rebuildable() {
		return false
	}
	m.action.Do, m.action.Topic, m.action.Offset = Fetch, Input, max(0, b.found.NextOffset-1)
	return true
}

// rebuildable tells whether this program may go on from the checkpoint.
func (m *Machine) rebuildable() bool {
	c := &m.rebuild.found
	switch {
	case c.Partitions != m.config.Partitions && m.holds(RuleRefusePartitions):
		m.refuse("the checkpoint belongs to a topic with %d partitions, not %d", c.Partitions, m.config.Partitions)
	case c.FoldVersion > m.config.FoldVersion && m.holds(RuleRefuseNewerFold):
		m.refuse("the checkpoint was folded by version %d of the arithmetic, this program has %d: run the newer program",
			c.FoldVersion, m.config.FoldVersion)
	default:
		return true
	}
	return false
}

func (m *Machine) rebuildCompared(r *Reply) {
	b := &m.rebuild
	if b.found.NextOffset == 0 || !m.holds(RuleCompareCRC) || m.fits(&r.Fetched, b.found.NextOffset, b.found.LastCRC) {
		m.phase = phaseRebuildParameters
	}
}

// askRebuildParameters writes what was in force at the checkpoint.
func (m *Machine) askRebuildParameters() bool {
	b := &m.rebuild
	b.put = Commit{Token: m.token, Opening: m.opening, CheckpointOffset: -1}
	for i := range b.found.Tenants {
		p := b.found.Tenants[i]
		if p.ClockUnix != 0 {
			b.put.Clocks = append(b.put.Clocks, ClockWrite{p.Tenant, p.ClockUnix})
		}
		p.ClockUnix = 0
		b.put.Parameters = append(b.put.Parameters, ParametersWrite{p.Tenant, wire.AppendTenantParameters(nil, &p)})
	}
	m.action.Do, m.action.Commit = RebuildPut, &b.put
	return true
}

func (m *Machine) rebuildParametersWritten(r *Reply) {
	if m.verdict(r.Verdict, "parameters of the rebuild") {
		m.phase = phaseRebuildFinish
	}
}

func (m *Machine) askRebuildFinish() bool {
	b := &m.rebuild
	b.put = Commit{
		Token: m.token, Opening: m.opening, Batch: b.found.Batch,
		From: b.found.NextOffset, To: b.found.NextOffset,
		LastCRC: b.found.LastCRC, CheckpointOffset: b.found.NextOffset,
	}
	m.action.Do, m.action.Commit = FinishRebuild, &b.put
	return true
}

// rebuildFinished goes on as after any other opening. All states in Redis come
// from the topic, so none is unsaved.
func (m *Machine) rebuildFinished(r *Reply) {
	if !m.verdict(r.Verdict, "end of the rebuild") {
		return
	}
	c := m.rebuild.found
	m.rebuilding = false
	m.next, m.lastCRC, m.batchNumber = c.NextOffset, c.LastCRC, c.Batch
	m.checkpointOffset, m.checkpointStored = c.NextOffset, c.NextOffset
	if b := &m.rebuild; !m.holds(RuleOffsetLast) && !b.early { // the states now
		b.early, b.ended, b.from, b.records = true, false, 0, nil
		m.phase = phaseRebuildRead
		return
	}
	m.forgetContents()
	for i := range c.Tenants {
		if unix := c.Tenants[i].ClockUnix; unix != 0 {
			m.tenantOf(c.Tenants[i].Tenant).clock = unix
		}
	}
	m.phase = phaseContents
}
