package screen

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"
)

// Column is one column of a table.
type Column struct {
	Title string
	// Right sets numbers to the right.
	Right bool
	// Drop is the order in which columns go where the table is too wide: the
	// highest first. 0 stays.
	Drop int
}

// Table is rows of text under titles.
type Table struct {
	Columns []Column
	Rows    [][]string
}

const gap = "  "

// render writes the table within width.
func (t Table) render(width int, bold func(string) string) string {
	widths, shown := t.fit(width)
	var b strings.Builder
	line := func(cell func(int) string, style func(string) string) {
		var cells []string
		for _, i := range shown {
			cells = append(cells, pad(cell(i), widths[i], t.Columns[i].Right))
		}
		b.WriteString(style(strings.TrimRight(strings.Join(cells, gap), " ")))
		b.WriteByte('\n')
	}
	line(func(i int) string { return t.Columns[i].Title }, bold)
	for _, row := range t.Rows {
		line(func(i int) string { return row[i] }, func(s string) string { return s })
	}
	return b.String()
}

// fit chooses the columns that are shown and how wide each is. Where even those
// that stay are too wide, the first shrinks.
func (t Table) fit(width int) (widths, shown []int) {
	widths = make([]int, len(t.Columns))
	for i, c := range t.Columns {
		widths[i] = utf8.RuneCountInString(c.Title)
		for _, row := range t.Rows {
			widths[i] = max(widths[i], utf8.RuneCountInString(row[i]))
		}
		shown = append(shown, i)
	}
	total := func() int {
		sum := len(gap) * (len(shown) - 1)
		for _, i := range shown {
			sum += widths[i]
		}
		return sum
	}
	for total() > width {
		first := slices.MaxFunc(shown, func(a, b int) int { return cmp.Compare(t.Columns[a].Drop, t.Columns[b].Drop) })
		if t.Columns[first].Drop == 0 {
			break
		}
		shown = slices.DeleteFunc(shown, func(i int) bool { return i == first })
	}
	if over := total() - width; over > 0 {
		widths[shown[0]] = max(4, widths[shown[0]]-over)
	}
	return widths, shown
}

// pad sets text into width columns.
func pad(text string, width int, right bool) string {
	text = cut(text, width)
	blanks := strings.Repeat(" ", width-utf8.RuneCountInString(text))
	if right {
		return blanks + text
	}
	return text + blanks
}
