package task

// decide says what comes next at a batch border. After each batch at most one
// piece of upkeep is done, so that neither starves the other.
func (m *Machine) decide() bool {
	if m.now-m.openedAt >= reopenEvery && m.holds(RuleReopen) {
		m.leave()
		m.phase = phaseConnect
		return false
	}
	if !m.upkeep.done {
		m.upkeep.done = true
		if m.keepUp() {
			return false
		}
	}
	if m.at < len(m.records) {
		m.takeIn()
		return false
	}
	m.phase = phaseFetch
	return false
}

// keepUp goes to the piece of upkeep that is due; false where none is. Checkpoints
// follow on one another where every batch changes many customers, so what is due
// only now and then comes before them; the silent customers wait for a quiet time.
func (m *Machine) keepUp() bool {
	switch {
	case m.now-m.provenAt >= provenEvery && m.holds(RuleIdleCheck):
		// An owner with nothing to commit must learn, too, that Redis went back:
		// nobody else would fold again what was lost.
		m.phase = phaseProve
	case m.clockDue():
	case m.offsetDue():
		m.phase = phaseCommitOffset
	case m.repeatDue():
	case m.checkpointDue():
		m.checkpointStep()
	case m.customersDue():
	default:
		return false
	}
	return true
}

func (m *Machine) proved(r *Reply) {
	if r.Position != m.position() {
		m.rewind("idle")
		return
	}
	m.provenAt = m.now
	m.phase = phaseReady
}

func (m *Machine) askFetch() bool {
	m.action.Do, m.action.Topic, m.action.Offset = Fetch, Input, m.fetchFrom
	return true
}

func (m *Machine) fetched(r *Reply) {
	f := &r.Fetched
	m.records, m.at = f.Records, 0
	for m.at < len(m.records) && m.records[m.at].Offset < m.next {
		m.at++
	}
	m.fetchFrom = max(m.fetchFrom, f.NextOffset)
	m.highWatermark = f.HighWatermark
	m.caughtUp = m.at == len(m.records) && m.fetchFrom >= f.HighWatermark
	m.upkeep.done = false
	m.phase = phaseReady
}

// lag is how many records are waiting.
func (m *Machine) lag() int64 { return max(0, m.highWatermark-m.next) }

// offsetDue tells whether Kafka's group should learn how far the task is. It is
// for people's tools only: Redis's offset is the one that counts.
func (m *Machine) offsetDue() bool {
	return m.next > m.upkeep.offsetTold && m.now >= m.upkeep.offsetAt
}

func (m *Machine) askCommitOffset() bool {
	m.action.Do, m.action.Offset = CommitOffset, m.next
	return true
}

func (m *Machine) offsetCommitted(*Reply) {
	m.upkeep.offsetTold, m.upkeep.offsetAt = m.next, m.now+commitOffsetEvery
	m.phase = phaseReady
}
