package cltv

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"testing"
)

// golden is the hash of everything that TestGolden computes. It is the same on every processor and with every
// compilation; it changes only with FoldVersion.
const golden = "b4c259e38b5a0168f081f09fe8e0a30ef23dbb19f0aa865a3844bf72dfa2a27d"

// TestGolden folds seeded customers and hashes their stored states and their scores.
func TestGolden(t *testing.T) {
	params := with(t, testParams(t), policyEvent(Policy{Number: 9, MarginPPM: 310_000, MinuteCostMinor: 45, TicketCostMinor: 300,
		KeepTransactions: 16, KeepCalls: 8, KeepRefunds: 4, KeepMarks: 8, ZoneOffsets: []ZoneOffset{{0, 2 * 3600}}}))
	var f Folder
	sum := sha256.New()
	for seed := range uint64(300) {
		g := newScenario(seed)
		g.fill(1 + g.IntN(50))
		var s State
		for i := range g.events {
			step := f.Fold(&s, &g.events[i], At{Offset: int64(i), Clock: testStart/1000 + int64(i)*daySeconds, Params: params})
			fmt.Fprintf(sum, "%v %s %+v\n", step.Outcome, step.Refusal.Code, step.Score)
			if step.BandChanged {
				fmt.Fprintf(sum, "%+v\n", Reasons(&s, params, &step.Score))
			}
		}
		sum.Write(s.AppendTo(nil))
		fmt.Fprintf(sum, "%+v\n", reassess(&s, params, testStart+500*testDay).Score)
		sum.Write(s.AppendTo(nil))
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != golden {
		t.Errorf("the hash is %s, want %s", got, golden)
	}
}
