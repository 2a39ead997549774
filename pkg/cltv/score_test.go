package cltv

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/perennial-cltv/perennial/pkg/btyd"
)

// buy makes a customer out of the days and amounts of purchases, as of a day.
func buy(t *testing.T, params *Params, asOf int, purchases ...[2]int64) (*State, Score) {
	t.Helper()
	var f Folder
	s := new(State)
	for i, p := range purchases {
		ev := order(int(p[0]), p[1])
		ev.SourceEventID = fmt.Sprint("o", i)
		if step := f.Fold(s, &ev, At{Offset: int64(i), Params: params}); step.Outcome != Applied {
			t.Fatal(step.Outcome, step.Refusal)
		}
	}
	reassess(s, params, testStart+int64(asOf)*testDay)
	return s, f.Score(s, params)
}

// TestPublishedScores reproduces the table of models.md for BG/NBD: 39 weeks ahead, at the rounded parameters.
func TestPublishedScores(t *testing.T) {
	params := with(t, nil, modelEvent(cdnow))
	for _, c := range []struct {
		purchases      [][2]int64
		expected       int64
		alive          int32
		x, txDays, age int32
	}{
		{[][2]int64{{0, 1}, {100, 1}, {213, 1}}, 1_226_116, 726_590, 2, 213, 272},
		{[][2]int64{{0, 1}, {12, 1}}, 203_351, 212_260, 1, 12, 272},
		{[][2]int64{{0, 1}}, 195_110, million, 0, 0, 272},
	} {
		_, score := buy(t, params, 272, c.purchases...)
		if score.RepeatTransactions != c.x || score.LastAgeDays != c.txDays || score.AgeDays != c.age {
			t.Errorf("x, t_x, T are %d, %d, %d", score.RepeatTransactions, score.LastAgeDays, score.AgeDays)
		}
		// The published values have whole weeks of two decimals: 30.43 for 213 days, 38.86 for 272.
		if math.Abs(float64(score.ExpectedPPM-c.expected)) > 300 || math.Abs(float64(score.AlivePPM-c.alive)) > 300 {
			t.Errorf("x = %d: expected %d, alive %d; published %d, %d", c.x, score.ExpectedPPM, score.AlivePPM, c.expected, c.alive)
		}
	}
}

// ofEachProcess are cdnow with each of the purchase processes, by their published parameters.
func ofEachProcess() map[Method]Model {
	mbg, pareto := cdnow, cdnow
	mbg.BGNBD, mbg.MBGNBD = btyd.BGNBD{}, btyd.MBGNBD{R: .525, Alpha: 6.183, A: .891, B: 1.614}
	pareto.BGNBD, pareto.ParetoNBD = btyd.BGNBD{}, btyd.ParetoNBD{R: .553, Alpha: 10.578, S: .606, Beta: 11.669}
	return map[Method]Model{MethodBGNBDGammaGamma: cdnow, MethodMBGNBDGammaGamma: mbg, MethodParetoNBDGammaGamma: pareto}
}

// TestScoreIsTheModels compares a score with the models themselves.
func TestScoreIsTheModels(t *testing.T) {
	for method, m := range ofEachProcess() {
		process, got, refusal := m.purchases()
		if refusal != nil || got != method {
			t.Fatalf("method %d is %d, %v", method, got, refusal)
		}
		scoreIsTheModels(t, m, process)
	}
}

func scoreIsTheModels(t *testing.T, m Model, model btyd.PurchaseModel) {
	t.Helper()
	params := with(t, nil, modelEvent(m), policyEvent(Policy{Number: 1, MarginPPM: 350_000, HorizonDays: 365, ChurnHorizonDays: 60}))
	spend := btyd.GammaGamma{P: cdnow.P, Q: cdnow.Q, Gamma: cdnow.Gamma}
	_, score := buy(t, params, 200, [2]int64{0, 9_999}, [2]int64{30, 2_500}, [2]int64{30, 500}, [2]int64{90, 4_000})
	const x, tx, age = 2, 90.0 / 7, 200.0 / 7
	mean := 35.0
	det := model.DET(x, tx, age, 365.0/7, btyd.WeeklyDiscount(.1))
	near := func(name string, got int64, want float64) {
		t.Helper()
		if math.Abs(float64(got)-want) > .51 {
			t.Errorf("%s is %d, want %f", name, got, want)
		}
	}
	near("repeat money", score.RepeatMoneyMinor, 7_000)
	near("alive", int64(score.AlivePPM), 1e6*model.PAlive(x, tx, age))
	near("expected", score.ExpectedPPM, 1e6*model.Expected(x, tx, age, 365.0/7))
	near("spend", score.ExpectedSpendMinor, 100*spend.ExpectedSpend(x, mean))
	near("residual", score.ResidualMinor, 100*.35*det*spend.ExpectedSpend(x, mean))
	near("churn", int64(score.ChurnPPM), 1e6*(1-model.PBuys(x, tx, age, 60.0/7)))
	near("at risk", score.ValueAtRiskMinor, float64(score.ResidualMinor)*float64(score.ChurnPPM)/1e6)
	near("margin", score.MarginMinor, .35*16_999)
	near("cltv", score.CLTVMinor, float64(score.MarginMinor+score.ResidualMinor))
	if _, method, _ := m.purchases(); score.Method != method || score.Basis != BasisIndividual || score.ResidualLowMinor > score.ResidualMinor || score.ResidualHighMinor < score.ResidualMinor {
		t.Errorf("%+v", score)
	}
}

// TestModelWithoutSpend takes the customer's own mean purchase.
func TestModelWithoutSpend(t *testing.T) {
	m := cdnow
	m.P, m.Q, m.Gamma = 0, 0, 0
	params := with(t, nil, modelEvent(m))
	_, score := buy(t, params, 100, [2]int64{0, 1_000}, [2]int64{50, 3_000})
	if math.Abs(float64(score.ExpectedSpendMinor-2_000)) > 1 {
		t.Errorf("expected spend %d, want 2000", score.ExpectedSpendMinor)
	}
	_, other := buy(t, with(t, nil, modelEvent(cdnow)), 100, [2]int64{0, 1_000}, [2]int64{50, 3_000})
	if score.ExpectedPPM != other.ExpectedPPM || score.ChurnPPM != other.ChurnPPM {
		t.Error("the purchase process depends on the spend model")
	}
	if score.ResidualMinor <= 0 || score.ResidualHighMinor < score.ResidualMinor {
		t.Errorf("residual %d, up to %d", score.ResidualMinor, score.ResidualHighMinor)
	}
}

// TestBasis goes through who gets which prediction.
func TestBasis(t *testing.T) {
	params := testParams(t)
	var f Folder
	var s State
	g := newScenario(1)
	fold := func(ev Event) Score {
		t.Helper()
		step := f.Fold(&s, &ev, At{Offset: s.next, Params: params})
		if step.Outcome != Applied {
			t.Fatal(step.Outcome, step.Refusal)
		}
		return step.Score
	}
	if score := fold(g.base(KindCall)); score.Basis != BasisInsufficientData || score.Band != BandNone || score.CACMinor != 0 {
		t.Errorf("before a purchase: %+v", score)
	}
	ev := order(0, 500)
	ev.Touch.LeadSource = "web"
	if score := fold(ev); score.Basis != BasisPopulation || score.ModelID != "cdnow" || score.CACMinor != 300 {
		t.Errorf("after one purchase: %+v", score)
	}
	ev = g.base(KindProfile)
	ev.Segment = "gold"
	if score := fold(ev); score.Basis != BasisSegment || score.ModelID != "cdnow-gold" {
		t.Errorf("in a segment with a model: %v %v", score.Basis, score.ModelID)
	}
	if score := fold(order(9, 500)); score.Basis != BasisIndividual {
		t.Errorf("after a repeat purchase: %v", score.Basis)
	}
	if score := f.Score(&s, nil); score.Basis != BasisInsufficientData || score.ResidualMinor != 0 || score.MarginMinor != 1000 {
		t.Errorf("without a model: %+v", score)
	}
}

// TestBandChangesWhenForetold: on the day before the date the band is the same, on the date it is another.
func TestBandChangesWhenForetold(t *testing.T) {
	params := testParams(t)
	policy := params.Policy()
	changes := 0
	for seed := range uint64(60) {
		g := newScenario(seed)
		day := int64(0)
		var purchases [][2]int64
		for range 1 + g.IntN(8) {
			purchases = append(purchases, [2]int64{day, g.amount()})
			day += 1 + g.Int64N(60)
		}
		s, score := buy(t, params, int(day), purchases...)
		for score.BandChangesAt != 0 && changes < 1000 {
			changes++
			step := reassess(s, params, 1000*score.BandChangesAt-1)
			if step.Score.Band != score.Band {
				t.Fatalf("seed %d: %v became %v too early", seed, score.Band, step.Score.Band)
			}
			if step.Score.BandChangesAt != score.BandChangesAt {
				t.Fatalf("seed %d: foretold for %d, then for %d", seed, score.BandChangesAt, step.Score.BandChangesAt)
			}
			step = reassess(s, params, 1000*score.BandChangesAt)
			if step.Score.Band <= score.Band || !step.BandChanged || step.PreviousBand != score.Band {
				t.Fatalf("seed %d: %v became %v", seed, score.Band, step.Score.Band)
			}
			if got := bandOf(step.Score.ChurnPPM, policy.BandPPM); got != step.Score.Band {
				t.Fatalf("%d is %v, not %v", step.Score.ChurnPPM, got, step.Score.Band)
			}
			score = step.Score
		}
		if score.Band != BandLost {
			t.Fatalf("seed %d: ends as %v", seed, score.Band)
		}
	}
	if changes < 60 {
		t.Fatalf("only %d changes", changes)
	}
}

// TestDueIndexLosesNobody plays the owner: it enters customers where Fold says so, fires buckets as the clock passes them,
// and asks whether everybody who is due is in a bucket that will fire.
func TestDueIndexLosesNobody(t *testing.T) {
	params := testParams(t)
	for seed := range uint64(60) {
		g := newScenario(seed)
		g.fill(30)
		var f Folder
		var s State
		buckets := make(map[int32]bool)
		reassessed := 0
		for day := int64(0); day < 420; day++ {
			now := testStart + day*testDay
			for i := range g.events {
				ev := g.events[i]
				if ev.OccurredAt/testDay == now/testDay {
					ev.RecordedAt = ev.OccurredAt
					if step := f.Fold(&s, &ev, At{Offset: s.next, Clock: now / 1000, Params: params}); step.EnqueueDay != 0 {
						buckets[step.EnqueueDay] = true
					}
				}
			}
			today := int32(now / testDay)
			if buckets[today] {
				delete(buckets, today)
				reassessed++
				if step := reassess(&s, params, now); step.EnqueueDay != 0 {
					buckets[step.EnqueueDay] = true
				}
			}
			if s.DueDay() == 0 {
				continue
			}
			scored := int32(s.AsOf() / daySeconds)
			score := f.Score(&s, params)
			latest := scored + 7
			if score.BandChangesAt != 0 {
				latest = min(latest, int32((score.BandChangesAt+daySeconds-1)/daySeconds))
			}
			if score.Transactions > 0 && (s.DueDay() <= scored || s.DueDay() > latest) {
				t.Fatalf("seed %d: scored on %d, due on %d, at the latest %d", seed, scored, s.DueDay(), latest)
			}
			if s.DueDay() < today {
				t.Fatalf("seed %d: due on %d, today is %d", seed, s.DueDay(), today)
			}
			found := false
			for bucket := range buckets {
				found = found || bucket <= s.DueDay()
			}
			if !found {
				t.Fatalf("seed %d: due on %d and in no bucket %v", seed, s.DueDay(), buckets)
			}
		}
		if s.scored.transactions > 0 && reassessed < 5 {
			t.Fatalf("seed %d: looked at %d times in more than a year", seed, reassessed)
		}
	}
}

// TestReassess: no news without a later time or other parameters.
func TestReassess(t *testing.T) {
	params := testParams(t)
	s, score := buy(t, params, 50, [2]int64{0, 500})
	at := 1000 * score.AsOf
	if step := reassess(s, params, at); step.Outcome != Unchanged {
		t.Errorf("at the same time: %v", step.Outcome)
	}
	if step := reassess(s, params, at-testDay); step.Outcome != Unchanged {
		t.Errorf("at an earlier time: %v", step.Outcome)
	}
	newer := cdnow
	newer.Number, newer.BGNBD.R = 2, .3
	other := with(t, params, modelEvent(newer))
	step := reassess(s, other, at)
	if step.Outcome != Applied || step.Score.Numbers.Model != 2 || step.Score.ResidualMinor == score.ResidualMinor {
		t.Errorf("under another model: %v %+v", step.Outcome, step.Score)
	}
	if step := reassess(s, other, at+1000); step.Outcome != Applied || step.Score.AsOf != score.AsOf+1 {
		t.Errorf("a second later: %v", step.Outcome)
	}
	if step := reassess(new(State), params, at); step.Outcome != Unchanged {
		t.Errorf("of nobody: %v", step.Outcome)
	}
}

// TestReasonsAddUp: the shares are the log-odds, and start from a customer who bought for the first time today.
func TestReasonsAddUp(t *testing.T) {
	params := with(t, nil, modelEvent(cdnow))
	_, fresh := buy(t, params, 0, [2]int64{0, 100})
	for seed := range uint64(200) {
		g := newScenario(seed)
		day := int64(0)
		var purchases [][2]int64
		for range 1 + g.IntN(6) {
			purchases = append(purchases, [2]int64{day, 100})
			day += 1 + g.Int64N(50)
		}
		s, score := buy(t, params, int(day+g.Int64N(200)), purchases...)
		reasons := Reasons(s, params, &score)
		sum := int64(0)
		for i, r := range reasons {
			sum += r.LogOddsPPM
			if r.Text == "" || r.LogOddsPPM == 0 || i > 0 && i < len(reasons)-1 && magnitude(r.LogOddsPPM) > magnitude(reasons[i-1].LogOddsPPM) {
				t.Fatalf("seed %d: %+v", seed, reasons)
			}
			switch {
			case r.Code == "age" && r.LogOddsPPM < 0, r.Code == "recency" && r.LogOddsPPM < 0:
				t.Fatalf("seed %d: %s lowers the risk: %+v", seed, r.Code, r)
			case r.Code == "frequency" && r.LogOddsPPM > 0 && score.RepeatTransactions > 1:
				t.Fatalf("seed %d: frequency raises the risk: %+v", seed, r)
			}
		}
		odds := func(ppm int32) float64 { p := float64(ppm) / 1e6; return 1e6 * math.Log(p/(1-p)) }
		if want := odds(score.ChurnPPM); math.Abs(float64(sum)-want) > 2 {
			t.Fatalf("seed %d: shares add up to %d, the log-odds are %f", seed, sum, want)
		}
		if start := reasons[len(reasons)-1]; start.Code != "start" || math.Abs(float64(start.LogOddsPPM)-odds(fresh.ChurnPPM)) > 2 {
			t.Fatalf("seed %d: they start from %+v", seed, start)
		}
	}
	if s, score := buy(t, nil, 9, [2]int64{0, 100}); Reasons(s, nil, &score) != nil {
		t.Error("reasons without a model")
	}
}

// TestExplain: each number of the score is there, as the score has it.
func TestExplain(t *testing.T) {
	params := testParams(t)
	s, score := buy(t, params, 120, [2]int64{0, 123_456}, [2]int64{40, 5})
	var f Folder
	lines := f.Explain(s, params)
	values := make(map[string]string)
	for _, l := range lines {
		if l.Formula == "" || values[l.Name] != "" {
			t.Errorf("%+v", l)
		}
		values[l.Name] = l.Value
	}
	for name, want := range map[string]string{
		"historic.gross": "1234.61 USD", "historic.transactions": "2", "churn.band": score.Band.String(),
		"prediction.alive":    fmt.Sprintf("0.%06d", score.AlivePPM),
		"prediction.residual": fmt.Sprintf("%d.%02d USD", score.ResidualMinor/100, score.ResidualMinor%100),
	} {
		if values[name] != want {
			t.Errorf("%s is %q, want %q", name, values[name], want)
		}
	}
	for _, part := range []string{"as_of", "historic.", "acquisition", "cac", "prediction.", "cltv", "net_cltv", "tier", "churn.", "churn.reason."} {
		found := false
		for name := range values {
			found = found || strings.HasPrefix(name, part)
		}
		if !found {
			t.Errorf("nothing explains %s", part)
		}
	}
}

// TestMoneyOfOtherDigits: the spend model speaks major units, whatever the minor unit is.
func TestMoneyOfOtherDigits(t *testing.T) {
	for currency, digits := range map[string]int{"JPY": 0, "USD": 2, "KWD": 3} {
		params := with(t, nil, modelEvent(cdnow), policyEvent(Policy{Number: 1, Currency: currency}))
		unit := int64(math.Pow10(digits))
		ev := order(0, 50*unit)
		ev.Currency = currency
		var f Folder
		var s State
		step := f.Fold(&s, &ev, At{Params: params})
		want := cdnow.P * cdnow.Gamma / (cdnow.Q - 1) * float64(unit)
		if math.Abs(float64(step.Score.ExpectedSpendMinor)-want) > .51 {
			t.Errorf("%s: expected spend %d, want %f", currency, step.Score.ExpectedSpendMinor, want)
		}
	}
}
