package history

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// parseAmount reads decimal text as minor units of a currency with the given
// number of decimals, exactly. mark is the decimal mark, '.' or ','; the other
// one may divide groups of three digits. A currency sign or code around the
// number is dropped.
func parseAmount(s string, mark byte, decimals int) (int64, error) {
	text := bare(s)
	if strings.HasPrefix(text, "-") || strings.HasPrefix(text, "(") {
		return 0, fmt.Errorf("%q is negative: only purchases are imported here, refunds are events of their own", s)
	}
	whole, fraction, _ := strings.Cut(strings.TrimPrefix(text, "+"), string(mark))
	whole, ok := ungroup(whole, mark)
	if !ok || whole+fraction == "" {
		return 0, fmt.Errorf("%q isn't an amount with %q as its decimal mark", s, mark)
	}
	if strings.Trim(whole+fraction, "0123456789") != "" {
		return 0, fmt.Errorf("%q isn't an amount with %q as its decimal mark", s, mark)
	}
	for len(fraction) > decimals && fraction[len(fraction)-1] == '0' {
		fraction = fraction[:len(fraction)-1]
	}
	if len(fraction) > decimals {
		return 0, fmt.Errorf("%q has more than the %d decimals of its currency", s, decimals)
	}
	minor, err := strconv.ParseInt(whole+fraction+strings.Repeat("0", decimals-len(fraction)), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is too large", s)
	}
	return minor, nil
}

// bare drops a currency sign, or a code of three letters, before or after a
// number.
func bare(s string) string {
	edge := func(s, text string) string {
		letters := strings.Trim(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == "" && len(text) == 3
		if sign, size := utf8.DecodeRuneInString(text); letters || size == len(text) && unicode.Is(unicode.Sc, sign) {
			return ""
		}
		return s
	}
	const number = "0123456789-+().,"
	s = strings.TrimSpace(s)
	first, last := strings.IndexAny(s, number), strings.LastIndexAny(s, number)
	if first < 0 {
		return s
	}
	before, after := s[:first], s[last+1:]
	return edge(before, strings.TrimSpace(before)) + s[first:last+1] + edge(after, strings.TrimSpace(after))
}

// spaces divide groups of digits, too: blanks, no-break ones, apostrophes.
var spaces = strings.NewReplacer(" ", ",", "\u00a0", ",", "\u202f", ",", "'", ",", "\u2019", ",")

// ungroup drops what divides groups of three digits: a space, or the mark that
// isn't the decimal one. It answers false where the groups aren't of three.
func ungroup(whole string, mark byte) (string, bool) {
	if mark == ',' {
		whole = strings.ReplaceAll(whole, ".", ",")
	}
	groups := strings.Split(spaces.Replace(whole), ",")
	for i, g := range groups {
		if i > 0 && len(g) != 3 || i == 0 && len(groups) > 1 && (g == "" || len(g) > 3) {
			return "", false
		}
	}
	return strings.Join(groups, ""), true
}

// guessMark answers the decimal mark of the samples: of each the last of '.' and
// ',' that has other than three digits after it, or stands after the other one.
// What can't be told is a point, unless an amount could be taken for a thousandth
// of itself without a word: then the answer is that one.
func guessMark(samples []string, decimals int) (mark byte, unclear string) {
	points, commas := 0, 0
	for _, s := range samples {
		s = strings.TrimSpace(s)
		last := strings.LastIndexAny(s, ".,")
		if last < 0 {
			continue
		}
		other := strings.ContainsAny(s[:last], ".,") && !strings.Contains(s[:last], s[last:last+1])
		if len(s)-last-1 == 3 && !other {
			// It may divide thousands. Where the currency has fewer decimals that is no
			// danger, because the other reading is refused, unless it ends in zeros.
			if decimals >= 3 || s[len(s)-1] == '0' {
				unclear = s
			}
			continue
		}
		if s[last] == ',' {
			commas++
		} else {
			points++
		}
	}
	switch {
	case commas > points:
		return ',', ""
	case points > 0 || unclear == "":
		return '.', ""
	}
	return 0, unclear
}
