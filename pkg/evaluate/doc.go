// Package evaluate says how good predictions were, once the future that they
// spoke of has become known: errors, order, probabilities, intervals.
//
// A prediction and what happened stand at the same place of two slices of one
// length. Nothing here knows what was predicted or by which model, so a model, a
// baseline and a model in force are judged alike. What can't be said of so few
// values, such as a correlation with something constant, is NaN, never 0.
package evaluate
