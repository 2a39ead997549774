package cltv

import (
	"math/rand/v2"
	"testing"
)

// TestCrossingsAreTheTables: what is remembered is what the table says when asked anew.
func TestCrossingsAreTheTables(t *testing.T) {
	params := with(t, nil, modelEvent(cdnow))
	m, policy := params.models[""], params.Policy()
	r := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		x := r.IntN(6)
		tx := x * (1 + r.IntN(30))
		score := Score{RepeatTransactions: int32(x), LastAgeDays: int32(tx), AgeDays: int32(tx + r.IntN(500))}
		score.Band = bandOf(int32(m.ChurnMillionths(x, tx, int(score.AgeDays))), policy.BandPPM)
		day, _, ok := m.NextCrossing(x, tx, int(score.AgeDays), int(score.AgeDays)+lookAhead, m.crossings.lines[:])
		got, found := m.crossings.next(m.Table, &score)
		if found != ok || int(got) != day {
			t.Fatalf("%+v: day %d, %v; the table says %d, %v", score, got, found, day, ok)
		}
	}
}
