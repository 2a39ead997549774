package fit

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/optimize"
)

// problem is a likelihood to be made as large as possible.
type problem struct {
	parameters []parameter
	customers  float64 // that the mean is over
	// sum returns ln L at the coordinates and sets its gradient by them.
	sum func(at, gradient []float64) float64
}

// parameter is a coordinate: ln of a positive parameter, or a coefficient itself.
type parameter struct {
	name                     string
	start, centre, low, high float64
	linear                   bool
}

func (p parameter) coordinate(value float64) float64 {
	if p.linear {
		return value
	}
	return math.Log(value)
}

func (p parameter) value(coordinate float64) float64 {
	if p.linear {
		return coordinate
	}
	// Its own bound, not that after a logarithm and back.
	return min(max(math.Exp(coordinate), p.low), p.high)
}

// search is a problem being solved: the objective −(ln L + ln prior)/customers with a wall, of which the last evaluation is kept,
// because optimisers ask for value and gradient apart.
type search struct {
	problem
	centre, precision []float64
	low, high         []float64
	at, gradient      []float64
	value             float64
	evaluations       int
}

// wall is how steeply the objective rises outside the range, per squared unit of ln.
const wall = 1e-2

func newSearch(p problem, options Options) (*search, error) {
	k := len(p.parameters)
	s := &search{problem: p, centre: make([]float64, k), precision: make([]float64, k), low: make([]float64, k), high: make([]float64, k)}
	prior := options.Prior
	if prior != nil && prior.Centre != nil && len(prior.Centre) != k {
		return nil, fmt.Errorf("prior: Centre has %d values, want %d", len(prior.Centre), k)
	}
	if prior != nil && !(prior.Sigma >= 0 && prior.Sigma <= math.MaxFloat64) {
		return nil, fmt.Errorf("prior: Sigma is %v, want a standard deviation", prior.Sigma)
	}
	for i, parameter := range p.parameters {
		s.low[i], s.high[i] = parameter.coordinate(parameter.low), parameter.coordinate(parameter.high)
		if prior == nil {
			continue
		}
		centre := parameter.centre
		if prior.Centre != nil {
			centre = prior.Centre[i]
		}
		if !(centre >= parameter.low && centre <= parameter.high) {
			return nil, fmt.Errorf("prior: Centre of %s is %v, want %v to %v", parameter.name, centre, parameter.low, parameter.high)
		}
		sigma := prior.Sigma
		if sigma == 0 {
			sigma = DefaultSigma
		}
		s.centre[i], s.precision[i] = parameter.coordinate(centre), 1/(sigma*sigma)
	}
	return s, nil
}

// evaluate computes the objective and its gradient.
func (s *search) evaluate(at []float64) {
	if s.at != nil && equal(s.at, at) {
		return
	}
	s.at = append(s.at[:0], at...)
	s.evaluations++
	if s.gradient == nil {
		s.gradient = make([]float64, len(at))
	}
	// Outside the range the likelihood is that of the range's edge, and the wall is added.
	inside := make([]float64, len(at))
	for i, v := range at {
		inside[i] = min(max(v, s.low[i]), s.high[i])
	}
	s.value = -s.sum(inside, s.gradient) / s.customers
	for i, v := range at {
		s.gradient[i] /= -s.customers
		off := v - s.centre[i]
		s.value += s.precision[i] * off * off / 2 / s.customers
		if outside := v - inside[i]; outside != 0 {
			s.gradient[i] = 2 * wall * outside
			s.value += wall * outside * outside
		}
		s.gradient[i] += s.precision[i] * off / s.customers
	}
}

func equal(a, b []float64) bool {
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// converged is how small the gradient of the mean ln L must be, by a unit of ln of a parameter.
const converged = 1e-7

// maximise solves a problem and reports parameters, errors and what wasn't found.
func maximise(p problem, options Options) (Report, error) {
	var report Report
	s, err := newSearch(p, options)
	if err != nil {
		return report, err
	}
	at := make([]float64, len(p.parameters))
	for i, parameter := range p.parameters {
		at[i] = parameter.coordinate(min(max(parameter.start, parameter.low), parameter.high))
	}
	at = s.descend(at)
	at, hessian := s.polish(at)
	s.evaluate(at)
	if size := largest(s.gradient); !(size < converged) {
		report.find(NotConverged, "", size)
	}
	inside := make([]float64, len(at))
	for i := range at {
		inside[i] = min(max(at[i], s.low[i]), s.high[i])
	}
	report.LogLikelihood = s.sum(inside, make([]float64, len(at)))
	report.Evaluations = s.evaluations + 1
	s.describe(&report, at, hessian)
	return report, nil
}

// descend is BFGS; where its line search fails, simplex and BFGS again from the best point so far.
func (s *search) descend(at []float64) []float64 {
	functions := optimize.Problem{
		Func: func(at []float64) float64 {
			s.evaluate(at)
			if math.IsNaN(s.value) {
				return math.Inf(1)
			}
			return s.value
		},
		Grad: func(gradient, at []float64) {
			s.evaluate(at)
			copy(gradient, s.gradient)
		},
	}
	settings := func() *optimize.Settings {
		return &optimize.Settings{
			GradientThreshold: 1e-6, MajorIterations: 500, FuncEvaluations: 2000,
			Converger: &optimize.FunctionConverge{Absolute: 1e-12, Iterations: 20},
		}
	}
	best, least := at, math.Inf(1)
	for _, method := range []optimize.Method{&optimize.BFGS{}, &optimize.NelderMead{}, &optimize.BFGS{}} {
		// Failures of a method show in what it reached.
		result, _ := optimize.Minimize(functions, best, settings(), method)
		if result != nil && result.F < least {
			best, least = append([]float64(nil), result.X...), result.F
		}
		if s.evaluate(best); largest(s.gradient) < 1e-5 {
			break
		}
	}
	return best
}

// polish is Newton's method near the minimum, with the step halved until it helps. It returns the Hessian of the objective at
// the point reached.
func (s *search) polish(at []float64) ([]float64, *mat.SymDense) {
	hessian := s.hessian(at)
	for range 12 {
		s.evaluate(at)
		value, size := s.value, largest(s.gradient)
		if size < 1e-11 {
			break
		}
		step := newtonStep(hessian, s.gradient)
		if step == nil {
			break
		}
		next := make([]float64, len(at))
		part, better := 1.0, false
		for range 30 {
			for i := range at {
				next[i] = at[i] - part*step[i]
			}
			// Near the minimum values no longer differ, but gradients do.
			if s.evaluate(next); s.value <= value+1e-13*(1+math.Abs(value)) && (s.value < value-1e-12 || largest(s.gradient) < size) {
				better = true
				break
			}
			part /= 2
		}
		if !better {
			break
		}
		at = next
		hessian = s.hessian(at)
	}
	return at, hessian
}

// newtonStep solves for the step, with the diagonal raised until the matrix is positive definite; nil where that fails.
func newtonStep(hessian *mat.SymDense, gradient []float64) []float64 {
	k := len(gradient)
	for raise := 0.0; raise < 1; raise = raise*10 + 1e-8 {
		raised := mat.NewSymDense(k, nil)
		raised.CopySym(hessian)
		for i := range k {
			raised.SetSym(i, i, hessian.At(i, i)+raise)
		}
		var cholesky mat.Cholesky
		if !cholesky.Factorize(raised) {
			continue
		}
		step := mat.NewVecDense(k, nil)
		if err := cholesky.SolveVecTo(step, mat.NewVecDense(k, gradient)); err != nil {
			continue
		}
		if largest(step.RawVector().Data) < 5 {
			return step.RawVector().Data
		}
	}
	return nil
}

// hessian is the second derivatives by central differences of the gradient.
func (s *search) hessian(at []float64) *mat.SymDense {
	const step = 1e-4
	k := len(at)
	rows := make([][]float64, k)
	moved := append([]float64(nil), at...)
	for i := range at {
		moved[i] = at[i] + step
		s.evaluate(moved)
		rows[i] = append([]float64(nil), s.gradient...)
		moved[i] = at[i] - step
		s.evaluate(moved)
		for j := range rows[i] {
			rows[i][j] = (rows[i][j] - s.gradient[j]) / (2 * step)
		}
		moved[i] = at[i]
	}
	hessian := mat.NewSymDense(k, nil)
	for i := range k {
		for j := range i + 1 {
			hessian.SetSym(i, j, (rows[i][j]+rows[j][i])/2)
		}
	}
	return hessian
}

// describe fills in the parameters and what to think of each.
func (s *search) describe(report *Report, at []float64, hessian *mat.SymDense) {
	k := len(at)
	var cholesky mat.Cholesky
	covariance := mat.NewSymDense(k, nil)
	known := cholesky.Factorize(hessian)
	if known {
		// An ill-conditioned matrix shows in the errors it gives.
		_ = cholesky.InverseTo(covariance)
	}
	for i, parameter := range s.parameters {
		p := Parameter{parameter.name, parameter.value(at[i]), math.Inf(1), parameter.linear}
		if v := covariance.At(i, i) / s.customers; known && v > 0 {
			p.StandardError = math.Sqrt(v)
		}
		report.Parameters = append(report.Parameters, p)
		const near = 1e-3
		if at[i] < s.low[i]+near || at[i] > s.high[i]-near {
			report.find(AtBound, p.Name, p.Value)
		} else if p.StandardError > math.Ln10 {
			report.find(Flat, p.Name, p.Value)
		}
	}
}

func largest(v []float64) float64 {
	size := 0.0
	for _, e := range v {
		if math.IsNaN(e) {
			return math.Inf(1)
		}
		size = max(size, math.Abs(e))
	}
	return size
}
