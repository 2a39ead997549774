// Package intake is the border: what publishers send comes in here, over HTTP or
// from a raw topic, and leaves as records of customer.events.v1 or as an answer
// that says which field is wrong and why.
//
// Three steps, each a function of its input alone but for the clock it is given:
//
//	decode     any allowed encoding → Event       decode.go json.go cloudevents.go
//	validate   Event → Event or its problems      validate.go facts.go money.go
//	normalise  recorded_at, hashed contacts, key  intake.go contact.go
//
// http.go serves them over HTTP; Process is the same for a record of a topic.
//
// # Encodings
//
// Protobuf, bare or with Confluent framing (which a first byte of 0 gives away:
// no message begins with it); JSON in proto3's mapping, where an unknown field
// is an error; CloudEvents 1.0 around any of these, binary or structured. The
// content type tells them apart; without one a body that begins with "{" is
// JSON, and anything else protobuf. Over HTTP a JSON array, NDJSON or a
// CloudEvents batch is several events; a record of a topic is one.
//
// CloudEvents attributes stand in for what the data leave out: id for
// source_event_id, source for source, time for occurred_at, subject for
// customer.
//
// # What passes
//
// Only kinds that come from outside, and of these the ones the endpoint is for
// (DialerKinds, BillingKinds). Unknown protobuf fields pass: a publisher may
// know a newer schema. They are bounded by maxRecordBytes.
//
// # Phones and e-mail addresses
//
// A key of a customer that is a telephone number or an e-mail address (tel:,
// mailto:, or anything that looks like one) leaves as a keyed hash, "phone:" or
// "email:" and 64 hexadecimal digits; without a hash key it is refused. A bare
// row of digits can't be told from a customer number and passes: publishers
// mark telephone numbers by tel: or by their +.
package intake
