// Package task is the step machine that owns one partition of
// customer.events.v1: it opens the task in Redis and Kafka, folds batches,
// writes outputs, commits, checkpoints and rebuilds.
//
// The machine does no I/O, starts no goroutine and reads no clock. Next(now)
// says what to do as data, Done(reply) feeds back what came of it; Run executes
// actions against a Log and a Store. So one goroutine can drive many machines
// over an in-memory log and store, step by step, which is how test/sim finds the
// schedules that break a rule.
//
// File map:
//
//	ports.go       Log and Store, as a task sees them
//	action.go      what a machine asks for, and what it is answered
//	machine.go     the machine, its phases, what an error leads to
//	rules.go       rules that the simulation can switch off
//	opening.go     from a new connection to the right to produce
//	ready.go       what comes next at a batch border
//	batch.go       take in, load, fold
//	outcome.go     what a folded batch writes: outputs, states, sums, index
//	commit.go      outputs first, then the commit
//	deadletter.go  records that can't be taken in
//	parameters.go  tenants: parameters and clocks
//	sums.go        the task's partial sums
//	lru.go         the cache of encoded states
//	slots.go       decoded states of customers that recur
//	checkpoint.go  committed states into cltv.state.v1
//	rebuild.go     Redis anew from cltv.state.v1
//	repair.go      customers whose outputs a lost Redis left behind
//	due.go         silent customers
//	upkeep.go      clocks and parameters that the owner appends
//	stats.go       how a task fares
//	driver.go      Run
package task
