package task

import (
	"errors"
	"fmt"

	"github.com/perennial-cltv/perennial/pkg/cltv"
)

// Intervals and bounds that no deployment has a reason to change.
const (
	// reopenEvery keeps Kafka from forgetting the transactional id (7 days).
	reopenEvery = 12 * 3600 * 1000
	// tokenFor is how long a token is used at all: an owner that was frozen since
	// must not send what it had at hand, because Kafka may have forgotten the id
	// meanwhile, and fences nobody of it any more.
	tokenFor = 2 * reopenEvery
	// provenEvery is how long an owner may go without having compared its
	// position with Redis.
	provenEvery = 1000
	// checkpointEvery and checkpointDirty start a checkpoint.
	checkpointEvery = 30 * 1000
	checkpointDirty = 50_000
	// clockEvery is the step of live clocks.
	clockEvery = 60 * 1000
	// repeatEvery is how often partition 0's owner repeats parameters.
	repeatEvery = 3600 * 1000
	// commitOffsetEvery is how often Kafka's group learns the offset.
	commitOffsetEvery = 5 * 1000
	// stoppedFor is the pause before a stopped task looks again.
	stoppedFor = 30 * 1000
	// stableAfter is how long a task must be open before its next reopening
	// counts as the first.
	stableAfter = 10 * 1000
	// pauseMin and pauseMax bound the pauses between attempts.
	pauseMin = 20
	pauseMax = 5 * 1000
	// shortLogAfter is how long after OPEN a log may seem to end too early.
	shortLogAfter = 10 * 1000
	// lagSmall is the lag under which due customers are looked after.
	lagSmall = 1000
)

// Config is what a machine needs to know.
type Config struct {
	// Partition of customer.events.v1, of Partitions.
	Partition, Partitions int32
	// CacheBytes bounds the cache of encoded states.
	CacheBytes int
	// BatchStates and BatchBytes close a batch; 0: 2000 and 4 MiB.
	BatchStates, BatchBytes int
	// Tables are shared by all tasks of a process, so that a published model is
	// tabulated once.
	Tables *cltv.Tables
	// AcceptTrimmedLog lets a task go on where retention has just deleted the
	// record before its next offset, and so nothing unread: the log can't be
	// compared then, and an operator must know that it is the same.
	AcceptTrimmedLog bool
	// FoldVersion of this program; 0: cltv.FoldVersion. ProduceBytes bounds what
	// Kafka is sent at once; 0: as much as brokers take. Off are rules switched
	// off. Fold stands in for the fold. For test/sim only.
	FoldVersion  int32
	ProduceBytes int
	Off          Rule
	Fold         func(f *cltv.Folder, s *cltv.State, ev *cltv.Event, at cltv.At) cltv.Step
}

// phase is where a machine stands: what it asks for next, and what it makes of
// the answer.
type phase uint8

const (
	phaseConnect phase = iota
	phaseCheck
	phaseRead
	phaseInit
	phaseOpen
	phaseAwait
	phaseContents
	phaseCompare
	phaseAnnounce
	phaseScan
	phaseRebuildBegin
	phaseRebuildRead
	phaseRebuildLoad
	phaseRebuildPut
	phaseRepairRead
	phaseRepairAppend
	phaseRebuildCompare
	phaseRebuildParameters
	phaseRebuildFinish
	phaseReady
	phaseFetch
	phaseLoad
	phaseProduce
	phaseCommit
	phaseProve
	phaseCheckpointLoad
	phaseDueHead
	phaseDueAppend
	phaseDueTrim
	phaseAppend
	phaseCommitOffset
	numPhases
)

// phases is the machine's table. next fills m.action and returns true, or goes
// to another phase and returns false; it is called again after a pause, so it
// asks for the same. done takes an answer without error.
var phases [numPhases]struct {
	name string
	next func(m *Machine) bool
	done func(m *Machine, r *Reply)
}

func init() { // not an initialiser, because the functions refer to the table
	set := func(p phase, name string, next func(m *Machine) bool, done func(m *Machine, r *Reply)) {
		phases[p].name, phases[p].next, phases[p].done = name, next, done
	}
	ask := func(d Do) func(*Machine) bool {
		return func(m *Machine) bool { m.action.Do = d; return true }
	}
	set(phaseConnect, "connecting", ask(Connect), (*Machine).connected)
	set(phaseCheck, "checking the store", ask(Check), (*Machine).checked)
	set(phaseRead, "reading the task", ask(Read), (*Machine).read)
	set(phaseInit, "initialising the producer", ask(InitProducer), (*Machine).initialised)
	set(phaseOpen, "opening", (*Machine).askOpen, (*Machine).opened)
	set(phaseAwait, "awaiting replicas", (*Machine).askReplicas, (*Machine).replicated)
	set(phaseContents, "reading the contents", ask(ReadContents), (*Machine).takeContents)
	set(phaseCompare, "comparing the log", (*Machine).askCompare, (*Machine).compared)
	set(phaseAnnounce, "announcing", (*Machine).askAnnounce, nil)
	set(phaseScan, "scanning for unsaved states", (*Machine).askScan, (*Machine).scanned)
	set(phaseRebuildBegin, "rebuilding: begin", (*Machine).askRebuildBegin, (*Machine).rebuildBegun)
	set(phaseRebuildRead, "rebuilding: read", (*Machine).askRebuildRead, (*Machine).rebuildHave)
	set(phaseRebuildLoad, "rebuilding: load", (*Machine).askRebuildLoad, (*Machine).rebuildLoaded)
	set(phaseRebuildPut, "rebuilding: write", (*Machine).askRebuildPut, (*Machine).rebuildWritten)
	set(phaseRepairRead, "rebuilding: repair", (*Machine).askRepairRead, (*Machine).repairHave)
	set(phaseRepairAppend, "rebuilding: append the repair", (*Machine).askRepairAppend, (*Machine).repairAppended)
	set(phaseRebuildCompare, "rebuilding: compare the log", (*Machine).askRebuildCompare, (*Machine).rebuildCompared)
	set(phaseRebuildParameters, "rebuilding: parameters", (*Machine).askRebuildParameters, (*Machine).rebuildParametersWritten)
	set(phaseRebuildFinish, "rebuilding: finish", (*Machine).askRebuildFinish, (*Machine).rebuildFinished)
	set(phaseReady, "ready", (*Machine).decide, nil)
	set(phaseFetch, "fetching", (*Machine).askFetch, (*Machine).fetched)
	set(phaseLoad, "loading", (*Machine).askLoad, (*Machine).loaded)
	set(phaseProduce, "producing", (*Machine).askProduce, nil) // Done calls produced
	set(phaseCommit, "committing", (*Machine).askCommit, (*Machine).committed)
	set(phaseProve, "comparing the position", ask(ReadPosition), (*Machine).proved)
	set(phaseCheckpointLoad, "checkpoint: load", (*Machine).askCheckpointLoad, (*Machine).checkpointLoaded)
	set(phaseDueHead, "due: head", (*Machine).askDueHead, (*Machine).dueHeadHad)
	set(phaseDueAppend, "due: append", (*Machine).askDueAppend, (*Machine).dueAppended)
	set(phaseDueTrim, "due: trim", (*Machine).askDueTrim, (*Machine).dueTrimmed)
	set(phaseAppend, "appending", (*Machine).askAppend, (*Machine).appended)
	set(phaseCommitOffset, "committing the offset to Kafka", (*Machine).askCommitOffset, (*Machine).offsetCommitted)
}

// Machine is the owner of one task. It is used by one goroutine.
//
// Invariants, between Done and Next:
//   - Nothing is produced with a token before OPEN stored it and every replica
//     has it.
//   - next, batchNumber, tenants (parameters, clocks, sums) and the cache are
//     what Redis held after the last commit that was answered OK or DUP, unless
//     a batch is under way. Any other turn drops them all: there is no undo.
//   - sequences[t] is the number of records of topic t that Kafka acknowledged
//     under this token. A Produce that was sent is sent again unchanged until it
//     is answered, or the token is given up.
type Machine struct {
	config Config
	now    int64
	action Action
	asked  bool
	phase  phase
	stats  counters

	pauseUntil int64
	retries    int // of the same action
	reopenings int // since the task was last stable
	stopped    bool

	// Ownership.
	readOpening int64
	readAs      Position // for RuleKeepCacheByOpen switched off
	token       Token
	opening     int64
	openedAt    int64
	announced   bool
	started     bool // opened, and taking in records
	rebuilding  bool
	left        left
	sequences   [NumTopics]int32

	// The task.
	next             int64 // offset after the last record taken in and committed
	lastCRC          uint32
	batchNumber      int64
	checkpointOffset int64 // of the last complete checkpoint
	checkpointStored int64 // what of it Redis knows
	cache            *lru
	tenants          map[string]*tenant
	lastTenant       *tenant
	buckets          map[DueBucket]struct{}

	// The input.
	records       []Record
	at            int // first record not yet taken in
	fetchFrom     int64
	highWatermark int64
	caughtUp      bool

	batch      batch
	slots      slots
	after      cltv.Contribution // of the state being composed
	touched    []*sum            // by the batch or chunk being composed
	accounting *tenant
	addToSum   func(d cltv.Dimension, id string, v *cltv.Sums) // addTo, made once
	producing  []Produce
	unsent     [NumTopics][]Out // what follows producing
	afterwards func(m *Machine) // once all of producing is acknowledged

	checkpoint checkpoint
	scanFrom   int64
	rebuild    rebuild
	due        due
	upkeep     upkeep
	provenAt   int64
	outTopic   [NumTopics][]Out
	headers    []Header // of the batch's outputs
	event      cltv.Event
	folder     cltv.Folder
}

// left is how an owner left a task, for the case that it comes back.
type left struct {
	valid    bool
	position Position
}

// New returns a machine that has done nothing yet.
func New(c Config) *Machine {
	if c.BatchStates <= 0 {
		c.BatchStates = 2000
	}
	if c.BatchBytes <= 0 {
		c.BatchBytes = 4 << 20
	}
	if c.ProduceBytes <= 0 {
		c.ProduceBytes = produceBytes
	}
	if c.FoldVersion == 0 {
		c.FoldVersion = cltv.FoldVersion
	}
	if c.Fold == nil {
		c.Fold = (*cltv.Folder).Fold
	}
	m := &Machine{config: c}
	m.cache = newLRU(c.CacheBytes, &m.slots)
	m.addToSum = m.addTo
	m.forget()
	return m
}

// SetCacheBytes changes the bound of the cache of a machine that isn't run just
// now.
func (m *Machine) SetCacheBytes(n int) {
	m.cache.setLimit(n)
	m.cache.trim()
}

// Next says what to do at a time, Unix milliseconds. Until Done is called it
// gives the same action again.
func (m *Machine) Next(now int64) *Action {
	m.now = max(m.now, now)
	if m.asked {
		return &m.action
	}
	m.action = Action{Partition: m.config.Partition, Token: m.token, Opening: m.opening}
	if m.now < m.pauseUntil {
		m.action.Do, m.action.Until = Sleep, m.pauseUntil
	} else {
		for !phases[m.phase].next(m) {
		}
	}
	m.asked = true
	return &m.action
}

// Done takes the outcome of the action that Next gave.
func (m *Machine) Done(now int64, r *Reply) {
	m.now = max(m.now, now)
	m.asked = false
	switch {
	case m.action.Do == Sleep:
	case m.action.Do == ProduceAll:
		m.produced(r)
	case r.Err != nil:
		m.failed(r.Err, r)
	default:
		m.succeeded()
		phases[m.phase].done(m, r)
	}
}

// succeeded ends a row of attempts.
func (m *Machine) succeeded() {
	if m.retries > 0 && m.started {
		m.stats.Reason = ""
	}
	m.retries = 0
}

// Begin makes the machine open the task from the first read. It is called when
// the partition was assigned, also when it was assigned to this member before:
// the cache is then kept if nothing happened meanwhile. An action that was not
// answered with Done is given up.
func (m *Machine) Begin(now int64) {
	m.now = max(m.now, now)
	if !m.leave() {
		m.forget()
	}
	m.asked, m.started, m.pauseUntil, m.retries, m.reopenings = false, false, 0, 0, 0
	m.phase = phaseConnect
}

// atBorder tells whether the owner stands at a batch border.
func (m *Machine) atBorder() bool {
	return m.phase == phaseReady || m.phase == phaseFetch || m.phase == phaseCommitOffset || m.phase == phaseProve
}

// midway tells whether a batch, or a piece of upkeep, is under way: a few steps
// on, the task could be left with its cache.
func (m *Machine) midway() bool { return m.started && !m.atBorder() }

// leave gives the task back at a batch border; false where the owner doesn't
// stand at one. What it remembers is judged by OPEN when the task comes back.
func (m *Machine) leave() bool {
	if !m.atBorder() {
		return m.left.valid && m.phase <= phaseOpen
	}
	m.left = left{valid: true, position: m.position()}
	m.started = false
	m.phase = phaseConnect
	m.records, m.at = nil, 0
	return true
}

// position is where Redis must stand.
func (m *Machine) position() Position {
	return Position{Token: m.token, Opening: m.opening, NextOffset: m.next}
}

// forget drops all that was learnt of the task.
func (m *Machine) forget() {
	m.cache.clear()
	m.left = left{}
	m.forgetContents()
}

// forgetContents drops all but the cache.
func (m *Machine) forgetContents() {
	m.tenants, m.lastTenant = make(map[string]*tenant), nil
	m.buckets = make(map[DueBucket]struct{})
	m.records, m.at = nil, 0
	m.batch.reset()
	m.slots.drop()
	m.producing, m.unsent, m.afterwards = nil, [NumTopics][]Out{}, nil
	m.touched = m.touched[:0]
	m.checkpoint = checkpoint{round: m.checkpoint.round + 1}
	m.rebuild = rebuild{}
	m.due = due{}
	m.upkeep = upkeep{}
}

// failed decides what an error asks for. Where it asks for the same again, the
// phase stays.
func (m *Machine) failed(err error, r *Reply) {
	switch kindOf(err) {
	case KindRetry, KindUnknown:
		switch m.phase {
		case phaseAwait: // too few replicas in time: OPEN may be forgotten yet
			m.reopen(err.Error())
		case phaseAppend:
			m.postpone(err.Error())
		default:
			m.pause(err.Error())
		}
	case KindStop:
		m.stop(err)
	case KindOffsetOutOfRange:
		m.outOfRange(&r.Fetched)
	case KindFenced:
		m.stats.Fenced++
		m.reopen(err.Error())
	default:
		m.reopen(err.Error())
	}
}

// kindOf is what an error asks for. One that doesn't say leaves everything open,
// as a lost connection does.
func kindOf(err error) ErrorKind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return KindConnection
}

// pause waits before the same is asked again.
func (m *Machine) pause(reason string) {
	m.stats.Retries++
	m.stats.Reason = reason
	m.pauseUntil = m.now + m.delay(m.retries+1)
	m.retries++
}

// reopen drops the task and opens it again from the first read, over a new
// connection. If the partition is no longer this member's, Run ends first.
func (m *Machine) reopen(reason string) {
	if m.openedAt != 0 && m.now-m.openedAt >= stableAfter {
		m.reopenings = 0
	}
	m.forget()
	m.started, m.openedAt = false, 0
	m.stats.Reason = reason
	m.pauseUntil = m.now + m.delay(m.reopenings)
	m.reopenings++
	m.retries = 0
	m.phase = phaseConnect
}

// rewind reopens because Redis doesn't stand where the owner believes.
func (m *Machine) rewind(what string) {
	m.stats.Rewinds++
	m.reopen("rewind: " + what)
}

// stop gives up until somebody acts, and looks again slowly.
func (m *Machine) stop(err error) {
	m.reopen(err.Error())
	m.stopped = true
	m.pauseUntil = m.now + stoppedFor
}

func (m *Machine) refuse(format string, args ...any) {
	m.stop(fmt.Errorf("partition %d: "+format, append([]any{m.config.Partition}, args...)...))
}

// delay grows with the number of attempts, and differs a little between
// partitions so that they don't all knock at once.
func (m *Machine) delay(attempt int) int64 {
	if attempt == 0 {
		return 0
	}
	d := int64(pauseMax)
	if attempt < 9 {
		d = min(d, pauseMin<<(attempt-1))
	}
	return d + d*int64(m.config.Partition%8)/16
}

// verdict handles what is not OK in a fenced answer.
func (m *Machine) verdict(v Verdict, what string) (ok bool) {
	switch v {
	case OK:
		m.provenAt = m.now
		return true
	case Fenced:
		m.stats.Fenced++
		m.reopen("fenced at " + what)
	default:
		m.rewind(what)
	}
	return false
}
