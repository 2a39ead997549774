// Package fit finds the parameters of the models of package btyd from a customer base: by maximum likelihood, or, with a
// [Prior], by the maximum of the posterior.
//
// # Data
//
// Purchase models take a [Base]: how many customers have each history of (repeat transactions, first day, last day). The age at
// the moment of asking is derived when fitting, so nothing in a base grows old, and an event is one decrement and one
// increment. The likelihood is that of the single customers, exactly; what is shared is the work. [GammaGamma] takes
// [Spends], the contract models take [Contracts], the one of discrete chances [Chances].
//
// [RenewalHazard] takes no cells but a row for each [Renewal] that was due, because features don't group; it copies none of
// them. [Calibrate] bends what it found to newer rows, and [Leaks] names features that tell of the future.
//
// # What a fit says
//
// Every fit returns a [Report] beside its model: standard errors, and as data what the history doesn't tell
// ([Finding]). A number without support comes with its finding; it is never withheld and never bare.
//
// # How
//
// All parameters are positive, so the search is over their logarithms, on the mean ln L, with analytic gradients: BFGS from
// gonum, then Newton's method, whose Hessian (differences of gradients) also gives the standard errors. A quadratic wall keeps
// the search within what the models' Validate accepts. A hazard is concave, so Newton's method alone finds it, within a
// box in place of the wall.
//
// Fits are no part of what must come out the same to the last bit on every machine: a published model is a record, and all
// who score read the same one. So this package uses the standard library's functions and gonum, which package btyd must not.
package fit
