package btyd

import "math"

// Million is the whole in which churn probabilities are counted where bands are decided on them.
const Million = 1_000_000

// ChurnMillionths returns the churn risk, the probability of no purchase within ChurnDays, in millionths, rounded to the
// nearest. Bands must be decided on this number, so that they agree with NextCrossing to the day.
func (t *Table) ChurnMillionths(x, txDays, ageDays int) int {
	x, txDays, ageDays = inRange(x, txDays, ageDays)
	return Millionths(1 - t.buysChurn(x, txDays, ageDays))
}

// Millionths rounds a probability to whole millionths, halves upwards; what isn't within 0 to 1 is brought there.
func Millionths(p float64) int {
	return int(math.Floor(float64(clampUnit(p)*Million) + 0.5))
}

func (t *Table) buysChurn(x, txDays, ageDays int) float64 {
	now := t.at(x, txDays, ageDays)
	return float64(now.alive * t.life.buys(t, now, forChurn))
}

// NextCrossing tells when a customer who stays silent gets into the next worse churn band: the first day after ageDays, and
// at most lastDay (an age too), on which ChurnMillionths reaches the lowest of the thresholds that lies above today's value.
// thresholds are in millionths, ascending; index says which of them it is. ok is false where no threshold is reached.
//
// Silence can only raise the risk: in P(alive)·(1 − ((α+T)/(α+T+h))^(r+x)) both factors fall with T, for x = 0 the second
// alone; and in Pareto/NBD the rate at which the next purchase is due falls with every day without one (there the table
// interpolates to about 1e-9, so where a day changes less than that the risk may waver by a millionth). So the day is
// found by bracketing: each step guesses it from a straight line in ln(α+T) against the log-odds, which is nearly what
// the risk is, and falls back to halving; it takes four to six evaluations as a rule, and never more than about four per
// halving of the span of days.
func (t *Table) NextCrossing(x, txDays, ageDays, lastDay int, thresholds []int) (day, index int, ok bool) {
	x, txDays, ageDays = inRange(x, txDays, ageDays)
	lastDay = min(lastDay, 1<<30)
	if lastDay <= ageDays {
		return 0, 0, false
	}
	buys := t.buysChurn(x, txDays, ageDays)
	today := Millionths(1 - buys)
	for index < len(thresholds) && thresholds[index] <= today {
		index++
	}
	if index == len(thresholds) {
		return 0, 0, false
	}
	threshold := thresholds[index]
	before := crossingBound{ageDays, t.lnRate(ageDays), logOdds(1 - buys)}
	buys = t.buysChurn(x, txDays, lastDay)
	if Millionths(1-buys) < threshold {
		return 0, 0, false
	}
	reached := crossingBound{lastDay, t.lnRate(lastDay), logOdds(1 - buys)}
	wanted := logOdds((float64(threshold) - 0.5) / Million)

	for halve := false; reached.day-before.day > 1; {
		guess := before.day + (reached.day-before.day)/2
		if !halve {
			guess = t.between(before, reached, wanted)
		}
		width := reached.day - before.day
		buys = t.buysChurn(x, txDays, guess)
		at := crossingBound{guess, t.lnRate(guess), logOdds(1 - buys)}
		if Millionths(1-buys) < threshold {
			before = at
			// A guess that is right is most often the last day before: look at the next one.
			if next := guess + 1; next < reached.day {
				buys = t.buysChurn(x, txDays, next)
				at = crossingBound{next, t.lnRate(next), logOdds(1 - buys)}
				if Millionths(1-buys) < threshold {
					before = at
				} else {
					reached = at
				}
			}
		} else {
			reached = at
		}
		halve = 2*(reached.day-before.day) > width
	}
	return reached.day, index, true
}

// crossingBound is a day and the point it makes on the nearly straight line.
type crossingBound struct {
	day          int
	lnRate, odds float64
}

func (t *Table) lnRate(ageDays int) float64 {
	return log(t.scale + float64(ageDays)/daysPerWeek)
}

// between guesses the last day before the log-odds reach what is wanted, strictly between two bounds.
func (t *Table) between(before, reached crossingBound, wanted float64) int {
	part := (wanted - before.odds) / (reached.odds - before.odds)
	if !(part > 0 && part < 1) { // also where an end's log-odds are infinite
		return before.day + (reached.day-before.day)/2
	}
	rate := exp(before.lnRate + float64((reached.lnRate-before.lnRate)*part))
	guess := math.Floor(float64((rate - t.scale) * daysPerWeek))
	return int(clamp(guess, float64(before.day+1), float64(reached.day-1)))
}
