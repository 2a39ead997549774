package task

import (
	"fmt"

	"github.com/perennial-cltv/perennial/pkg/cltv"
	"github.com/perennial-cltv/perennial/pkg/wire"
)

// upkeep is what an owner puts into the input besides Reassess: the minute, for
// tenants that live now, and, from partition 0, the newest parameters, for
// partitions that a publisher missed. For both the greatest counts, so it does
// no harm when two owners do it, or one does it twice.
type upkeep struct {
	// done is set once a piece of upkeep had its turn after a batch.
	done bool
	// minute up to which clocks were advanced.
	minute int64
	// repeatAt is when parameters are repeated next; repeatTo is the partition
	// whose turn it is, 0 outside of a round.
	repeatAt int64
	repeatTo int32

	// What is being appended, where to, and what follows.
	to       int32
	records  []Out
	appended func(m *Machine)

	// notBefore holds appending back after a failure.
	notBefore int64

	offsetTold, offsetAt int64
}

// After an append that failed: the pause before the next, and before the round
// of parameters in which it failed is repeated.
const (
	appendAgainAfter = 2000
	repeatAgainAfter = 60 * 1000
)

func (m *Machine) startUpkeep() {
	m.upkeep = upkeep{repeatAt: m.now, offsetTold: m.upkeep.offsetTold}
}

// clockDue begins to append the minute, if it is a new one.
func (m *Machine) clockDue() bool {
	u := &m.upkeep
	minute := m.now / clockEvery
	if minute <= u.minute || m.now < u.notBefore {
		return false
	}
	u.records = u.records[:0]
	for _, name := range m.tenantNames() {
		t := m.tenants[name]
		if !t.live() || t.clock >= minute*60 {
			continue
		}
		ms := minute * clockEvery
		ev := cltv.Event{
			Tenant: name, Source: sourceName, SourceEventID: fmt.Sprint("clock-", minute), Kind: cltv.KindClockAdvanced,
			OccurredAt: ms, RecordedAt: ms, Until: ms,
		}
		u.records = append(u.records, Out{Key: []byte(name + "/~clock"), Value: wire.AppendEvent(nil, &ev)})
	}
	u.to = m.config.Partition
	u.appended = func(m *Machine) { m.upkeep.minute = minute }
	return m.beginAppend()
}

// repeatDue begins to repeat parameters to the next partition.
func (m *Machine) repeatDue() bool {
	u := &m.upkeep
	if m.config.Partition != 0 || m.now < u.notBefore || !m.holds(RuleRepeatParameters) {
		return false
	}
	if u.repeatTo == 0 {
		if m.now < u.repeatAt || !m.caughtUp {
			return false
		}
		u.repeatAt = m.now + repeatEvery
		u.repeatTo = 1
	}
	if u.repeatTo >= m.config.Partitions {
		u.repeatTo = 0
		return false
	}
	u.records = u.records[:0]
	for _, name := range m.tenantNames() {
		p := m.tenants[name].parameters()
		parameterRecords(&p, func(ev *cltv.Event) {
			ev.RecordedAt, ev.OccurredAt = m.now, m.now
			ev.SourceEventID = fmt.Sprint("repeat-", m.now)
			u.records = append(u.records, Out{Key: []byte(name + parameterKeys[ev.Kind]), Value: wire.AppendEvent(nil, ev)})
		})
	}
	u.to = u.repeatTo
	u.appended = func(m *Machine) { m.upkeep.repeatTo++ }
	return m.beginAppend()
}

// parameterKeys are what follows the tenant in the key of a parameter record.
var parameterKeys = map[cltv.Kind]string{
	cltv.KindModelPublished: "/~model",
	cltv.KindThresholdsSet:  "/~thresholds",
	cltv.KindUnitCostsSet:   "/~unit-costs",
	cltv.KindPolicySet:      "/~policy",
}

// beginAppend goes to append, or is done at once where there is nothing.
func (m *Machine) beginAppend() bool {
	if len(m.upkeep.records) == 0 {
		m.upkeep.appended(m)
		return false
	}
	m.phase = phaseAppend
	return true
}

func (m *Machine) askAppend() bool {
	u := &m.upkeep
	m.action.Do, m.action.Partition, m.action.Timestamp = Append, u.to, m.now
	m.action.Records = u.records[:m.fitting(u.records)]
	return true
}

// postpone goes on taking in records after an append that failed, and tries it
// again later: a partition of others that has no leader must not hold up this
// one. What may have been written all the same does no harm.
func (m *Machine) postpone(reason string) {
	u := &m.upkeep
	m.stats.Retries++
	m.stats.Reason = reason
	u.notBefore = m.now + appendAgainAfter
	if u.to != m.config.Partition { // the others in this round, and this one soon again
		u.repeatTo++
		u.repeatAt = min(u.repeatAt, m.now+repeatAgainAfter)
	}
	m.phase = phaseReady
}

func (m *Machine) appended(*Reply) {
	m.stats.Reason = "" // of one that failed before
	u := &m.upkeep
	if u.records = u.records[len(m.action.Records):]; len(u.records) > 0 {
		return // the rest is asked for next
	}
	u.appended(m)
	m.phase = phaseReady
}
