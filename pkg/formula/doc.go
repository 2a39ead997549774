// Package formula is a business's own way to value a customer: one expression in CEL, the Common Expression Language
// (https://cel.dev), over what cltv.Aggregates says of the customer.
//
//	Compile(text) → cltv.Formula → Value(*cltv.Aggregates) → residual value in major units
//
// # What a file is about
//
//	variables.go   what a formula may use of a customer
//	functions.go   what it may do with it
//	language.go    the two as an environment of CEL's, and the limits
//	compile.go     text to formula: the steps
//	admit.go       which of CEL's expressions are admitted, and numbers made alike
//	value.go       formula and customer to number
//	errors.go, messages.go, nearest.go   what is wrong with a text, where, and what may have been meant
//
// # Numbers
//
// CEL keeps whole and floating numbers apart: 7 / 2 is 3 there, and 2 * 1.5 isn't defined. Here every number is a double.
// Each literal becomes one before types are checked, and counts are given as doubles, so net / purchases, net * 2 and
// net * (1 / 12) are what they look like.
//
// # The same bits everywhere
//
// A formula decides a value, and a value decides a band, so a replay on another machine must find the same. Arithmetic
// goes from one boxed double to the next, where no compiler can fuse two steps; what it does is in functions.go, not in the library. There are
// only operations that IEEE 754 defines exactly, and pow, which multiplies in a fixed order. exp and ln are missing: math.Exp and
// math.Log differ between processors, and pkg/btyd keeps its own to itself.
//
// # No number is no value
//
// An operation whose result isn't finite, a division by zero among them, ends the evaluation. So 1 / (net / 0) isn't 0, and
// min(net / 0, 10) isn't 10. Conditions choose before they compute: purchases > 0 ? net / purchases : 0 is safe.
//
// # Limits
//
// A text has MaxBytes at most, nests MaxDepth deep at most, and may cost MaxCost at most, estimated before it runs and counted again while it runs.
// Nothing in it repeats, so it ends.
package formula
