// Package backtest asks how good a prediction would have been: it cuts a history
// of purchases at a day, fits every purchase model to what was before, predicts
// what comes after, and judges the predictions by what came, beside baselines that
// anyone could have had.
//
//	ledger.go    purchases by customer and day
//	split.go     the cut: what was known of each customer, and what came
//	models.go    the models: fitted, and asked
//	baseline.go  what anyone could have had
//	choose.go    which model the product would have used, without looking ahead
//	tracking.go  purchases week by week, made and expected
//	run.go       all of it in order
//	contest.go   a candidate against the model in force, on the latest window
//	parent.go    populations too small for a model of their own
//	contracts.go the same for models of contracts: whether each renewal was made
//	whole.go     the chosen model fitted to everything, to be published
//
// It reads no file and writes none. Days are whole days of one calendar whose day
// 0 is the caller's choice, the unit of time of the models is the week.
package backtest
