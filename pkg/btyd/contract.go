package btyd

import "math"

// ContractModel is a model of customers who must renew to stay, or say that they leave: SBG or BdW. Time is counted in
// periods; a customer with k renewals has been there for k whole periods and is in the next.
type ContractModel interface {
	// Validate returns a *ParameterError for the first parameter that can't come from a fit.
	Validate() error
	// Survival is the share of a cohort that renews at least t times.
	Survival(t int) float64
	// Renewal is the share of those with t−1 renewals who make the t-th, t ≥ 1.
	Renewal(t int) float64
	// LogLikelihood is of a customer who renewed so many times and then left, or is still there.
	LogLikelihood(renewals int, churned bool) float64
	// Residual is the discounted expected number of renewals, among the next so many, of a customer who is about to decide
	// on his next: Σ_j S(renewals+1+j)/S(renewals)/(1+d)^j, j = 0 … periods−1.
	Residual(renewals, periods int, d float64) float64
	// DERL, the discounted expected residual lifetime, is Residual without an end.
	DERL(renewals int, d float64) float64
	// Simulate draws how many times a customer renews, up to a number of periods, and whether he has left by then.
	Simulate(source Source, periods int) (renewals int, churned bool)
}

var _ = [...]ContractModel{SBG{}, BdW{}}

// SBG is the shifted-beta-geometric model of Fader and Hardie (2007): at each renewal a customer leaves with a probability θ
// that is his own and is Beta(Alpha, Beta) over customers. The share that renews rises with tenure because those
// who leave easily have left.
type SBG struct {
	Alpha, Beta float64
}

// Validate returns a *ParameterError for the first parameter that can't come from a fit: both must be within 1e-4 to 1e4.
func (m SBG) Validate() error {
	if err := checkParameter("sBG", "Alpha", m.Alpha, 1e-4, 1e4); err != nil {
		return err
	}
	return checkParameter("sBG", "Beta", m.Beta, 1e-4, 1e4)
}

// Survival is S(t) = B(α, β+t)/B(α, β) (Fader and Hardie 2007, eq. 6).
func (m SBG) Survival(t int) float64 { return exp(lnSurvival(m.Alpha, m.Beta, float64(t))) }

// Renewal is r_t = (β+t−1)/(α+β+t−1) (Fader and Hardie 2007, eq. 8).
func (m SBG) Renewal(t int) float64 {
	past := m.Beta + float64(t-1)
	return past / (m.Alpha + past)
}

// LogLikelihood is ln of α/(α+β+k)·S(k) for one who left after k renewals, ln S(k) for one who is still there.
func (m SBG) LogLikelihood(renewals int, churned bool) float64 {
	k := float64(renewals)
	ln := lnSurvival(m.Alpha, m.Beta, k)
	if churned {
		ln += log(m.Alpha / (m.Alpha + m.Beta + k))
	}
	return ln
}

// Residual is the discounted expected number of renewals among the next so many.
func (m SBG) Residual(renewals, periods int, d float64) float64 {
	return residual(periods, d, func(j int) float64 { return m.Renewal(renewals + j) })
}

// DERL is (β+n−1)/(α+β+n−1) · F(1, β+n; α+β+n; 1/(1+d)) for n−1 renewals (Fader and Hardie 2010, eq. 6), computed as
// (1+d) E[(1−θ)/(d+θ)]. With d = 0 it is +Inf unless Alpha > 1.
func (m SBG) DERL(renewals int, d float64) float64 {
	return float64((1 + d) * meanResidual(m.Alpha, m.Beta+float64(renewals), d))
}

// Simulate draws how many times a customer renews, up to a number of periods, and whether he has left by then.
func (m SBG) Simulate(source Source, periods int) (renewals int, churned bool) {
	leaves := drawBeta(source, m.Alpha, m.Beta)
	for renewals < periods {
		if drawUniform(source) < leaves {
			return renewals, true
		}
		renewals++
	}
	return renewals, false
}

// BdW is the beta-discrete-Weibull model (Fader, Hardie, Liu, Davin and Steenburgh 2018): sBG with t^C in place of t, so that a
// single customer's propensity to leave rises with tenure (C > 1) or falls (C < 1).
type BdW struct {
	Alpha, Beta, C float64
}

// Validate returns a *ParameterError for the first parameter that can't come from a fit: Alpha and Beta must be within 1e-4 to
// 1e4, C .05 to 5.
func (m BdW) Validate() error {
	const model = "BdW"
	if err := checkParameter(model, "Alpha", m.Alpha, 1e-4, 1e4); err != nil {
		return err
	}
	if err := checkParameter(model, "Beta", m.Beta, 1e-4, 1e4); err != nil {
		return err
	}
	return checkParameter(model, "C", m.C, .05, 5)
}

// Survival is S(t) = B(α, β+t^c)/B(α, β).
func (m BdW) Survival(t int) float64 { return exp(m.lnSurvival(t)) }

// Renewal is S(t)/S(t−1).
func (m BdW) Renewal(t int) float64 { return exp(m.lnSurvival(t) - m.lnSurvival(t-1)) }

// LogLikelihood is ln(S(k) − S(k+1)) for one who left after k renewals, ln S(k) for one who is still there.
func (m BdW) LogLikelihood(renewals int, churned bool) float64 {
	ln := m.lnSurvival(renewals)
	if churned {
		ln += log(-expm1(m.lnSurvival(renewals+1) - ln))
	}
	return ln
}

// Residual is the discounted expected number of renewals among the next so many.
func (m BdW) Residual(renewals, periods int, d float64) float64 {
	return residual(periods, d, func(j int) float64 { return m.Renewal(renewals + j) })
}

// DERL is Residual to where the discount leaves nothing, 40/ln(1+d) terms, at most a million. It is +Inf for d ≤ 0.
func (m BdW) DERL(renewals int, d float64) float64 {
	if !(d > 0) {
		return math.Inf(1)
	}
	return m.Residual(renewals, int(math.Min(1e6, 40/log1p(d)))+1, d)
}

// Simulate draws how many times a customer renews, up to a number of periods, and whether he has left by then.
func (m BdW) Simulate(source Source, periods int) (renewals int, churned bool) {
	// P(T > t | θ) = (1−θ)^(t^c).
	lnStays := log1p(-drawBeta(source, m.Alpha, m.Beta))
	lnU := log(drawUniform(source))
	for renewals < periods && float64(power(renewals+1, m.C)*lnStays) > lnU {
		renewals++
	}
	return renewals, renewals < periods
}

func (m BdW) lnSurvival(t int) float64 { return lnSurvival(m.Alpha, m.Beta, power(t, m.C)) }

// power is t^c.
func power(t int, c float64) float64 {
	if t == 0 {
		return 0
	}
	return exp(float64(c * log(float64(t))))
}

// lnSurvival is ln B(α, β+τ)/B(α, β).
func lnSurvival(alpha, beta, tau float64) float64 {
	return lnRaised(beta, alpha) - lnRaised(beta+tau, alpha)
}

// lnRaised is ln Γ(v+a)/Γ(v), also where v is so large or a so small that the two would cancel: after moving v to at
// least 20 it is the difference of Stirling's series.
func lnRaised(v, a float64) float64 {
	less := 0.0
	for ; v < 20; v++ {
		less += log1p(a / v)
	}
	series := func(v float64) float64 {
		q := 1 / float64(v*v)
		return (1.0/12 - float64(q*(1.0/360-float64(q*(1.0/1260-float64(q*(1.0/1680-float64(q/1188)))))))) / v
	}
	return float64((v-0.5)*log1p(a/v)) + float64(a*(log(v+a)-1)) + (series(v+a) - series(v)) - less
}

// residual is Σ_j ∏_{i≤j} renewal(i+1) / (1+d)^j for j from 0 to periods−1.
func residual(periods int, d float64, renewal func(j int) float64) float64 {
	sum, stays := 0.0, 1.0
	for j := 1; j <= periods && stays > 0x1p-1000; j++ {
		stays = float64(stays * renewal(j))
		sum += stays
		stays /= 1 + d
	}
	return sum
}

// meanResidual is Σ_{k≥1} E[((1−θ)/(1+d))^k] = E[(1−θ)/(d+θ)] for θ ~ Beta(α, β).
func meanResidual(alpha, beta, d float64) float64 {
	if !(d > 0) {
		if alpha > 1 {
			return beta / (alpha - 1)
		}
		return math.Inf(1)
	}
	// (1−θ) turns the distribution into Beta(α, β+1); 1/(d+θ) is (1 + θ/d)^−1 / d.
	return float64(beta / (alpha + beta) / d * meanPower(alpha, beta+1, 1, log1p(1/d)))
}
