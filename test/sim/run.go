package sim

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime/debug"
	"slices"

	"google.golang.org/protobuf/proto"

	perennialv1 "github.com/perennial-cltv/perennial/proto/perennial/v1"

	"github.com/perennial-cltv/perennial/pkg/cltv"
	"github.com/perennial-cltv/perennial/pkg/formula"
	"github.com/perennial-cltv/perennial/pkg/task"
	"github.com/perennial-cltv/perennial/test/oracle"
)

// Options say what is run, besides the seed.
type Options struct {
	// Off and StoreOff are rules switched off, Fold a broken fold: see mutations.
	Off      task.Rule
	storeOff storeRule
	Fold     func(f *cltv.Folder, s *cltv.State, ev *cltv.Event, at cltv.At) cltv.Step
	// Trace is told of each step; nil: nobody is.
	Trace func(format string, args ...any)
	// foldEverywhere breaks the fold of the reference, too, so that only package
	// oracle can notice.
	foldEverywhere bool
	// adjust changes the plan of the seed, for directed runs.
	adjust func(*plan)
}

// sharedTables are read by all runs: they don't depend on the seed.
var sharedTables = &cltv.Tables{Formulas: formula.Compile}

// Run runs one seed. The error is the first promise that was broken.
func Run(seed uint64, o Options) (counts map[string]int, err error) {
	w := newWorld(seed, o)
	defer func() {
		switch v := recover().(type) {
		case nil:
		case violation:
			counts, err = w.counts, fmt.Errorf("step %d: %s", w.steps, v.text)
		default: // a machine must not panic, whatever it meets
			counts, err = w.counts, fmt.Errorf("step %d: panic: %v\n%s", w.steps, v, debug.Stack())
		}
	}()
	w.chaos()
	w.settle()
	w.now += 3700 * 1000 // whatever is done hourly
	w.untilQuiet()
	w.compare()
	w.rebuildAll()
	w.count()
	return w.counts, nil
}

func newWorld(seed uint64, o Options) *world {
	rng := rand.New(rand.NewPCG(seed, 1))
	w := &world{
		rng: rng, off: o.storeOff, machineOff: o.Off, fold: o.Fold, now: startOfTime, trace: o.Trace,
		tables: sharedTables, counts: map[string]int{},
	}
	w.plan = newPlan(rng)
	if o.adjust != nil {
		o.adjust(&w.plan)
	}
	w.kafka = newKafka(w.plan.partitions)
	w.redis = newRedis(int32(w.plan.partitions))
	w.input = generate(rng, w.plan.records, w.plan.partitions)
	for p := range w.plan.partitions {
		w.refs = append(w.refs, newReference(int32(p), w.tables))
		if o.foldEverywhere {
			w.refs[p].fold = o.Fold
		}
		for m := range w.plan.members {
			o := &owner{name: fmt.Sprintf("%c%d", 'A'+m, p), partition: int32(p)}
			w.newMachine(o)
			w.owners = append(w.owners, o)
		}
	}
	return w
}

// newPlan draws how large and how bad a run is.
func newPlan(rng *rand.Rand) plan {
	oneOf := func(values ...int) int { return values[rng.IntN(len(values))] }
	return plan{
		partitions:      oneOf(1, 1, 2),
		members:         oneOf(1, 2, 2, 3),
		records:         oneOf(10, 25, 40, 60, 90),
		batchStates:     oneOf(1, 2, 3, 8, 500),
		batchBytes:      oneOf(200, 2000, 256<<10),
		produceBytes:    oneOf(0, 0, 800),
		cacheBytes:      oneOf(0, 600, 2000, 1<<20),
		fetch:           oneOf(1, 3, 8, 100),
		stayBehind:      oneOf(0, 50, 300),
		loseAnswer:      oneOf(0, 20, 100, 250),
		breakConnection: oneOf(0, 5, 30),
		errorReply:      oneOf(0, 10),
		repeat:          oneOf(0, 50, 250),
		faults:          oneOf(0, 2, 6, 12),
		wipes:           rng.IntN(3) == 0,
	}
}

// chaos runs until everything was published and a while longer.
func (w *world) chaos() {
	for _, o := range w.owners {
		if w.plan.faults == 0 && o.name[0] != 'A' {
			continue
		}
		w.assign(o)
	}
	after := 100 + w.rng.IntN(400)
	for w.steps < 30_000 && after > 0 {
		if len(w.input) == 0 {
			after--
		}
		w.step()
	}
}

// settleSteps bounds how long a lone owner without faults may take.
const settleSteps = 60_000

// settle ends all faults. One owner for each task goes on, as it stands or
// anew; what the others have in flight may still land at any time. It must
// reach the end of the log and stay there.
func (w *world) settle() {
	switch n := len(w.redis.behind); w.rng.IntN(4) { // a last one
	case 0:
		if n > 0 {
			w.log("Redis fails over to an earlier state")
			w.redis.failover(w.rng.IntN(n), false)
		}
	case 1:
		w.log("REDIS IS WIPED")
		w.redis.wipe()
	}
	w.calm = true
	w.log("--- no more faults")
	for len(w.input) > 0 {
		w.publish()
	}
	for p := range w.plan.partitions {
		survivor := w.rng.IntN(w.plan.members)
		for m := range w.plan.members {
			o := w.owners[p*w.plan.members+m]
			o.frozen = 0
			if m != survivor {
				o.assigned = false
				o.life++
				continue
			}
			if !o.assigned {
				w.assign(o)
			}
		}
	}
	w.untilQuiet()
}

// untilQuiet runs until every task stands at the end of its log, nothing is in
// flight, nobody is due, and an idle owner had the time to notice what it must.
func (w *world) untilQuiet() {
	quietSince := int64(-1)
	limit := w.steps + settleSteps
	for {
		if w.steps > limit {
			for _, o := range w.owners {
				if o.assigned {
					w.fail("no progress: %s is %q at %d of %d: %s", o.name, o.machine.Stats().Phase,
						o.machine.Stats().NextOffset, w.kafka.topics[task.Input][o.partition].next, o.machine.Stats().Reason)
				}
			}
		}
		w.step()
		switch {
		case !w.quiet():
			quietSince = -1
		case quietSince < 0:
			quietSince = w.now
		case w.now-quietSince > 2500:
			return
		}
	}
}

func (w *world) quiet() bool {
	if len(w.net) > 0 || len(w.redis.late) > 0 {
		return false
	}
	for _, o := range w.owners {
		if !o.assigned {
			continue
		}
		s := o.machine.Stats()
		if !s.Ready || s.NextOffset != w.kafka.topics[task.Input][o.partition].next {
			return false
		}
	}
	return true
}

// compare holds the end against the serial fold.
func (w *world) compare() {
	for p := range w.plan.partitions {
		w.comparePartition(int32(p))
	}
	w.compareParameters()
}

// compareParameters: no partition is behind partition 0, whose owner repeats
// what a publisher didn't get round to.
func (w *world) compareParameters() {
	for name, t := range w.refs[0].tenants {
		for _, r := range w.refs[1:] {
			var other *cltv.Params
			if known := r.tenants[name]; known != nil {
				other = known.params
			}
			newer, _, err := other.With(&cltv.Event{Kind: cltv.KindPolicySet, Policy: t.params.PublishedPolicy()}, w.tables)
			if t.params.PublishedPolicy() != nil && (err != nil || newer != other) {
				w.fail("partition %d: the policy of %s is older than in partition 0 (%v)", r.partition, name, err)
			}
			for _, m := range t.params.Models() {
				if newer, _, err := other.With(&cltv.Event{Kind: cltv.KindModelPublished, Model: m}, w.tables); err != nil || newer != other {
					w.fail("partition %d: the model of %s is older than in partition 0 (%v)", r.partition, name, err)
				}
			}
		}
	}
}

func (w *world) comparePartition(p int32) {
	r := w.reference(p)
	in := w.kafka.topics[task.Input][p]
	store := w.redis.connect(p)
	stored, err := store.Read(context.Background())
	if err != nil {
		w.fail("partition %d: %v", p, err)
	}
	if stored.NextOffset != in.next || stored.Rebuilding {
		w.fail("partition %d: Redis stands at %d (rebuilding %v), the log ends at %d", p, stored.NextOffset, stored.Rebuilding, in.next)
	}
	w.compareStates(p, r)
	w.compareSums(p, r)
	w.compareTenants(p, r, store, &stored)
	w.compareOutputs(p, r)
	w.compareDue(p, r, store)
	w.compareBatch(p)
	for offset := range in.next {
		if _, dead := r.dead[offset]; dead != w.deadLettered(p, offset) {
			w.fail("partition %d: record %d belongs to the dead letters: %v (%s)", p, offset, dead, r.dead[offset])
		}
	}
}

func (w *world) compareStates(p int32, r *reference) {
	seen := 0
	for key, state := range w.redis.memory.States(p) {
		h := r.customers[key]
		if h == nil || len(h.versions) == 0 || !bytes.Equal(state, h.versions[len(h.versions)-1].state) {
			w.fail("partition %d: the state of %s isn't the fold of the log", p, key)
		}
		seen++
	}
	if seen != len(r.customers) {
		w.fail("partition %d: %d states, the log has %d", p, seen, len(r.customers))
	}
}

// sums are the vectors that Redis holds.
func (w *world) sums(p int32) map[oracle.SumKey]cltv.Sums {
	contents, err := w.redis.connect(p).Contents(context.Background())
	if err != nil {
		w.fail("partition %d: %v", p, err)
	}
	sums := map[oracle.SumKey]cltv.Sums{}
	for _, s := range contents.Sums {
		var v cltv.Sums
		if err := v.Decode(s.Value); err != nil {
			w.fail("partition %d: sum %v: %v", p, s, err)
		}
		sums[oracle.SumKey{Tenant: s.Tenant, Dimension: s.Dimension, ID: s.ID}] = v
	}
	return sums
}

func (w *world) compareSums(p int32, r *reference) {
	want := r.totals()
	for k, v := range w.sums(p) {
		if v != want[k] {
			w.fail("partition %d: sum %v is %v, the states give %v", p, k, v, want[k])
		}
		delete(want, k)
	}
	for k, v := range want {
		w.fail("partition %d: sum %v is missing, the states give %v", p, k, v)
	}
}

func (w *world) compareTenants(p int32, r *reference, store task.Store, stored *task.Stored) {
	contents, err := store.Contents(context.Background())
	if err != nil {
		w.fail("partition %d: %v", p, err)
	}
	for name, t := range r.tenants {
		if stored.Clocks[name] != t.clock {
			w.fail("partition %d: the clock of %s is %d, the log says %d", p, name, stored.Clocks[name], t.clock)
		}
		kept, none := contents.Parameters[name], t.params == nil
		if none && kept == nil {
			continue
		}
		if !bytes.Equal(encodeParameters(name, t.params), kept) {
			w.fail("partition %d: the parameters of %s aren't those of the log", p, name)
		}
	}
}

// compareOutputs: the last and the greatest version in the updates is the
// state's, and no churn event is missing.
func (w *world) compareOutputs(p int32, r *reference) {
	last, greatest := map[string]int{}, map[string]int{}
	for _, rec := range w.kafka.topics[task.Updates][p].records {
		key, v := outputID(&rec.Record)
		last[key] = v
		greatest[key] = max(greatest[key], v)
	}
	churn := map[string]map[int]bool{}
	for _, rec := range w.kafka.topics[task.Churn][p].records {
		key, v := outputID(&rec.Record)
		if churn[key] == nil {
			churn[key] = map[int]bool{}
		}
		churn[key][v] = true
	}
	for _, key := range slices.Sorted(maps.Keys(r.customers)) {
		h := r.customers[key]
		if h.state.IsSpend() {
			if greatest[key] != 0 {
				w.fail("partition %d: an update of the spend %s", p, key)
			}
			continue
		}
		n := len(h.versions)
		if greatest[key] != n {
			w.fail("partition %d: the updates of %s end at version %d of %d", p, key, greatest[key], n)
		}
		if last[key] != n {
			w.fail("partition %d: the last update of %s is version %d, the final one is %d", p, key, last[key], n)
		}
		for v := range h.versions {
			if h.versions[v].churn != nil && !churn[key][v+1] {
				w.fail("partition %d: the churn event of version %d of %s is missing", p, v+1, key)
			}
		}
	}
}

// compareDue: nobody is due, and whoever will be is in the bucket that the
// state says.
func (w *world) compareDue(p int32, r *reference, store task.Store) {
	for key, h := range r.customers {
		tenant, customer := splitKey(key)
		clock := r.tenant(tenant).clock
		indexed := h.state.IndexedDay()
		if h.state.DueDay() == 0 || clock == 0 {
			continue
		}
		if int64(indexed) <= clock/(24*3600) {
			w.fail("partition %d: %s was due on day %d, the clock is at day %d", p, key, indexed, clock/(24*3600))
		}
		customers, err := store.DueHead(context.Background(), task.DueBucket{Tenant: tenant, Day: indexed}, 1000)
		if err != nil {
			w.fail("partition %d: %v", p, err)
		}
		if !slices.Contains(customers, customer) {
			w.fail("partition %d: %s isn't in the bucket of day %d", p, key, indexed)
		}
	}
}

func (w *world) deadLettered(p int32, offset int64) bool {
	for _, rec := range w.kafka.topics[task.DeadLetters][p].records {
		if deadLetterOffset(&rec.Record) == offset {
			return true
		}
	}
	return false
}

// count tells what a run met, so that a reader sees what a number of seeds is
// worth.
func (w *world) count() {
	w.counts["steps"] = w.steps
	for _, o := range w.owners {
		w.tally(o)
	}
	for p, r := range w.refs {
		w.counts["records"] += int(r.next)
		for _, h := range r.customers {
			for _, v := range h.versions {
				if w.counts["versions"]++; v.churn != nil {
					w.counts["changes of band"]++
				}
				w.countContracts(v.update)
			}
		}
		w.counts["dead in the log"] += len(r.dead)
		for _, rec := range w.kafka.topics[task.Input][p].records {
			if bytes.HasSuffix(rec.Key, []byte("/~clock")) {
				w.counts["clocks"]++
			}
		}
	}
}

// countContracts tells in how many versions contracts and the policy's own methods
// had a say.
func (w *world) countContracts(update []byte) {
	var u perennialv1.CltvUpdate
	if err := proto.Unmarshal(update, &u); err != nil {
		w.fail("an update can't be read: %v", err)
	}
	part := u.GetPrediction().GetContracts()
	if part != nil {
		w.counts["with contracts"]++
	}
	if part.GetRunning() > 1 {
		w.counts["with several contracts"]++
	}
	if part != nil && part.GetRenewalAt().GetSeconds() < u.GetAsOf().GetSeconds() {
		w.counts["overdue"]++
	}
	if u.GetChurn().GetInvoluntaryPpm() > 0 {
		w.counts["told apart"]++
	}
	if u.GetPrediction().GetBasis() == perennialv1.Basis_BASIS_RULE {
		w.counts["valued by a rule"]++
	}
}

// rebuildAll wipes Redis and lets new owners rebuild it: what was saved must be
// enough for everything to be equal again.
func (w *world) rebuildAll() {
	w.log("--- Redis is wiped, all is rebuilt")
	w.redis.wipe()
	for _, o := range w.owners {
		assigned := o.assigned
		w.newMachine(o)
		if assigned {
			w.assign(o)
		}
	}
	w.untilQuiet()
	w.compare()
}
