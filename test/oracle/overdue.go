package oracle

import (
	"fmt"
	"strings"
)

// CheckLooked demands that every customer was looked at on the day on which a
// change or an end of a contract that was dated ahead came in, as far as the
// tenant's clock has come by the end of the log.
func (l *Log) CheckLooked() error {
	for key, c := range l.Customers {
		name, _, _ := strings.Cut(key, "/")
		t, v := l.tenants[name], &c.Versions[len(c.Versions)-1]
		if v.numbers.contracts == 0 || len(v.contracts) == 0 {
			continue
		}
		for _, f := range c.facts {
			day := v.params.localDay(f.at)
			if f.kind != "changed" && f.kind != "cancelled" || day <= v.asOfDay || !v.holds(f.contract) {
				continue
			}
			// Whole days of UTC are looked at.
			if due := floor(v.params.startOfDay(day)+24*3600-1, 24*3600); floor(t.clock, 24*3600) >= due {
				return fmt.Errorf("the clock of %s has passed day %d, on which %s comes in, and the last score is of day %d", key, due, f.identity(), v.asOfDay)
			}
		}
	}
	return nil
}

// holds says whether a contract is known.
func (v *Version) holds(id string) bool {
	for _, c := range v.contracts {
		if c.id == id {
			return true
		}
	}
	return false
}
