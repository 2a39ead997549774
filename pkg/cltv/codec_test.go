package cltv

import (
	"bytes"
	"errors"
	"math"
	"testing"
)

// TestRoundTrip: what is decoded is what was encoded, byte by byte and field by field.
func TestRoundTrip(t *testing.T) {
	params := with(t, testParams(t), policyEvent(Policy{Number: 5, KeepTransactions: 8, KeepCalls: 4, KeepRefunds: 4, KeepMarks: 8}))
	var f Folder
	for seed := range uint64(300) {
		g := newScenario(seed)
		g.fill(1 + g.IntN(150))
		s := g.play(t, params, g.events)
		blob := s.AppendTo([]byte("before"))[6:]
		var v State
		if err := v.Decode(blob); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if got := v.AppendTo(nil); !bytes.Equal(got, blob) {
			t.Fatalf("seed %d:\n%x\n%x", seed, blob, got)
		}
		if f.Score(s, params) != f.Score(&v, params) {
			t.Fatalf("seed %d: scores differ", seed)
		}
		if v.Version() != s.Version() || v.DueDay() != s.DueDay() || v.IndexedDay() != s.IndexedDay() || v.scored.marginMinor != s.scored.marginMinor {
			t.Fatalf("seed %d: figures differ", seed)
		}
	}
}

// TestCompact: a state whose tables ran full of texts that nothing uses loses them, and nothing else.
func TestCompact(t *testing.T) {
	g := newScenario(3)
	g.fill(60)
	s := g.play(t, testParams(t), g.events)
	want := string(s.AppendTo(nil))
	for i := range 1 << 15 {
		s.ref(string(rune(0x4e00+i/100)) + string(rune(0x4e00+i%100)))
	}
	if !s.crowded() {
		t.Fatal("not crowded")
	}
	s.compact()
	if s.crowded() || string(s.AppendTo(nil)) != want {
		t.Fatal("compacting lost something")
	}
}

// TestTypicalSize holds the stored form of a typical customer to its budget.
func TestTypicalSize(t *testing.T) {
	params := testParams(t)
	var f Folder
	var s State
	fold := func(offset int64, ev Event) {
		if step := f.Fold(&s, &ev, At{Offset: offset, Clock: ev.RecordedAt/1000 + 60, Params: params}); step.Outcome != Applied {
			t.Fatalf("%v %v", step.Outcome, step.Refusal)
		}
	}
	for i := range 2 {
		at := testStart + int64(i)*41*testDay + 37_123_000
		fold(7_000_000+int64(i), Event{Tenant: "acme", Customer: "c-1", Source: "vicidial", SourceEventID: "1700000000.1234" + string(rune('0'+i)),
			Kind: KindCall, OccurredAt: at, RecordedAt: at + 500, Code: 1 + int32(i), Code2: 2, Number: 240, Number2: 31,
			HasCost: true, CostMinor: 312, CostCurrency: "USD", Touch: Touch{"spring-2026", "agent-107", "gold-12", "web-form"}})
	}
	for i := range 3 {
		at := testStart + int64(i)*34*testDay + 37_999_000
		fold(8_000_000+int64(i), Event{Tenant: "acme", Customer: "c-1", Source: "stripe", SourceEventID: "evt_1NG8Du2eZvKYlo2C" + string(rune('0'+i)),
			Ref: "ord_" + string(rune('0'+i)), Kind: KindOrder, OccurredAt: at, RecordedAt: at + 700, AmountMinor: 12_999, Currency: "USD",
			Touch: Touch{"spring-2026", "agent-107", "gold-12", "web-form"}})
	}
	size := len(s.AppendTo(nil))
	t.Logf("a customer with 3 purchases and 2 calls takes %d bytes", size)
	if size > 200 {
		t.Errorf("%d bytes, at most 200", size)
	}
}

func TestPackTime(t *testing.T) {
	for _, at := range []int64{0, 1, 999, 1000, 86_399_999, dayMillis, 3 * dayMillis, testStart, testStart + 1000, endOfTime - 1} {
		if got, ok := unpackTime(packTime(at)); !ok || got != at {
			t.Errorf("%d came back as %d, %v", at, got, ok)
		}
	}
	for _, packed := range []uint64{3, math.MaxUint64, endOfTime << 2} {
		if _, ok := unpackTime(packed); ok {
			t.Errorf("%x was taken for a time", packed)
		}
	}
}

// TestDecodeRefuses lists damage that must be noticed.
func TestDecodeRefuses(t *testing.T) {
	g := newScenario(11)
	g.fill(30)
	whole := g.play(t, testParams(t), g.events).AppendTo(nil)
	cases := map[string][]byte{
		"cut short":                  whole[:len(whole)-1],
		"a field of a newer version": append(append([]byte{}, whole...), 0xf8, 0x3f, 1),
		"version twice":              {fVersion << 3, 1, fVersion << 3, 2},
		"out of order":               {fAsOf << 3, 1, fVersion << 3, 2},
		"column without facts":       {fSaleAmounts<<3 | wireBytes, 1, 7},
		"text that isn't UTF-8":      {fTexts<<3 | wireBytes, 1, 0xff},
		"touch without its text":     {fTouches<<3 | wireBytes, 4, 1, 0, 0, 0},
		"identity of 0":              {fSaleIDs<<3 | wireBytes, 8, 0, 0, 0, 0, 0, 0, 0, 0},
		"facts out of order":         {fSaleIDs<<3 | wireBytes, 16, 2, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0},
		"group wire type":            {fVersion<<3 | 3},
	}
	for name, blob := range cases {
		var s State
		err := s.Decode(blob)
		if _, ok := errors.AsType[*DecodeError](err); !ok {
			t.Errorf("%s: %v", name, err)
		}
		if len(s.AppendTo(nil)) != 0 {
			t.Errorf("%s: something was left in the state", name)
		}
	}
}

// FuzzDecode: arbitrary bytes never panic, and what is taken in has one stored form and can be folded into.
func FuzzDecode(f *testing.F) {
	for seed := range uint64(8) {
		g := newScenario(seed)
		g.fill(20)
		var folder Folder
		var s State
		for i := range g.events {
			folder.Fold(&s, &g.events[i], At{Offset: int64(i)})
		}
		f.Add(s.AppendTo(nil))
	}
	params := testParams(f)
	ev := order(3, 100)
	f.Fuzz(func(t *testing.T, blob []byte) {
		var s, again State
		if s.Decode(blob) != nil {
			return
		}
		canonical := string(s.AppendTo(nil))
		if err := again.Decode([]byte(canonical)); err != nil {
			t.Fatalf("%v: %x", err, canonical)
		}
		if got := string(again.AppendTo(nil)); got != canonical {
			t.Fatalf("%x\n%x", canonical, got)
		}
		var c Contribution
		c.Set(&s)
		s.Contribution(func(Dimension, string, *Sums) {})
		var folder Folder
		folder.Explain(&s, params)
		s.Subscriptions(nil, 20_000)
		folder.Fold(&s, &ev, At{Offset: math.MaxInt64 - 1, Params: params})
		if err := again.Decode(s.AppendTo(nil)); err != nil {
			t.Fatalf("after folding: %v", err)
		}
	})
}
