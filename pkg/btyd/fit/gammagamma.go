package fit

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/mathext"

	"github.com/perennial-cltv/perennial/pkg/btyd"
)

// Spend is what repeaters of one cell have in common: X ≥ 1 repeat transactions and their sum in minor units, which must be
// above 0.
//
// This is the sufficient form: the likelihood knows a customer by his number of transactions and their sum alone, and by
// nothing smaller, because ln(γ + sum) is a sum over customers that no fixed number of totals replaces. So spends
// are kept exactly and hardly group where amounts are irregular; each costs a logarithm an evaluation.
type Spend struct {
	X     int32
	Total int64
}

// Spends is how many repeaters have each spend.
type Spends map[Spend]int64

// Add adds count repeaters of a spend, or takes them away where it is negative.
func (s Spends) Add(spend Spend, count int64) {
	addTo(s, spend, count)
}

// GammaGamma fits a Gamma–Gamma model, whose unit of money is minorPerUnit minor units (100 for dollars from cents). Its Q is above 1,
// as Validate wants; where the data asks for less there is the finding NoMeanSpend.
func GammaGamma(spends Spends, minorPerUnit float64, options Options) (Fit[btyd.GammaGamma], error) {
	none := Fit[btyd.GammaGamma]{}
	if !(minorPerUnit > 0 && minorPerUnit <= math.MaxFloat64) {
		return none, &DataError{"spend", minorPerUnit, "a positive number of minor units per unit"}
	}
	s, err := newSpendSample(spends, minorPerUnit)
	if err != nil {
		return none, err
	}
	report, err := maximise(problem{[]parameter{
		{name: "P", start: 2, centre: 1, low: 1e-3, high: 1e4},
		{name: "Q", start: 3, centre: 2, low: leastQ, high: 1e4},
		{name: "Gamma", start: min(max(s.mean, 1e-6), 1e15), centre: min(max(s.mean, 1e-6), 1e15), low: 1e-6, high: 1e15},
	}, s.customers, s.sum}, options)
	if err != nil {
		return none, err
	}
	at := report.values()
	if at[1] < 1+1e-3 {
		report.find(NoMeanSpend, "Q", at[1])
	}
	// All of them bought again: how many didn't says nothing of spend.
	report.size(LeastCustomers, s.customers, -1)
	report.Customers = report.Repeaters
	report.SpendCorrelation = s.correlation()
	return Fit[btyd.GammaGamma]{btyd.GammaGamma{P: at[0], Q: at[1], Gamma: at[2]}, report}, nil
}

// leastQ is the least q for which there is a mean spend that is worth saying.
const leastQ = 1 + 1e-6

type spendCell struct {
	x, total, lnMean, weight float64
}

type spendSample struct {
	cells     []spendCell // by x
	customers float64
	mean      float64 // of all transactions
}

func newSpendSample(spends Spends, unit float64) (*spendSample, error) {
	s := &spendSample{cells: make([]spendCell, 0, len(spends))}
	transactions, total := 0.0, 0.0
	for spend, n := range spends {
		if n < 0 || spend.X < 1 || spend.Total < 1 {
			return nil, &DataError{"spend", spend, "a count of repeaters with X and Total above 0"}
		}
		if n == 0 {
			continue
		}
		c := spendCell{x: float64(spend.X), total: float64(spend.Total) / unit, weight: float64(n)}
		c.lnMean = math.Log(c.total / c.x)
		s.cells = append(s.cells, c)
	}
	if len(s.cells) == 0 {
		return nil, &DataError{"spend", "spends", "at least one repeater"}
	}
	slices.SortFunc(s.cells, func(a, b spendCell) int {
		switch {
		case a.x < b.x || a.x == b.x && a.total < b.total:
			return -1
		case a.x > b.x || a.total > b.total:
			return 1
		}
		return 0
	})
	for _, c := range s.cells {
		s.customers += c.weight
		transactions += c.weight * c.x
		total += c.weight * c.total
	}
	s.mean = total / transactions
	return s, nil
}

// sum is ln L (Fader and Hardie 2013, eq. 1a) at ln (p, q, γ) with its gradient.
func (s *spendSample) sum(at, gradient []float64) float64 {
	p, q, gamma := math.Exp(at[0]), math.Exp(at[1]), math.Exp(at[2])
	psiQ := mathext.Digamma(q)
	total, byP, byQ, byGamma := 0.0, 0.0, 0.0, 0.0
	x, lnX, ln, psiShape, psiBoth, shape := -1.0, 0.0, 0.0, 0.0, 0.0, 0.0
	for i := range s.cells {
		c := &s.cells[i]
		if c.x != x {
			x, lnX, shape = c.x, math.Log(c.x), p*c.x
			ln, _ = rising(q, shape)
			lnShape, _ := math.Lgamma(shape)
			ln += q*at[2] - lnShape + shape*lnX
			psiShape, psiBoth = mathext.Digamma(shape), mathext.Digamma(shape+q)
		}
		rate := gamma + c.total
		lnRate := math.Log(rate)
		total += c.weight * (ln + (shape-1)*c.lnMean - (shape+q)*lnRate)
		byP += c.weight * shape * (psiBoth - psiShape + c.lnMean + lnX - lnRate)
		byQ += c.weight * q * (psiBoth - psiQ + at[2] - lnRate)
		byGamma += c.weight * (q - (shape+q)*gamma/rate)
	}
	gradient[0], gradient[1], gradient[2] = byP, byQ, byGamma
	return total
}

// correlation is that of x and the mean spend.
func (s *spendSample) correlation() float64 {
	var n, x, m, xx, mm, xm float64
	for _, c := range s.cells {
		mean := c.total / c.x
		n += c.weight
		x += c.weight * c.x
		m += c.weight * mean
	}
	x, m = x/n, m/n
	for _, c := range s.cells {
		dx, dm := c.x-x, c.total/c.x-m
		xx += c.weight * dx * dx
		mm += c.weight * dm * dm
		xm += c.weight * dx * dm
	}
	if xx == 0 || mm == 0 {
		return 0
	}
	return xm / math.Sqrt(xx*mm)
}
