package screen

import (
	"bytes"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestTable(t *testing.T) {
	table := Table{
		Columns: []Column{{Title: "customer"}, {Title: "value", Right: true}, {Title: "tier", Drop: 2}, {Title: "agent", Drop: 1}},
		Rows:    [][]string{{"0001", "12.50", "gold", "agent-01"}, {"a very long customer key", "7.00", "", "agent-12"}},
	}
	for width, want := range map[int]string{
		80: `customer                  value  tier  agent
0001                      12.50  gold  agent-01
a very long customer key   7.00        agent-12
`,
		42: `customer                  value  agent
0001                      12.50  agent-01
a very long customer key   7.00  agent-12
`,
		20: `customer       value
0001           12.50
a very long …   7.00
`,
	} {
		got := table.render(width, func(s string) string { return s })
		if got != want {
			t.Errorf("width %d:\n%s\nwant\n%s", width, got, want)
		}
		for line := range strings.Lines(got) {
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > width {
				t.Errorf("width %d: a line has %d columns", width, n)
			}
		}
	}
}

func TestFormat(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{Count(0), "0"}, {Count(999), "999"}, {Count(1000), "1,000"}, {Count(-1234567), "-1,234,567"},
		{Money(0, 2), "0.00"}, {Money(-5, 2), "-0.05"}, {Money(123456789, 2), "1,234,567.89"}, {Money(1234, 0), "1,234"}, {Money(1234, 3), "1.234"},
		{Money(-1<<63, 2), "-92,233,720,368,547,758.08"},
		{Percent(123_456), "12.3 %"},
		{Duration(59 * time.Second), "59s"}, {Duration(61 * time.Second), "1m01s"}, {Duration(2*time.Hour + 7*time.Minute), "2h07m"},
		{Printable("a\x1b[31mb\u202e\xff"), "a�[31mb��"},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
}

func TestProgressLine(t *testing.T) {
	p := Progress{Label: "importing", Done: 500, Total: 2000, Count: 100, Unit: "records", Elapsed: 10 * time.Second}
	if got, want := p.Line(), "importing  [=====               ]   25 %  100 records  10/s  30s left"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	p.From = 400 // resumed: only what was done since says how fast it goes
	if got := p.Line(); !strings.Contains(got, "2m30s left") {
		t.Errorf("%q", got)
	}
}

// TestPlain checks that what isn't a terminal gets no control characters, and
// progress only now and then.
func TestPlain(t *testing.T) {
	var b bytes.Buffer
	s := New(&b, func(string) string { return "" })
	for range 100 {
		s.Live("working")
	}
	s.Heading("Totals")
	s.EndLive("done")
	if got, want := b.String(), "\nTotals\ndone\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
