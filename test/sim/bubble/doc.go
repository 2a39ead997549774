// Package bubble is the second tier of the simulation: the services themselves,
// with kafka-go on kfake and go-redis on miniredis, on a network in memory and
// in virtual time, so that minutes of faults and days of silence take a second.
//
// A seed chooses what is published, who dies, joins, freezes or is cut off, and
// what Kafka, Redis and the network do meanwhile. Then all faults stop,
// everything settles, days pass, and what is left behind is held against the
// serial fold and the independent batch program, as in package sim; once more
// after Redis was wiped and rebuilt. A goroutine that a service leaves behind
// fails the run, too.
//
// Goroutines are scheduled differently from run to run, so a seed doesn't replay:
// a failure prints its journal.
package bubble
