// Package stream is all of Kafka: the only package that speaks to it.
//
// A Client belongs to one cluster. It is task.Log for the owners of tasks, and
// gives the rest of the system groups (Group), consumers of raw topics
// (Consume), an acknowledging producer (Producer), readers without a group
// (Read, Tail), and the administration of topics (CreateTopics, Lag, Watermarks).
//
// # Bytes
//
// Record batches (format 2) are written and read here, not by the Kafka client:
// numbered batches must have the same bytes each time they are sent, the next
// offset of a compacted batch stands only in its header, and records alias what
// was read from the network. Requests, connections, TLS and SASL are
// kafka-go's. Brokers must speak Fetch v11, which is Kafka 2.3 or later.
//
// # What answers of Kafka mean to a task
//
//	InvalidProducerEpoch, ProducerFenced, InvalidProducerIDMapping   KindFenced
//	OutOfOrderSequenceNumber, UnknownProducerId                      KindFenced
//	DuplicateSequenceNumber                                          success
//	NotLeader, timeouts, broken connections, too few replicas        KindUnknown
//	MessageTooLarge, InvalidRecord, no permission, ...               KindStop
//	OffsetOutOfRange                                                 KindOffsetOutOfRange
//
// A sequence out of order, and a producer that the partition doesn't know, are
// no sign of another owner, but they ask for the same: the batches that this
// owner believes written are not what Kafka has, so it must drop the task, take
// a new epoch (whose sequences start at 0) and fold again from what Redis has.
package stream
