package real_test

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// The batch computation that the pipeline is held against. It shares no code
// with the product: from the lines of the file to the figures by the formulas of
// the papers.

// The published parameters of BG/NBD for the CDNOW sample, rates per week
// (Fader, Hardie and Lee, Marketing Science 24(2), 2005, table 2, in six digits).
const (
	bgR     = .242594
	bgAlpha = 4.41360
	bgA     = .792922
	bgB     = 2.425906
)

// history39 is what a customer did up to the end of the calibration period.
type history39 struct {
	repeats        int
	last, age      int // days from the first purchase
	alive          float64
	purchases      float64 // expected in the next 39 weeks
	logLikelihood  float64
	purchasedMinor int64
}

// batch computes all customers of a file of blank-separated lines as of the end of
// a day.
func batch(file []byte, end time.Time) (map[string]*history39, error) {
	days := map[string][]time.Time{}
	minor := map[string]int64{}
	for line := range bytes.Lines(file) {
		var master, customer, day string
		var cds int
		var dollars, cents int64
		if _, err := fmt.Sscanf(strings.Replace(strings.TrimSpace(string(line)), ".", " ", 1), "%s %s %s %d %d %d",
			&master, &customer, &day, &cds, &dollars, &cents); err != nil {
			return nil, fmt.Errorf("line %q: %w", line, err)
		}
		at, err := time.Parse("20060102", day)
		if err != nil {
			return nil, err
		}
		if at.After(end) {
			continue
		}
		days[customer] = append(days[customer], at)
		minor[customer] += 100*dollars + cents
	}
	customers := make(map[string]*history39, len(days))
	for customer, bought := range days {
		slices.SortFunc(bought, time.Time.Compare)
		bought = slices.Compact(bought) // purchases of one day are one transaction
		first := bought[0]
		between := func(t time.Time) int { return int(t.Sub(first).Hours() / 24) }
		h := &history39{repeats: len(bought) - 1, last: between(bought[len(bought)-1]), age: between(end), purchasedMinor: minor[customer]}
		x, tx, age := float64(h.repeats), float64(h.last)/7, float64(h.age)/7
		h.alive = aliveProbability(x, tx, age)
		h.purchases = expectedPurchases(x, tx, age, 39)
		h.logLikelihood = logLikelihood(x, tx, age)
		customers[customer] = h
	}
	return customers, nil
}

// deathOdds is the odds that a customer left right after the last purchase.
func deathOdds(x, tx, age float64) float64 {
	if x == 0 {
		return 0
	}
	return bgA / (bgB + x - 1) * math.Pow((bgAlpha+age)/(bgAlpha+tx), bgR+x)
}

// aliveProbability is P(alive | x, t_x, T) (Fader, Hardie and Lee, "Computing
// P(alive) using the BG/NBD model", 2008, eq. 5).
func aliveProbability(x, tx, age float64) float64 { return 1 / (1 + deathOdds(x, tx, age)) }

// expectedPurchases is E[Y(t) | x, t_x, T] (2005, eq. 10).
func expectedPurchases(x, tx, age, t float64) float64 {
	z := t / (bgAlpha + age + t)
	f := hypergeometric(bgR+x, bgB+x, bgA+bgB+x-1, z)
	up := (bgA + bgB + x - 1) / (bgA - 1) * (1 - math.Pow((bgAlpha+age)/(bgAlpha+age+t), bgR+x)*f)
	return up / (1 + deathOdds(x, tx, age))
}

// hypergeometric is Gauss's series ₂F₁(a, b; c; z) for positive arguments and z < 1.
func hypergeometric(a, b, c, z float64) float64 {
	sum, term := 1.0, 1.0
	for n := 0.0; term > sum*1e-18; n++ {
		term *= (a + n) * (b + n) / ((c + n) * (n + 1)) * z
		sum += term
	}
	return sum
}

// logLikelihood is that of one customer (2005, eq. 6).
func logLikelihood(x, tx, age float64) float64 {
	gamma := func(v float64) float64 { l, _ := math.Lgamma(v); return l }
	beta := func(a, b float64) float64 { return gamma(a) + gamma(b) - gamma(a+b) }
	common := beta(bgA, bgB+x) - beta(bgA, bgB) + gamma(bgR+x) - gamma(bgR) + bgR*math.Log(bgAlpha)
	return common - (bgR+x)*math.Log(bgAlpha+age) + math.Log1p(deathOdds(x, tx, age))
}
