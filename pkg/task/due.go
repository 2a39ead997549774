package task

const (
	// dueAtOnce customers of a bucket are asked for again at once, dueEvery is the
	// pause between two such portions.
	dueAtOnce = 200
	dueEvery  = 100
)

// due looks after silent customers: those in the buckets that their tenant's
// clock has reached get a Reassess record in the task's own input. The record
// is appended before the customer leaves the bucket, so a crash between the two
// asks twice, and the second changes nothing. What is left in a bucket of a
// customer whose due day moved on does no harm, either.
type due struct {
	bucket    DueBucket
	customers []string
	records   []Out
	nextAt    int64
}

// customersDue goes to the next portion, if the task has time for it: what it
// appends makes the lag larger, so it can't run ahead of itself.
func (m *Machine) customersDue() bool {
	d := &m.due
	if m.now < d.nextAt || m.lag() > lagSmall {
		return false
	}
	d.nextAt = m.now + dueEvery
	found := false
	for b := range m.buckets {
		clock := m.tenantOf(b.Tenant).clock
		if clock == 0 || int64(b.Day) > clock/(24*3600) {
			continue
		}
		if !found || b.Day < d.bucket.Day || b.Day == d.bucket.Day && b.Tenant < d.bucket.Tenant {
			d.bucket, found = b, true
		}
	}
	if found {
		m.phase = phaseDueHead
	}
	return found
}

func (m *Machine) askDueHead() bool {
	m.action.Do, m.action.Bucket, m.action.N = DueHead, m.due.bucket, dueAtOnce
	return true
}

func (m *Machine) dueHeadHad(r *Reply) {
	d := &m.due
	if len(r.Customers) == 0 { // the bucket is used up and gone
		delete(m.buckets, d.bucket)
		d.nextAt = m.now
		m.phase = phaseReady
		return
	}
	d.customers = append(d.customers[:0], r.Customers...)
	m.composeReassess()
	m.phase = phaseDueAppend
	if !m.holds(RuleDueTrimLast) {
		m.phase = phaseDueTrim
	}
}

func (m *Machine) composeReassess() {
	d := &m.due
	clock := m.tenantOf(d.bucket.Tenant).clock * 1000
	d.records = d.records[:0]
	for _, customer := range d.customers {
		d.records = append(d.records, m.reassess(d.bucket.Tenant, customer, clock))
	}
}

func (m *Machine) askDueAppend() bool {
	m.action.Do, m.action.Records, m.action.Timestamp = Append, m.due.records, m.now
	return true
}

func (m *Machine) dueAppended(*Reply) {
	m.highWatermark += int64(len(m.due.records)) // so that the next portion sees the lag
	m.phase = phaseDueTrim
	if !m.holds(RuleDueTrimLast) {
		m.phase = phaseReady
	}
}

func (m *Machine) askDueTrim() bool {
	m.action.Do, m.action.Bucket, m.action.N = DueTrim, m.due.bucket, len(m.due.customers)
	return true
}

func (m *Machine) dueTrimmed(r *Reply) {
	if !m.verdict(r.Verdict, "trim of due customers") {
		return
	}
	m.phase = phaseReady
	if !m.holds(RuleDueTrimLast) {
		m.phase = phaseDueAppend
	}
}
