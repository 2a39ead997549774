package task

import (
	"github.com/perennial-cltv/perennial/pkg/wire"
)

// Opening, in order: a new connection, its configuration checked; the task hash
// (opening number n); InitProducerID; OPEN(token, n); the replicas; contents;
// the record before the next offset against its CRC; an opening record in
// cltv.state.v1; the keys between the last checkpoint and the next offset.
//
// Each step guards against a schedule that was run without it:
//   - n before the token: of two owners between which OPEN goes to and fro, the
//     one with the newer epoch in Kafka is the one whom Redis obeys.
//   - the token before OPEN: Redis never obeys an owner whom Kafka can't fence.
//   - the replicas before the first load, on the connection of OPEN: a failover
//     can't bring back the time before OPEN, in which the former owner's
//     commits fit, while the newer owner's writes are still under way.
//   - one connection from the first read on: a Redis that went back isn't met
//     unawares.

// Keys of cltv.state.v1 that are no customer's.
const (
	// OpeningKey holds the last opening of an owner that goes on from what Redis
	// has; RebuildingKey that of one that must first rebuild it. They are two,
	// so that compaction keeps the former: see repair.go.
	OpeningKey    = "~opening"
	RebuildingKey = "~rebuilding"
	CheckpointKey = "~checkpoint"
)

func (m *Machine) connected(*Reply) { m.phase = phaseCheck }

func (m *Machine) checked(*Reply) { m.phase = phaseRead }

func (m *Machine) read(r *Reply) {
	m.readOpening = r.Stored.Opening
	m.readAs = r.Stored.Position
	m.phase = phaseInit
	if !m.holds(RuleInitBeforeOpen) && r.Stored.Exists {
		// Open as a token that Kafka hasn't given out yet.
		m.token = r.Stored.Token
		m.token.Epoch++
		m.phase = phaseOpen
	}
}

func (m *Machine) initialised(r *Reply) {
	m.sequences = [NumTopics]int32{}
	m.phase = phaseOpen
	if !m.holds(RuleInitBeforeOpen) && m.openedAt != 0 {
		m.phase = phaseAwait
	}
	m.token = r.Token
}

func (m *Machine) askOpen() bool {
	m.action.Do = Open
	m.action.Open = OpenRequest{
		Token:       m.token,
		ReadOpening: m.readOpening,
		FoldVersion: m.config.FoldVersion,
		Partitions:  m.config.Partitions,
	}
	if !m.holds(RuleRefuseNewerFold) {
		m.action.Open.FoldVersion = 1 << 30
	}
	return true
}

func (m *Machine) opened(r *Reply) {
	switch r.Opened.Verdict {
	case OK:
		m.taken(&r.Opened.Before)
	case Stale: // somebody opened since the read
		m.phase = phaseRead
		m.pause("another owner opened the task meanwhile")
	case SameProducer: // Kafka's coordinator went back; its next epoch is higher
		m.phase = phaseInit
	case NewerFold:
		m.refuse("the task was folded by version %d of the arithmetic, this program has %d: run the newer program",
			r.Opened.Before.FoldVersion, m.config.FoldVersion)
	case OtherPartitions:
		m.refuse("the task belongs to a topic with %d partitions, not %d: the number of partitions is fixed at creation",
			r.Opened.Before.Partitions, m.config.Partitions)
	default:
		m.rewind("open")
	}
}

// taken begins the ownership. before is what OPEN found and so exactly what
// this owner goes on from.
func (m *Machine) taken(before *Stored) {
	was := before.Position
	if !m.holds(RuleKeepCacheByOpen) {
		was = m.readAs
	}
	if !m.left.valid || m.left.position != was || before.Rebuilding || !before.Exists {
		m.cache.clear()
	} else {
		m.stats.KeptCaches++
	}
	m.left = left{}
	m.forgetContents()
	m.opening = before.Opening + 1
	m.openedAt = m.now
	m.next = before.NextOffset
	m.lastCRC = before.LastCRC
	m.batchNumber = before.Batch
	m.checkpointOffset, m.checkpointStored = before.CheckpointOffset, before.CheckpointOffset
	m.rebuilding = !before.Exists || before.Rebuilding
	m.announced, m.caughtUp = false, false
	m.fetchFrom, m.highWatermark = m.next, m.next
	m.stats.Openings++
	m.clocksOf(before.Clocks)
	m.phase = phaseAwait
	if !m.holds(RuleInitBeforeOpen) && before.Exists {
		m.phase = phaseInit
	}
}

func (m *Machine) askReplicas() bool {
	m.action.Do = AwaitReplicas
	if m.holds(RuleAwaitReplicas) {
		return true
	}
	m.replicated(nil)
	return false
}

func (m *Machine) replicated(*Reply) {
	m.provenAt = m.now
	m.phase = phaseContents
	if m.rebuilding {
		m.phase = phaseAnnounce
	}
}

func (m *Machine) takeContents(r *Reply) {
	c := &r.Contents
	if c.Position != m.position() {
		m.rewind("contents")
		return
	}
	if err := m.contentsOf(c); err != nil {
		m.refuse("contents: %w", err)
		return
	}
	m.phase = phaseCompare
}

// askCompare fetches the record before the next offset.
func (m *Machine) askCompare() bool {
	if m.next == 0 || !m.holds(RuleCompareCRC) {
		m.logFits()
		return false
	}
	m.action.Do, m.action.Topic, m.action.Offset = Fetch, Input, m.next-1
	return true
}

func (m *Machine) compared(r *Reply) {
	if m.fits(&r.Fetched, m.next, m.lastCRC) {
		m.logFits()
	}
}

// logFits goes on after the log was compared.
func (m *Machine) logFits() {
	m.phase = phaseAnnounce
	if m.announced { // after a rebuild
		m.phase = phaseScan
	}
	m.scanFrom = m.checkpointOffset
}

// fits tells whether the fetched record before an offset is the one that was
// taken in. A log that is another one, or ends earlier, was replaced or
// truncated under Redis: whatever went on from there would be a mixture. That it
// ends earlier is believed after a while only: a new leader shows the newest
// records once its followers have asked for them.
func (m *Machine) fits(f *Fetched, offset int64, crc uint32) bool {
	switch {
	case f.HighWatermark < offset && m.now-m.openedAt < shortLogAfter:
		m.pause("waiting for customer.events.v1 to show the record before the next offset")
	case f.HighWatermark < offset:
		m.refuse("customer.events.v1 ends at offset %d, but records up to %d were taken in: the log was truncated or replaced; restore it, or start over with an empty Redis and empty topics",
			f.HighWatermark, offset)
	case len(f.Records) == 0 && f.NextOffset < offset:
		m.pause("waiting for the record before the next offset")
	case len(f.Records) == 0 || f.Records[0].Offset != offset-1:
		m.refuse("the record at offset %d of customer.events.v1, the last one taken in, is missing: the log was replaced or cut", offset-1)
	case RecordCRC(&f.Records[0]) != crc:
		m.refuse("the record at offset %d of customer.events.v1 isn't the one that was taken in: the log was replaced; restore it, or start over with an empty Redis and empty topics", offset-1)
	default:
		return true
	}
	return false
}

// outOfRange handles a fetch of what the log doesn't have.
func (m *Machine) outOfRange(f *Fetched) {
	switch m.phase {
	case phaseCompare, phaseRebuildCompare:
		offset := m.next
		if m.phase == phaseRebuildCompare {
			offset = m.rebuild.found.NextOffset
		}
		m.outOfRangeAt(f, offset)
	case phaseScan:
		m.refuse("customer.events.v1 begins at offset %d, but states changed since the checkpoint at %d were not saved: keep the input longer than checkpoints take", f.LogStart, m.scanFrom)
	case phaseRebuildRead, phaseRepairRead: // cltv.state.v1 begins later
		m.rebuild.from = max(f.LogStart, m.rebuild.from+1)
	default:
		m.refuse("customer.events.v1 has offsets %d to %d, but %d is next: input that was not taken in is gone, or the log was truncated", f.LogStart, f.HighWatermark, m.fetchFrom)
	}
}

// outOfRangeAt handles a log that doesn't have the record before an offset.
func (m *Machine) outOfRangeAt(f *Fetched, offset int64) {
	switch {
	case m.phase == phaseRebuildCompare && !m.holds(RuleRebuildNeedsInput):
		m.rebuild.found.NextOffset = f.LogStart
		m.phase = phaseRebuildParameters
	case f.HighWatermark < offset:
		m.fits(f, offset, 0) // says so
	case f.LogStart > offset && m.phase == phaseRebuildCompare && !m.rebuild.hasCheckpoint:
		m.refuse("Redis is empty, cltv.state.v1 has no checkpoint, and customer.events.v1 begins at offset %d: its beginning is gone", f.LogStart)
	case f.LogStart > offset:
		m.refuse("customer.events.v1 begins at offset %d, but %d is next: input that was not taken in is gone", f.LogStart, offset)
	case m.config.AcceptTrimmedLog && m.phase == phaseCompare:
		m.logFits()
	case m.config.AcceptTrimmedLog:
		m.phase = phaseRebuildParameters
	default:
		m.refuse("retention deleted the record before offset %d of customer.events.v1, so the log can't be compared with what was taken in; if it is the same log, accept it once by configuration", offset)
	}
}

// askAnnounce writes the opening record, which also fences former owners on
// this partition of cltv.state.v1.
func (m *Machine) askAnnounce() bool {
	value := wire.AppendOpening(nil, &wire.Opening{
		ProducerID:    m.token.ProducerID,
		ProducerEpoch: int32(m.token.Epoch),
		Opening:       m.opening,
		NextOffset:    m.next,
		OpenedAt:      m.now,
	})
	key := OpeningKey
	if m.rebuilding {
		key = RebuildingKey
	}
	m.outTopic[State] = append(m.outTopic[State][:0], Out{Key: []byte(key), Value: value})
	m.produce((*Machine).announcedNow, State)
	return false
}

func (m *Machine) announcedNow() {
	m.announced = true
	m.phase = phaseScan
	if m.rebuilding {
		m.phase = phaseRebuildBegin
	}
}

// askScan reads the keys between the last checkpoint and the next offset: each
// may be changed and not yet saved. What changed nothing is saved once too
// often, which does no harm.
func (m *Machine) askScan() bool {
	if m.scanFrom >= m.next || !m.holds(RuleScanDirty) {
		m.checkpoint.seen = nil
		m.start()
		return false
	}
	m.action.Do, m.action.Topic, m.action.Offset = Fetch, Input, m.scanFrom
	return true
}

func (m *Machine) scanned(r *Reply) {
	c := &m.checkpoint
	if c.seen == nil {
		c.seen = make(map[string]struct{})
	}
	for i := range r.Fetched.Records {
		record := &r.Fetched.Records[i]
		if record.Offset < m.scanFrom || record.Offset >= m.next {
			continue
		}
		if c.oldest == 0 {
			c.oldest = record.Timestamp
		}
		if _, known := c.seen[string(record.Key)]; !known {
			key := string(record.Key)
			c.seen[key] = struct{}{}
			c.dirty = append(c.dirty, key)
		}
	}
	if r.Fetched.NextOffset <= m.scanFrom {
		m.pause("waiting for the input since the last checkpoint")
		return
	}
	m.scanFrom = r.Fetched.NextOffset
}

// start begins to take in records.
func (m *Machine) start() {
	m.started, m.stopped = true, false
	m.stats.Reason = ""
	m.fetchFrom = m.next
	m.provenAt = m.now
	m.checkpoint.begin(m.now)
	m.startUpkeep()
	m.phase = phaseReady
}
