// Package btyd holds the probability models that value a customer who buys whenever he likes and leaves without saying
// so ("buy till you die"): BG/NBD, MBG/NBD and Pareto/NBD for when he buys and whether he still will, Gamma–Gamma for how
// much he spends. Beside them stand sBG and BdW for customers with contracts, and BG/BB for chances at fixed times. What is
// known of one customer with a contract goes on top of what they say of everybody: [RenewalHazard] (renewal.go).
//
// Three layers, each of use alone:
//
//   - [BGNBD], [MBGNBD] and [ParetoNBD], alike in all that one asks of them ([PurchaseModel]), [GammaGamma], [SBG], [BdW]
//     ([ContractModel]) and [BGBB] are the models: parameters, likelihood, and exact expectations for one customer.
//     They know no unit of time: whoever fits a model chooses one (weeks in the published work) and keeps to it.
//     Package fit, below this one, finds their parameters.
//   - [Table] is one published pair of models with a horizon and a discount rate, prepared for scoring many customers
//     quickly. It speaks whole days, because that is what a customer's state holds, and takes parameters fitted in weeks.
//   - [Table.Score] and [Table.NextCrossing] are what runs on every event: no allocation, no lock.
//
// # A customer in four numbers
//
// x is the number of repeat transactions (purchases on one day are one transaction, the first ever is not counted),
// tx the age at the last of them (0 when x is 0), T the age now, and the mean spend is that of the repeat transactions.
// Ages count from the first purchase.
//
// # The same bits everywhere
//
// A score decides a band, and a band decides what is published, so a replay on another machine must find the same
// score. Go may fuse a product and a sum into one rounding where the processor offers it, and math.Exp and math.Log
// differ by processor. Therefore this package has its own elementary functions (elementary.go), and wherever a product
// meets a sum it says float64(product), which the language defines as a rounding that must not be skipped. Results are
// equal to the last bit on every architecture; TestGoldenScores, TestGoldenOtherModels and TestGoldenHazard hold that.
//
// Everything here is pure: no clock, no randomness but what a caller hands in ([Source]), no input or output. Published values are safe for concurrent use.
package btyd
