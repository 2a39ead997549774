package formula

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common"
	"cel.dev/cel-go/common/operators"
)

// symbols are the operators of a formula as they are written.
var symbols = map[string]string{
	operators.Add: "+", operators.Subtract: "-", operators.Multiply: "*", operators.Divide: "/", operators.Negate: "-",
	operators.Less: "<", operators.LessEquals: "<=", operators.Greater: ">", operators.GreaterEquals: ">=",
	operators.Equals: "==", operators.NotEquals: "!=", operators.In: "in",
	operators.LogicalAnd: "&&", operators.LogicalOr: "||", operators.LogicalNot: "!", operators.Conditional: "? :",
}

// hints are what was meant by signs of other languages.
var hints = map[string]string{
	"=": "; write ==", "&": "; write &&", "|": "; write ||", "and": "; write &&", "or": "; write ||", "not": "; write !",
	"^": "; write pow(x, n)", "“": "; write straight quotes", "”": "; write straight quotes", "„": "; write straight quotes", "‘": "; write straight quotes", "’": "; write straight quotes",
	",": "; a decimal point is '.'", ";": "; a formula is one expression", "×": "; write *", "÷": "; write /", "≤": "; write <=", "≥": "; write >=", "≠": "; write !=",
}

// first is the error that comes first in the text.
func first(issues *cel.Issues) *common.Error {
	list := issues.Errors()
	best := list[0]
	for _, e := range list[1:] {
		if e.Location.Line() < best.Location.Line() || e.Location.Line() == best.Location.Line() && e.Location.Column() < best.Location.Column() {
			best = e
		}
	}
	return best
}

// syntax says what the parser found.
func (s *source) syntax(issues *cel.Issues) *Error {
	e := first(issues)
	if strings.Contains(e.Message, "recursion") {
		return s.atStart(fmt.Sprintf("the formula nests too deep, %d at most", MaxDepth))
	}
	return s.at(e.Location.Line(), e.Location.Column(), unread(e.Message))
}

// The parser's and the lexer's messages, of which the rest is names of their rules.
var (
	wrongInput  = regexp.MustCompile(`(?s)^Syntax error: (?:mismatched|extraneous) input '(.*)' expecting (?:('[^']+')$)?`)
	noInput     = regexp.MustCompile(`(?s)^Syntax error: no viable alternative at input '(.*)'$`)
	missing     = regexp.MustCompile(`(?s)^Syntax error: missing ('.*') at`)
	notRead     = regexp.MustCompile(`(?s)^Syntax error: token recognition error at: '(.*)'$`)
	reserved    = regexp.MustCompile(`^reserved identifier: (.*)$`)
	wrongNumber = regexp.MustCompile(`^invalid (?:double|int|uint) literal$`)
)

// unread is a message of the parser's in words of a formula's.
func unread(message string) string {
	if m := wrongInput.FindStringSubmatch(message); m != nil {
		if m[1] != "<EOF>" {
			return "unexpected " + quoted(m[1]) + hints[m[1]]
		}
		if m[2] != "" {
			return "the formula ends too early; " + m[2] + " is missing"
		}
		return "the formula ends too early"
	}
	if m := notRead.FindStringSubmatch(message); m != nil {
		if strings.HasPrefix(m[1], "'") || strings.HasPrefix(m[1], "\"") {
			return "a text that isn't closed, or has a '\\' that means nothing"
		}
		sign, _, _ := strings.Cut(m[1], " ")
		return quoted(sign) + " has no meaning here" + hints[sign]
	}
	if m := missing.FindStringSubmatch(message); m != nil {
		return m[1] + " is missing"
	}
	if m := noInput.FindStringSubmatch(message); m != nil {
		return "unexpected " + quoted(m[1])
	}
	if m := reserved.FindStringSubmatch(message); m != nil {
		return quoted(m[1]) + " is a reserved word"
	}
	if wrongNumber.MatchString(message) {
		return "a number that is too large"
	}
	return printable(strings.TrimPrefix(message, "Syntax error: "))
}

// The checker's messages: an operation isn't made for what it is given.
var (
	noOverload = regexp.MustCompile(`^found no matching overload for '([^']+)' applied to '(.*)'$`)
	wrongType  = regexp.MustCompile(`^expected type '(.*)' but found '(.*)'$`)
)

// mistyped says what the checker found.
func (s *source) mistyped(issues *cel.Issues) *Error {
	e := first(issues)
	line, column := e.Location.Line(), e.Location.Column()
	return s.at(line, s.name(line, column), unfit(e.Message))
}

// unfit is a message of the checker's in words of a formula's.
func unfit(message string) string {
	if m := wrongType.FindStringSubmatch(message); m != nil {
		return "here has to be " + inWords(m[1]) + ", not " + inWords(m[2])
	}
	m := noOverload.FindStringSubmatch(message)
	if m == nil {
		return printable(message)
	}
	// (double, string), and string.(string) where the first stands before a dot.
	given := strings.FieldsFunc(lists.Replace(m[2]), func(c rune) bool { return strings.ContainsRune(".(), ", c) })
	f := functionByName(m[1])
	if f != nil && !slices.ContainsFunc(given, func(t string) bool { return t != "double" }) {
		return fmt.Sprintf("%s takes %s, not %d", f.name, f.takes, len(given))
	}
	const many = 5
	if len(given) > many {
		given = append(given[:many], "…")
	}
	for i, t := range given {
		given[i] = inWords(t)
	}
	if f != nil {
		return f.name + " takes " + f.takes + ", not " + strings.Join(given, ", ")
	}
	switch {
	case m[1] == operators.Conditional && len(given) == 3 && given[0] != yesNo:
		return "before '?' has to be " + yesNo + ", such as net > 0, not " + given[0]
	case m[1] == operators.Conditional && len(given) == 3:
		return "both sides of ':' have to be of one kind, not " + given[1] + " and " + given[2]
	}
	return "'" + symbols[m[1]] + "' can't be applied to " + strings.Join(given, " and ")
}

var lists = strings.NewReplacer("list(string)", "texts", "list(double)", "numbers")

const yesNo = "a yes or no"

// inWords is a type of CEL's.
func inWords(t string) string {
	switch t {
	case "double", "int":
		return "a number"
	case "string":
		return "a text"
	case "bool":
		return yesNo
	case "texts":
		return "a list of texts"
	case "numbers":
		return "a list of numbers"
	}
	return t
}

// quoted is a piece of a text for a message: printable and not long.
func quoted(piece string) string {
	const enough = 40
	if c := []rune(piece); len(c) > enough {
		piece = string(c[:enough]) + "…"
	}
	return "'" + printable(piece) + "'"
}

// printable is a text without what a terminal would obey.
func printable(text string) string {
	return strings.Map(func(c rune) rune {
		if c == '\t' || unicode.IsPrint(c) {
			return c
		}
		return unicode.ReplacementChar
	}, text)
}
