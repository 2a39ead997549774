package task

import (
	"hash/crc32"
	"strconv"
	"strings"
)

// Headers of a dead letter, those of Kafka Connect, so that its tools read them.
// The identity of a dead letter is (topic, partition, offset): a batch that is
// folded again writes it again.
const (
	errorTopicKey     = "__connect.errors.topic"
	errorPartitionKey = "__connect.errors.partition"
	errorOffsetKey    = "__connect.errors.offset"
	errorStageKey     = "__connect.errors.stage"
	errorClassKey     = "__connect.errors.exception.class.name"
	errorMessageKey   = "__connect.errors.exception.message"
	// errorOmittedKey stands in a letter that doesn't hold its record.
	errorOmittedKey = "__connect.errors.omitted"
)

// Bounds of a dead letter. A record can be larger than any letter: compressed by
// its publisher, or let in by another setting of its topic. Of such a record the
// letter holds the key, if that is short, and says that the rest is where it was.
const (
	maxLetterBytes    = 1<<20 - 16<<10 // below 1 MiB with the headers of its cause
	maxLetterKeyBytes = 1 << 10
	maxCauseBytes     = 4 << 10
)

// inputTopic is the name that dead letters give their origin.
var (
	inputTopic = []byte("customer.events.v1")
	foldStage  = []byte("FOLD")
)

// deadLetter writes a record that can't be taken in to the dead-letter topic,
// key and value unchanged, with its cause. The place of a letter is never
// refused: its record would stop the task.
func (m *Machine) deadLetter(r *Record, code, text string) {
	b := &m.batch
	b.report.DeadLetters++
	if !m.holds(RuleDeadLetter) {
		return
	}
	key, value, kept := r.Key, r.Value, r.Headers
	letter := Out{Key: key, Value: value, Headers: kept}
	omitted := letter.size() > maxLetterBytes
	if omitted {
		value, kept = nil, nil
		if len(key) > maxLetterKeyBytes {
			key = nil
		}
	}
	headers := make([]Header, 0, len(kept)+7)
	for _, h := range kept {
		if len(h.Key) < len("__connect.errors.") || h.Key[:len("__connect.errors.")] != "__connect.errors." {
			headers = append(headers, h) // those of a former letter are replaced
		}
	}
	headers = append(headers,
		Header{errorTopicKey, inputTopic},
		Header{errorPartitionKey, strconv.AppendInt(nil, int64(m.config.Partition), 10)},
		Header{errorOffsetKey, strconv.AppendInt(nil, r.Offset, 10)},
		Header{errorStageKey, foldStage},
		Header{errorClassKey, []byte("perennial." + code)},
		Header{errorMessageKey, []byte(strings.ToValidUTF8(text[:min(len(text), maxCauseBytes)], ""))},
	)
	if omitted {
		headers = append(headers, Header{errorOmittedKey, []byte("the record is too large for a dead letter: it is where it was")})
	}
	m.outTopic[DeadLetters] = append(m.outTopic[DeadLetters], Out{Key: key, Value: value, Headers: headers})
	b.bytes += len(key) + len(value)
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// RecordCRC is the CRC-32C by which a task recognises the last record that it
// took in: of the key's length (4 bytes, big endian), the key, and the value.
func RecordCRC(r *Record) uint32 {
	n := uint32(len(r.Key))
	crc := crc32.Update(0, castagnoli, []byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
	crc = crc32.Update(crc, castagnoli, r.Key)
	return crc32.Update(crc, castagnoli, r.Value)
}

const traceparentKey = "traceparent"

// headerOf returns a header's value, nil where there is none.
func headerOf(r *Record, key string) []byte {
	for i := range r.Headers {
		if r.Headers[i].Key == key {
			return r.Headers[i].Value
		}
	}
	return nil
}
