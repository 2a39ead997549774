package sim

import (
	"slices"

	"github.com/perennial-cltv/perennial/pkg/task"
)

// letTimePass jumps to the next time at which somebody wakes, or further.
func (w *world) letTimePass() {
	next := w.now + 1 + int64(w.rng.IntN(200))
	switch {
	case w.calm:
		for _, o := range w.owners {
			if o.assigned && o.wakeAt > w.now {
				next = min(next, o.wakeAt)
			}
		}
	case w.rng.IntN(40) == 0: // days, so that customers become due
		next = w.now + int64(w.rng.IntN(5*24*3600*1000))
	case w.rng.IntN(4) == 0: // minutes, so that clocks move and checkpoints fall due
		next = w.now + int64(w.rng.IntN(5*60*1000))
	}
	if next-w.now > requestsLive {
		for _, q := range slices.Clone(w.net) {
			w.forget(q)
		}
	}
	w.now = next
}

// requestsLive is how long a request can be under way, milliseconds. Clients and
// brokers give up long before.
const requestsLive = 10 * 60 * 1000

func (w *world) addFaults(add func(int, func())) {
	f := w.plan.faults
	for _, o := range w.owners {
		if !o.assigned {
			add(f, func() { w.assign(o) })
			continue
		}
		add(f/4, func() { w.crash(o) })
		add(f/4, func() { w.withdraw(o) })
		add(f/2, func() { w.log("%s freezes", o.name); o.frozen = 1 + w.rng.IntN(120) })
	}
	for _, q := range w.net {
		if q.waiting {
			add(f/4, func() { w.timeOut(q) })
		}
	}
	if n := len(w.redis.behind); n > 0 {
		add(f/3, func() {
			w.log("Redis fails over to an earlier state")
			w.counts["failovers"]++
			w.redis.failover(w.rng.IntN(n), w.rng.IntN(3) == 0)
		})
	}
	add(f/6, func() { w.log("Redis breaks all connections"); w.redis.memory.Break() })
	if w.plan.wipes {
		add(f/12, func() { w.log("REDIS IS WIPED"); w.counts["wipes"]++; w.redis.wipe() })
	}
	add(f/6, func() {
		p := w.rng.IntN(w.plan.partitions)
		w.log("cltv.state.v1/%d is compacted", p)
		w.kafka.topics[task.State][p].compact(w.rng.IntN(4))
	})
}

func (w *world) assign(o *owner) {
	w.log("%s gets the partition", o.name)
	o.assigned, o.wakeAt = true, 0
	o.machine.Begin(w.now)
	o.life++ // what it waited for before is given up
	o.unanswered = 0
}

func (w *world) withdraw(o *owner) {
	w.log("%s loses the partition", o.name)
	o.assigned = false
}

// tally adds what a machine counted to the run's counts, before it is forgotten.
func (w *world) tally(o *owner) {
	if o.machine == nil {
		return
	}
	s := o.machine.Stats()
	for name, n := range map[string]int64{
		"batches": s.Batches, "applied": s.Applied, "duplicates": s.Duplicates, "unchanged": s.Unchanged, "dead letters": s.DeadLetters,
		"checkpoints": s.Checkpoints, "rebuilds": s.Rebuilds, "openings": s.Openings, "kept caches": s.KeptCaches, "rewinds": s.Rewinds, "fenced": s.Fenced, "retries": s.Retries,
	} {
		w.counts[name] += int(n)
	}
}

func (w *world) crash(o *owner) {
	w.log("%s dies", o.name)
	w.counts["crashes"]++
	w.newMachine(o)
}
