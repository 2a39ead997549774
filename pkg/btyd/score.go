package btyd

// Score is all that the models say of one customer at one moment. Probabilities are of 0 to 1, money is in the unit of the
// spend model, before margin and cost.
type Score struct {
	PAlive       float64 // still a customer
	PBuysChurn   float64 // at least one purchase within ChurnDays; one minus it is the churn risk
	PBuysHorizon float64 // at least one purchase within HorizonDays
	Expected     float64 // purchases within HorizonDays
	DET          float64 // the same, discounted
	SpendMean    float64 // expected spend per purchase
	Value        float64 // residual value: DET × SpendMean
	ValueLow     float64 // one tenth of outcomes are below it, or it is 0 because more than a tenth are 0
	ValueHigh    float64 // one tenth of outcomes are above it; 0 where nine tenths are 0
}

// Score values a customer with x repeat transactions, the last txDays after the first purchase, ageDays after which we are,
// and their mean spend, in the unit of the spend model.
//
// Arguments out of range are brought into it: no count or day is negative, tx is at most the age, a mean spend that is
// negative or not a number counts as 0. So there is an answer to every input, and it is finite.
func (t *Table) Score(x, txDays, ageDays int, meanSpend float64) Score {
	x, txDays, ageDays = inRange(x, txDays, ageDays)
	meanSpend = clamp(meanSpend, 0, 1e18)
	now := t.at(x, txDays, ageDays)
	expected, discounted := t.future(now)
	s := Score{
		PAlive:       now.alive,
		PBuysChurn:   float64(now.alive * t.life.buys(t, now, forChurn)),
		PBuysHorizon: float64(now.alive * t.life.buys(t, now, forHorizon)),
		Expected:     float64(now.alive * expected),
		DET:          float64(now.alive * discounted),
		SpendMean:    t.spend.ExpectedSpend(x, meanSpend),
	}
	s.Value = float64(s.DET * s.SpendMean)
	s.ValueLow, s.ValueHigh = t.interval(x, now.lnAge, s)
	return s
}

// PAlive is the part of Score that costs least.
func (t *Table) PAlive(x, txDays, ageDays int) float64 {
	x, txDays, ageDays = inRange(x, txDays, ageDays)
	return t.at(x, txDays, ageDays).alive
}

// interval returns the 10 % and 90 % quantiles of the residual value, which is 0 with probability 1 − PBuysHorizon and follows
// the tabulated law else. A quantile τ of the mixture is the law's at (τ − nothing)/(1 − nothing), whose odds are
// (τ − nothing)/(1 − τ).
func (t *Table) interval(x int, lnAge float64, s Score) (low, high float64) {
	const tail = 0.1
	nothing := 1 - s.PBuysHorizon
	if nothing >= 1-tail {
		return 0, 0
	}
	mean := s.Value / s.PBuysHorizon
	high = float64(mean * exp(t.quantiles.logRatio(x, lnAge, log((1-tail-nothing)/tail))))
	if nothing < tail {
		low = float64(mean * exp(t.quantiles.logRatio(x, lnAge, log((tail-nothing)/(1-tail)))))
	}
	return low, high
}

// moment is a customer at an age.
type moment struct {
	x       int
	age     float64 // weeks
	lnAge   float64 // ln(scale+T), where the table is looked up
	shape   float64 // r+x
	rate    float64 // α+T
	alive   float64
	inTable bool
}

func (t *Table) at(x, txDays, ageDays int) moment {
	m := moment{x: x, age: float64(ageDays) / daysPerWeek}
	m.lnAge = log(t.scale + m.age)
	m.inTable = x <= tabulatedX && float64((m.lnAge-t.first)*t.perStep) <= float64(t.columns-1)
	return t.life.meet(t, m, float64(txDays)/daysPerWeek, float64(ageDays-txDays)/daysPerWeek)
}

// inRange brings a history into the range in which formulas hold.
func inRange(x, txDays, ageDays int) (int, int, int) {
	const most = 1 << 30
	ageDays = min(max(ageDays, 0), most)
	if x <= 0 {
		txDays = 0
	}
	return min(max(x, 0), most), min(max(txDays, 0), ageDays), ageDays
}
