package cltv

import (
	"sync/atomic"

	"github.com/perennial-cltv/perennial/pkg/btyd"
)

// lookAhead is how many days ahead the next change of band is looked for.
const lookAhead = 3650

// crossings remembers at which age a customer who stays silent gets into which band. That depends on nothing but the
// number of repeat purchases and the age at the last of them, so customers share it: above all those who bought once.
// It only saves time: what is remembered is what would be found again. It is safe for concurrent use, without a lock.
type crossings struct {
	// lines are the probabilities from which the bands watch, high, critical and lost begin, in millionths.
	lines [len(defaultBandPPM)]int
	// slots hold question and answer in one word each; 0 is empty.
	slots [1 << crossingBits]atomic.Uint64
}

// A slot is x, t_x, the number of the line, and the age at the crossing, crossingNever where there is none.
const (
	crossingBits    = 13
	crossingAgeBits = 29
	crossingNever   = 1<<crossingAgeBits - 1
	crossingMaxX    = 1 << 13
	crossingMaxTx   = 1 << 20
)

// next returns the first age in days, after today's and within the look-ahead, at which the band is another.
func (c *crossings) next(table *btyd.Table, out *Score) (int32, bool) {
	line := int(out.Band - BandLow)
	if line >= len(c.lines) {
		return 0, false
	}
	x, tx, age := int(out.RepeatTransactions), int(out.LastAgeDays), int(out.AgeDays)
	at := crossingNever
	if x < crossingMaxX && tx < crossingMaxTx {
		at = c.recall(table, x, tx, line)
	}
	if at == crossingNever || at <= age {
		// Not found within the look-ahead from the last purchase: today's reaches further.
		day, _, ok := table.NextCrossing(x, tx, age, age+lookAhead, c.lines[line:])
		return int32(day), ok
	}
	return int32(at), at <= age+lookAhead
}

// recall returns the age at which the risk reaches a line, looked for from the day of the last purchase on, so that
// the answer is the same whoever asks first.
func (c *crossings) recall(table *btyd.Table, x, tx, line int) int {
	question := uint64(x)<<22 | uint64(tx)<<2 | uint64(line)
	slot := &c.slots[question*hashSeed>>(64-crossingBits)]
	if known := slot.Load(); known>>crossingAgeBits == question && known != 0 {
		return int(known & crossingNever)
	}
	at := crossingNever
	if day, _, ok := table.NextCrossing(x, tx, tx, tx+lookAhead, c.lines[line:line+1]); ok {
		at = day
	}
	slot.Store(question<<crossingAgeBits | uint64(at))
	return at
}
