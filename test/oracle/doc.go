// Package oracle is the dumb batch program that must agree with the updater: it
// recomputes every version of every customer, and every sum, from the raw input.
// It shares the schema with the product and nothing else: it keeps all facts in
// plain slices, works each version out anew from all of them, knows no bounds,
// no caches and no tables, and evaluates the models from their formulas.
package oracle
