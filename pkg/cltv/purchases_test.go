package cltv

import "testing"

// purchaseDaysAreTheScores checks that a model is fitted to what it is asked about.
func purchaseDaysAreTheScores(t *testing.T, s *State, params *Params, score *Score) {
	t.Helper()
	var f Folder
	days := f.PurchaseDays(nil, s, params, score.AsOf)
	if len(days) == 0 {
		if score.RepeatTransactions+score.AgeDays > 0 {
			t.Fatalf("no purchase days, the score has %d after the first", score.RepeatTransactions)
		}
		return
	}
	if len(days) != int(score.RepeatTransactions)+1 {
		t.Fatalf("%d purchase days, the score has %d after the first", len(days), score.RepeatTransactions)
	}
	money := int64(0)
	for i, d := range days[1:] {
		if d.Day <= days[i].Day {
			t.Fatalf("day %d comes after day %d", d.Day, days[i].Day)
		}
		money += d.Minor
	}
	first, last := score.AsOfDay-score.AgeDays, score.AsOfDay-score.AgeDays+score.LastAgeDays
	if days[0].Day != first || days[len(days)-1].Day != last || money != score.RepeatMoneyMinor {
		t.Fatalf("days %d to %d with %d again, the score has %d to %d with %d",
			days[0].Day, days[len(days)-1].Day, money, first, last, score.RepeatMoneyMinor)
	}
	// Later purchases don't change what was known before.
	before := f.PurchaseDays(nil, s, params, score.AsOf-40*testDay)
	for i, d := range before {
		if s.closedRefunds == 0 && len(s.refunds.items) == 0 && d != days[i] {
			t.Fatalf("day %d of the time before is %v, now %v", i, d, days[i])
		}
	}
}
