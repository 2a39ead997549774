package btyd

import "math"

// quantileSurface holds, over x and age, the quantiles of the residual value given at least one purchase, as ln of their
// ratio to its mean. The ratio changes slowly, so a coarse grid with linear interpolation is enough for an interval's
// ends; beyond the grid the outermost ratio serves, on the exact mean.
type quantileSurface struct {
	first, perStep float64 // ln(scale+T) of the first column, columns per unit of it
	columns        int
	// ln ratio, by [row of x][column of age][level].
	cells [][levelCount]float64
	// where x lies between the rows, for x up to tabulatedX.
	rows [tabulatedX + 1]rowPosition
}

// rowPosition is between row and row+1, next of the way.
type rowPosition struct {
	row  int
	next float64
}

const (
	// Levels are even in their log-odds, from 1.2e-4 to 0.92; an interval asks for at most 0.9.
	firstLogOdds  = -9.0
	logOddsStep   = 0.5
	levelCount    = 24
	valueGridSize = 48
	columnStep    = 0.25
)

// quantileX are the rows of the surface.
var quantileX = [...]int{0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 40, 48, 64, 96, 128, 192, 256, 384, 512, 1024, 2048}

// newQuantileSurface computes the surface for ages (in weeks) from 0 to oldest, on the table's scale.
func newQuantileSurface(l life, gg GammaGamma, horizon, delta, oldest float64) quantileSurface {
	scale := l.scale()
	s := quantileSurface{first: log(scale)}
	span := log1p(oldest / scale)
	s.columns = 2 + int(span/columnStep)
	s.perStep = float64(s.columns-1) / span
	s.cells = make([][levelCount]float64, len(quantileX)*s.columns)
	var groups [valueGroups]valueGroup
	for row, x := range quantileX {
		for column := range s.columns {
			g := l.future(x, float64(scale*expm1(float64(column)/s.perStep)))
			law := newValueLaw(g, gg, x, horizon, delta, groups[:])
			shape, _ := gg.posterior(x, 0)
			mean := float64(g.discounted(horizon, delta)/g.pBuys(horizon)) * (gg.P / (shape - 1))
			law.logQuantiles(mean, &s.cells[row*s.columns+column])
		}
	}
	for x := range s.rows {
		s.rows[x] = rowAt(x)
	}
	return s
}

// rowAt finds x among the rows, in terms of ln(1+x).
func rowAt(x int) rowPosition {
	last := len(quantileX) - 1
	if x >= quantileX[last] {
		return rowPosition{last - 1, 1}
	}
	row := 0
	for x >= quantileX[row+1] {
		row++
	}
	low, high := float64(quantileX[row]+1), float64(quantileX[row+1]+1)
	return rowPosition{row, log(float64(x+1)/low) / log(high/low)}
}

// logQuantiles fills in ln(quantile/mean) for every level. mean is the law's own, from the moments.
func (law valueLaw) logQuantiles(mean float64, into *[levelCount]float64) {
	centre := log(mean)
	bottom, top := centre, centre
	for range 60 {
		if law.atMost(exp(bottom)) < 1e-4 {
			break
		}
		bottom--
	}
	for range 60 {
		if law.atMost(exp(top)) > 0.93 {
			break
		}
		top += 0.5
	}
	for under := top - 0.5; top-under > 0.02; {
		if middle := float64(0.5 * (under + top)); law.atMost(exp(middle)) > 0.93 {
			top = middle
		} else {
			under = middle
		}
	}
	// The upper end is the steeper one: a frequent buyer who stays is predictable, one who leaves early isn't. So the
	// points crowd towards the top.
	width := top - bottom
	level, before, at := 0, math.Inf(-1), bottom
	for i := range valueGridSize {
		away := 1 - float64(i)/(valueGridSize-1)
		value := top - float64(width*float64(away*away))
		odds := logOdds(law.atMost(exp(value)))
		for level < levelCount && wantedLogOdds(level) <= odds {
			into[level] = value - centre
			if wanted := wantedLogOdds(level); before > math.Inf(-1) && odds > before {
				into[level] = at + float64((value-at)*((wanted-before)/(odds-before))) - centre
			}
			level++
		}
		before, at = odds, value
	}
	for ; level < levelCount; level++ {
		into[level] = top - centre
	}
}

func wantedLogOdds(level int) float64 { return firstLogOdds + float64(logOddsStep*float64(level)) }

func logOdds(p float64) float64 { return log(p / (1 - p)) }

// logRatio returns ln(quantile/mean) at a level given by its log-odds, for a customer with x at y = ln(α+T).
func (s *quantileSurface) logRatio(x int, y, odds float64) float64 {
	position := rowPosition{}
	if x <= tabulatedX {
		position = s.rows[x]
	} else {
		position = rowAt(x)
	}
	column, next := s.columnAt(y)
	level := clamp((odds-firstLogOdds)/logOddsStep, 0, levelCount-1.001)
	index := int(level)
	part := level - float64(index)
	cell := position.row*s.columns + column
	low := mix(atLevel(&s.cells[cell], index, part), atLevel(&s.cells[cell+1], index, part), next)
	cell += s.columns
	high := mix(atLevel(&s.cells[cell], index, part), atLevel(&s.cells[cell+1], index, part), next)
	return mix(low, high, position.next)
}

func (s *quantileSurface) columnAt(y float64) (column int, next float64) {
	at := clamp(float64((y-s.first)*s.perStep), 0, float64(s.columns-1))
	column = min(int(at), s.columns-2)
	return column, at - float64(column)
}

func atLevel(cell *[levelCount]float64, index int, part float64) float64 {
	return mix(cell[index], cell[index+1], part)
}

// mix is a at part 0 and b at part 1.
func mix(a, b, part float64) float64 { return a + float64((b-a)*part) }

// clamp brings v into [low, high]; NaN becomes low.
func clamp(v, low, high float64) float64 {
	if v > high {
		return high
	}
	if v > low {
		return v
	}
	return low
}
