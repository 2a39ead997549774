package backtest

import "github.com/perennial-cltv/perennial/pkg/evaluate"

// baseline is a method without a model.
type baseline struct {
	name string
	// score orders customers.
	score func(c *Customer, w Window) float64
	// rates says that it also gives numbers: rates of the past, carried on.
	rates bool
	// ofMoney says that it is meant for the order of money and not of purchases.
	ofMoney bool
}

// baselines are what anyone could have had.
var baselines = []baseline{
	{"rate so far", func(c *Customer, w Window) float64 {
		return float64(c.History.X) / daysOf(c, w)
	}, true, false},
	{"recency", func(c *Customer, _ Window) float64 { return float64(c.History.Last) }, false, false},
	{"past spend", func(c *Customer, _ Window) float64 { return float64(c.FirstMinor + c.SpendMinor) }, false, true},
}

// daysOf is a customer's age at the cut, a day at least.
func daysOf(c *Customer, w Window) float64 { return float64(max(1, w.Until-c.History.First)) }

// scores are those of all customers.
func (b *baseline) scores(customers []Customer, w Window) []float64 {
	scores := make([]float64, len(customers))
	for i := range customers {
		scores[i] = b.score(&customers[i], w)
	}
	return scores
}

// judge judges a baseline.
func (b *baseline) judge(customers []Customer, w Window, purchases, money []float64, minorPerUnit float64) Method {
	m := Method{Name: b.name, Baseline: true}
	scores := b.scores(customers, w)
	if !b.rates {
		m.Purchases = &Judgement{OrderOnly: true, Order: evaluate.OrderOf(scores, purchases)}
		m.Money = &Judgement{OrderOnly: true, Order: evaluate.OrderOf(scores, money)}
		return m
	}
	counts, sums := make([]float64, len(customers)), make([]float64, len(customers))
	for i := range customers {
		c := &customers[i]
		share := float64(w.HorizonDays) / daysOf(c, w)
		counts[i], sums[i] = float64(c.History.X)*share, float64(c.SpendMinor)/minorPerUnit*share
	}
	m.Purchases, m.Money = judged(counts, purchases), judged(sums, money)
	return m
}
