package stream

import (
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/perennial-cltv/perennial/pkg/task"
)

func TestDeadLetterRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := &task.Record{
			Offset: rapid.Int64Min(0).Draw(t, "offset"), Key: genBytes(t, "key"), Value: genBytes(t, "value"),
			Headers: []task.Header{{Key: "traceparent", Value: []byte("00-1-2-01")}, {Key: "__connect.errors.topic", Value: []byte("of an earlier death")}},
		}
		why := Cause{Service: "call-ingester", Stage: "DECODE", Code: rapid.StringMatching(`[a-z_]{1,20}`).Draw(t, "code"), Text: rapid.String().Draw(t, "text")}
		partition := rapid.Int32Min(0).Draw(t, "partition")
		message := DeadLetter("dialer.calls.v1", partition, r, why)
		letter, ok := ParseDeadLetter(&task.Record{Key: message.Key, Value: message.Value, Headers: message.Headers})
		why.Text = shorten(why.Text)
		want := Letter{
			Topic: "dialer.calls.v1", Partition: partition, Offset: r.Offset, Cause: why,
			Key: r.Key, Value: r.Value, Headers: r.Headers[:1],
		}
		if !ok || !reflect.DeepEqual(letter, want) {
			t.Fatalf("%+v, %v, want %+v", letter, ok, want)
		}
		if again := letter.Redrive(); !reflect.DeepEqual(again, Message{Key: r.Key, Value: r.Value, Headers: r.Headers[:1]}) {
			t.Fatalf("redriven as %+v", again)
		}
	})
}

func TestDeadLetterTextIsBounded(t *testing.T) {
	m := DeadLetter("t", 0, &task.Record{}, Cause{Text: strings.Repeat("€", 5000)})
	text := m.Headers[len(m.Headers)-1].Value
	if len(text) > maxCauseBytes || len(text) < maxCauseBytes-4 || !utf8.Valid(text) {
		t.Errorf("%d bytes, valid %v", len(text), utf8.Valid(text))
	}
}

func TestParseDeadLetterRefusesOthers(t *testing.T) {
	for _, headers := range [][]task.Header{
		nil,
		{{Key: errorTopic, Value: []byte("t")}, {Key: errorPartition, Value: []byte("0")}},
		{{Key: errorTopic, Value: []byte("t")}, {Key: errorPartition, Value: []byte("zero")}, {Key: errorOffset, Value: []byte("1")}},
	} {
		if l, ok := ParseDeadLetter(&task.Record{Headers: headers}); ok {
			t.Errorf("%v is a letter: %+v", headers, l)
		}
	}
}
