package screen

import (
	"fmt"
	"strings"
	"time"
)

// Progress is how far a long work got.
type Progress struct {
	// Label says what is being done, or where it stands.
	Label string
	// Done and Total are in a unit of the caller's; Total 0: unknown.
	Done, Total int64
	// Count is how many of Unit are done since the start; it gives the rate.
	Count int64
	Unit  string
	// Detail is put at the end where there is room.
	Detail string
	// Elapsed is since the start, or since it was resumed. From is what was done
	// by then.
	Elapsed time.Duration
	From    int64
}

// barWidth is the number of cells of the bar.
const barWidth = 20

// Line writes the progress as one line: label, bar, share, count, rate, time left.
func (p Progress) Line() string {
	parts := []string{p.Label}
	if p.Total > 0 {
		share := min(1, float64(p.Done)/float64(p.Total))
		filled := int(share * barWidth)
		parts = append(parts, "["+strings.Repeat("=", filled)+strings.Repeat(" ", barWidth-filled)+"]", fmt.Sprintf("%3.0f %%", share*100))
	}
	if p.Unit != "" {
		parts = append(parts, Count(p.Count)+" "+p.Unit)
	}
	seconds := p.Elapsed.Seconds()
	if seconds >= 0.5 && p.Unit != "" {
		parts = append(parts, Count(int64(float64(p.Count)/seconds))+"/s")
	}
	if moved := p.Done - p.From; seconds >= 1 && moved > 0 && p.Total > p.Done {
		left := time.Duration(float64(p.Total-p.Done) / float64(moved) * float64(p.Elapsed))
		parts = append(parts, Duration(left)+" left")
	}
	if p.Detail != "" {
		parts = append(parts, p.Detail)
	}
	return strings.Join(parts, "  ")
}
