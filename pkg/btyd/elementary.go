package btyd

import "math"

// The elementary functions of this file give the same bits on every processor: they use only the operations that IEEE 754
// defines exactly, in an order the compiler must keep. Each is within two units in the last place, which its test checks
// against the standard library.

const (
	// ln2High has its last 20 bits zero, so that an exponent times it is exact; ln2Low is what is missing to ln 2.
	ln2High   = 0.6931471803691238164902
	ln2Low    = 1.908214929270587816144e-10
	log2E     = 1.442695040888963407360
	halfLn2Pi = 0.9189385332046727417803
)

// exp returns e^v, 0 where that is below the normal numbers, +Inf where it is above them.
func exp(v float64) float64 {
	switch {
	case v != v:
		return v
	case v > 709.78:
		return math.Inf(1)
	case v < -708.39:
		return 0
	}
	k := math.Floor(float64(v*log2E) + 0.5)
	r := (v - float64(k*ln2High)) - float64(k*ln2Low)
	return float64(math.Float64frombits(uint64(1023+int64(k))<<52) * expTaylor(r))
}

// expTaylor is e^r for |r| ≤ ln 2 / 2 by its Taylor series, odd and even terms apart so that they run side by side.
func expTaylor(r float64) float64 {
	q := float64(r * r)
	even := 1.0/479001600 + float64(q*(1.0/87178291200))
	even = 1.0/3628800 + float64(q*even)
	even = 1.0/40320 + float64(q*even)
	even = 1.0/720 + float64(q*even)
	even = 1.0/24 + float64(q*even)
	even = 0.5 + float64(q*even)
	odd := 1.0/39916800 + float64(q*(1.0/6227020800))
	odd = 1.0/362880 + float64(q*odd)
	odd = 1.0/5040 + float64(q*odd)
	odd = 1.0/120 + float64(q*odd)
	odd = 1.0/6 + float64(q*odd)
	return 1 + (r + (float64(q*even) + float64(float64(r*q)*odd)))
}

// expm1 returns e^v − 1 without losing the digits of a small v.
func expm1(v float64) float64 {
	if v > 0.35 || v < -0.35 || v != v {
		return exp(v) - 1
	}
	// Horner's scheme from the fifteenth term down: v(1 + v/2(1 + v/3(…))).
	s := 1.0
	for _, inverse := range expm1Steps {
		s = 1 + float64(float64(v*inverse)*s)
	}
	return float64(v * s)
}

var expm1Steps = [...]float64{1.0 / 14, 1.0 / 13, 1.0 / 12, 1.0 / 11, 1.0 / 10, 1.0 / 9, 1.0 / 8, 1.0 / 7, 1.0 / 6, 1.0 / 5, 1.0 / 4, 1.0 / 3, 1.0 / 2}

// log returns the natural logarithm of v: −Inf at 0, NaN below.
func log(v float64) float64 {
	switch {
	case v != v || v > math.MaxFloat64:
		return v
	case v < 0:
		return math.NaN()
	case v == 0:
		return math.Inf(-1)
	}
	shift := 0.0
	if v < 0x1p-1022 {
		v *= 0x1p54
		shift = -54
	}
	// v = m·2^k with m in [√½, √2): then ln v = k ln 2 + 2 artanh s with |s| ≤ 0.172.
	const halfRoot = 0x3fe6a09e667f3bcd
	bits := math.Float64bits(v) - halfRoot
	k := float64(int64(bits)>>52) + shift
	m := math.Float64frombits(bits&(1<<52-1) + halfRoot)
	s := (m - 1) / (m + 1)
	q := float64(s * s)
	p := float64(q * q)
	odd := 1.0/19 + float64(q*(1.0/21))
	odd = 1.0/15 + float64(q*(1.0/17)) + float64(p*odd)
	odd = 1.0/11 + float64(q*(1.0/13)) + float64(p*odd)
	odd = 1.0/7 + float64(q*(1.0/9)) + float64(p*odd)
	odd = 1.0/3 + float64(q*(1.0/5)) + float64(p*odd)
	t := float64(2 * s)
	return float64(k*ln2High) + (t + (float64(float64(t*q)*odd) + float64(k*ln2Low)))
}

// log1p returns ln(1 + v) without losing the digits of a small v.
func log1p(v float64) float64 {
	u := 1 + v
	if u == 1 {
		return v
	}
	if u > math.MaxFloat64 {
		return log(v)
	}
	// u carries a rounding error; the factor v/(u−1) takes it out again (Kahan).
	return float64(log(u) * (v / (u - 1)))
}

// logAddExp returns ln(e^v + e^w).
func logAddExp(v, w float64) float64 {
	if v < w {
		v, w = w, v
	}
	if math.IsInf(w, -1) {
		return v
	}
	return v + log1p(exp(w-v))
}

// lgamma returns ln Γ(v) for v > 0, by Stirling's series after moving v to at least 10.
func lgamma(v float64) float64 {
	product := 1.0
	for v < 10 {
		product *= v
		v++
	}
	i := 1 / v
	q := float64(i * i)
	s := -691.0/360360 + float64(q*(1.0/156))
	s = 1.0/1188 + float64(q*s)
	s = -1.0/1680 + float64(q*s)
	s = 1.0/1260 + float64(q*s)
	s = -1.0/360 + float64(q*s)
	s = 1.0/12 + float64(q*s)
	sum := (float64((v-0.5)*log(v)) - v) + (halfLn2Pi + float64(i*s))
	if product == 1 {
		return sum
	}
	return sum - log(product)
}

// lnRising returns ln Γ(v+n)/Γ(v) for v > 0, n ≥ 0: the logarithm of v(v+1)…(v+n−1) where n is whole.
func lnRising(v, n float64) float64 {
	if n == 0 {
		return 0
	}
	return lgamma(v+n) - lgamma(v)
}

// normalCDF is Φ, to 1.5e-7 (Abramowitz and Stegun 1964, 7.1.26): enough for interval ends.
func normalCDF(v float64) float64 {
	u := math.Abs(v) * math.Sqrt2 / 2
	t := 1 / (1 + float64(0.3275911*u))
	s := -1.453152027 + float64(t*1.061405429)
	s = 1.421413741 + float64(t*s)
	s = -0.284496736 + float64(t*s)
	s = 0.254829592 + float64(t*s)
	tail := float64(0.5 * float64(float64(t*s)*exp(-float64(u*u))))
	if v > 0 {
		return 1 - tail
	}
	return tail
}
