package formula

import (
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/perennial-cltv/perennial/pkg/cltv"
)

// FuzzCompile: no text makes Compile panic; an error has its place within the text; what compiles gives a finite number or none, twice the
// same, within its cost.
func FuzzCompile(f *testing.F) {
	for _, text := range []string{
		"net", "net / purchases", "silent_days > 90 ? 0 : predicted_value * 1.2", "segment in ['a', 'b'] && region.startsWith(\"s\") ? 1 : -2.5", "pow(1 + discount, -2)",
		"min(1, 2, 3) - max(net, 4)", "net +", "'ü' == nett", "((((1))))", "[1].map(x, x)", "net.x[0]{a: 1}", "1u + 0xff", "b'a' + null", "r'''a'''", "net // c\n*2", "!!true ? 1 : 2", "a.b.c(1)", "sqrt(-1) / 0", "%", "\xff",
	} {
		f.Add(text)
	}
	long := strings.Repeat("ü", maxText)
	customers := []*cltv.Aggregates{{}, someone(), {Net: 1e308, Gross: -1e308, Purchases: 1 << 62, LastScore: -1, Segment: long, Region: long}}
	f.Fuzz(func(t *testing.T, text string) {
		start := time.Now()
		value, err := Compile(text)
		if took := time.Since(start); took > 5*time.Second {
			t.Fatalf("%q: took %v", text, took)
		}
		if err != nil {
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("%T", err)
			}
			lines := strings.Split(text, "\n")
			if e.Line < 1 || e.Line > len(lines) || e.Column < 1 || e.Column > utf8.RuneCountInString(lines[e.Line-1])+1 || !utf8.ValidString(err.Error()) || e.Text == "" {
				t.Fatalf("%q: %+v", text, e)
			}
			e.Excerpt()
			return
		}
		for _, a := range customers {
			before := *a
			v, ok := value.Value(a)
			again, okAgain := value.Value(a)
			if ok != okAgain || v != again || !isFinite(v) || *a != before {
				t.Fatalf("%q: %v %v, then %v %v", text, v, ok, again, okAgain)
			}
			if _, _, err := value.(*formula).program.Eval((*customer)(a)); err != nil && !strings.Contains(err.Error(), "no finite number") {
				t.Fatalf("%q: %v", text, err)
			}
		}
	})
}
