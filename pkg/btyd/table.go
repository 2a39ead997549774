package btyd

import "fmt"

// Terms are what a table is made for, beside the models.
type Terms struct {
	// HorizonDays is how far ahead value is counted, 1 to 36,525.
	HorizonDays int
	// ChurnDays is the horizon of the churn risk: who buys nothing in so many days counts as lost. 1 to 36,525.
	ChurnDays int
	// DiscountPerWeek is the continuous discount rate δ, 0 to 0.1 (a factor of 180 a year); see WeeklyDiscount.
	DiscountPerWeek float64
}

// Validate returns a *ParameterError for the first field out of range.
func (t Terms) Validate() error {
	for _, field := range [...]struct {
		name string
		days int
	}{{"HorizonDays", t.HorizonDays}, {"ChurnDays", t.ChurnDays}} {
		if field.days < 1 || field.days > longestDays {
			return &ParameterError{"table", field.name, float64(field.days), "1 to 36525"}
		}
	}
	if !(t.DiscountPerWeek >= 0 && t.DiscountPerWeek <= 0.1) {
		return &ParameterError{"table", "DiscountPerWeek", t.DiscountPerWeek, "0 to 0.1"}
	}
	return nil
}

const (
	daysPerWeek = 7
	longestDays = 36525
	// Tabulated are customers with up to so many repeat transactions, up to this age; others are computed.
	tabulatedX    = 64
	tabulatedDays = 14610 // 40 years
	// ageStep is the grid's step in ln(α+T): cubic interpolation of smooth functions is then good to 1e-9.
	ageStep = 0.025
)

// Table is a published pair of models with its terms, prepared for scoring. Given that a customer is alive his future
// depends on x and T alone, so expectation, discounted expectation and the quantiles of the value are tabulated over both.
// A table is immutable and safe for concurrent use. It takes about two thirds of a megabyte, twice that for Pareto/NBD.
type Table struct {
	model PurchaseModel
	spend GammaGamma
	terms Terms
	life  life

	horizon, churn float64 // weeks
	scale          float64 // what is added to the age before its logarithm is taken
	first, perStep float64 // ln(scale+T) of the first column, columns per unit of it
	columns        int
	cells          []futureCell // by [x][column]
	quantiles      quantileSurface
}

// futureCell holds logarithms of expectations given alive and their derivatives by the column's number.
type futureCell struct {
	expected, expectedSlope     float64
	discounted, discountedSlope float64
}

// NewTable prepares a table (a tenth of a second of one core for usual parameters, a third for Pareto/NBD, seconds for the
// oddest that pass Validate) for models fitted with time in weeks (days/7). Errors are *ParameterError, with the part
// they belong to.
func NewTable(model PurchaseModel, spend GammaGamma, terms Terms) (*Table, error) {
	if err := model.Validate(); err != nil {
		return nil, fmt.Errorf("table of values: %w", err)
	}
	if err := spend.Validate(); err != nil {
		return nil, fmt.Errorf("table of values: %w", err)
	}
	if err := terms.Validate(); err != nil {
		return nil, fmt.Errorf("table of values: %w", err)
	}
	const oldest = float64(tabulatedDays) / daysPerWeek
	l := model.life()
	span := log1p(oldest / l.scale())
	t := &Table{
		model: model, spend: spend, terms: terms, life: l,
		horizon: float64(terms.HorizonDays) / daysPerWeek,
		churn:   float64(terms.ChurnDays) / daysPerWeek,
		scale:   l.scale(),
		first:   log(l.scale()),
		columns: 2 + int(span/ageStep),
	}
	t.perStep = float64(t.columns-1) / span
	t.cells = make([]futureCell, (tabulatedX+1)*t.columns)
	l.tabulate(t)
	t.quantiles = newQuantileSurface(l, spend, t.horizon, terms.DiscountPerWeek, oldest)
	return t, nil
}

// ageAt is the age, in weeks, of a column.
func (t *Table) ageAt(column int) float64 {
	return float64(t.scale * expm1(float64(column)/t.perStep))
}

// Model returns the purchase model.
func (t *Table) Model() PurchaseModel { return t.model }

// Spend returns the spend model.
func (t *Table) Spend() GammaGamma { return t.spend }

// Terms returns the terms.
func (t *Table) Terms() Terms { return t.terms }

// future returns the expected and the discounted expected purchases within the horizon, given alive.
func (t *Table) future(m moment) (expected, discounted float64) {
	if !m.inTable {
		return t.life.beyond(t, m)
	}
	column, part := t.find(m.lnAge)
	row := t.cells[m.x*t.columns+column:][:2]
	left, right := &row[0], &row[1]
	return exp(hermite(left.expected, left.expectedSlope, right.expected, right.expectedSlope, part)),
		exp(hermite(left.discounted, left.discountedSlope, right.discounted, right.discountedSlope, part))
}

// find returns the column at or before a point of the grid and what is left of the way to the next.
func (t *Table) find(lnAge float64) (column int, part float64) {
	at := float64((lnAge - t.first) * t.perStep)
	column = min(int(clamp(at, 0, float64(t.columns-1))), t.columns-2)
	return column, at - float64(column)
}

// hermite is the cubic with values a, b and slopes da, db at 0 and 1.
func hermite(a, da, b, db, at float64) float64 {
	rise := b - a
	quadratic := float64(3*rise) - float64(2*da) - db
	cubic := da + db - float64(2*rise)
	return a + float64(at*(da+float64(at*(quadratic+float64(at*cubic)))))
}
