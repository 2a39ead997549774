package btyd

// MBGNBD is the modified BG/NBD model (Batislam, Denizel and Filiztekin 2007; Hoppe and Wagner 2007): as BG/NBD, but a customer
// can leave after the first purchase, too. So P(alive) of one who never came back is below 1, and falls. Parameters
// and methods are those of BGNBD.
type MBGNBD struct {
	R, Alpha, A, B float64
}

// Validate returns a *ParameterError for the first parameter that can't come from a fit; the ranges are BGNBD's.
func (m MBGNBD) Validate() error {
	return checkGeometric("MBG/NBD", m.R, m.Alpha, m.A, m.B)
}

// LogLikelihood returns the logarithm of the likelihood of one customer's history: BG/NBD's with one more chance to leave.
func (m MBGNBD) LogLikelihood(x int, tx, T float64) float64 {
	n := float64(x)
	shape := m.R + n
	ln := lnRising(m.R, n) + float64(m.R*log(m.Alpha)) + lnRising(m.B, n+1) - lnRising(m.A+m.B, n+1)
	if x == 0 {
		tx = 0
	}
	alive := -float64(shape * log(m.Alpha+T))
	gone := log(m.A/(m.B+n)) - float64(shape*log(m.Alpha+tx))
	return ln + logAddExp(alive, gone)
}

// PAlive returns the probability that he is still a customer at age T.
func (m MBGNBD) PAlive(x int, tx, T float64) float64 {
	if x == 0 {
		tx = 0
	}
	n := float64(x)
	return aliveGeometric(m.A/(m.B+n), m.R+n, m.Alpha, tx, T)
}

// PBuys returns the probability of at least one purchase in (T, T+h]. One minus it is the risk that he has churned, read
// over h.
func (m MBGNBD) PBuys(x int, tx, T, h float64) float64 {
	return float64(m.PAlive(x, tx, T) * m.given(x, T).pBuys(h))
}

// Expected returns the expected number of purchases in (T, T+h].
func (m MBGNBD) Expected(x int, tx, T, h float64) float64 {
	return float64(m.PAlive(x, tx, T) * m.given(x, T).expected(h))
}

// ExpectedNew returns the expected number of repeat purchases of a new customer up to age t.
func (m MBGNBD) ExpectedNew(t float64) float64 { return m.Expected(0, 0, 0, t) }

// DET returns the discounted expected transactions ∫₀^h e^(−δu) ρ(u) du, where ρ(u) is the intensity of purchases at age
// T+u as known at T, and delta the continuous discount rate per unit of time, ≥ 0.
func (m MBGNBD) DET(x int, tx, T, h, delta float64) float64 {
	return float64(m.PAlive(x, tx, T) * m.given(x, T).discounted(h, delta))
}

// PMF returns the probability of exactly n ≥ 0 purchases in (T, T+h].
func (m MBGNBD) PMF(x int, tx, T, h float64, n int) float64 {
	return pmfMixture(m.PAlive(x, tx, T), m.given(x, T), h, n)
}

// Moments returns mean and variance of the number of purchases in (T, T+h].
func (m MBGNBD) Moments(x int, tx, T, h float64) (mean, variance float64) {
	return momentsMixture(m.PAlive(x, tx, T), m.given(x, T), h)
}

// given is BG/NBD's with one more chance that he didn't take to leave.
func (m MBGNBD) given(x int, T float64) given {
	n := float64(x)
	return given{shape: m.R + n, rate: m.Alpha + T, a: m.A, b: m.B + n + 1}
}
