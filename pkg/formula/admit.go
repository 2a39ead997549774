package formula

import (
	"cmp"
	"fmt"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
)

// admit refuses what a formula may not say before types are looked at, so that a message is about what somebody wrote, and
// makes every number a double.
func (s *source) admit(parsed *cel.Ast) *Error {
	a := parsed.NativeRep()
	r := reader{source: s, info: a.SourceInfo(), factory: ast.NewExprFactory()}
	return r.expression(a.Expr())
}

type reader struct {
	*source
	info    *ast.SourceInfo
	factory ast.ExprFactory
}

func (r *reader) expression(e ast.Expr) *Error {
	switch e.Kind() {
	case ast.LiteralKind:
		return r.literal(e)
	case ast.IdentKind:
		if _, known := variableByName[e.AsIdent()]; !known {
			return r.wrong(e, "undeclared reference to "+quoted(e.AsIdent())+meant(e.AsIdent(), variableNames))
		}
		return nil
	case ast.CallKind:
		return r.call(e)
	case ast.ListKind:
		return r.wrong(e, "a list may only stand behind 'in'")
	case ast.SelectKind:
		return r.wrong(e, "nothing here has a part "+quoted("."+e.AsSelect().FieldName()))
	case ast.MapKind, ast.StructKind, ast.ComprehensionKind, ast.UnspecifiedExprKind:
		return r.wrong(e, "a formula has no maps and no messages")
	}
	return r.wrong(e, "a formula can't say this")
}

func (r *reader) literal(e ast.Expr) *Error {
	switch v := e.AsLiteral().(type) {
	case types.Int:
		e.SetKindCase(r.factory.NewLiteral(e.ID(), types.Double(v)))
	case types.Uint:
		e.SetKindCase(r.factory.NewLiteral(e.ID(), types.Double(v)))
	case types.Double, types.String, types.Bool:
	default:
		return r.wrong(e, "a formula has numbers, texts, true and false only")
	}
	return nil
}

func (r *reader) call(e ast.Expr) *Error {
	call := e.AsCall()
	name := call.FunctionName()
	switch _, operator := symbols[name]; {
	case name == operators.In:
		if wrong := r.expression(call.Args()[0]); wrong != nil {
			return wrong
		}
		return r.list(call.Args()[1])
	case operator:
	case name == operators.Index:
		return r.wrong(e, "nothing here has parts to be taken by '[ ]'")
	case name == operators.Modulo:
		return r.wrong(e, "there is no '%'; the remainder of x / y is x - y * floor(x / y)")
	case functionByName(name) == nil:
		return r.wrong(e, "undeclared function "+quoted(name)+cmp.Or(meant(name, functionNames), "; there are "+strings.Join(functionNames, ", ")))
	}
	if call.IsMemberFunction() {
		if wrong := r.expression(call.Target()); wrong != nil {
			return wrong
		}
	}
	for _, argument := range call.Args() {
		if wrong := r.expression(argument); wrong != nil {
			return wrong
		}
	}
	if name == "pow" && len(call.Args()) == 2 && call.Args()[1].Kind() == ast.LiteralKind {
		if n, ok := call.Args()[1].AsLiteral().(types.Double); ok && !isExponent(float64(n)) {
			return r.wrong(call.Args()[1], fmt.Sprintf("pow takes a whole exponent, -%d to %d", maxPower, maxPower))
		}
	}
	return nil
}

// list admits what may stand behind 'in': literals of one kind.
func (r *reader) list(e ast.Expr) *Error {
	const must = "behind 'in' stands a list of texts or of numbers, such as [\"a\", \"b\"]"
	if e.Kind() != ast.ListKind || e.AsList().Size() == 0 {
		return r.wrong(e, must)
	}
	var kind any
	for _, item := range e.AsList().Elements() {
		if item.Kind() != ast.LiteralKind {
			return r.wrong(item, must)
		}
		if wrong := r.literal(item); wrong != nil {
			return wrong
		}
		t := item.AsLiteral().Type()
		if t == types.BoolType || kind != nil && kind != t {
			return r.wrong(item, must)
		}
		kind = t
	}
	return nil
}

// wrong is a message about an expression.
func (r *reader) wrong(e ast.Expr, text string) *Error {
	at := r.info.GetStartLocation(e.ID())
	return r.at(at.Line(), r.name(at.Line(), at.Column()), text)
}
