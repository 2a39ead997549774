package intake

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	perennialv1 "github.com/perennial-cltv/perennial/proto/perennial/v1"
)

// minHashKey is the least number of bytes of a hash key.
const minHashKey = 16

// maxRecordBytes bounds a record of customer.events.v1. What the schema allows
// is far below it; what is above comes from fields that nobody knows.
const maxRecordBytes = 64 << 10

// maxTraceBytes bounds a header that is handed on: W3C Trace Context asks for no
// more of tracestate.
const maxTraceBytes = 512

// Config is what an intake is for.
type Config struct {
	// Kinds are taken; the zero set takes none.
	Kinds KindSet
	// AllowBackfill takes events that are marked as history: their recorded_at is
	// their occurred_at, or Now where that is earlier. Only where nobody but an importer can write.
	AllowBackfill bool
	// MaxBytes bounds a request or record; 0: 1 MiB.
	MaxBytes int
	// FutureTolerance is how far occurred_at may be ahead of Now; 0: 24 hours,
	// the width of the mistakes that time zones make.
	FutureTolerance time.Duration
	// HashKey is the key for telephone numbers and e-mail addresses, at least 16
	// bytes; empty: they are refused.
	HashKey []byte
	// Now is the clock; nil: the system's.
	Now func() time.Time
}

// Intake turns what publishers send into records. It is immutable and safe for
// concurrent use.
type Intake struct{ config Config }

// New makes an intake. The error says which part of the configuration is wrong.
func New(config Config) (*Intake, error) {
	if config.Kinds == (KindSet{}) {
		return nil, errors.New("intake: no kinds to take")
	}
	for i, bits := range config.Kinds {
		if bits&^ExternalKinds[i] != 0 {
			return nil, fmt.Errorf("intake: %s are not all from outside", config.Kinds)
		}
	}
	if n := len(config.HashKey); n > 0 && n < minHashKey {
		return nil, fmt.Errorf("intake: the hash key has %d bytes, at least %d are needed", n, minHashKey)
	}
	if config.MaxBytes < 0 || config.FutureTolerance < 0 {
		return nil, errors.New("intake: a limit is negative")
	}
	if config.MaxBytes == 0 {
		config.MaxBytes = 1 << 20
	}
	if config.FutureTolerance == 0 {
		config.FutureTolerance = 24 * time.Hour
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	return &Intake{config}, nil
}

// Header is one header of a record.
type Header = struct {
	Key   string
	Value []byte
}

// Record is one record of a raw topic.
type Record struct {
	Value   []byte
	Headers []Header
}

// Message is a record for customer.events.v1.
type Message struct {
	// Key is <tenant>/<customer>, or <tenant>/~spend/<source>/<source_event_id>.
	Key, Value []byte
	// Headers carry the trace of what came in.
	Headers []Header
}

// Process turns a record of a raw topic into a message, or says why it is dead.
// The raw key says nothing: publishers choose it as they like.
func (in *Intake) Process(r Record) (Message, *Rejection) {
	if len(r.Value) > in.config.MaxBytes {
		return Message{}, in.tooLarge(len(r.Value))
	}
	contentType, _ := header(r.Headers, "content-type")
	items, rejection := Decode(Packet{
		ContentType: contentType,
		Attribute:   func(name string) (string, bool) { return header(r.Headers, "ce_"+name) },
		Body:        r.Value,
	})
	if rejection != nil {
		return Message{}, rejection
	}
	if len(items) != 1 || items[0].Rejection != nil {
		return Message{}, reject(CodeMalformed, "", "", "one record holds one event")
	}
	m, rejection := in.Admit(items[0].Event)
	if rejection != nil {
		return Message{}, rejection
	}
	for _, h := range r.Headers {
		if len(h.Value) <= maxTraceBytes && (strings.EqualFold(h.Key, "traceparent") || strings.EqualFold(h.Key, "tracestate")) {
			m.Headers = append(m.Headers, h)
		}
	}
	return m, nil
}

// header returns the last header of a name, whatever its case.
func header(headers []Header, name string) (string, bool) {
	for i := len(headers) - 1; i >= 0; i-- {
		if strings.EqualFold(headers[i].Key, name) {
			return string(headers[i].Value), true
		}
	}
	return "", false
}

func (in *Intake) tooLarge(n int) *Rejection {
	return reject(CodeTooLarge, "", "", fmt.Sprintf("has %d bytes, at most %d are taken", n, in.config.MaxBytes))
}

// Admit validates an event, sets recorded_at and hashes contacts, all in ev, and
// makes the record of it.
func (in *Intake) Admit(ev *perennialv1.Event) (Message, *Rejection) {
	if rejection := in.Validate(ev); rejection != nil {
		return Message{}, rejection
	}
	ev.RecordedAt = timestamppb.New(in.config.Now().Truncate(time.Millisecond))
	// The updater refuses a recorded_at that is ahead of us, which a business time may be.
	if ev.Backfill && ev.OccurredAt.AsTime().Before(ev.RecordedAt.AsTime()) {
		ev.RecordedAt = ev.OccurredAt
	}
	value, err := proto.MarshalOptions{Deterministic: true}.Marshal(ev)
	if err != nil {
		return Message{}, reject(CodeMalformed, "", "", "can't be encoded: "+err.Error())
	}
	if len(value) > maxRecordBytes {
		return Message{}, reject(CodeTooLarge, "", "", fmt.Sprintf("has %d bytes of fields that nobody knows; a record has at most %d", len(value), maxRecordBytes))
	}
	return Message{Key: []byte(Key(ev)), Value: value}, nil
}

// Key returns the key of an event's record: the name of the state that it
// changes.
func Key(ev *perennialv1.Event) string {
	if _, spend := ev.Fact.(*perennialv1.Event_MarketingSpend); spend {
		return ev.Tenant + "/~spend/" + ev.Source + "/" + ev.SourceEventId
	}
	return ev.Tenant + "/" + ev.Customer
}
