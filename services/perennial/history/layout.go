package history

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/perennial-cltv/perennial/pkg/cltv"
)

// SampleBytes is how much of a file is looked at before its first record is
// made an event.
const SampleBytes = 1 << 20

// Options is what the user says about a file. Zero values are found out.
type Options struct {
	Kind    Kind
	Columns Columns
	// Delimiter as ParseDelimiter answers it.
	Delimiter byte
	// DateFormat with a Name; see ParseDateFormat.
	DateFormat DateFormat
	// Mark is the decimal mark, '.' or ','.
	Mark byte
	// Zone is where times without a zone are local.
	Zone *time.Location
	// Tenant and Source go into every event.
	Tenant, Source string
	// Currency is that of amounts without a column of their own, ISO 4217.
	Currency string
	// Dispositions maps a dialer's codes, upper case, to names of the schema.
	Dispositions map[string]string
}

// Layout is all that is known of a file before its first record.
type Layout struct {
	Options
	// Header is nil where the file has none.
	Header []string
	// Width is the usual number of columns.
	Width     int
	positions map[string]int
	// headerLine is the line of the header; blank lines may come before it.
	headerLine int64
}

// Inspect finds out from the first SampleBytes of a file what o leaves open. Its
// errors are mistakes in o or in the file, with field and value.
func Inspect(sample []byte, o Options) (*Layout, error) {
	if len(bytes.TrimSpace(bytes.TrimPrefix(sample, []byte("\xef\xbb\xbf")))) == 0 {
		return nil, errors.New("the file is empty")
	}
	if len(sample) >= SampleBytes { // the last line may be cut
		if end := bytes.LastIndexByte(sample, '\n'); end > 0 {
			sample = sample[:end+1]
		}
	}
	if o.Delimiter == 0 {
		if o.Delimiter = guessDelimiter(sample); o.Delimiter == 0 {
			return nil, fmt.Errorf("no delimiter cuts the file into %d columns or more; give it by --delimiter", fewestColumns)
		}
	}
	l := &Layout{Options: o}
	rows, line := sampleRows(sample, o.Delimiter)
	l.headerLine = line
	if len(rows) == 0 {
		return nil, errors.New("no line of the file's beginning can be cut into columns")
	}
	l.Width = usualWidth(rows)
	if err := l.findColumns(rows); err != nil {
		return nil, err
	}
	if l.Header != nil {
		rows = rows[1:]
	}
	err := l.findFormats(rows)
	return l, err
}

// sampleRows answers the first records that can be cut, and the line of the
// first of them.
func sampleRows(sample []byte, delimiter byte) (rows [][]string, line int64) {
	r := NewReader(bytes.NewReader(sample), delimiter)
	for len(rows) < 1000 {
		rec, ok := r.Next()
		if !ok {
			break
		}
		if rec.Err == nil {
			rows = append(rows, slices.Clone(rec.Fields))
		}
		if len(rows) == 1 {
			line = rec.Line
		}
	}
	return rows, line
}

// usualWidth answers the commonest number of columns, of two as common the
// greater.
func usualWidth(rows [][]string) int {
	counts := map[int]int{}
	width := 0
	for _, row := range rows {
		n := len(row)
		counts[n]++
		if counts[n] > counts[width] || counts[n] == counts[width] && n > width {
			width = n
		}
	}
	return width
}

// findColumns decides whether the first row is a header and where each field's
// column is. Columns named by number leave it open: then a first row that has
// no digit where the date should be is a header.
func (l *Layout) findColumns(rows [][]string) (err error) {
	if !l.Columns.numbered() {
		l.Header = rows[0]
		if len(l.Header) > l.Width {
			l.Width = len(l.Header)
		}
		if l.positions, err = l.Columns.resolve(l.Header, l.Width); err != nil && !slices.ContainsFunc(rows[0], isWord) {
			l.Header = nil
			_, err = l.Columns.resolve(nil, l.Width)
		}
		return err
	}
	if l.positions, err = l.Columns.resolve(nil, l.Width); err != nil {
		return err
	}
	if at := l.positions[fieldAt]; at < len(rows[0]) && !strings.ContainsAny(rows[0][at], "0123456789") {
		l.Header = rows[0]
	}
	return nil
}

// isWord answers whether s looks like the name of a column.
func isWord(s string) bool { return s != "" && !strings.ContainsAny(s[:1], "0123456789-+.$") }

// findFormats guesses how dates and amounts are written.
func (l *Layout) findFormats(rows [][]string) (err error) {
	if len(rows) == 0 {
		return errors.New("the file has a header and no line after it")
	}
	if l.DateFormat.Name == "" {
		if l.DateFormat, err = guessDateFormat(l.column(rows, fieldAt), l.Zone); err != nil {
			return err
		}
	}
	if l.Mark == 0 {
		amounts := l.column(rows, fieldAmount)
		var unclear string
		if l.Mark, unclear = guessMark(append(amounts, l.column(rows, fieldCost)...), cltv.MinorDigits(l.Currency)); unclear != "" {
			return fmt.Errorf("%s: whether %q has decimals or thousands can't be told; say which mark is the decimal one by --decimal", fieldAmount, unclear)
		}
	}
	return nil
}

// column answers what a field has in the rows, without empty ones.
func (l *Layout) column(rows [][]string, field string) []string {
	position, ok := l.positions[field]
	if !ok {
		return nil
	}
	var values []string
	for _, row := range rows {
		if position < len(row) && row[position] != "" {
			values = append(values, row[position])
		}
	}
	return values
}

// NewReader reads a file of this layout from its beginning.
func (l *Layout) NewReader(src io.Reader) *Reader {
	r := NewReader(src, l.Delimiter)
	r.columns = l.Width
	return r
}

// IsHeader answers whether rec is the header, which is no data.
func (l *Layout) IsHeader(rec Record) bool {
	return l.Header != nil && slices.Equal(rec.Fields, l.Header) && rec.Line <= l.headerLine
}

// String says in one line for people what was found out.
func (l *Layout) String() string {
	header := "no header"
	if l.Header != nil {
		header = "a header"
	}
	amounts := ""
	if _, ok := l.positions[fieldAmount]; ok {
		amounts = fmt.Sprintf(", amounts in %s with %q", l.currencyName(), l.Mark)
	}
	return fmt.Sprintf("%d columns divided by %s, %s, dates as %s in %s%s",
		l.Width, delimiterName(l.Delimiter), header, l.DateFormat.Name, l.Zone, amounts)
}

func (l *Layout) currencyName() string {
	if _, ok := l.positions[fieldCurrency]; ok {
		return "the currency of their column"
	}
	if l.Currency == NoCurrency {
		return "a currency that isn't said"
	}
	return l.Currency
}
