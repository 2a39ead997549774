// Package sim is the first tier of the simulation: many owners of tasks, each a
// real task.Machine, an in-memory Kafka and an in-memory Redis, all driven by
// one goroutine. A seed chooses every step: who moves next, which write lands
// late, twice or never, who freezes, dies or comes back, where Redis goes back
// to, what is published and in which order. A failing seed replays exactly.
//
// While it runs, every state that is committed or saved and every output is
// held against a serial fold of the same log (reference.go). Then all faults
// stop, one owner for each task settles, and everything must be equal: Redis to
// the serial fold, the outputs complete, and both to the independent batch
// program of package oracle. At the end Redis is wiped, and what is rebuilt must
// be equal again.
package sim
