package evaluate

import (
	"cmp"
	"math"
	"slices"
)

// Order is how well scores put customers in order: all that is needed to decide
// whom to call first. Scores may have any unit.
type Order struct {
	// Spearman is the correlation of ranks, ties sharing their mean rank. Where many have the same, as who bought nothing
	// has, scores that tell them apart stay below 1 however good they are.
	Spearman float64
	// Gini is the area between the Lorenz curve of what happened, customers in the order of the scores, and the diagonal,
	// divided by that of the best order: 1 is perfect, 0 is chance. Customers with one score count as if mixed.
	Gini float64
	// TopHitRate is how much of the truly best fifth, to whom anything came, is among the fifth with the highest scores; where
	// a score or a value is shared across the border, by lot. By chance it is a fifth; NaN where nothing came.
	TopHitRate float64
}

// OrderOf judges the order that scores give.
func OrderOf(scores, actual []float64) Order {
	mustMatch(len(scores), len(actual))
	return Order{
		Spearman:   correlation(ranks(scores), ranks(actual)),
		Gini:       Gini(scores, actual),
		TopHitRate: topHitRate(scores, actual, max(1, len(scores)/5)),
	}
}

// Gini is Order's alone.
func Gini(scores, actual []float64) float64 {
	mustMatch(len(scores), len(actual))
	return lorenz(scores, actual) / lorenz(actual, actual)
}

// ranks gives each value its rank from 1, ties their mean rank.
func ranks(values []float64) []float64 {
	order := descending(values)
	out := make([]float64, len(values))
	eachTie(values, order, func(from, to int) {
		for _, i := range order[from:to] {
			out[i] = float64(from+1+to) / 2
		}
	})
	return out
}

// descending is the order of values from the highest.
func descending(values []float64) []int {
	order := make([]int, len(values))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Or(cmp.Compare(values[b], values[a]), a-b) })
	return order
}

// eachTie calls f for each run of equal values of an order.
func eachTie(values []float64, order []int, f func(from, to int)) {
	for from := 0; from < len(order); {
		to := from + 1
		for to < len(order) && values[order[to]] == values[order[from]] {
			to++
		}
		f(from, to)
		from = to
	}
}

// lorenz is the area between the curve of accumulated shares, highest score
// first, and the diagonal; NaN where nothing happened.
func lorenz(scores, actual []float64) float64 {
	total := 0.0
	for _, a := range actual {
		total += a
	}
	if total == 0 {
		return math.NaN()
	}
	order := descending(scores)
	area, reached := 0.0, 0.0
	n := float64(len(order))
	eachTie(scores, order, func(from, to int) {
		sum := 0.0
		for _, i := range order[from:to] {
			sum += actual[i] / total
		}
		area += (reached + sum/2) * float64(to-from) / n // a tie is a straight line
		reached += sum
	})
	if gap := area - 0.5; math.Abs(gap) > 1e-12 {
		return gap
	}
	return 0
}

// topHitRate shares the places of a tie at the border of the best k equally. To
// whom nothing came is none of the best, though they may be fewer then.
func topHitRate(scores, actual []float64, k int) float64 {
	if len(scores) == 0 {
		return math.NaN()
	}
	chosen, best := topShares(scores, k), topShares(actual, k)
	hits, all := 0.0, 0.0
	for i := range chosen {
		if actual[i] > 0 {
			hits += chosen[i] * best[i]
			all += best[i]
		}
	}
	return hits / all
}

// topShares is each customer's chance to be among the k highest.
func topShares(values []float64, k int) []float64 {
	order, out := descending(values), make([]float64, len(values))
	eachTie(values, order, func(from, to int) {
		share := float64(min(to, k)-from) / float64(to-from)
		for _, i := range order[from:to] {
			out[i] = max(0, share)
		}
	})
	return out
}

// Group is customers with scores next to each other.
type Group struct {
	Customers         int
	Predicted, Actual float64 // means
}

// Groups cuts customers into n groups as equal in number as can be, highest
// prediction first. Where predictions are equal across a border, the groups share
// what happened to the tie.
func Groups(predicted, actual []float64, n int) []Group {
	mustMatch(len(predicted), len(actual))
	order := descending(predicted)
	shared := make([]float64, len(order)) // what happened, ties at their mean
	eachTie(predicted, order, func(from, to int) {
		sum := 0.0
		for _, i := range order[from:to] {
			sum += actual[i]
		}
		for at := from; at < to; at++ {
			shared[at] = sum / float64(to-from)
		}
	})
	groups := make([]Group, 0, n)
	for g := range n {
		from, to := g*len(order)/n, (g+1)*len(order)/n
		if from == to {
			continue
		}
		group := Group{Customers: to - from}
		for at := from; at < to; at++ {
			group.Predicted += predicted[order[at]] / float64(to-from)
			group.Actual += shared[at] / float64(to-from)
		}
		groups = append(groups, group)
	}
	return groups
}

// MAPE is the mean over groups of |predicted − actual|/actual, percent; of ten
// groups it is called decile MAPE.
// A group in which nothing happened has no such ratio and is left out; NaN where
// all are.
func MAPE(groups []Group) float64 {
	sum, n := 0.0, 0
	for _, g := range groups {
		if g.Actual > 0 {
			sum += math.Abs(g.Predicted-g.Actual) / g.Actual
			n++
		}
	}
	return 100 * sum / float64(n)
}
