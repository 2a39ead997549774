package formula

import (
	"math"
	"strconv"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// function is one that is called by its name. Text is for people, takes for the message about wrong arguments.
type function struct {
	name, call, text, takes string
	option                  cel.EnvOption
}

// maxPower bounds the exponent of pow, and with it the multiplications.
const maxPower = 1000

var functions = []function{
	{"min", "min(a, b, …)", "the least of two to four numbers", "two to four numbers", extreme("min", math.Min)},
	{"max", "max(a, b, …)", "the greatest of two to four numbers", "two to four numbers", extreme("max", math.Max)},
	{"pow", "pow(x, n)", "x to the power n; n is whole, -1000 to 1000", "two numbers", binary("pow", "pow_double", power)},
	{"sqrt", "sqrt(x)", "the square root", "one number", unary("sqrt", math.Sqrt)},
	{"abs", "abs(x)", "the distance from 0", "one number", unary("abs", math.Abs)},
	{"floor", "floor(x)", "the next whole number below", "one number", unary("floor", math.Floor)},
	{"ceil", "ceil(x)", "the next whole number above", "one number", unary("ceil", math.Ceil)},
	{"startsWith", "segment.startsWith(\"a\")", "whether a text begins with another", "a text before the dot and one text in brackets", cel.Function(overloads.StartsWith,
		cel.MemberOverload(overloads.StartsWithString, []*cel.Type{cel.StringType, cel.StringType}, cel.BoolType, cel.BinaryBinding(types.StringStartsWith)))},
}

func functionByName(name string) *function {
	for i := range functions {
		if functions[i].name == name {
			return &functions[i]
		}
	}
	return nil
}

// arithmetic is CEL's on doubles alone, each result finite. Products are rounded by the conversion, sums see nothing else.
func arithmetic() []cel.EnvOption {
	return []cel.EnvOption{
		binary(operators.Add, overloads.AddDouble, func(a, b float64) float64 { return a + b }),
		binary(operators.Subtract, overloads.SubtractDouble, func(a, b float64) float64 { return a - b }),
		binary(operators.Multiply, overloads.MultiplyDouble, func(a, b float64) float64 { return float64(a * b) }),
		binary(operators.Divide, overloads.DivideDouble, func(a, b float64) float64 { return a / b }),
		cel.Function(operators.Negate, cel.Overload(overloads.NegateDouble, numbers(1), cel.DoubleType, cel.UnaryBinding(func(v ref.Val) ref.Val {
			return -v.(types.Double)
		}))),
		comparison(operators.Less, overloads.LessDouble, func(a, b types.Double) bool { return a < b }),
		comparison(operators.LessEquals, overloads.LessEqualsDouble, func(a, b types.Double) bool { return a <= b }),
		comparison(operators.Greater, overloads.GreaterDouble, func(a, b types.Double) bool { return a > b }),
		comparison(operators.GreaterEquals, overloads.GreaterEqualsDouble, func(a, b types.Double) bool { return a >= b }),
	}
}

func numbers(n int) []*cel.Type {
	list := make([]*cel.Type, n)
	for i := range list {
		list[i] = cel.DoubleType
	}
	return list
}

func unary(name string, compute func(v float64) float64) cel.EnvOption {
	return cel.Function(name, cel.Overload(name+"_double", numbers(1), cel.DoubleType, cel.UnaryBinding(func(v ref.Val) ref.Val {
		return finite(compute(float64(v.(types.Double))))
	})))
}

func binary(name, overload string, compute func(a, b float64) float64) cel.EnvOption {
	return cel.Function(name, cel.Overload(overload, numbers(2), cel.DoubleType, cel.BinaryBinding(func(a, b ref.Val) ref.Val {
		return finite(compute(float64(a.(types.Double)), float64(b.(types.Double))))
	})))
}

func comparison(name, overload string, holds func(a, b types.Double) bool) cel.EnvOption {
	return cel.Function(name, cel.Overload(overload, numbers(2), cel.BoolType, cel.BinaryBinding(func(a, b ref.Val) ref.Val {
		return types.Bool(holds(a.(types.Double), b.(types.Double)))
	})))
}

// extreme is min or max of two to four numbers.
func extreme(name string, of func(a, b float64) float64) cel.EnvOption {
	list := []cel.FunctionOpt{}
	for n := 2; n <= 4; n++ {
		list = append(list, cel.Overload(name+"_double_"+strconv.Itoa(n), numbers(n), cel.DoubleType, cel.FunctionBinding(func(values ...ref.Val) ref.Val {
			best := float64(values[0].(types.Double))
			for _, v := range values[1:] {
				best = of(best, float64(v.(types.Double)))
			}
			return finite(best)
		})))
	}
	return cel.Function(name, list...)
}

// power is x^n by squaring, NaN where n isn't an exponent.
func power(x, n float64) float64 {
	if !isExponent(n) {
		return math.NaN()
	}
	product := 1.0
	for k := int(math.Abs(n)); k > 0; k >>= 1 {
		if k&1 == 1 {
			product *= x
		}
		x *= x
	}
	if n < 0 {
		return 1 / product
	}
	return product
}

func isExponent(n float64) bool { return n == math.Floor(n) && math.Abs(n) <= maxPower }

// finite is a result, or what ends the evaluation.
func finite(v float64) ref.Val {
	if !isFinite(v) {
		return noNumber
	}
	return types.Double(v)
}

var noNumber = types.NewErr("no finite number")
