package history

import "time"

const daySeconds = 86_400

// DayOf is the calendar day of a time where it is, counted from 1970-01-01.
func DayOf(at time.Time) int32 {
	year, month, day := at.Date()
	return int32(time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Unix() / daySeconds)
}

// DateOf is the beginning in UTC of a day that DayOf answered.
func DateOf(day int32) time.Time { return time.Unix(int64(day)*daySeconds, 0).UTC() }
