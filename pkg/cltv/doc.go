// Package cltv is the domain: what a customer's facts are, what they add up to, and what the customer is worth. It is
// pure. It imports the standard library and the models of pkg/btyd, reads no clock, and does no input or output: a result
// is a function of the records of one log.
//
//	Event → Folder.Fold(State, Event, At) → Step{Outcome, Score}
//
// # What a file is about
//
//	event.go, params.go   the records, flat
//	policy.go, compiled.go, model.go, crossings.go   parameters in force, and what is prepared from them
//	fold.go               one record into one state: what may happen to it
//	validate.go, step.go  why a record is refused; what a step answers
//	sales.go, refunds.go, tally.go   money in, money out, and which takes from which
//	calls.go, marks.go, consent.go, spend.go   the other facts
//	contracts.go, signals.go   what facts say of contracts, and of their next renewal
//	renewals.go, outlook.go, contract_reasons.go   what contracts are expected to bring, how likely they end, and why
//	contract_history.go, purchases.go   what models are fitted to
//	valuation.go, method.go, aggregates.go   ways to value that a policy chooses
//	list.go, text.go, hash.go   how facts, texts and identities are kept
//	score.go, round.go, currency.go   the score, and its whole numbers
//	contribution.go, sums.go, month.go   what a state adds to its tenant's sums
//	reasons.go, explain.go   a churn probability and a score in plain words
//	state.go, encode.go, decode.go, wirefmt.go, reader.go   the state and its stored form
//
// # Why the order of arrival can't matter
//
// A state keeps the facts themselves, one content for each identity, in the order of (occurred_at, identity). Of two
// contents under one identity the greater in a fixed order counts: by revision, then by the content itself. Everything
// else (which payment settles which order, what a refund takes, the first purchase, who won the customer) is worked out
// anew from those facts at each score, and never noted at arrival. Consent and profile take the greatest of what was
// ever said. So any order, any repetition and any cutting into batches end in the same facts, byte by byte; version,
// offset and as-of tell how they came.
//
// The identity is what the source calls the thing: order, payment, refund, ticket, a renewal's invoice; the event's own
// id where there is no such name. Things are linked by the names that one source gave them.
//
// # Floors
//
// A state is bounded: it keeps the latest K sales, calls, refunds and marks (Policy.KeepTransactions, KeepCalls,
// KeepRefunds, KeepMarks; by default 64, 32, 16 and 32). What falls out is closed into totals and raises the floor of its
// class to its (occurred_at, identity). A record at or below the floor is refused as too late: nobody can tell any more
// whether it is in the totals. The promise above holds for facts above the floors whose partners are, too: once an
// order fell out, a new payment of it counts as a purchase of its own, and a new refund of it lowers the historic value
// only, by all of it; a revision that lifts a closed fact above the floor counts beside it; and calls that fell out were
// divided between winning and serving the customer, and sales by local days, financial years and margins of products, as
// they stood at that time.
//
// # Whole numbers
//
// Money is in minor units, probabilities in millionths; bands are decided on them. Products that meet a sum are
// written so that no compiler fuses them. TestGolden holds one hash for every processor.
package cltv
