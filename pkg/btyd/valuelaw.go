package btyd

import "math"

// The law of the residual value.
//
// Let V be the discounted money of a customer's purchases within the horizon, given that there is at least one. His spend
// scale ν is Gamma(q', γ') with q' = q + px and γ' = γ + x·mean, and n purchases worth d each on average bring d·Gamma(pn, ν);
// so V/(γ'·d) is the ratio of a Gamma(pn) to a Gamma(q') variable, and
//
//	P(V ≤ v) = Σ_n P(X = n | X ≥ 1) · I_c(pn, q'),   c = v/(v + γ'd_n).
//
// The weights have a closed form (given.atLeast), the uncertainty of rate, dropout and spend is integrated out exactly.
// Approximate are: d_n stands for the average discount at a given n (times of purchases vary around it); large n are taken in
// groups; and where both shapes are above 4 the beta function is replaced by Paulson's normal approximation, good to 1e-3.
//
// A law fitted by two moments would be simpler, but is far off at the lower end: a frequent buyer either leaves early or
// buys on to the horizon, which has two modes, and then one in five outcomes falls below what should be the lowest tenth.

// valueLaw is V/(γ'·scale) for one x and T, as groups of n.
type valueLaw struct {
	spendShape float64 // q'
	groups     []valueGroup
}

// valueGroup stands for the n of one group.
type valueGroup struct {
	weight float64 // probability, given at least one purchase
	count  float64 // mean n, times the shape p of one purchase
	shape  float64 // pn, less where the group's own width adds to the spread
	unit   float64 // d_n
}

const (
	singleCounts = 8    // n up to here stand alone
	countGroups  = 40   // groups above, if they were even in ln n
	groupMass    = 0.04 // the greatest probability of a group of more than one n
	valueGroups  = singleCounts + countGroups + 2*(1/groupMass)
)

// newValueLaw builds the law into the given groups, which have room for valueGroups.
func newValueLaw(g future, gg GammaGamma, x int, horizon, delta float64, groups []valueGroup) valueLaw {
	law := valueLaw{groups: groups[:0]}
	law.spendShape, _ = gg.posterior(x, 0)
	// No more purchases than with a rate far above what his history allows and no dropout.
	buying, rate := g.buying()
	most := float64(horizon/rate*(buying+float64(6*math.Sqrt(buying))+12)) + singleCounts
	ratio := math.Max(1.15, exp(log(most/singleCounts)/countGroups))
	least := g.atLeast(1, horizon)
	above := least
	for n := 1.0; len(law.groups) < valueGroups && above > 1e-4*least; {
		next := n + 1
		if n > singleCounts {
			next = math.Max(next, math.Floor(float64(n*ratio)))
		}
		beyond := g.atLeast(next, horizon)
		for next > n+1 && above-beyond > groupMass*least {
			next = n + math.Floor((next-n)/2)
			beyond = g.atLeast(next, horizon)
		}
		width := 0.0 // relative variance of the count within the group
		if next > n+1 {
			lnRatio := log(next / n)
			width = float64(lnRatio*lnRatio) / 12
		}
		middle := float64(0.5 * (n + next - 1))
		shape := float64(gg.P * middle)
		law.groups = append(law.groups, valueGroup{
			weight: (above - beyond) / least,
			count:  shape,
			shape:  1 / (1/shape + width),
			unit:   g.averageDiscount(middle, float64((above-beyond)/(next-n)), horizon, delta),
		})
		above, n = beyond, next
	}
	return law
}

// averageDiscount is what a unit of money is worth on average in the purchases of those who make n within h, whose
// probability pn is given. Those who stay buy evenly over the horizon; those who left with the n-th purchase bought until
// then, at U with density ∝ U^(n−1)·(rate+U)^−(shape+n).
func (g given) averageDiscount(n, pn, h, delta float64) float64 {
	even := meanDiscount(float64(delta * h))
	if delta == 0 {
		return even
	}
	lnLate, lnEarly := -log1p(h/g.rate), -log1p(g.rate/h)
	lnCount := lnRising(g.shape, n) - lgamma(n+1) + float64(g.shape*lnLate) + float64(n*lnEarly)
	stay := float64(exp(lnCount+g.lnStays(n)) * ((g.b + n - 1) / (g.a + g.b + n - 1)))
	if stay >= pn {
		return even
	}
	// s = U/(rate+U) is Beta(n, shape) cut off at reach. Two points at its mean ± its standard deviation do.
	reach := h / (g.rate + h)
	whole := betaIncomplete(n, g.shape, reach, lnEarly, lnLate)
	if !(whole > 0) {
		return even
	}
	cut := exp(float64(n*lnEarly) + float64(g.shape*lnLate) + lnRising(n, g.shape) - lgamma(g.shape) - log(n))
	cutNext := float64(cut * float64(reach*(n+g.shape)) / (n + 1))
	first := clamp(float64(n/(n+g.shape)*(1-cut/whole)), 0, reach)
	second := float64(n / (n + g.shape) * ((n + 1) / (n + 1 + g.shape)) * (1 - (cut+cutNext)/whole))
	deviation := math.Sqrt(math.Max(0, second-float64(first*first)))
	left := 0.0
	for _, s := range [2]float64{math.Max(first-deviation, 0), math.Min(first+deviation, reach)} {
		du := float64(delta * float64(g.rate*(s/(1-s))))
		left += float64(0.5 * ((float64((n-1)*meanDiscount(du)) + exp(-du)) / n))
	}
	return left + float64((even-left)*(stay/pn))
}

// meanDiscount is (1 − e^−v)/v, the mean of e^(−δu) for u even over an interval of v/δ.
func meanDiscount(v float64) float64 {
	if v < 1e-8 {
		return 1
	}
	return -expm1(-v) / v
}

// atMost is the distribution function at V = γ'·v.
func (law valueLaw) atMost(v float64) float64 {
	sum := 0.0
	for _, group := range law.groups {
		sum += float64(group.weight * gammaRatioAtMost(v/group.unit, group.count, group.shape, law.spendShape))
	}
	return clampUnit(sum)
}

// gammaRatioAtMost is P(A/B ≤ v) for B ~ Gamma(shapeB) and A of mean meanA, Gamma(shapeA) but for its scale.
func gammaRatioAtMost(v, meanA, shapeA, shapeB float64) float64 {
	if shapeA < 4 || shapeB < 4 {
		w := float64(v * shapeA / meanA)
		return betaIncomplete(shapeA, shapeB, w/(1+w), -log1p(1/w), -log1p(w))
	}
	// Paulson (1942): the cube roots of both are nearly normal (Wilson and Hilferty 1931).
	root := exp(log(v*shapeB/meanA) / 3)
	varianceA, varianceB := 1/(9*shapeA), 1/(9*shapeB)
	distance := float64((1-varianceB)*root) - (1 - varianceA)
	return normalCDF(distance / math.Sqrt(float64(varianceB*float64(root*root))+varianceA))
}
