package formula

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"cel.dev/cel-go/cel"

	"github.com/perennial-cltv/perennial/pkg/cltv"
)

// Compile makes a formula of a text: one expression whose result is a number. The error is an *Error.
func Compile(text string) (cltv.Formula, error) {
	f, wrong := compile(text)
	if wrong != nil {
		return nil, wrong
	}
	return f, nil
}

func compile(text string) (*formula, *Error) {
	switch {
	case len(text) > MaxBytes:
		return nil, &Error{Line: 1, Column: 1, Text: fmt.Sprintf("the formula has %d bytes, %d at most", len(text), MaxBytes)}
	case !utf8.ValidString(text):
		return nil, notUTF8(text)
	case strings.TrimSpace(text) == "":
		return nil, &Error{Line: 1, Column: 1, Text: "the formula is empty"}
	}
	s := newSource(text)
	e := language()
	parsed, issues := e.Parse(text)
	if issues.Err() != nil {
		return nil, s.syntax(issues)
	}
	if wrong := s.admit(parsed); wrong != nil {
		return nil, wrong
	}
	checked, issues := e.Check(parsed)
	if issues.Err() != nil {
		return nil, s.mistyped(issues)
	}
	if t := checked.OutputType(); t != cel.DoubleType && t != cel.IntType {
		return nil, s.atStart(fmt.Sprintf("the formula gives %s; it has to give a number", inWords(t.String())))
	}
	estimate, err := e.EstimateCost(checked, sizes{})
	if err != nil {
		return nil, s.atStart(err.Error())
	}
	if estimate.Max > MaxCost {
		return nil, s.atStart(fmt.Sprintf("the formula may cost %d a customer, %d at most; shorten it, or compare fewer texts", estimate.Max, MaxCost))
	}
	program, err := e.Program(checked, cel.EvalOptions(cel.OptOptimize), cel.CostLimit(MaxCost))
	if err != nil {
		return nil, s.atStart(err.Error())
	}
	return &formula{program}, nil
}
