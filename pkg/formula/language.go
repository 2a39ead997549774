package formula

import (
	"fmt"
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/cost"
	"cel.dev/cel-go/common/env"
	"cel.dev/cel-go/common/operators"
)

const (
	// MaxBytes is the length of a text.
	MaxBytes = 2000
	// MaxDepth is how deep brackets, calls and conditions may stand in one another; each further term of a sum counts, too.
	MaxDepth = 100
	// MaxCost is what one evaluation may cost by CEL's own measure: about one for each variable, operation and call, and one
	// for each ten characters compared.
	MaxCost = 1000

	// costModel is the revision of CEL's measure. It stays when the library is renewed, so that no text that was accepted is
	// refused later.
	costModel = 1
	// maxText is the length of a segment or a region, in characters.
	maxText = 100
)

// language is what a formula may say, made once.
var language = sync.OnceValue(func() *cel.Env {
	options := []cel.EnvOption{
		cel.StdLib(cel.StdLibSubset(env.NewLibrarySubset().SetDisableMacros(true).AddIncludedFunctions(
			env.NewFunction(operators.Conditional), env.NewFunction(operators.LogicalAnd), env.NewFunction(operators.LogicalOr), env.NewFunction(operators.LogicalNot),
			env.NewFunction(operators.Equals), env.NewFunction(operators.NotEquals),
			env.NewFunction(operators.In, env.NewOverload("in_list", nil, nil)),
		))),
		cel.ClearMacros(),
		cel.ParserExpressionSizeLimit(MaxBytes),
		cel.ParserRecursionLimit(MaxDepth),
		cel.ParserErrorRecoveryLimit(1),
		cel.ExpressionNodeLimit(MaxBytes),
		cel.CostModelVersion(costModel),
	}
	options = append(options, declareVariables()...)
	options = append(options, arithmetic()...)
	for _, f := range functions {
		options = append(options, f.option)
	}
	e, err := cel.NewCustomEnv(options...)
	if err != nil {
		panic(fmt.Sprintf("formula: the language doesn't stand: %v", err))
	}
	return e
})

// sizes tells CEL's estimate how long a customer's texts can be.
type sizes struct{}

// EstimateSize is the size of a variable; CEL knows that of everything else.
func (sizes) EstimateSize(node cost.AstNode) *cost.SizeEstimate {
	if len(node.Path()) == 0 || node.Type() != cel.StringType {
		return nil
	}
	return &cost.SizeEstimate{Max: maxText}
}

// EstimateCallCost leaves the cost of a call to CEL.
func (sizes) EstimateCallCost(string, string, *cost.AstNode, []cost.AstNode) *cost.CallEstimate {
	return nil
}
