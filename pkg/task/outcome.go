package task

import (
	"strconv"

	"github.com/perennial-cltv/perennial/pkg/cltv"
	"github.com/perennial-cltv/perennial/pkg/wire"
)

// composeCustomer makes what a batch writes of a customer whose last record of
// the batch is folded: the state, what it changes in the sums and in the due
// index, and its last update. Churn records and dead letters were composed record
// by record. Nothing here is computed from sums. The customer's slot is free then.
func (m *Machine) composeCustomer(e *entry) {
	b := &m.batch
	if e.slot == slotNone || e.slot == slotPending {
		return
	}
	s := b.used[e.slot]
	b.used[e.slot] = nil
	e.slot = slotNone
	if s.changed {
		m.composeChanged(s)
	}
	recurs := e.met != 0 && uint32(m.batchNumber)-e.met < recurrence
	e.met = uint32(m.batchNumber) + 1
	m.slots.putBack(s, recurs && (!s.changed || !s.state.Cluttered()))
}

func (m *Machine) composeChanged(s *slot) {
	b, e := &m.batch, s.entry
	start := len(b.arena)
	b.arena = s.state.AppendTo(b.arena)
	b.commit.States = append(b.commit.States, StateWrite{Key: e.key, Value: b.arena[start:len(b.arena):len(b.arena)]})
	b.written = append(b.written, e)
	m.after.Set(&s.state)
	m.account(s.tenant, s.before, &m.after)
	if s.enqueueDay != 0 {
		m.composeDue(s)
	}
	if !s.state.IsSpend() { // nobody but the sums hears of spend
		if s.step.BandChanged && !m.holds(RuleChurnEach) {
			m.composeChurn(s)
		}
		m.composeUpdate(s)
	}
}

// compose makes what a batch writes beside its customers, then the commit.
func (m *Machine) compose() {
	b := &m.batch
	if err := m.composeSums(&b.commit); err != nil {
		m.stop(err)
		return
	}
	m.composeParameters()
	m.sealCommit()
	m.produce(func(m *Machine) { m.phase = phaseCommit }, Updates, Churn, DeadLetters)
	if !m.holds(RuleOutputsFirst) {
		m.afterwards = func(m *Machine) { m.phase = phaseReady }
		m.phase = phaseCommit
	}
}

// sealCommit fills in where the commit stands.
func (m *Machine) sealCommit() {
	b := &m.batch
	c := &b.commit
	c.Token, c.Opening, c.Batch = m.token, m.opening, m.batchNumber
	c.From, c.To = b.from, b.to
	c.CheckpointOffset = -1
	if m.checkpointOffset > m.checkpointStored {
		c.CheckpointOffset = m.checkpointOffset
	}
}

func (m *Machine) composeDue(s *slot) {
	b := &m.batch
	bucket := DueBucket{Tenant: s.tenant.name, Day: s.enqueueDay}
	i, known := b.due[bucket]
	if !known {
		i = len(b.commit.Due)
		b.due[bucket] = i
		if i < cap(b.commit.Due) { // reuse the customers' slice of a former batch
			b.commit.Due = b.commit.Due[:i+1]
			b.commit.Due[i].DueBucket, b.commit.Due[i].Customers = bucket, b.commit.Due[i].Customers[:0]
		} else {
			b.commit.Due = append(b.commit.Due, DueWrite{DueBucket: bucket})
		}
		m.buckets[bucket] = struct{}{}
	}
	w := &b.commit.Due[i]
	w.Customers = append(w.Customers, s.entry.key[len(s.tenant.name)+1:])
}

// composeParameters appends the tenants' clocks and parameters that changed.
func (m *Machine) composeParameters() {
	b := &m.batch
	for name, t := range b.clocks {
		b.commit.Clocks = append(b.commit.Clocks, ClockWrite{Tenant: name, Unix: t.clock})
	}
	for name, t := range b.params {
		stored := t.parameters()
		b.commit.Parameters = append(b.commit.Parameters,
			ParametersWrite{Tenant: name, Value: wire.AppendTenantParameters(nil, &stored)})
	}
}

// Headers of an output: CloudEvents in binary mode, and the trace of the record
// behind it.
var (
	headerContentType = Header{"content-type", []byte("application/protobuf")}
	headerSpecVersion = Header{"ce_specversion", []byte("1.0")}
	headerSource      = Header{"ce_source", []byte("/perennial/cltv-updater")}
	headerUpdateType  = Header{"ce_type", []byte("perennial.v1.CltvUpdate")}
	headerChurnType   = Header{"ce_type", []byte("perennial.v1.ChurnRisk")}
)

// sourceName is the source of what the updater itself appends.
const sourceName = "perennial"

func (m *Machine) composeUpdate(s *slot) {
	b := &m.batch
	start := len(b.arena)
	b.arena = wire.AppendUpdate(b.arena, &s.cause, &s.step)
	m.output(Updates, s, b.arena[start:], headerUpdateType)
}

// composeChurn writes a change of band as it is at this record.
func (m *Machine) composeChurn(s *slot) {
	b := &m.batch
	start := len(b.arena)
	params, score := s.tenant.params, &s.step.Score
	b.arena = wire.AppendChurn(b.arena, &s.cause, &s.step,
		cltv.Reasons(&s.state, params, score), cltv.InvoluntaryReasons(&s.state, params, score))
	b.bytes += len(b.arena) - start
	m.output(Churn, s, b.arena[start:], headerChurnType)
}

// output adds a record to an output topic.
func (m *Machine) output(t Topic, s *slot, value []byte, kind Header) {
	b := &m.batch
	start := len(b.arena)
	b.arena = append(append(b.arena, s.entry.key...), '/')
	b.arena = strconv.AppendInt(b.arena, s.step.Score.Version, 10)
	id := b.arena[start:]
	first := len(m.headers)
	m.headers = append(m.headers, headerContentType, headerSpecVersion, headerSource, kind, Header{"ce_id", id})
	if s.traceparent != nil {
		m.headers = append(m.headers, Header{traceparentKey, s.traceparent})
	}
	m.outTopic[t] = append(m.outTopic[t], Out{
		Key:     id[:len(s.entry.key)],
		Value:   value,
		Headers: m.headers[first:len(m.headers):len(m.headers)],
	})
}
