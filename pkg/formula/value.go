package formula

import (
	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"

	"github.com/perennial-cltv/perennial/pkg/cltv"
)

type formula struct {
	program cel.Program
}

// Value is what the formula gives for a customer; ok is false where that is no finite number, or costs too much.
func (f *formula) Value(a *cltv.Aggregates) (value float64, ok bool) {
	result, _, err := f.program.Eval((*customer)(a))
	if err != nil {
		return 0, false
	}
	switch v := result.(type) {
	case types.Double:
		return float64(v), isFinite(float64(v))
	case types.Int:
		return float64(v), true
	}
	return 0, false
}
