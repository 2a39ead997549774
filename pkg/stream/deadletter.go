package stream

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/perennial-cltv/perennial/pkg/task"
)

// Headers of a dead letter, those of Kafka Connect, so that its tools read them.
const (
	errorHeaderPrefix = "__connect.errors."
	errorTopic        = errorHeaderPrefix + "topic"
	errorPartition    = errorHeaderPrefix + "partition"
	errorOffset       = errorHeaderPrefix + "offset"
	errorConnector    = errorHeaderPrefix + "connector.name"
	errorStage        = errorHeaderPrefix + "stage"
	errorClass        = errorHeaderPrefix + "exception.class.name"
	errorMessage      = errorHeaderPrefix + "exception.message"
	// errorOmitted stands in a letter that doesn't hold its record.
	errorOmitted = errorHeaderPrefix + "omitted"

	errorClassPrefix = "perennial."
	// maxCauseBytes bounds the text of a cause.
	maxCauseBytes = 4096
	// maxLetterBytes bounds what a letter holds of its record: with the cause it is
	// below the 1 MiB that Kafka allows by default. A record can be larger all the
	// same: compressed by its publisher, or let in by another setting of its topic.
	maxLetterBytes = 1<<20 - 16<<10
	// maxLetterKeyBytes bounds the key in a letter that omits its record.
	maxLetterKeyBytes = 1 << 10
)

// Cause is why a record can't be used.
type Cause struct {
	// Service found it, at Stage: DECODE, VALIDATE, FOLD.
	Service, Stage string
	// Code is one word for counting, Text a sentence for people.
	Code, Text string
}

// Letter is a dead letter: a record, where it came from, and why it is dead.
// (Topic, Partition, Offset) identifies it: one that is seen twice was written
// twice.
type Letter struct {
	Topic     string
	Partition int32
	Offset    int64
	Cause     Cause
	// Omitted says that the record was too large for a letter: it is where it was,
	// and all that the letter has of it is the key, if that is short.
	Omitted bool
	// Key, Value and Headers are those of the record as it was.
	Key, Value []byte
	Headers    []task.Header
}

// DeadLetter makes the message for the dead-letter topic of a record of topic
// and partition: key and value unchanged, the headers of an earlier death
// replaced. A record that is too large for a letter is omitted: see Letter.
func DeadLetter(topic string, partition int32, r *task.Record, why Cause) Message {
	key, value, kept := r.Key, r.Value, withoutErrors(make([]task.Header, 0, len(r.Headers)+8), r.Headers)
	omitted := recordBytes(key, value, kept) > maxLetterBytes
	if omitted {
		value, kept = nil, nil
		if len(key) > maxLetterKeyBytes {
			key = nil
		}
	}
	headers := kept
	headers = append(headers,
		task.Header{Key: errorTopic, Value: []byte(topic)},
		task.Header{Key: errorPartition, Value: strconv.AppendInt(nil, int64(partition), 10)},
		task.Header{Key: errorOffset, Value: strconv.AppendInt(nil, r.Offset, 10)},
		task.Header{Key: errorConnector, Value: []byte(why.Service)},
		task.Header{Key: errorStage, Value: []byte(why.Stage)},
		task.Header{Key: errorClass, Value: []byte(errorClassPrefix + why.Code)},
		task.Header{Key: errorMessage, Value: []byte(shorten(why.Text))},
	)
	if omitted {
		headers = append(headers, task.Header{Key: errorOmitted, Value: []byte("the record is too large for a dead letter: it is where it was")})
	}
	return Message{Key: key, Value: value, Headers: headers}
}

// ParseDeadLetter reads a record of a dead-letter topic. It is false where the
// headers don't say where the record came from. The letter aliases r.
func ParseDeadLetter(r *task.Record) (Letter, bool) {
	l := Letter{Key: r.Key, Value: r.Value, Headers: withoutErrors(nil, r.Headers), Partition: -1, Offset: -1}
	for _, h := range r.Headers {
		v := string(h.Value)
		switch h.Key {
		case errorTopic:
			l.Topic = v
		case errorPartition:
			if n, err := strconv.ParseInt(v, 10, 32); err == nil {
				l.Partition = int32(n)
			}
		case errorOffset:
			if n, err := strconv.ParseInt(v, 10, 64); err == nil {
				l.Offset = n
			}
		case errorConnector:
			l.Cause.Service = v
		case errorStage:
			l.Cause.Stage = v
		case errorClass:
			l.Cause.Code = strings.TrimPrefix(v, errorClassPrefix)
		case errorMessage:
			l.Cause.Text = v
		case errorOmitted:
			l.Omitted = true
		}
	}
	return l, l.Topic != "" && l.Partition >= 0 && l.Offset >= 0
}

// Redrive makes the message that sends a letter's record again to the topic
// where it died: as it was, its former headers alone. It is for letters that
// don't omit their record.
func (l Letter) Redrive() Message {
	return Message{Key: l.Key, Value: l.Value, Headers: l.Headers}
}

func withoutErrors(to, headers []task.Header) []task.Header {
	for _, h := range headers {
		if !strings.HasPrefix(h.Key, errorHeaderPrefix) {
			to = append(to, h)
		}
	}
	return to
}

// shorten cuts a text between two characters.
func shorten(s string) string {
	if len(s) <= maxCauseBytes {
		return s
	}
	n := maxCauseBytes
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
