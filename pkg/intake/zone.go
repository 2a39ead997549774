package intake

import (
	"fmt"
	"sort"
	"time"
	_ "time/tzdata" // the zones must be the same on a machine without them

	"github.com/perennial-cltv/perennial/pkg/cltv"
)

// ZoneOffsets resolves the name of a time zone (IANA, such as "Europe/Berlin")
// into its offsets from 1970 to 2100, for PolicySet.zone_offsets: the publisher
// of a policy resolves it once, so that the fold needs no zone database and a
// later edition of it changes no result. An empty name is UTC.
func ZoneOffsets(name string) ([]cltv.ZoneOffset, error) {
	if name == "Local" {
		return nil, fmt.Errorf("time zone %q means another one on each machine", name)
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("time zone %q: %w", name, err)
	}
	offset := func(unix int64) int32 {
		_, seconds := time.Unix(unix, 0).In(zone).Zone()
		return int32(seconds)
	}
	offsets := []cltv.ZoneOffset{{FromUnix: 0, OffsetSeconds: offset(0)}}
	end := time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
	for at := int64(0); at < end; at += zoneStep {
		last := offsets[len(offsets)-1].OffsetSeconds
		if offset(at+zoneStep) == last {
			continue
		}
		// The first second after at that has another offset.
		from := at + 1 + int64(sort.Search(zoneStep, func(n int) bool { return offset(at+1+int64(n)) != last }))
		offsets = append(offsets, cltv.ZoneOffset{FromUnix: from, OffsetSeconds: offset(from)})
	}
	return offsets, nil
}

// zoneStep is shorter than the time between two changes of any zone. Changes are
// looked for between steps, because Time.ZoneBounds stands still for some zones
// at the turn of a year.
const zoneStep = 6 * 60 * 60
