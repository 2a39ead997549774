package history

import "fmt"

// Whitespace as a delimiter: one or more blanks or tabs, none at either end of
// the line, no quotes.
const Whitespace = ' '

// separators are the delimiters that are looked for, the likeliest first.
var separators = []byte{',', ';', '\t', '|'}

// fewestColumns is what any import needs: who, when, and how much or how.
const fewestColumns = 3

// ParseDelimiter reads the value of a --delimiter flag: one character, or
// "tab", or "space" for any run of blanks.
func ParseDelimiter(s string) (byte, error) {
	switch s {
	case "tab", `\t`, "\t":
		return '\t', nil
	case "space", "whitespace", " ":
		return Whitespace, nil
	case "comma":
		return ',', nil
	case "semicolon":
		return ';', nil
	}
	if len(s) == 1 && s[0] > ' ' && s[0] < 0x7f && s[0] != '"' && !isAlphanumeric(s[0]) {
		return s[0], nil
	}
	return 0, fmt.Errorf("delimiter %q: must be one punctuation character, tab or space", s)
}

func isAlphanumeric(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
}

// delimiterName names a delimiter for people.
func delimiterName(d byte) string {
	switch d {
	case Whitespace:
		return "blanks"
	case '\t':
		return "tabs"
	case ',':
		return "commas"
	case ';':
		return "semicolons"
	default:
		return fmt.Sprintf("%q", rune(d))
	}
}

// guessDelimiter chooses the delimiter that gives the most columns to the most
// records of the sample; blanks only where no other does. It answers 0 where
// none gives enough columns.
func guessDelimiter(sample []byte) byte {
	best, bestScore := byte(0), 0.0
	for _, d := range separators {
		if score := regularity(sample, d); score > bestScore {
			best, bestScore = d, score
		}
	}
	if best == 0 && regularity(sample, Whitespace) > 0 {
		best = Whitespace
	}
	return best
}

// regularity answers the commonest number of columns when the sample is cut at
// d, times the share of records that have it; 0 where that is less than half of
// them, or too few columns.
func regularity(sample []byte, d byte) float64 {
	rows, _ := sampleRows(sample, d)
	width, agree := usualWidth(rows), 0
	for _, row := range rows {
		if len(row) == width {
			agree++
		}
	}
	if width < fewestColumns || agree*2 < len(rows) {
		return 0
	}
	return float64(width) * float64(agree) / float64(len(rows))
}
