package task

import (
	"github.com/perennial-cltv/perennial/pkg/cltv"
	"github.com/perennial-cltv/perennial/pkg/wire"
)

// repair looks after customers whose last output may be an older version than
// their state, once Redis is rebuilt. Found by a random seed:
//
// An owner writes version 2 and saves it in cltv.state.v1. Redis goes back to
// before it. The next owner folds the same records again, in smaller batches: it
// writes version 1, which now stands behind version 2 in the compacted topic, as
// all is well as long as version 2 follows again. But Redis is lost before that,
// and the rebuild begins with the saved state, at version 2, and says nothing of
// it any more.
//
// The evidence is in cltv.state.v1: a state, and behind it an opening that went
// on from an offset before the state's own. Only the last such opening counts:
// what Redis had at its offset was written out, in order, before it. Those
// customers get a Reassess for one second after their as-of, before the rebuild
// ends. It makes a new version, which all replays make alike; where a later
// record did so already it changes nothing.
type repair struct {
	// savedTo is the greatest offset that a state holds, of those read so far.
	savedTo int64
	// at and next are where the last opening stands and where it went on from;
	// needed tells that a state before it was ahead of it.
	at, next int64
	needed   bool
	state    cltv.State
	records  []Out
}

// saved notes a state that was read.
func (p *repair) saved(value []byte) error {
	if err := p.state.Decode(value); err != nil {
		return err
	}
	p.savedTo = max(p.savedTo, p.state.NextOffset())
	return nil
}

// opening notes an opening that was read.
func (p *repair) opening(at, next int64) {
	p.at, p.next, p.needed = at, next, p.savedTo > next
}

// beginRepair reads the topic again up to the opening, where it is needed.
func (m *Machine) beginRepair() {
	b := &m.rebuild
	m.phase = phaseRebuildCompare
	if b.repair.needed && m.holds(RuleRepair) {
		b.from = 0
		m.phase = phaseRepairRead
	}
}

func (m *Machine) askRepairRead() bool {
	b := &m.rebuild
	if b.from >= b.repair.at {
		m.phase = phaseRebuildCompare
		return false
	}
	m.action.Do, m.action.Topic, m.action.Offset = Fetch, State, b.from
	return true
}

func (m *Machine) repairHave(r *Reply) {
	b := &m.rebuild
	p := &b.repair
	p.records = p.records[:0]
	for i := range r.Fetched.Records {
		record := &r.Fetched.Records[i]
		if record.Offset >= b.from && record.Offset < p.at {
			m.repairOne(record)
		}
	}
	if r.Fetched.NextOffset <= b.from {
		m.pause("waiting for cltv.state.v1")
		return
	}
	b.from = r.Fetched.NextOffset
	m.phase = phaseRepairAppend
}

// repairOne composes the Reassess of one saved state.
func (m *Machine) repairOne(r *Record) {
	p := &m.rebuild.repair
	tenant, customer, ok := splitKey(string(r.Key))
	if !ok || p.state.Decode(r.Value) != nil || p.state.Version() == 0 || p.state.IsSpend() || p.state.NextOffset() <= p.next {
		return // read once before, so it can be decoded
	}
	at := (p.state.AsOf() + 1) * 1000
	p.records = append(p.records, m.reassess(tenant, customer, at))
}

func (m *Machine) askRepairAppend() bool {
	p := &m.rebuild.repair
	if len(p.records) == 0 {
		m.phase = phaseRepairRead
		return false
	}
	n := min(len(p.records), dueAtOnce)
	m.action.Do, m.action.Records, m.action.Timestamp = Append, p.records[:n], m.now
	return true
}

func (m *Machine) repairAppended(*Reply) {
	p := &m.rebuild.repair
	p.records = p.records[min(len(p.records), dueAtOnce):]
}

// reassess is the record that asks for a fresh score as of a time. A tenant that
// is played back may be ahead of the time of day, and nothing may be recorded
// later than it is written; what comes of it is marked as history, as all else of
// that tenant.
func (m *Machine) reassess(tenant, customer string, atMillis int64) Out {
	ev := cltv.Event{
		Tenant: tenant, Customer: customer, Source: sourceName, Kind: cltv.KindReassess,
		OccurredAt: atMillis, RecordedAt: min(atMillis, m.now), Until: atMillis, Backfill: !m.tenantOf(tenant).live(),
	}
	return Out{Key: []byte(tenant + "/" + customer), Value: wire.AppendEvent(nil, &ev)}
}
