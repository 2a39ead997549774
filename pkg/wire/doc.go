// Package wire translates between the schema (package perennialv1, protobuf on
// the wire) and the domain (package cltv), without going through the generated
// types: the updater decodes a record for each fact of each customer, and the
// generated code would cost it more than the fold.
//
// A decoder here accepts what the generated code accepts and yields what the
// generated code yields: unknown fields and fields of another wire type are
// skipped, of a repeated field the last counts, a repeated submessage is merged
// into the first, text that isn't UTF-8 is an error. It checks one thing more:
// times lie within 1970 to 2199. The tests hold both against each other.
//
// Kind 0 is no error: it is an event without a fact, or with one of a newer
// schema. Who judges events refuses it.
package wire
