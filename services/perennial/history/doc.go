// Package history reads files of history, CSV and its relatives, and makes
// events of their lines: calls and purchases as a publisher would have sent
// them when they happened.
//
//	dialect.go  which delimiter a file uses
//	reader.go   the file as records, with line numbers and byte offsets
//	columns.go  which column means what
//	dates.go    when: formats, guessed and said
//	days.go     calendar days as numbers
//	amounts.go  how much: decimal text to minor units, exactly
//	layout.go   all that was found out about a file before its first record
//	events.go   a record as an event
//	identity.go the id of a record that brings none
//	purchases.go a file of transactions, purchase by purchase
//	parquet.go  Parquet as if it were CSV
//	state.go    how far an import got, so that it can go on
//
// Nothing here speaks to a server.
package history
