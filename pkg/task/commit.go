package task

import "math"

// produceBytes bounds a numbered batch and an append, so that the broker takes it
// whatever a batch of input gives rise to: below the 1 MiB that Kafka allows a
// batch by default. A record that is larger by itself goes alone.
const produceBytes = 768 << 10

// fitting is how many of the records one batch of Kafka holds: at least one, if
// there are any.
func (m *Machine) fitting(records []Out) int {
	bytes := 0
	for i := range records {
		if bytes += records[i].size(); i > 0 && bytes > m.config.ProduceBytes {
			return i
		}
	}
	return len(records)
}

// size bounds from above what a record takes in a batch, but for a few bytes.
func (o *Out) size() int {
	n := 32 + len(o.Key) + len(o.Value)
	for i := range o.Headers {
		n += 8 + len(o.Headers[i].Key) + len(o.Headers[i].Value)
	}
	return n
}

// produce sends what outTopic holds for the topics, as numbered batches, and
// goes on with then once all of it is acknowledged.
func (m *Machine) produce(then func(*Machine), topics ...Topic) {
	m.producing = m.producing[:0]
	m.unsent = [NumTopics][]Out{}
	for _, t := range topics {
		m.unsent[t] = m.outTopic[t]
	}
	m.afterwards = then
	m.phase = phaseProduce
}

// nextProduces takes a batch of each topic from what is still to be sent: one
// batch of a partition at a time is under way.
func (m *Machine) nextProduces() {
	for t := range NumTopics {
		n := m.fitting(m.unsent[t])
		if n == 0 {
			continue
		}
		m.producing = append(m.producing, Produce{
			Topic:     t,
			Partition: m.config.Partition,
			Token:     m.token,
			Sequence:  m.sequences[t],
			Timestamp: m.now,
			Records:   m.unsent[t][:n:n],
		})
		m.unsent[t] = m.unsent[t][n:]
	}
}

func (m *Machine) askProduce() bool {
	if m.now-m.openedAt >= tokenFor && m.holds(RuleReopen) {
		m.reopen("the token is too old to be used")
		return false
	}
	if len(m.producing) == 0 {
		m.nextProduces()
	}
	if len(m.producing) == 0 {
		then := m.afterwards
		m.afterwards = nil
		then(m)
		return false
	}
	m.action.Do, m.action.Produce = ProduceAll, m.producing
	return true
}

// produced takes the outcome of each numbered batch. What isn't acknowledged is
// asked for again as it is: same bytes, same sequence.
func (m *Machine) produced(r *Reply) {
	rest := m.producing[:0]
	var worst error
	for i := range m.producing {
		p := m.producing[i]
		err := r.Errs[i]
		if err == nil {
			m.sequences[p.Topic] = nextSequence(p.Sequence, len(p.Records))
			continue
		}
		if k := kindOf(err); worst == nil || k != KindUnknown && k != KindRetry {
			worst = err
		}
		rest = append(rest, p)
	}
	m.producing = rest
	if worst == nil {
		m.succeeded()
		return
	}
	if kindOf(worst) == KindUnknown && !m.holds(RuleSameBytes) && m.batch.commit.Token == m.token {
		m.recompose()
		return
	}
	m.failed(worst, r)
}

// recompose is what RuleSameBytes forbids: it gives up waiting, and composes
// another batch with the same sequence.
func (m *Machine) recompose() {
	m.producing, m.afterwards = m.producing[:0], nil
	token, opening, next, batch := m.token, m.opening, m.next, m.batchNumber
	sequences := m.sequences
	m.forget()
	m.token, m.opening, m.next, m.batchNumber, m.sequences = token, opening, next, batch, sequences
	m.phase = phaseContents
	m.announced = true
}

// nextSequence is the sequence after n records, which wraps as Kafka's does.
func nextSequence(sequence int32, n int) int32 {
	return int32((int64(sequence) + int64(n)) & math.MaxInt32)
}

func (m *Machine) askCommit() bool {
	m.action.Do, m.action.Commit = CommitBatch, &m.batch.commit
	return true
}

// committed ends a batch. DUP is as good as OK: this very commit is in, an
// answer was lost.
func (m *Machine) committed(r *Reply) {
	if r.Verdict == Dup {
		r.Verdict = OK
	}
	if r.Verdict != OK && !m.holds(RuleRewindOnCommit) {
		r.Verdict = OK
	}
	if !m.verdict(r.Verdict, "commit") {
		return
	}
	b := &m.batch
	c := &b.commit
	for i, e := range b.written {
		m.cache.set(e, c.States[i].Value)
		m.markDirty(e)
	}
	m.cache.trim()
	m.next, m.lastCRC = c.To, c.LastCRC
	m.batchNumber++
	if c.CheckpointOffset >= 0 {
		m.checkpointStored = c.CheckpointOffset
	}
	m.stats.add(&b.report)
	m.stats.lastReport = b.report
	b.reset()
	m.upkeep.done = false
	m.phase = phaseReady
	if !m.holds(RuleOutputsFirst) && m.afterwards != nil {
		m.phase = phaseProduce
	}
}
