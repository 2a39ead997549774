package stream

import (
	"encoding/binary"
	"hash/crc32"
	"math/bits"

	"github.com/perennial-cltv/perennial/pkg/task"
)

// Where the fields of a record batch of format 2 stand, counted from the
// batch's first byte (Kafka protocol guide, "Record Batch").
const (
	atBatchLength    = 8
	atLeaderEpoch    = 12
	atMagic          = 16
	atCRC            = 17
	atAttributes     = 21
	atLastDelta      = 23
	atBaseTimestamp  = 27
	atMaxTimestamp   = 35
	atProducerID     = 43
	atProducerEpoch  = 51
	atBaseSequence   = 53
	atCount          = 57
	batchHeaderBytes = 61

	// A record set begins with its size.
	sizePrefixBytes = 4

	noProducerID = -1
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// encoder writes one uncompressed record batch. The same records, producer and
// sequence always give the same bytes.
type encoder struct {
	buf           []byte
	count         int32
	baseTimestamp int64
	maxTimestamp  int64
}

// reset makes e empty and keeps its memory.
func (e *encoder) reset() {
	if cap(e.buf) < sizePrefixBytes+batchHeaderBytes {
		e.buf = make([]byte, sizePrefixBytes+batchHeaderBytes, 4096)
	}
	e.buf = e.buf[:sizePrefixBytes+batchHeaderBytes]
	e.count, e.baseTimestamp, e.maxTimestamp = 0, 0, 0
}

// size is the bytes that finish would return now.
func (e *encoder) size() int { return len(e.buf) }

// add appends a record. timestamp is Unix milliseconds. A nil key or value is
// written as null, an empty one as empty.
func (e *encoder) add(timestamp int64, key, value []byte, headers []task.Header) {
	if e.count == 0 {
		e.baseTimestamp, e.maxTimestamp = timestamp, timestamp
	}
	e.maxTimestamp = max(e.maxTimestamp, timestamp)
	delta := timestamp - e.baseTimestamp

	b := binary.AppendVarint(e.buf, int64(bodyBytes(delta, e.count, key, value, headers)))
	b = append(b, 0) // attributes, unused
	b = binary.AppendVarint(b, delta)
	b = binary.AppendVarint(b, int64(e.count))
	b = appendNullable(b, key)
	b = appendNullable(b, value)
	b = binary.AppendVarint(b, int64(len(headers)))
	for i := range headers {
		b = binary.AppendVarint(b, int64(len(headers[i].Key)))
		b = append(b, headers[i].Key...)
		b = appendNullable(b, headers[i].Value)
	}
	e.buf = b
	e.count++
}

// finish writes the header and returns the record set with its size in front.
// The bytes are e's own, until reset.
func (e *encoder) finish(producerID int64, epoch int16, sequence int32) []byte {
	binary.BigEndian.PutUint32(e.buf, uint32(len(e.buf)-sizePrefixBytes))
	b := e.buf[sizePrefixBytes:]
	binary.BigEndian.PutUint64(b, 0) // base offset: the broker's to set
	binary.BigEndian.PutUint32(b[atBatchLength:], uint32(len(b)-atLeaderEpoch))
	binary.BigEndian.PutUint32(b[atLeaderEpoch:], ^uint32(0))
	b[atMagic] = 2
	binary.BigEndian.PutUint16(b[atAttributes:], 0)
	binary.BigEndian.PutUint32(b[atLastDelta:], uint32(e.count-1))
	binary.BigEndian.PutUint64(b[atBaseTimestamp:], uint64(e.baseTimestamp))
	binary.BigEndian.PutUint64(b[atMaxTimestamp:], uint64(e.maxTimestamp))
	binary.BigEndian.PutUint64(b[atProducerID:], uint64(producerID))
	binary.BigEndian.PutUint16(b[atProducerEpoch:], uint16(epoch))
	binary.BigEndian.PutUint32(b[atBaseSequence:], uint32(sequence))
	binary.BigEndian.PutUint32(b[atCount:], uint32(e.count))
	binary.BigEndian.PutUint32(b[atCRC:], crc32.Checksum(b[atAttributes:], castagnoli))
	return e.buf
}

// recordBytes bounds from above what add appends for a record.
func recordBytes(key, value []byte, headers []task.Header) int {
	n := 5 + 1 + 10 + 5 + 5 + len(key) + 5 + len(value) + 5
	for i := range headers {
		n += 10 + len(headers[i].Key) + len(headers[i].Value)
	}
	return n
}

func bodyBytes(delta int64, index int32, key, value []byte, headers []task.Header) int {
	n := 1 + varintBytes(delta) + varintBytes(int64(index)) +
		varintBytes(int64(len(key))) + len(key) +
		varintBytes(int64(len(value))) + len(value) +
		varintBytes(int64(len(headers)))
	for i := range headers {
		n += varintBytes(int64(len(headers[i].Key))) + len(headers[i].Key) +
			varintBytes(int64(len(headers[i].Value))) + len(headers[i].Value)
	}
	return n
}

// varintBytes is the length of a zigzag varint. That of -1, which stands for
// null, is that of 0.
func varintBytes(v int64) int {
	return (bits.Len64(uint64(v)<<1^uint64(v>>63)|1) + 6) / 7
}

func appendNullable(b, v []byte) []byte {
	if v == nil {
		return append(b, 1) // zigzag of -1
	}
	return append(binary.AppendVarint(b, int64(len(v))), v...)
}
