package btyd

// BGBB is the beta-geometric/beta-binomial model of Fader, Hardie and Shang (2010) for chances at fixed times (an annual
// donation, a weekly shop): while he is there a customer takes each with a probability that is Beta(Alpha, Beta) over
// customers, and before each he leaves with a probability that is Beta(Gamma, Delta).
//
// Methods take x transactions at n chances, the last at chance tx (0 when x is 0): 0 ≤ x ≤ tx ≤ n.
type BGBB struct {
	Alpha, Beta, Gamma, Delta float64
}

// Validate returns a *ParameterError for the first parameter that can't come from a fit: all must be within 1e-4 to 1e4.
func (m BGBB) Validate() error {
	for _, field := range [...]struct {
		name  string
		value float64
	}{{"Alpha", m.Alpha}, {"Beta", m.Beta}, {"Gamma", m.Gamma}, {"Delta", m.Delta}} {
		if err := checkParameter("BG/BB", field.name, field.value, 1e-4, 1e4); err != nil {
			return err
		}
	}
	return nil
}

// LogLikelihood returns ln of the likelihood of one customer's history (Fader, Hardie and Shang 2010, eq. 8).
func (m BGBB) LogLikelihood(x, tx, n int) float64 {
	alive, gone := m.parts(x, tx, n)
	return logAddExp(alive, gone)
}

// PAlive returns the probability that he will still be there at chance n+1 (Fader, Hardie and Shang 2010, eq. 11).
func (m BGBB) PAlive(x, tx, n int) float64 {
	return float64(m.wasAlive(x, tx, n) * m.stays(n))
}

// Expected returns the expected number of transactions at the next h chances (Fader, Hardie and Shang 2010, eq. 13), as the sum of
// its terms, which is exact at Gamma = 1, too.
func (m BGBB) Expected(x, tx, n, h int) float64 {
	return m.Discounted(x, tx, n, h, 0)
}

// Discounted is Expected with each transaction at chance n+k divided by (1+d)^k.
func (m BGBB) Discounted(x, tx, n, h int, d float64) float64 {
	sum, stays := 0.0, m.wasAlive(x, tx, n)
	for k := 0; k < h && stays > 0x1p-1000; k++ {
		stays = float64(stays*m.stays(n+k)) / (1 + d)
		sum += stays
	}
	return float64(sum * m.takes(x, n))
}

// DERT returns the discounted expected residual transactions, Discounted without an end (Fader, Hardie and Shang 2010,
// eq. 14). With d = 0 it is +Inf unless Gamma > 1.
func (m BGBB) DERT(x, tx, n int, d float64) float64 {
	return float64(float64(m.wasAlive(x, tx, n)*m.takes(x, n)) * meanResidual(m.Gamma, m.Delta+float64(n), d))
}

// ExpectedNew returns the expected number of transactions of a new customer at n chances.
func (m BGBB) ExpectedNew(n int) float64 { return m.Expected(0, 0, 0, n) }

// Simulate draws the history of one customer at n chances: how many he takes and which is the last.
func (m BGBB) Simulate(source Source, n int) (x, tx int) {
	takes, leaves := drawBeta(source, m.Alpha, m.Beta), drawBeta(source, m.Gamma, m.Delta)
	for k := 1; k <= n; k++ {
		if drawUniform(source) < leaves {
			break
		}
		if drawUniform(source) < takes {
			x, tx = x+1, k
		}
	}
	return x, tx
}

// takes is the expected probability to take a chance, of one who was there for all n.
func (m BGBB) takes(x, n int) float64 {
	return (m.Alpha + float64(x)) / (m.Alpha + m.Beta + float64(n))
}

// stays is the probability that one who was there for all n chances is there for the next.
func (m BGBB) stays(n int) float64 {
	past := m.Delta + float64(n)
	return past / (m.Gamma + past)
}

// wasAlive is the probability that he was there for all n chances.
func (m BGBB) wasAlive(x, tx, n int) float64 {
	alive, gone := m.parts(x, tx, n)
	return 1 / (1 + exp(gone-alive))
}

// parts are ln of the two parts of the likelihood: he was there to the end; he left after chance tx.
func (m BGBB) parts(x, tx, n int) (alive, gone float64) {
	c, last, all := float64(x), float64(tx), float64(n)
	lnTakes := lnRising(m.Alpha, c)
	beta := func(misses, chances float64) float64 {
		return lnTakes + lnRising(m.Beta, misses) - lnRising(m.Alpha+m.Beta, chances)
	}
	alive = beta(all-c, all) + lnRising(m.Delta, all) - lnRising(m.Gamma+m.Delta, all)
	// He left before chance tx+i+1: each further term is the one before times a ratio below 1.
	first := beta(last-c, last) + lnRising(m.Delta, last) - lnRising(m.Gamma+m.Delta, last) + log(m.Gamma/(m.Gamma+m.Delta+last))
	sum, term := 0.0, 1.0
	for i := last; i < all && term > 0x1p-60*sum; i++ {
		sum += term
		term = float64(term * float64(float64((m.Beta+i-c)/(m.Alpha+m.Beta+i))*((m.Delta+i)/(m.Gamma+m.Delta+i+1))))
	}
	return alive, first + log(sum)
}
