package btyd

import "math"

// life is what a table needs to know of its purchase model, beyond what all have in common.
type life interface {
	// scale is what is added to an age so that in its logarithm all that is tabulated is smooth.
	scale() float64
	// future is a customer alive at an age.
	future(x int, age float64) future
	// beyond is what the table holds of the future, computed: expected and discounted expected purchases, given alive.
	beyond(t *Table, m moment) (expected, discounted float64)
	// tabulate fills in the table's cells.
	tabulate(t *Table)
	// meet adds P(alive), and what buys needs, of a customer last seen at tx, silent weeks ago.
	meet(t *Table, m moment, tx, silent float64) moment
	// buys is the probability of a purchase within one of the table's horizons, given alive.
	buys(t *Table, m moment, within horizonKind) float64
}

type horizonKind int

const (
	forChurn horizonKind = iota
	forHorizon
)

func (m BGNBD) life() life { return &geometricLife{m, false} }

// life is, with one more chance to leave, BG/NBD's with b+1, but that it counts from the first purchase on.
func (m MBGNBD) life() life { return &geometricLife{BGNBD{m.R, m.Alpha, m.A, m.B + 1}, true} }

func (m ParetoNBD) life() life { return &mortalLife{model: m} }

// geometricLife is of models in which one leaves after a purchase.
type geometricLife struct {
	model     BGNBD
	fromStart bool
}

func (l *geometricLife) scale() float64 { return l.model.Alpha }

func (l *geometricLife) future(x int, age float64) future { return l.model.given(x, age) }

func (l *geometricLife) beyond(t *Table, m moment) (expected, discounted float64) {
	g := l.model.given(m.x, m.age)
	return g.expected(t.horizon), g.discounted(t.horizon, t.terms.DiscountPerWeek)
}

func (l *geometricLife) tabulate(t *Table) {
	for x := range tabulatedX + 1 {
		g := l.model.given(x, 0)
		curve := newIntensityCurve(g.a, g.b, g.shape+1, log1p(t.horizon/l.model.Alpha))
		for column := range t.columns {
			g := l.model.given(x, t.ageAt(column))
			expected, expectedSlope := g.discountedSlope(t.horizon, 0, curve.mean)
			discounted, discountedSlope := g.discountedSlope(t.horizon, t.terms.DiscountPerWeek, curve.mean)
			t.cells[x*t.columns+column] = futureCell{
				log(expected), expectedSlope / expected / t.perStep,
				log(discounted), discountedSlope / discounted / t.perStep,
			}
		}
	}
}

func (l *geometricLife) meet(_ *Table, m moment, tx, silent float64) moment {
	n := float64(m.x)
	m.shape, m.rate, m.alive = l.model.R+n, l.model.Alpha+m.age, 1
	if m.x > 0 || l.fromStart {
		odds := float64(l.model.A / (l.model.B + n - 1) * exp(float64(m.shape*log1p(silent/(l.model.Alpha+tx)))))
		m.alive = 1 / (1 + odds)
	}
	return m
}

func (l *geometricLife) buys(t *Table, m moment, within horizonKind) float64 {
	h := t.churn
	if within == forHorizon {
		h = t.horizon
	}
	return -expm1(-float64(m.shape * log1p(h/m.rate)))
}

// mortalLife is Pareto/NBD, where P(alive) and P(buys) hold integrals, which are tabulated too.
type mortalLife struct {
	model ParetoNBD
	cells []mortalCell // by [x][column]
}

// mortalCell holds logarithms and their derivatives by the column's number: of the integral of (α+u)^−(r+x) (β+u)^−(s+1)
// from the column's age on, over its integrand there; and of the probabilities to buy, given alive.
type mortalCell struct {
	room, roomSlope float64
	buys, buysSlope [2]float64 // by horizonKind
}

func (l *mortalLife) scale() float64 { return math.Min(l.model.Alpha, l.model.Beta) }

func (l *mortalLife) future(x int, age float64) future { return l.model.given(x, age) }

func (l *mortalLife) beyond(t *Table, m moment) (expected, discounted float64) {
	g := l.model.given(m.x, m.age)
	return g.expected(t.horizon), g.discounted(t.horizon, t.terms.DiscountPerWeek)
}

func (l *mortalLife) tabulate(t *Table) {
	l.cells = make([]mortalCell, len(t.cells))
	for x := range tabulatedX + 1 {
		room := l.model.roomBeyond(float64(x), t.ageAt(t.columns-1))
		for column := t.columns - 1; column >= 0; column-- {
			age := t.ageAt(column)
			if column < t.columns-1 {
				room = l.model.roomBefore(float64(x), age, t.ageAt(column+1), room)
			}
			perColumn := float64((t.scale + age) / t.perStep) // of the age
			g := l.model.given(x, age)
			i := x*t.columns + column
			t.cells[i] = g.cell(t.horizon, t.terms.DiscountPerWeek, perColumn)
			cell := &l.cells[i]
			cell.room = log(room)
			cell.roomSlope = float64(perColumn * (g.shape/g.rate + (g.s+1)/g.beta - 1/room))
			for kind, h := range [2]float64{t.churn, t.horizon} {
				buys := g.pBuys(h)
				cell.buys[kind] = log(buys)
				// What is left out at the near end and what comes in at the far one.
				moves := float64(g.shape/g.rate) * expm1(-float64((g.shape+1)*log1p(h/g.rate))-float64(g.s*log1p(h/g.beta)))
				cell.buysSlope[kind] = float64(perColumn * (moves/buys + g.shape/g.rate + g.s/g.beta))
			}
		}
	}
}

// cell is the expectations of one column, for an age that moves by perColumn from one to the next.
func (g mortal) cell(h, delta, perColumn float64) futureCell {
	lasting, discounted := g.lasting(h), g.lastingDiscounted(h, delta)
	atEnd := -float64(g.s * log1p(h/g.beta))
	scale := g.shape / g.rate
	slope := g.s/g.beta - 1/g.rate
	return futureCell{
		expected:        log(float64(scale * lasting)),
		expectedSlope:   float64(perColumn * (slope + expm1(atEnd)/lasting)),
		discounted:      log(float64(scale * discounted)),
		discountedSlope: float64(perColumn * (slope + delta + expm1(atEnd-float64(delta*h))/discounted)),
	}
}

// roomBeyond is ∫_t^∞ v(u) du / v(t), v as in silence: quadrature to where α and β hardly differ, and from there the Gauss
// function, whose argument is small (Fader and Hardie 2005, eq. 20).
func (m ParetoNBD) roomBeyond(n, t float64) float64 {
	greatest := math.Max(m.Alpha, m.Beta)
	apart := math.Abs(m.Alpha - m.Beta)
	far := math.Max(t, float64(10*apart))
	power := m.R + m.S + n
	k := m.S + 1
	if m.Beta > m.Alpha {
		k = m.R + n
	}
	sum, _, _ := gaussSeries(power, k, power+1, apart/(greatest+far))
	// Over v(far), whose factor of power k has the lesser scale.
	least := math.Min(m.Alpha, m.Beta)
	lnLess := -float64(k * log1p(apart/(least+far)))
	tail := float64(float64((greatest+far)/power*sum) * exp(lnLess))
	return m.roomBefore(n, t, far, tail)
}

// roomBefore is the room at an age from that at a later one.
func (m ParetoNBD) roomBefore(n, t, later, room float64) float64 {
	if !(later > t) {
		return room
	}
	lnRatio := -float64((m.R+n)*log1p((later-t)/(m.Alpha+t))) - float64((m.S+1)*log1p((later-t)/(m.Beta+t)))
	return m.silence(n, t, later) + float64(exp(lnRatio)*room)
}

func (l *mortalLife) meet(t *Table, m moment, tx, silent float64) moment {
	if !m.inTable {
		m.alive = l.model.PAlive(m.x, tx, m.age)
		return m
	}
	m.alive = 1
	if !(silent > 0) {
		return m
	}
	growth := float64((l.model.R+float64(m.x))*log1p(silent/(l.model.Alpha+tx))) + float64((l.model.S+1)*log1p(silent/(l.model.Beta+tx)))
	then := l.room(t, m.x, log(t.scale+tx))
	odds := float64(l.model.S / (l.model.Beta + m.age) * (exp(then+growth) - exp(l.room(t, m.x, m.lnAge))))
	m.alive = 1 / (1 + math.Max(0, odds))
	return m
}

// room is ln of the tabulated integral.
func (l *mortalLife) room(t *Table, x int, lnAge float64) float64 {
	column, part := t.find(lnAge)
	row := l.cells[x*t.columns+column:][:2]
	return hermite(row[0].room, row[0].roomSlope, row[1].room, row[1].roomSlope, part)
}

func (l *mortalLife) buys(t *Table, m moment, within horizonKind) float64 {
	if !m.inTable {
		h := t.churn
		if within == forHorizon {
			h = t.horizon
		}
		return l.model.given(m.x, m.age).pBuys(h)
	}
	column, part := t.find(m.lnAge)
	row := l.cells[m.x*t.columns+column:][:2]
	return clampUnit(exp(hermite(row[0].buys[within], row[0].buysSlope[within], row[1].buys[within], row[1].buysSlope[within], part)))
}
