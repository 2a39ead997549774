package fit

import (
	"fmt"
	"math"
	"slices"

	"github.com/perennial-cltv/perennial/pkg/btyd"
)

// Contract is what customers of one cell have in common: how often they renewed, and whether they then left or are still
// there (censored).
type Contract struct {
	Renewals int32
	Churned  bool
}

// Contracts is how many customers have each contract.
type Contracts map[Contract]int64

// Add adds count customers of a contract, or takes them away where it is negative. A renewal of a customer with k is
// Add({k, false}, -1) and Add({k+1, false}, 1).
func (c Contracts) Add(contract Contract, count int64) {
	addTo(c, contract, count)
}

// Survivors are the contracts of one cohort: survivors[0] customers began, survivors[t] renewed at least t times, and the last
// of them are still there.
func Survivors(survivors []int64) (Contracts, error) {
	contracts := Contracts{}
	for t, n := range survivors {
		next := int64(0)
		if t+1 < len(survivors) {
			next = survivors[t+1]
			contracts.Add(Contract{int32(t), true}, n-next)
		} else {
			contracts.Add(Contract{int32(t), false}, n)
		}
		if n < next || n < 0 {
			return nil, &DataError{"cohort", survivors, "counts that never rise"}
		}
	}
	return contracts, nil
}

// SBG fits an sBG model.
func SBG(contracts Contracts, options Options) (Fit[btyd.SBG], error) {
	report, at, err := fitContracts(contracts, contractParameters[:2], options)
	if err != nil {
		return Fit[btyd.SBG]{}, err
	}
	return Fit[btyd.SBG]{btyd.SBG{Alpha: at[0], Beta: at[1]}, report}, nil
}

// BdW fits a BdW model.
func BdW(contracts Contracts, options Options) (Fit[btyd.BdW], error) {
	report, at, err := fitContracts(contracts, contractParameters, options)
	if err != nil {
		return Fit[btyd.BdW]{}, err
	}
	return Fit[btyd.BdW]{btyd.BdW{Alpha: at[0], Beta: at[1], C: at[2]}, report}, nil
}

var contractParameters = []parameter{
	{name: "Alpha", start: 1, centre: 1, low: 1e-4, high: 1e4},
	{name: "Beta", start: 2, centre: 1, low: 1e-4, high: 1e4},
	{name: "C", start: 1, centre: 1, low: .05, high: 5},
}

func fitContracts(contracts Contracts, parameters []parameter, options Options) (Report, []float64, error) {
	s, err := newContractSample(contracts)
	if err != nil {
		return Report{}, nil, err
	}
	report, err := maximise(problem{parameters, s.customers, s.sum}, options)
	if err != nil {
		return Report{}, nil, err
	}
	if s.left == 0 {
		report.find(NoDropout, "", 0)
	}
	report.size(s.customers, s.left, -1)
	at := report.values()
	return report, at, nil
}

// longestTenure bounds the periods, so that they can stand in a list.
const longestTenure = 100_000

// contractSample is, by renewals, how many left and how many are still there.
type contractSample struct {
	churned, there  []float64
	customers, left float64
}

func newContractSample(contracts Contracts) (*contractSample, error) {
	s := &contractSample{}
	for c, n := range contracts {
		if n < 0 || c.Renewals < 0 || c.Renewals >= longestTenure {
			return nil, &DataError{"cohort", c, fmt.Sprintf("a count of customers with 0 to %d renewals", longestTenure-1)}
		}
		for int(c.Renewals) >= len(s.there) {
			s.there, s.churned = append(s.there, 0), append(s.churned, 0)
		}
		s.customers += float64(n)
		if c.Churned {
			s.churned[c.Renewals] += float64(n)
			s.left += float64(n)
		} else {
			s.there[c.Renewals] += float64(n)
		}
	}
	if s.customers == 0 {
		return nil, &DataError{"cohort", "contracts", "at least one customer"}
	}
	return s, nil
}

// tenure is ln S(t) with its derivatives by the logarithms of the parameters.
type tenure struct {
	ln float64
	by [3]float64
}

// newTenure is ln B(α, β+τ)/B(α, β) with τ = t^c, c = 1 for sBG.
func newTenure(t, alpha, beta, c float64) tenure {
	if t == 0 {
		return tenure{}
	}
	tau := math.Pow(t, c)
	here, slopeHere := rising(beta, alpha)
	there, slopeThere := rising(beta+tau, alpha)
	_, past := rising(alpha+beta, tau)
	return tenure{here - there, [3]float64{-alpha * past, beta * (slopeHere - slopeThere), -slopeThere * tau * math.Log(t) * c}}
}

// sum is ln L at ln (α, β) or ln (α, β, c) with its gradient.
func (s *contractSample) sum(at, gradient []float64) float64 {
	alpha, beta, c := math.Exp(at[0]), math.Exp(at[1]), 1.
	if len(at) > 2 {
		c = math.Exp(at[2])
	}
	for i := range gradient {
		gradient[i] = 0
	}
	total := 0.0
	next := newTenure(0, alpha, beta, c)
	for t := range s.there {
		here := next
		next = newTenure(float64(t+1), alpha, beta, c)
		// S(t) − S(t+1) = S(t)·(1 − e^d).
		d := next.ln - here.ln
		leaves := -math.Expm1(d)
		if s.churned[t] > 0 {
			total += s.churned[t] * (here.ln + math.Log(leaves))
		}
		total += s.there[t] * here.ln
		for i := range gradient {
			gradient[i] += s.there[t] * here.by[i]
			if s.churned[t] > 0 {
				gradient[i] += s.churned[t] * (here.by[i] + math.Exp(d)/leaves*(here.by[i]-next.by[i]))
			}
		}
	}
	return total
}

// Chance is what customers of one cell have in common: X transactions at N chances, the last of them at chance Last (0
// where X is 0).
type Chance struct {
	X, Last, N int32
}

// Chances is how many customers have each history of discrete chances.
type Chances map[Chance]int64

// Add adds count customers of a history, or takes them away where it is negative.
func (c Chances) Add(chance Chance, count int64) {
	addTo(c, chance, count)
}

// BGBB fits a BG/BB model.
func BGBB(chances Chances, options Options) (Fit[btyd.BGBB], error) {
	s, err := newChanceSample(chances)
	if err != nil {
		return Fit[btyd.BGBB]{}, err
	}
	var parameters []parameter
	for _, name := range []string{"Alpha", "Beta", "Gamma", "Delta"} {
		parameters = append(parameters, parameter{name: name, start: 1, centre: 1, low: 1e-4, high: 1e4})
	}
	parameters[3].start = 3
	report, err := maximise(problem{parameters, s.customers, s.sum}, options)
	if err != nil {
		return Fit[btyd.BGBB]{}, err
	}
	report.size(s.customers, s.takers, -1)
	at := report.values()
	return Fit[btyd.BGBB]{btyd.BGBB{Alpha: at[0], Beta: at[1], Gamma: at[2], Delta: at[3]}, report}, nil
}

type chanceCell struct {
	x, last, n int
	weight     float64
}

type chanceSample struct {
	cells             []chanceCell
	most              int // chances
	customers, takers float64
}

func newChanceSample(chances Chances) (*chanceSample, error) {
	s := &chanceSample{}
	for c, n := range chances {
		if n < 0 || c.X < 0 || c.Last < c.X || c.N < c.Last || c.N > longestTenure || (c.X == 0) != (c.Last == 0) {
			return nil, &DataError{"chances", c, fmt.Sprintf("a count of customers with 0 ≤ X ≤ Last ≤ N ≤ %d, Last 0 where X is", longestTenure)}
		}
		s.cells = append(s.cells, chanceCell{int(c.X), int(c.Last), int(c.N), float64(n)})
		s.most = max(s.most, int(c.N))
		s.customers += float64(n)
		if c.X > 0 {
			s.takers += float64(n)
		}
	}
	if s.customers == 0 {
		return nil, &DataError{"chances", "chances", "at least one customer"}
	}
	slices.SortFunc(s.cells, func(a, b chanceCell) int {
		for _, d := range [3]int{a.x - b.x, a.last - b.last, a.n - b.n} {
			if d != 0 {
				return d
			}
		}
		return 0
	})
	return s, nil
}

// sum is ln L (Fader, Hardie and Shang 2010, eq. 8) at ln (α, β, γ, δ) with its gradient.
func (s *chanceSample) sum(at, gradient []float64) float64 {
	alpha, beta, gamma, delta := math.Exp(at[0]), math.Exp(at[1]), math.Exp(at[2]), math.Exp(at[3])
	takes, misses, chances := newRisings(alpha, s.most), newRisings(beta, s.most), newRisings(alpha+beta, s.most)
	stays, decides := newRisings(delta, s.most), newRisings(gamma+delta, s.most)
	for i := range gradient {
		gradient[i] = 0
	}
	total := 0.0
	for _, c := range s.cells {
		// Was there until chance m; and left before the next, or m is now.
		term := func(m int, left float64) (ln float64, by [4]float64) {
			here := gamma + delta + float64(m)
			ln = takes.ln[c.x] + misses.ln[m-c.x] - chances.ln[m] + stays.ln[m] - decides.ln[m] + left*math.Log(gamma/here)
			return ln, [4]float64{
				takes.slope[c.x] - chances.slope[m], misses.slope[m-c.x] - chances.slope[m],
				-decides.slope[m] + left*(1/gamma-1/here), stays.slope[m] - decides.slope[m] - left/here,
			}
		}
		highest, mean := term(c.n, 0)
		whole := 1.0 // in units of the highest term so far, as the mean is of whole
		for m := c.last; m < c.n; m++ {
			ln, by := term(m, 1)
			share := math.Exp(ln - highest)
			if ln > highest {
				whole *= math.Exp(highest - ln)
				highest, share = ln, 1
			}
			whole += share
			for i := range mean {
				mean[i] += (by[i] - mean[i]) * share / whole
			}
		}
		total += c.weight * (highest + math.Log(whole))
		for i, scale := range [4]float64{alpha, beta, gamma, delta} {
			gradient[i] += c.weight * scale * mean[i]
		}
	}
	return total
}
