package formula

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// TestErrors: what is wrong and where, of one thing at a time.
func TestErrors(t *testing.T) {
	for text, want := range map[string]string{
		// names
		"1.25 * net / nett":           "1:14: undeclared reference to 'nett'; did you mean net?",
		"silentDays":                  "1:1: undeclared reference to 'silentDays'; did you mean silent_days?",
		"2 * purchase":                "1:5: undeclared reference to 'purchase'; did you mean purchases?",
		"foo":                         "1:1: undeclared reference to 'foo'",
		"'ü' == nett ? 1 : 2":         "1:8: undeclared reference to 'nett'; did you mean net?",
		"'日本𝄞' == segment ? nett : 2": "1:20: undeclared reference to 'nett'; did you mean net?",
		"net\n\t* nett":               "2:4: undeclared reference to 'nett'; did you mean net?",
		"net\r\n* nett":               "2:3: undeclared reference to 'nett'; did you mean net?",
		"2 * mxa(1, 2)":               "1:5: undeclared function 'mxa'; did you mean max?",
		"exp(1)":                      "1:1: undeclared function 'exp'; there are min, max, pow, sqrt, abs, floor, ceil, startsWith",
		// kinds
		"segment":                      "1:1: the formula gives a text; it has to give a number",
		" net > 0":                     "1:2: the formula gives a yes or no; it has to give a number",
		"net + segment":                "1:5: '+' can't be applied to a number and a text",
		"'a' + 'b' == segment ? 1 : 2": "1:5: '+' can't be applied to a text and a text",
		"segment < 'b' ? 1 : 2":        "1:9: '<' can't be applied to a text and a text",
		"net == segment ? 1 : 2":       "1:5: '==' can't be applied to a number and a text",
		"net ? 1 : 2":                  "1:5: before '?' has to be a yes or no, such as net > 0, not a number",
		"net > 0 ? 1 : segment":        "1:9: both sides of ':' have to be of one kind, not a number and a text",
		"net > 0 && segment ? 1 : 2":   "1:12: here has to be a yes or no, not a text",
		"!net":                         "1:1: '!' can't be applied to a number",
		"2 * min(1)":                   "1:5: min takes two to four numbers, not 1",
		"min(1, 2, 3, 4, 5)":           "1:1: min takes two to four numbers, not 5",
		"max(1, 'a')":                  "1:1: max takes two to four numbers, not a number, a text",
		"net.startsWith('a') ? 1 : 2":  "1:5: startsWith takes a text before the dot and one text in brackets, not a number, a text",
		"2 * pow(2, 0.5)":              "1:12: pow takes a whole exponent, -1000 to 1000",
		// what CEL has and a formula hasn't
		"net % 2":                       "1:5: there is no '%'; the remainder of x / y is x - y * floor(x / y)",
		"segment.matches('a*') ? 1 : 2": "1:9: undeclared function 'matches'; there are min, max, pow, sqrt, abs, floor, ceil, startsWith",
		"[1, 2].exists(x, x > 1)":       "1:8: undeclared function 'exists'; there are min, max, pow, sqrt, abs, floor, ceil, startsWith",
		"[1]":                           "1:1: a list may only stand behind 'in'",
		"segment in region ? 1 : 2":     "1:12: behind 'in' stands a list of texts or of numbers, such as [\"a\", \"b\"]",
		"net in [1, 'a'] ? 1 : 2":       "1:12: behind 'in' stands a list of texts or of numbers, such as [\"a\", \"b\"]",
		"net in [] ? 1 : 2":             "1:8: behind 'in' stands a list of texts or of numbers, such as [\"a\", \"b\"]",
		"net in ['a'] ? 1 : 2":          "1:5: 'in' can't be applied to a number and a list of texts",
		"net.x":                         "1:4: nothing here has a part '.x'",
		"segment[0]":                    "1:8: nothing here has parts to be taken by '[ ]'",
		"{}":                            "1:1: a formula has no maps and no messages",
		"null":                          "1:1: a formula has numbers, texts, true and false only",
		"b'a'":                          "1:1: a formula has numbers, texts, true and false only",
		// what can't be read
		"":                     "1:1: the formula is empty",
		" \n":                  "1:1: the formula is empty",
		"net +":                "1:6: the formula ends too early",
		"(net":                 "1:5: ')' is missing",
		"net > 1 ? 2":          "1:12: the formula ends too early; ':' is missing",
		"net)":                 "1:4: unexpected ')'",
		"net net":              "1:5: unexpected 'net'",
		"net; net":             "1:4: ';' has no meaning here; a formula is one expression",
		"1,5 * net":            "1:2: unexpected ','; a decimal point is '.'",
		"net = 3 ? 1 : 2":      "1:5: '=' has no meaning here; write ==",
		"net > 3 and net < 4":  "1:9: unexpected 'and'; write &&",
		"net^2":                "1:4: '^' has no meaning here; write pow(x, n)",
		"segment == “a” ? 1:2": "1:12: '“' has no meaning here; write straight quotes",
		"'ü' == 'a":            "1:8: a text that isn't closed, or has a '\\' that means nothing",
		"for":                  "1:1: 'for' is a reserved word",
		"1e400":                "1:1: a number that is too large",
		"net\x1b[31m":          "1:4: '\ufffd' has no meaning here",
		"ü\xff":                "1:2: the formula isn't valid UTF-8",
		"net\n\xff":            "2:1: the formula isn't valid UTF-8",
	} {
		_, err := Compile(text)
		if err == nil || err.Error() != want {
			t.Errorf("%q:\n got %v\nwant %s", text, err, want)
		}
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("%q: %T", text, err)
		}
	}
}

// TestExcerpt: the caret stands under what is meant, and nothing that a terminal would obey is shown.
func TestExcerpt(t *testing.T) {
	for text, want := range map[string]string{
		"net / nett":                "net / nett\n      ^\n",
		"net\r\n\t* nett\r\n+ 1":    "\t* nett\n\t  ^\n",
		"'ü' == nett ? 1 : 2":       "'ü' == nett ? 1 : 2\n       ^\n",
		"net +":                     "net +\n     ^\n",
		"'\x1b[2J' == nett ? 1 : 2": "'\ufffd[2J' == nett ? 1 : 2\n          ^\n",
		strings.Repeat(" ", 2001):   "",
		"":                          "",
	} {
		var e *Error
		if _, err := Compile(text); !errors.As(err, &e) || e.Excerpt() != want {
			t.Errorf("%q: %q", text, e.Excerpt())
		}
	}
}

// TestBounds: what is too long, too deep or too dear is refused, and soon.
func TestBounds(t *testing.T) {
	mustCompile(t, "net") // the language is made once
	deep, dear := "nests too deep, 100 at most", "may cost"
	for name, c := range map[string]struct{ text, want string }{
		"4 MB":           {strings.Repeat("net+", 1<<20) + "net", "the formula has 4194307 bytes, 2000 at most"},
		"2,001 bytes":    {strings.Repeat(" ", 1998) + "net", "2001 bytes"},
		"2,000 bytes":    {strings.Repeat(" ", 1997) + "net", ""},
		"brackets":       {strings.Repeat("(", 990) + "1" + strings.Repeat(")", 990), deep},
		"60 brackets":    {strings.Repeat("(", 60) + "1" + strings.Repeat(")", 60), ""},
		"open":           {strings.Repeat("(", 2000), deep},
		"lists":          {strings.Repeat("[", 2000), deep},
		"calls":          {strings.Repeat("abs(", 390) + "1" + strings.Repeat(")", 390), deep},
		"conditions":     {strings.Repeat("net>1?1:", 240) + "2", deep},
		"60 conditions":  {strings.Repeat("net>1?1:", 60) + "2", ""},
		"a sum of 400":   {"net" + strings.Repeat("+net", 399), deep},
		"a sum of 90":    {"net" + strings.Repeat("+net", 89), ""},
		"minus":          {strings.Repeat("-", 1999) + "1", ""},
		"not":            {strings.Repeat("!", 1900) + "true ? 1 : 2", ""},
		"dots":           {"net" + strings.Repeat(".a", 900), deep},
		"arguments":      {"min(" + strings.Repeat("1,", 900) + "1)", "not 901"},
		"a list of 480":  {"segment in [" + strings.Repeat("'a',", 479) + "'b'] ? 1 : 2", ""},
		"comparisons":    {strings.Repeat("segment==region||", 110) + "true ? 1 : 2", dear},
		"40 comparisons": {strings.Repeat("segment==region||", 40) + "true ? 1 : 2", ""},
		"junk":           {strings.Repeat("$%&", 660), "'$' has no meaning"},
		"more junk":      {strings.Repeat("net ) (", 280), "unexpected ')'"},
		"question marks": {strings.Repeat("?", 2000), "unexpected '?'"},
		"a long name":    {strings.Repeat("n", 2000), "undeclared reference to 'nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn…'"},
	} {
		start := time.Now()
		_, err := Compile(c.text)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v", name, err)
		}
		if took := time.Since(start); took > time.Second {
			t.Errorf("%s: took %v", name, took)
		}
	}
}
