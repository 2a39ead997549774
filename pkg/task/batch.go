package task

import (
	"time"
	"unsafe"

	"github.com/perennial-cltv/perennial/pkg/cltv"
	"github.com/perennial-cltv/perennial/pkg/wire"
)

// recordedAtTolerance is how far a record's recorded_at may lie after its Kafka
// timestamp. It is no setting, because it decides what a result is.
const recordedAtTolerance = int64(10 * time.Minute / time.Millisecond)

// batch is one stretch of input on its way from the log into the outputs and
// Redis. Its buffers are kept from batch to batch.
//
// Invariant: what it writes is a function of the records [from, to) and of what
// Redis held at from. Once it is composed nothing of it changes until it is
// committed or dropped together with the token.
type batch struct {
	from, to int64
	// entries[i] is the cache entry of the i-th record's key.
	entries []*entry
	// missing are the entries that are not loaded, keys their keys.
	missing []*entry
	keys    []string
	// used are the slots of customers whose last record isn't taken in yet, by
	// entry.slot; those before it are nil.
	used []*slot
	// written are the entries of commit.States, in the same order.
	written []*entry
	bytes   int // of states, input and output taken in so far
	arena   []byte
	commit  Commit
	clocks  map[string]*tenant
	params  map[string]*tenant
	due     map[DueBucket]int // place in commit.Due
	report  BatchReport
}

func (b *batch) reset() {
	for _, e := range b.entries {
		e.slot = -1
	}
	b.entries, b.missing, b.keys = b.entries[:0], b.missing[:0], b.keys[:0]
	b.used = b.used[:0]
	b.written, b.bytes, b.arena = b.written[:0], 0, b.arena[:0]
	c := &b.commit
	*c = Commit{
		States: c.States[:0], Sums: c.Sums[:0], Parameters: c.Parameters[:0], Clocks: c.Clocks[:0], Due: c.Due[:0],
		CheckpointOffset: -1,
	}
	if b.clocks == nil {
		b.clocks, b.params, b.due = make(map[string]*tenant), make(map[string]*tenant), make(map[DueBucket]int)
	}
	clear(b.clocks)
	clear(b.params)
	clear(b.due)
	b.report = BatchReport{}
}

// takeIn begins a batch with the records at hand: it looks their keys up in the
// cache and goes to load what isn't there. The key alone tells which state a
// record needs, so nothing is decoded twice.
func (m *Machine) takeIn() {
	b := &m.batch
	b.reset()
	states, bytes := 0, 0
	for i := m.at; i < len(m.records); i++ {
		record := &m.records[i]
		bytes += len(record.Key) + len(record.Value)
		if len(b.entries) > 0 && bytes > m.config.BatchBytes {
			break
		}
		e := m.cache.get(record.Key)
		if e == nil || e.slot < 0 {
			if states++; states > m.config.BatchStates {
				break
			}
			if e == nil {
				e = m.cache.add(string(record.Key))
			}
			if !e.loaded {
				b.missing = append(b.missing, e)
				b.keys = append(b.keys, e.key)
			}
			e.slot = slotPending
		}
		e.last = int32(len(b.entries))
		b.entries = append(b.entries, e)
	}
	m.phase = phaseLoad
}

// Slots of entries outside of a batch, and of those that are in it but whose
// state wasn't needed yet.
const (
	slotNone    = -1
	slotPending = 1 << 30
)

func (m *Machine) askLoad() bool {
	if len(m.batch.keys) == 0 {
		m.fold()
		return false
	}
	m.action.Do, m.action.Keys = Load, m.batch.keys
	return true
}

func (m *Machine) loaded(r *Reply) {
	if r.Loaded.Position != m.position() && m.holds(RuleCompareAtLoad) {
		m.rewind("load")
		return
	}
	for i, e := range m.batch.missing {
		m.cache.set(e, r.Loaded.States[i])
	}
	m.provenAt = m.now
	m.fold()
}

// fold takes in the records one by one until the batch is full, and composes what
// it writes: of a customer right after its last record, while its state is at
// hand, then the rest.
func (m *Machine) fold() {
	b := &m.batch
	for t := range m.outTopic {
		m.outTopic[t] = m.outTopic[t][:0]
	}
	m.headers = m.headers[:0]
	b.from = m.next
	taken := 0
	for i, e := range b.entries {
		record := &m.records[m.at+i]
		size := len(record.Key) + len(record.Value)
		if e.slot == slotPending {
			size += len(e.value)
		}
		if b.bytes += size; taken > 0 && b.bytes > m.config.BatchBytes {
			break // many bytes of states, or of dead letters and churn records
		}
		if !m.takeInOne(record, e) {
			return // stopped
		}
		if int(e.last) == i {
			m.composeCustomer(e)
		}
		taken++
	}
	last := &m.records[m.at+taken-1]
	b.to = last.Offset + 1
	b.report.Records = taken
	b.report.OldestTimestamp = m.records[m.at].Timestamp
	b.commit.LastCRC = RecordCRC(last)
	for _, e := range b.entries {
		m.composeCustomer(e) // whose last record waits for the next batch
		e.slot = slotNone
	}
	m.at += taken
	m.compose()
}

// takeInOne takes in one record. false: the task stopped.
func (m *Machine) takeInOne(r *Record, e *entry) bool {
	ev := &m.event
	if err := wire.DecodeEvent(r.Value, ev); err != nil {
		m.deadLetter(r, "undecodable", err.Error())
		return true
	}
	if ev.RecordedAt > r.Timestamp+recordedAtTolerance && m.holds(RuleRecordedAtBound) {
		m.deadLetter(r, "recorded_at", "recorded_at is later than the record's own timestamp")
		return true
	}
	if (m.lastTenant == nil || m.lastTenant.name != ev.Tenant) && !isTenant(ev.Tenant) {
		m.deadLetter(r, "tenant", "a tenant is 1 to 63 of a-z, 0-9 and -")
		return true
	}
	if !keyIsOf(r.Key, ev) && m.holds(RuleKeyOfEvent) {
		m.deadLetter(r, "key", "the record's key isn't that of the event's tenant and customer")
		return true
	}
	switch ev.Kind {
	case cltv.KindClockAdvanced:
		m.advanceClock(r, ev)
		return true
	case cltv.KindModelPublished, cltv.KindThresholdsSet, cltv.KindUnitCostsSet, cltv.KindPolicySet:
		m.takeParameters(r, ev)
		return true
	default:
		return m.foldOne(r, e, ev)
	}
}

// foldOne folds one record into its customer's state.
func (m *Machine) foldOne(r *Record, e *entry, ev *cltv.Event) bool {
	b := &m.batch
	s, err := m.slotOf(e, ev)
	if err != nil {
		m.refuse("state of %q in Redis, at offset %d: %w", e.key, r.Offset, err)
		return false
	}
	at := cltv.At{Offset: r.Offset, Clock: s.tenant.clock, Params: s.tenant.params}
	step := m.config.Fold(&m.folder, &s.state, ev, at)
	if step.Refusal.Code != "" { // also of what is applied in part: a denial of consent counts however late
		m.deadLetter(r, step.Refusal.Code, step.Refusal.Error())
	}
	switch step.Outcome {
	case cltv.Applied:
		b.report.Applied++
	case cltv.Duplicate:
		b.report.Duplicates++
		return true
	case cltv.Refused:
		return true
	default:
		b.report.Unchanged++
		return true
	}
	previous := s.step
	s.step = step
	if s.changed && !m.holds(RuleByVersion) {
		s.step.PreviousCLTVMinor = previous.PreviousCLTVMinor
	}
	s.changed = true
	if step.EnqueueDay != 0 {
		s.enqueueDay = step.EnqueueDay
	}
	c := &s.cause
	c.Tenant, c.Customer, c.Kind, c.Source, c.SourceEventID = ev.Tenant, ev.Customer, ev.Kind, ev.Source, ev.SourceEventID
	c.OccurredAt, c.Backfill = ev.OccurredAt, ev.Backfill
	s.traceparent = headerOf(r, traceparentKey)
	if step.BandChanged && m.holds(RuleChurnEach) {
		m.composeChurn(s)
	}
	return true
}

// slotOf gives the state of an entry in this batch, decoded at its first use.
func (m *Machine) slotOf(e *entry, ev *cltv.Event) (*slot, error) {
	b := &m.batch
	if e.slot != slotPending {
		return b.used[e.slot], nil
	}
	s, kept := m.slots.take(e)
	if !kept {
		if err := s.state.Decode(e.value); err != nil {
			return nil, err
		}
	}
	e.slot = int32(len(b.used))
	b.used = append(b.used, s)
	s.entry, s.tenant, s.changed, s.enqueueDay = e, m.tenantOf(ev.Tenant), false, 0
	s.before.Set(&s.state)
	return s, nil
}

// isTenant tells whether a name has the form of a tenant's. Names are parts of
// keys in Redis: one of another form would be stored, and could not be read
// again.
func isTenant(name string) bool {
	for i := range len(name) {
		if c := name[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return len(name) >= 1 && len(name) <= 63
}

// keyIsOf tells whether a record stands under the key of its event, and so in
// the partition of its customer.
func keyIsOf(key []byte, ev *cltv.Event) bool {
	k := unsafe.String(unsafe.SliceData(key), len(key))
	if len(k) <= len(ev.Tenant) || k[len(ev.Tenant)] != '/' || k[:len(ev.Tenant)] != ev.Tenant || ev.Tenant == "" {
		return false
	}
	rest := k[len(ev.Tenant)+1:]
	if ev.Customer != "" {
		return rest == ev.Customer && rest[0] != '~'
	}
	if ev.Kind == cltv.KindMarketingSpend {
		return rest == cltv.SpendCustomer(ev.Source, ev.SourceEventID)
	}
	return len(rest) > 1 && rest[0] == '~' // a parameter or a clock
}
