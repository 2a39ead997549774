//go:build unix

package cltv

import (
	"fmt"
	"syscall"
	"testing"
)

// cpuTime reports the processor time of each operation, which other programs on the machine don't lengthen. It is called
// deferred, with the time before.
func cpuTime(b *testing.B, before int64) {
	b.ReportMetric(float64(processorNanos(b)-before)/float64(b.N), "cpu-ns/op")
}

func processorNanos(b *testing.B) int64 {
	var use syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
		b.Fatal(err)
	}
	return use.Utime.Nano() + use.Stime.Nano()
}

// typical returns the stored form of a customer with 3 purchases and 2 calls, and the purchase that comes next.
func typical(b *testing.B, params *Params) ([]byte, Event) {
	b.Helper()
	var f Folder
	var s State
	touch := Touch{"spring-2026", "agent-107", "gold-12", "web-form"}
	for i := range 3 {
		ev := order(40*i, 12_999)
		ev.Touch = touch
		f.Fold(&s, &ev, At{Offset: 7_000_000 + int64(i), Params: params})
		if i < 2 {
			ev.Kind, ev.Number, ev.Number2, ev.AmountMinor, ev.Code = KindCall, 240, 31, 0, 1
			f.Fold(&s, &ev, At{Offset: 7_000_100 + int64(i), Params: params})
		}
	}
	ev := order(170, 4_599)
	ev.Touch = touch
	ev.SourceEventID, ev.Ref = "evt_1NG8Du2eZvKYlo2C", "ord_4711"
	return s.AppendTo(nil), ev
}

// BenchmarkEvent is all that the domain does for a record of a customer who isn't in memory.
func BenchmarkEvent(b *testing.B) {
	params := testParams(b)
	blob, ev := typical(b, params)
	var f Folder
	var s State
	var before, after Contribution
	var out []byte
	fields := 0
	b.ReportAllocs()
	defer cpuTime(b, processorNanos(b))
	for b.Loop() {
		if err := s.Decode(blob); err != nil {
			b.Fatal(err)
		}
		before.Set(&s)
		if step := f.Fold(&s, &ev, At{Offset: 9_000_000, Params: params}); step.Outcome != Applied {
			b.Fatal(step.Outcome, step.Refusal)
		}
		after.Set(&s)
		Difference(&before, &after, func(Dimension, string, *Sums) { fields++ })
		out = s.AppendTo(out[:0])
	}
}

func BenchmarkDecode(b *testing.B) {
	blob, _ := typical(b, testParams(b))
	var s State
	b.ReportAllocs()
	defer cpuTime(b, processorNanos(b))
	for b.Loop() {
		if err := s.Decode(blob); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendTo(b *testing.B) {
	blob, _ := typical(b, testParams(b))
	var s State
	if err := s.Decode(blob); err != nil {
		b.Fatal(err)
	}
	var out []byte
	b.ReportAllocs()
	defer cpuTime(b, processorNanos(b))
	for b.Loop() {
		out = s.AppendTo(out[:0])
	}
}

// BenchmarkScore is the score alone.
func BenchmarkScore(b *testing.B) {
	params := testParams(b)
	blob, _ := typical(b, params)
	var f Folder
	var s State
	if err := s.Decode(blob); err != nil {
		b.Fatal(err)
	}
	var out Score
	b.ReportAllocs()
	defer cpuTime(b, processorNanos(b))
	for b.Loop() {
		f.score(&s, params, &out)
	}
}

// BenchmarkFold is fold and score, without the stored form: a profile field that changes with each record.
func BenchmarkFold(b *testing.B) {
	params := testParams(b)
	blob, ev := typical(b, params)
	var f Folder
	var s State
	if err := s.Decode(blob); err != nil {
		b.Fatal(err)
	}
	offset := int64(9_000_000)
	b.ReportAllocs()
	defer cpuTime(b, processorNanos(b))
	for b.Loop() {
		// A higher revision replaces the order each time.
		ev.Revision++
		offset++
		if step := f.Fold(&s, &ev, At{Offset: offset, Params: params}); step.Outcome != Applied {
			b.Fatal(step.Outcome)
		}
	}
}

func BenchmarkDifference(b *testing.B) {
	params := testParams(b)
	blob, ev := typical(b, params)
	var f Folder
	var s State
	if err := s.Decode(blob); err != nil {
		b.Fatal(err)
	}
	var before, after Contribution
	before.Set(&s)
	f.Fold(&s, &ev, At{Offset: 9_000_000, Params: params})
	b.ReportAllocs()
	defer cpuTime(b, processorNanos(b))
	for b.Loop() {
		after.Set(&s)
		Difference(&before, &after, func(Dimension, string, *Sums) {})
	}
}

// BenchmarkFoldOfAContract is fold and score of a holder of a monthly contract with a year of renewals, tickets, answers and
// calls: an answer that changes with each record.
func BenchmarkFoldOfAContract(b *testing.B) {
	params := testParams(b)
	var f Folder
	var s State
	offset := int64(0)
	fold := func(ev *Event) {
		offset++
		if step := f.Fold(&s, ev, At{Offset: offset, Params: params}); step.Outcome != Applied {
			b.Fatal(step.Outcome, step.Refusal)
		}
	}
	paid := []int{30, 60, 90, 120, 150, 180, 210, 240, 270, 300, 330}
	events := monthly("sub", paid...)
	for day := 20; day < 340; day += 40 {
		events = append(events,
			fact(KindTicketOpened, day, func(e *Event) { e.Ref = fmt.Sprint("t", day) }),
			fact(KindTicketResolved, day+2, func(e *Event) { e.Ref = fmt.Sprint("t", day) }),
			fact(KindCall, day+5, func(e *Event) { e.Code, e.Flag = dispositionNoAnswer, true }))
	}
	for i := range events {
		fold(&events[i])
	}
	answer := fact(KindSurveyAnswer, 335, func(e *Event) { e.Number = 5 })
	b.ReportAllocs()
	defer cpuTime(b, processorNanos(b))
	for b.Loop() {
		answer.Revision++
		fold(&answer)
	}
}
