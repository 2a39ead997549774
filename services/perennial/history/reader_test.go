package history

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// readAll reads text and answers its records as text: line number, fields, error.
func readAll(text string, delimiter byte, width int) []string {
	r := NewReader(iotest.OneByteReader(strings.NewReader(text)), delimiter)
	r.columns = width
	var got []string
	for {
		rec, ok := r.Next()
		if !ok {
			return got
		}
		if rec.Err != nil {
			got = append(got, fmt.Sprintf("%d! %s", rec.Line, rec.Err))
			continue
		}
		got = append(got, fmt.Sprintf("%d: %s", rec.Line, strings.Join(rec.Fields, "|")))
	}
}

// TestReader names what files do to a reader, and what it makes of it.
func TestReader(t *testing.T) {
	for _, c := range []struct {
		name, text string
		delimiter  byte
		width      int
		want       []string
	}{
		{"empty", "", ',', 0, nil},
		{"only blank lines", "\n\r\n \n", ',', 0, nil},
		{"last line without an end", "a,b\nc,d", ',', 0, []string{"1: a|b", "2: c|d"}},
		{"CRLF and blank lines", "a,b\r\n\r\nc,d\r\n", ',', 0, []string{"1: a|b", "3: c|d"}},
		{"byte order mark", "\xef\xbb\xbfa,b\n", ',', 0, []string{"1: a|b"}},
		{"only a byte order mark", "\xef\xbb\xbf", ',', 0, nil},
		{"quotes", `"a,b","c ""d"""` + "\n", ',', 0, []string{`1: a,b|c "d"`}},
		{"quotes over lines", "\"a\nb\",c\nd,e\n", ',', 2, []string{"1: a\nb|c", "3: d|e"}},
		{"text after a quote", `"a"b,c` + "\n", ',', 0, []string{"1: ab|c"}},
		{"empty columns", ",,\n", ',', 0, []string{"1: ||"}},
		{"quote never closed", "a,\"b\nc,d\ne,f\n", ',', 0, []string{"1! " + errQuote.Error(), "2: c|d", "3: e|f"}},
		{"quote never closed in the last line", "a,b\nc,\"d", ',', 0, []string{"1: a|b", "2! " + errQuote.Error()}},
		{"two stray quotes", "a,\"b\nc,d\n\"e,f\ng,h\n", ',', 2, []string{"1! " + errQuote.Error(), "2: c|d", "3! " + errQuote.Error(), "4: g|h"}},
		{"blanks", " 00004 0001  19970101\t2   29.33\r\n", Whitespace, 0, []string{"1: 00004|0001|19970101|2|29.33"}},
		{"a quote among blanks", "a \"b c\n", Whitespace, 0, []string{"1: a|\"b|c"}},
		{"too long", "a,b\n" + strings.Repeat("x", 10<<20) + ",y\nc,d\n", ',', 0,
			[]string{"1: a|b", fmt.Sprintf("2! longer than %d bytes", MaxRecord), "3: c|d"}},
		{"too long at the end", strings.Repeat("x", MaxRecord+1), ',', 0, []string{fmt.Sprintf("1! longer than %d bytes", MaxRecord)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := readAll(c.text, c.delimiter, c.width); !slices.Equal(got, c.want) {
				t.Errorf("got  %.500q\nwant %.500q", got, c.want)
			}
		})
	}
}

// FuzzReader checks on any bytes that records follow one another without gap or
// overlap, that nothing but blank lines is left out, and that the way the bytes
// arrive makes no difference.
func FuzzReader(f *testing.F) {
	f.Add([]byte("a,b,c\n\"d\ne\",f,g\r\n"), byte(','), 3)
	f.Add([]byte("\xef\xbb\xbf 1 2 3\n\n4 5 6"), byte(Whitespace), 0)
	f.Add([]byte("a;\"b\nc;d\n"), byte(';'), 2)
	f.Fuzz(func(t *testing.T, text []byte, delimiter byte, width int) {
		if delimiter == '\n' || delimiter == '"' || delimiter == '\r' {
			t.Skip("no delimiter")
		}
		whole, pieces := NewReader(bytes.NewReader(text), delimiter), NewReader(iotest.HalfReader(bytes.NewReader(text)), delimiter)
		whole.columns, pieces.columns = width, width
		at := int64(0)
		if bytes.HasPrefix(text, []byte("\xef\xbb\xbf")) {
			at = 3
		}
		for {
			a, ok := whole.Next()
			b, okPieces := pieces.Next()
			if ok != okPieces || a.Line != b.Line || a.End != b.End || !slices.Equal(a.Fields, b.Fields) || (a.Err == nil) != (b.Err == nil) {
				t.Fatalf("whole %+v %v, in pieces %+v %v", a, ok, b, okPieces)
			}
			if !ok {
				break
			}
			if a.Offset < at || len(bytes.TrimSpace(text[at:a.Offset])) > 0 {
				t.Fatalf("between offset %d and %d something was left out", at, a.Offset)
			}
			if a.End <= a.Offset || a.Line != int64(1+bytes.Count(text[:a.Offset], []byte("\n"))) {
				t.Fatalf("record at offset %d: ends at %d, line %d", a.Offset, a.End, a.Line)
			}
			at = a.End
		}
		if len(bytes.TrimSpace(text[at:])) > 0 {
			t.Fatalf("after offset %d something was left out", at)
		}
	})
}
