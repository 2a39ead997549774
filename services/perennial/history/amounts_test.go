package history

import (
	"fmt"
	"math/big"
	"strings"
	"testing"
)

func TestParseAmount(t *testing.T) {
	for _, c := range []struct {
		text     string
		mark     byte
		decimals int
		want     string // minor units, or a part of the error
	}{
		{"29.33", '.', 2, "2933"},
		{"0.1", '.', 2, "10"},
		{"0", '.', 2, "0"},
		{".5", '.', 2, "50"},
		{"5.", '.', 2, "500"},
		{"+7", '.', 2, "700"},
		{"1,234,567.89", '.', 2, "123456789"},
		{"1.234.567,89", ',', 2, "123456789"},
		{"1 234 567,89", ',', 2, "123456789"},
		{"1'234.50", '.', 2, "123450"},
		{"$ 12.00", '.', 2, "1200"},
		{"12.00 EUR", '.', 2, "1200"},
		{"€1.200,5", ',', 2, "120050"},
		{"100", '.', 0, "100"},
		{"100.00", '.', 0, "100"},
		{"1.234", '.', 3, "1234"},
		{"0.29", '.', 2, "29"}, // 0.29 × 100 is 28.999… in floating point
		{"9007199254740993.01", '.', 2, "900719925474099301"},
		{"29.333", '.', 2, "decimals"},
		{"100.5", '.', 0, "decimals"},
		{"-5", '.', 2, "negative"},
		{"(5.00)", '.', 2, "negative"},
		{"$-5", '.', 2, "negative"},
		{"x5", '.', 2, "isn't an amount"},
		{"5 apples", '.', 2, "isn't an amount"},
		{"$x5", '.', 2, "isn't an amount"},
		{"USD5", '.', 2, "500"},
		{"5£", '.', 2, "500"},
		{"5-", '.', 2, "isn't an amount"},
		{"1,23", '.', 2, "isn't an amount"},
		{"12,34.56", '.', 2, "isn't an amount"},
		{"1.2.3", '.', 2, "isn't an amount"},
		{"1e3", '.', 2, "isn't an amount"},
		{"0x10", '.', 2, "isn't an amount"},
		{"", '.', 2, "isn't an amount"},
		{".", '.', 2, "isn't an amount"},
		{"NaN", '.', 2, "isn't an amount"},
		{"inf", '.', 2, "isn't an amount"},
		{"٣", '.', 2, "isn't an amount"},
		{strings.Repeat("9", 40), '.', 2, "too large"},
	} {
		minor, err := parseAmount(c.text, c.mark, c.decimals)
		if got := fmt.Sprint(minor); err == nil && got != c.want {
			t.Errorf("%q: %s, want %s", c.text, got, c.want)
		}
		if err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, want %s", c.text, err, c.want)
		}
	}
}

// FuzzParseAmount compares every amount that is read with rational arithmetic.
func FuzzParseAmount(f *testing.F) {
	f.Add("1,234.50", byte('.'), uint8(2))
	f.Add("1.234,5", byte(','), uint8(3))
	f.Fuzz(func(t *testing.T, text string, mark byte, decimals uint8) {
		if mark != '.' && mark != ',' || decimals > 4 {
			t.Skip("no such currency")
		}
		minor, err := parseAmount(text, mark, int(decimals))
		if err != nil {
			return
		}
		digits := strings.Map(func(r rune) rune {
			switch {
			case r == rune(mark):
				return '.'
			case r >= '0' && r <= '9':
				return r
			}
			return -1
		}, text)
		want, ok := new(big.Rat).SetString(digits)
		if strings.Trim(digits, ".") == "" || strings.HasPrefix(digits, ".") && digits == "." {
			t.Fatalf("%q has no digits and is read as %d", text, minor)
		}
		if !ok {
			t.Fatalf("%q is read as %d and isn't a number", text, minor)
		}
		scale := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(decimals)), nil)
		if want.Mul(want, new(big.Rat).SetInt(scale)).Cmp(new(big.Rat).SetInt64(minor)) != 0 {
			t.Fatalf("%q is read as %d, it is %s", text, minor, want)
		}
	})
}

func TestGuessMark(t *testing.T) {
	for _, c := range []struct {
		samples string
		want    byte
	}{
		{"29.33 5 100", '.'},
		{"29,33 5 100", ','},
		{"1.234,50 7", ','},
		{"1,234.50 7", '.'},
		{"1,234 5,678", '.'}, // could be either: thousands
		{"1,234 5,6", ','},
		{"1.234 5.678", '.'}, // each line will be refused: too many decimals
		{"1.000 2.500 1,5", ','},
		{"1.000 2.501", 0},
		{"1.000 2.500 7", 0}, // one, or a thousand?
		{"", '.'},
	} {
		if got, unclear := guessMark(strings.Fields(c.samples), 2); got != c.want || (unclear == "") != (c.want != 0) {
			t.Errorf("%q: %q, %q, want %q", c.samples, got, unclear, c.want)
		}
	}
	if got, unclear := guessMark([]string{"1.234", "5.678"}, 3); got != 0 || unclear == "" {
		t.Errorf("a currency of three decimals: %q", got)
	}
}
