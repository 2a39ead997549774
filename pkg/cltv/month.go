package cltv

import "time"

// months are the names of all months from firstMonth on, "YYYY-MM" each, one after the other.
var months = func() string {
	names := make([]byte, 0, monthLength*12*(lastYear-firstYear+1))
	for year := firstYear; year <= lastYear; year++ {
		for month := range 12 {
			names = append(names, byte('0'+year/1000), byte('0'+year/100%10), byte('0'+year/10%10), byte('0'+year%10), '-',
				byte('0'+(month+1)/10), byte('0'+(month+1)%10))
		}
	}
	return string(names)
}()

// Local days reach a little beyond the years that a fact can have.
const (
	firstYear   = 1969
	lastYear    = 2200
	monthLength = len("2006-01")
)

// monthID names the month of a local day, "YYYY-MM".
func monthID(day int32) string {
	year, month, _ := time.Unix(int64(day)*daySeconds, 0).UTC().Date()
	at := monthLength * (12*(min(max(year, firstYear), lastYear)-firstYear) + int(month) - 1)
	return months[at : at+monthLength]
}
