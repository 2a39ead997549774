package task

// Stats is how a task fares. Counters count since the machine was made.
type Stats struct {
	Partition int32
	// Phase names where the machine stands, for people. Stopped tells that it
	// waits for somebody to act, Ready that it takes in records; Reason says why
	// where it isn't ready.
	Phase   string
	Ready   bool
	Stopped bool
	Reason  string
	// NextOffset is where the task stands, Lag how many records wait.
	NextOffset, Lag int64

	Records, Applied, Duplicates, Unchanged, DeadLetters int64
	Batches, Checkpoints, Rebuilds                       int64
	// Openings counts those that succeeded, KeptCaches those of them after which
	// the cache of before was good.
	Openings, KeptCaches, Rewinds, Fenced, Retries int64
	// CacheBytes and CacheStates are what the cache holds.
	CacheBytes, CacheStates int
}

// BatchReport is what one committed batch did.
type BatchReport struct {
	Records, Applied, Duplicates, Unchanged, DeadLetters int
	// OldestTimestamp is that of the batch's first record, Unix milliseconds.
	OldestTimestamp int64
}

// counters are the machine's own, with the last batch's report.
type counters struct {
	Stats
	lastReport BatchReport
}

// Stats tells how the task fares.
func (m *Machine) Stats() Stats {
	s := m.stats.Stats
	s.Partition = m.config.Partition
	s.Phase = phases[m.phase].name
	s.Ready = m.started
	s.Stopped = m.stopped
	s.NextOffset, s.Lag = m.next, m.lag()
	s.CacheBytes, s.CacheStates = m.cache.bytes+m.slots.bytes, m.cache.len()
	return s
}

func (s *Stats) add(r *BatchReport) {
	if r.Records == 0 {
		return // moved only the checkpoint's offset
	}
	s.Batches++
	s.Records += int64(r.Records)
	s.Applied += int64(r.Applied)
	s.Duplicates += int64(r.Duplicates)
	s.Unchanged += int64(r.Unchanged)
	s.DeadLetters += int64(r.DeadLetters)
}
