package btyd

// BGNBD is the beta-geometric/negative-binomial model of Fader, Hardie and Lee (2005): a customer buys at a rate λ, which
// over customers is Gamma(R, Alpha), and after each purchase leaves with a probability p, which over customers is
// Beta(A, B). Alpha has the unit of time; R, A and B have none.
//
// Methods take x ≥ 0 repeat transactions, the last at age tx, and the age T now, 0 ≤ tx ≤ T, in the unit of Alpha; tx
// counts for nothing where x is 0. They don't check: parameters that pass Validate and arguments in range give finite
// results for x up to 10,000 and ages and horizons of centuries.
type BGNBD struct {
	R, Alpha, A, B float64
}

// Validate returns a *ParameterError for the first parameter that can't come from a fit: R must be within 1e-4 to 100, Alpha
// 1e-2 to 1e5, A and B 1e-6 to 1e3. Beyond, a population is to the last digit one of a simpler model; and within, a
// table can always be built in seconds, so that no published model can hold up a reader.
func (m BGNBD) Validate() error {
	return checkGeometric("BG/NBD", m.R, m.Alpha, m.A, m.B)
}

// LogLikelihood returns the logarithm of the likelihood of one customer's history (Fader, Hardie and Lee 2005, eq. 6),
// the two ways in which it can have come about (still a customer, or gone after the last purchase) joined in logarithms.
func (m BGNBD) LogLikelihood(x int, tx, T float64) float64 {
	n := float64(x)
	shape := m.R + n
	ln := lnRising(m.R, n) + float64(m.R*log(m.Alpha)) + lnRising(m.B, n) - lnRising(m.A+m.B, n)
	alive := -float64(shape * log(m.Alpha+T))
	if x == 0 {
		return ln + alive
	}
	gone := log(m.A/(m.B+n-1)) - float64(shape*log(m.Alpha+tx))
	return ln + logAddExp(alive, gone)
}

// PAlive returns the probability that he is still a customer at age T. It is 1 for x = 0, whatever T: in this model
// one leaves only after a repeat purchase, so it must never serve as a churn risk; 1 − PBuys does.
func (m BGNBD) PAlive(x int, tx, T float64) float64 {
	if x == 0 {
		return 1
	}
	n := float64(x)
	return aliveGeometric(m.A/(m.B+n-1), m.R+n, m.Alpha, tx, T)
}

// PBuys returns the probability of at least one purchase in (T, T+h]. One minus it is the risk that he has churned, read
// over h.
func (m BGNBD) PBuys(x int, tx, T, h float64) float64 {
	return float64(m.PAlive(x, tx, T) * m.given(x, T).pBuys(h))
}

// Expected returns the expected number of purchases in (T, T+h].
func (m BGNBD) Expected(x int, tx, T, h float64) float64 {
	return float64(m.PAlive(x, tx, T) * m.given(x, T).expected(h))
}

// ExpectedNew returns the expected number of repeat purchases of a new customer up to age t.
func (m BGNBD) ExpectedNew(t float64) float64 {
	return m.given(0, 0).expected(t)
}

// DET returns the discounted expected transactions ∫₀^h e^(−δu) ρ(u) du, where ρ(u) is the intensity of purchases at age
// T+u as known at T, and delta the continuous discount rate per unit of time, ≥ 0.
func (m BGNBD) DET(x int, tx, T, h, delta float64) float64 {
	return float64(m.PAlive(x, tx, T) * m.given(x, T).discounted(h, delta))
}

// PMF returns the probability of exactly n ≥ 0 purchases in (T, T+h].
func (m BGNBD) PMF(x int, tx, T, h float64, n int) float64 {
	return pmfMixture(m.PAlive(x, tx, T), m.given(x, T), h, n)
}

// Moments returns mean and variance of the number of purchases in (T, T+h].
func (m BGNBD) Moments(x int, tx, T, h float64) (mean, variance float64) {
	return momentsMixture(m.PAlive(x, tx, T), m.given(x, T), h)
}

// given returns what is known of a customer who is alive at age T: λ ~ Gamma(r+x, α+T) and, independent of it,
// p ~ Beta(a, b+x). His future is that of a new customer of the model with these parameters.
func (m BGNBD) given(x int, T float64) given {
	n := float64(x)
	return given{shape: m.R + n, rate: m.Alpha + T, a: m.A, b: m.B + n}
}

// WeeklyDiscount returns the continuous discount rate per week for a yearly rate (0.1 is ten per cent): ln(1+d)/52.18.
func WeeklyDiscount(yearly float64) float64 {
	return log1p(yearly) / 52.18
}

// DiscountFactor is what one unit of money in so many days is worth today: e^(−δ·days/7), δ being the rate per week.
func DiscountFactor(perWeek float64, days int) float64 {
	return exp(-float64(perWeek * (float64(days) / 7)))
}
