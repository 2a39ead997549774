package fit

import (
	"math"

	"gonum.org/v1/gonum/integrate/quad"

	"github.com/perennial-cltv/perennial/pkg/btyd"
)

// ParetoNBD fits a Pareto/NBD model, with time in weeks, to a base as of the end of day until.
func ParetoNBD(base Base, until int32, options Options) (Fit[btyd.ParetoNBD], error) {
	s, err := newSample(base, until)
	if err != nil {
		return Fit[btyd.ParetoNBD]{}, err
	}
	report, at, err := fitPurchases(s, newPareto(s).sum, paretoParameters(s), options)
	if err != nil {
		return Fit[btyd.ParetoNBD]{}, err
	}
	return Fit[btyd.ParetoNBD]{btyd.ParetoNBD{R: at[0], Alpha: at[1], S: at[2], Beta: at[3]}, report}, nil
}

func paretoParameters(s *sample) []parameter {
	beta := s.timeScale("Beta")
	beta.start, beta.high = min(max(s.meanAge/2, 1), 1e3), 1e6
	return []parameter{rateShape, s.timeScale("Alpha"), {name: "S", start: .6, centre: 1, low: 1e-6, high: 1e3}, beta}
}

// pareto is ln L of Pareto/NBD. The likelihood of a customer holds an integral over the moment at which he may have left,
//
//	∫_tx^T v(u) du,   v(u) = (α+u)^−(r+x) (β+u)^−(s+1),
//
// and its gradient holds the same with ln(α+u), ln(β+u), 1/(α+u) and 1/(β+u) under the integral: no derivative of a
// Gauss function is needed. All customers with one x share v, so the ages of theirs cut time into pieces, each of which is
// integrated once, by Gauss–Legendre, and summed up from the end, in units of v where it begins, so that no power
// leaves the range of numbers. A customer's integral is the difference of two such sums; where that cancels, it is small beside
// the part of those who are still there.
type pareto struct {
	s      *sample
	groups []paretoGroup
	sums   []remainder // room for the largest group
}

// paretoGroup is the cells with one x.
type paretoGroup struct {
	x     float64
	cells []cell  // last and age are positions in ages
	ages  []int32 // of the sample's ages, those that matter here, ascending
}

func newPareto(s *sample) *pareto {
	p := &pareto{s: s}
	position := make([]int32, len(s.ages))
	for from := 0; from < len(s.cells); {
		to := from
		used := make([]bool, len(s.ages))
		for ; to < len(s.cells) && s.cells[to].x == s.cells[from].x; to++ {
			used[s.cells[to].last], used[s.cells[to].age] = true, true
		}
		g := paretoGroup{x: s.counts[s.cells[from].x], cells: append([]cell(nil), s.cells[from:to]...)}
		for i, yes := range used {
			if yes {
				position[i] = int32(len(g.ages))
				g.ages = append(g.ages, int32(i))
			}
		}
		for i := range g.cells {
			c := &g.cells[i]
			c.last, c.age = position[c.last], position[c.age]
		}
		p.groups = append(p.groups, g)
		p.sums = make([]remainder, max(len(p.sums), len(g.ages)))
		from = to
	}
	return p
}

// remainder is integrals from an age to the last of the group, over v at that age: of v alone and times ln((α+u)/(α+age)),
// ln((β+u)/(β+age)), 1/(α+u) and 1/(β+u).
type remainder struct {
	whole, lnAlpha, lnBeta, overAlpha, overBeta float64
}

// paretoPoint is a set of parameters.
type paretoPoint struct {
	r, alpha, s, beta float64
	forAlpha, forBeta ageLogs
}

// sum is ln L at ln (r, α, s, β) with its gradient.
func (p *pareto) sum(at, gradient []float64) float64 {
	q := paretoPoint{r: math.Exp(at[0]), alpha: math.Exp(at[1]), s: math.Exp(at[2]), beta: math.Exp(at[3])}
	q.forAlpha, q.forBeta = p.s.ageLogs(q.alpha), p.s.ageLogs(q.beta)
	for i := range gradient {
		gradient[i] = 0
	}
	total := 0.0
	for i := range p.groups {
		g := &p.groups[i]
		p.accumulate(g, &q)
		lnR, slopeR := rising(q.r, g.x)
		ln := lnR + q.r*at[1] + q.s*at[3]
		for _, c := range g.cells {
			part, byR, byAlpha, byS, byBeta := q.customer(g, p.sums, c)
			total += c.weight * (ln + part)
			gradient[0] += c.weight * q.r * (slopeR + at[1] + byR)
			gradient[1] += c.weight * (q.r + q.alpha*byAlpha)
			gradient[2] += c.weight * q.s * (at[3] + byS)
			gradient[3] += c.weight * (q.s + q.beta*byBeta)
		}
	}
	return total
}

// accumulate fills in the sums for a group.
func (p *pareto) accumulate(g *paretoGroup, q *paretoPoint) {
	last := len(g.ages) - 1
	p.sums[last] = remainder{}
	k1, k2 := q.r+g.x, q.s+1
	for i := last - 1; i >= 0; i-- {
		here, there := g.ages[i], g.ages[i+1]
		piece := q.piece(k1, k2, p.s.ages[here], p.s.ages[there])
		lnAlpha := q.forAlpha.ln[there] - q.forAlpha.ln[here]
		lnBeta := q.forBeta.ln[there] - q.forBeta.ln[here]
		ratio := math.Exp(-k1*lnAlpha - k2*lnBeta)
		next := &p.sums[i+1]
		p.sums[i] = remainder{
			whole:     piece.whole + ratio*next.whole,
			lnAlpha:   piece.lnAlpha + ratio*(next.lnAlpha+lnAlpha*next.whole),
			lnBeta:    piece.lnBeta + ratio*(next.lnBeta+lnBeta*next.whole),
			overAlpha: piece.overAlpha + ratio*next.overAlpha,
			overBeta:  piece.overBeta + ratio*next.overBeta,
		}
	}
}

// customer is ln of (α+T)^−(r+x) (β+T)^−s + s ∫v, and its derivatives by r, α, s and β.
func (q *paretoPoint) customer(g *paretoGroup, sums []remainder, c cell) (ln, byR, byAlpha, byS, byBeta float64) {
	last, age := g.ages[c.last], g.ages[c.age]
	k1, k2 := q.r+g.x, q.s+1
	lnAlpha := q.forAlpha.ln[age] - q.forAlpha.ln[last]
	lnBeta := q.forBeta.ln[age] - q.forBeta.ln[last]
	ratio := math.Exp(-k1*lnAlpha - k2*lnBeta)
	from, to := &sums[c.last], &sums[c.age]
	// All in units of v(tx).
	whole := max(from.whole-ratio*to.whole, 0)
	alive := ratio / q.forBeta.inverse[age]
	both := alive + q.s*whole
	byR = -q.forAlpha.ln[last] - (alive*lnAlpha+q.s*(from.lnAlpha-ratio*(to.lnAlpha+lnAlpha*to.whole)))/both
	byS = -q.forBeta.ln[last] - (alive*lnBeta-whole+q.s*(from.lnBeta-ratio*(to.lnBeta+lnBeta*to.whole)))/both
	byAlpha = -k1 * (alive*q.forAlpha.inverse[age] + q.s*(from.overAlpha-ratio*to.overAlpha)) / both
	byBeta = -q.s * (alive*q.forBeta.inverse[age] + k2*(from.overBeta-ratio*to.overBeta)) / both
	return math.Log(both) - k1*q.forAlpha.ln[last] - k2*q.forBeta.ln[last], byR, byAlpha, byS, byBeta
}

// piece integrates from one age to another, in y = ln(min(α,β) + u): there v has its nearest singularities at a distance
// of π from the axis, and falls at most like e^−(r+x+s)y. Panels double as it dies out.
func (q *paretoPoint) piece(k1, k2, from, to float64) remainder {
	alpha, beta := q.alpha+from, q.beta+from
	least := min(alpha, beta)
	length := math.Log1p((to - from) / least)
	fall := k1*(least/alpha) + k2*(least/beta)
	var sum remainder
	growing := 8 / fall
	for y := 0.0; y < length; {
		panel := min(3.2, growing, length-y)
		rule := gauss16
		if panel < .3 && panel*(fall+1) < 1 {
			rule = gauss6
		}
		half, middle, last := panel/2, y+panel/2, 0.0
		for _, node := range rule {
			for _, sign := range [2]float64{-1, 1} {
				at := middle + sign*half*node.at
				u := least * math.Expm1(at)
				lnAlpha, lnBeta := at, at
				if alpha > beta {
					lnAlpha = math.Log1p(u / alpha)
				} else {
					lnBeta = math.Log1p(u / beta)
				}
				last = half * node.weight * (least + u) * math.Exp(-k1*lnAlpha-k2*lnBeta)
				sum.whole += last
				sum.lnAlpha += last * lnAlpha
				sum.lnBeta += last * lnBeta
				sum.overAlpha += last / (alpha + u)
				sum.overBeta += last / (beta + u)
			}
		}
		y += panel
		if last < 1e-20*sum.whole {
			break
		}
		growing *= 2
	}
	return sum
}

type gaussNode struct{ at, weight float64 }

// Positive nodes and their weights of the Gauss–Legendre rules of 6 and 16 points on [−1, 1].
var (
	gauss6  = gaussRule(6)
	gauss16 = gaussRule(16)
)

func gaussRule(n int) []gaussNode {
	at, weight := make([]float64, n), make([]float64, n)
	quad.Legendre{}.FixedLocations(at, weight, -1, 1)
	var nodes []gaussNode
	for i := range at {
		if at[i] > 0 {
			nodes = append(nodes, gaussNode{at[i], weight[i]})
		}
	}
	return nodes
}
