package intake

import (
	"encoding/base64"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/perennial-cltv/perennial/pkg/cltv"
	"github.com/perennial-cltv/perennial/pkg/wire"
	perennialv1 "github.com/perennial-cltv/perennial/proto/perennial/v1"
)

var update = flag.Bool("update", false, "write the golden files anew")

// now is the time of every test.
var now = time.Date(2025, 7, 1, 12, 0, 0, 123_456_789, time.UTC)

func newIntake(t testing.TB, change func(*Config)) *Intake {
	t.Helper()
	c := Config{Kinds: ExternalKinds, Now: func() time.Time { return now }}
	if change != nil {
		change(&c)
	}
	in, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return in
}

// example returns the example of a kind: also what the documentation shows.
func example(t testing.TB, kind cltv.Kind) (body []byte, ev *perennialv1.Event) {
	t.Helper()
	body, err := os.ReadFile(filepath.Join("testdata", "examples", kind.String()+".json"))
	if err != nil {
		t.Fatal(err)
	}
	ev = new(perennialv1.Event)
	if err := protojson.Unmarshal(body, ev); err != nil {
		t.Fatal(err)
	}
	return body, ev
}

func eachKind(f func(k cltv.Kind)) {
	for k := range cltv.Kind(128) {
		if ExternalKinds.Has(k) {
			f(k)
		}
	}
}

func marshal(t testing.TB, m proto.Message) []byte {
	t.Helper()
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// process is Process that must succeed.
func process(t testing.TB, in *Intake, r Record) Message {
	t.Helper()
	m, rejection := in.Process(r)
	if rejection != nil {
		t.Fatalf("refused: %v", rejection)
	}
	return m
}

func contentType(s string) []Header { return []Header{{Key: "content-type", Value: []byte(s)}} }

// Every external kind has an example, and each example means the same whatever
// the encoding it comes in.
func TestExamplesInEveryEncoding(t *testing.T) {
	in := newIntake(t, nil)
	eachKind(func(k cltv.Kind) {
		t.Run(k.String(), func(t *testing.T) {
			body, ev := example(t, k)
			if kindOf(ev) != k {
				t.Fatalf("the example is of kind %s", kindOf(ev))
			}
			bare := marshal(t, ev)
			want := proto.Clone(ev).(*perennialv1.Event)
			if rejection := in.Validate(want); rejection != nil {
				t.Fatal(rejection)
			}
			for name, r := range encodings(t, body, bare) {
				m := process(t, in, r)
				var got perennialv1.Event
				if err := proto.Unmarshal(m.Value, &got); err != nil {
					t.Fatal(err)
				}
				if at := got.RecordedAt.AsTime(); !at.Equal(now.Truncate(time.Millisecond)) {
					t.Errorf("%s: recorded at %v", name, at)
				}
				got.RecordedAt = nil
				if !proto.Equal(&got, want) {
					t.Errorf("%s: became\n%v, want\n%v", name, &got, want)
				}
				if string(m.Key) != Key(ev) {
					t.Errorf("%s: key %s", name, m.Key)
				}
				var domain cltv.Event
				if err := wire.DecodeEvent(m.Value, &domain); err != nil || domain.Kind != k {
					t.Errorf("%s: the updater reads kind %v, %v", name, domain.Kind, err)
				}
			}
		})
	})
}

// encodings returns an event in every encoding that is understood.
func encodings(t testing.TB, body, bare []byte) map[string]Record {
	t.Helper()
	structured := func(fields map[string]any) []byte {
		fields["specversion"], fields["id"], fields["source"], fields["type"] = "1.0", "ce-id", "ce-source", "perennial.v1.Event"
		b, err := json.Marshal(fields)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	ce := func(r Record) Record {
		r.Headers = append(r.Headers, Header{Key: "ce_specversion", Value: []byte("1.0")}, Header{Key: "ce_id", Value: []byte("x")}, Header{Key: "ce_source", Value: []byte("y")})
		return r
	}
	return map[string]Record{
		"json":                           {Value: body, Headers: contentType("application/json")},
		"json with charset":              {Value: body, Headers: contentType("application/json; charset=UTF-8")},
		"json with byte order mark":      {Value: append([]byte("\xef\xbb\xbf"), body...), Headers: contentType("application/json")},
		"json by its look":               {Value: body},
		"protobuf":                       {Value: bare, Headers: contentType("application/x-protobuf")},
		"protobuf by its look":           {Value: bare},
		"octets":                         {Value: bare, Headers: contentType("application/octet-stream")},
		"framed, short path":             {Value: append([]byte{0, 0, 0, 1, 7, 0}, bare...)},
		"framed, long path":              {Value: append([]byte{0, 0, 0, 1, 7, 2, 0}, bare...), Headers: contentType("application/protobuf")},
		"cloudevents binary, json":       ce(Record{Value: body, Headers: contentType("application/json")}),
		"cloudevents binary, protobuf":   ce(Record{Value: bare}),
		"cloudevents structured, json":   {Value: structured(map[string]any{"data": json.RawMessage(body)}), Headers: contentType("application/cloudevents+json")},
		"cloudevents structured, base64": {Value: structured(map[string]any{"data_base64": base64.StdEncoding.EncodeToString(bare), "datacontenttype": "application/protobuf"}), Headers: contentType("application/cloudevents+json; charset=utf-8")},
		"cloudevents structured, framed": {Value: structured(map[string]any{"data_base64": base64.StdEncoding.EncodeToString(append([]byte{0, 0, 0, 1, 7, 0}, bare...))}), Headers: contentType("application/cloudevents+json")},
	}
}

func TestCloudEventAttributesFillGaps(t *testing.T) {
	in := newIntake(t, nil)
	const data = `{"tenant":"acme","ticket_resolved":{"ticket_id":"7"}}`
	want := &perennialv1.Event{}
	if err := protojson.Unmarshal([]byte(`{"tenant":"acme","customer":"C-1","source":"helpdesk","source_event_id":"e-1",
		"occurred_at":"2025-06-01T10:00:00.5Z","ticket_resolved":{"ticket_id":"7"}}`), want); err != nil {
		t.Fatal(err)
	}
	attributes := map[string]string{"specversion": "1.0", "id": "e-1", "source": "helpdesk", "time": "2025-06-01T12:00:00.5+02:00", "subject": "C-1", "type": "ticket"}
	binary := Record{Value: []byte(data), Headers: contentType("application/json")}
	structured := map[string]any{"data": json.RawMessage(data)}
	for name, value := range attributes {
		binary.Headers = append(binary.Headers, Header{Key: "CE_" + name, Value: []byte(value)})
		structured[name] = value
	}
	body, err := json.Marshal(structured)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []Record{binary, {Value: body, Headers: contentType("application/cloudevents+json")}} {
		var got perennialv1.Event
		if err := proto.Unmarshal(process(t, in, r).Value, &got); err != nil {
			t.Fatal(err)
		}
		got.RecordedAt = nil
		if !proto.Equal(&got, want) {
			t.Errorf("became\n%v, want\n%v", &got, want)
		}
	}
}

func TestBackfillIsRecordedWhenItOccurred(t *testing.T) {
	in := newIntake(t, func(c *Config) { c.AllowBackfill = true })
	_, ev := example(t, cltv.KindOrder)
	ev.Backfill = true
	var got cltv.Event
	if err := wire.DecodeEvent(process(t, in, Record{Value: marshal(t, ev)}).Value, &got); err != nil {
		t.Fatal(err)
	}
	if !got.Backfill || got.RecordedAt != got.OccurredAt || got.OccurredAt != ev.OccurredAt.AsTime().UnixMilli() {
		t.Errorf("recorded at %d, occurred at %d", got.RecordedAt, got.OccurredAt)
	}
	ev.Backfill = false
	if err := wire.DecodeEvent(process(t, in, Record{Value: marshal(t, ev)}).Value, &got); err != nil || got.RecordedAt != now.UnixMilli() {
		t.Errorf("news are recorded at %d, %v", got.RecordedAt, err)
	}
}

func TestTraceHeadersPassAndOthersDoNot(t *testing.T) {
	body, _ := example(t, cltv.KindConsent)
	m := process(t, newIntake(t, nil), Record{Value: body, Headers: []Header{
		{Key: "traceparent", Value: []byte("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")}, {Key: "internal", Value: []byte("x")}}})
	if len(m.Headers) != 1 || m.Headers[0].Key != "traceparent" {
		t.Errorf("headers %v", m.Headers)
	}
}

func TestUnknownFieldsPass(t *testing.T) {
	_, ev := example(t, cltv.KindOrder)
	value := append(marshal(t, ev), 0x9a, 0x3f, 2, 'h', 'i') // field 1011
	var got perennialv1.Event
	if err := proto.Unmarshal(process(t, newIntake(t, nil), Record{Value: value}).Value, &got); err != nil {
		t.Fatal(err)
	}
	if string(got.ProtoReflect().GetUnknown()) != "\x9a\x3f\x02hi" {
		t.Errorf("unknown fields became %x", got.ProtoReflect().GetUnknown())
	}
}

func TestKindsOfTheEndpoints(t *testing.T) {
	facts := (&perennialv1.Event{}).ProtoReflect().Descriptor().Oneofs().ByName("fact").Fields()
	for i := range facts.Len() {
		k := cltv.Kind(facts.Get(i).Number())
		if ExternalKinds.Has(k) != (k < cltv.KindClockAdvanced) {
			t.Errorf("%s: external is %v", k, ExternalKinds.Has(k))
		}
		if ExternalKinds.Has(k) && !DialerKinds.Has(k) && !BillingKinds.Has(k) {
			t.Errorf("%s is taken nowhere", k)
		}
	}
	if _, err := New(Config{Kinds: Kinds(cltv.KindErase)}); err == nil || !strings.Contains(err.Error(), "erase") {
		t.Errorf("an internal kind can be configured: %v", err)
	}
	for _, c := range []Config{{}, {Kinds: DialerKinds, HashKey: []byte("short")}, {Kinds: DialerKinds, MaxBytes: -1}} {
		if _, err := New(c); err == nil {
			t.Errorf("%+v is taken", c)
		}
	}
}

func BenchmarkProcess(b *testing.B) {
	in := newIntake(b, nil)
	body, ev := example(b, cltv.KindOrder)
	for name, r := range map[string]Record{"json": {Value: body}, "protobuf": {Value: marshal(b, ev)}} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				process(b, in, r)
			}
		})
	}
}

// The updater refuses records whose recorded_at is ahead of Kafka's clock, and a
// backfill may be dated ahead by what is tolerated.
func TestBackfillDatedAheadIsRecordedNow(t *testing.T) {
	in := newIntake(t, func(c *Config) { c.AllowBackfill = true })
	_, ev := example(t, cltv.KindOrder)
	ev.Backfill, ev.OccurredAt = true, timestamppb.New(now.Add(20*time.Hour))
	m := process(t, in, Record{Value: marshal(t, ev)})
	var got cltv.Event
	if err := wire.DecodeEvent(m.Value, &got); err != nil {
		t.Fatal(err)
	}
	if got.RecordedAt != now.UnixMilli() || got.OccurredAt != now.Add(20*time.Hour).UnixMilli() {
		t.Fatalf("recorded %d, occurred %d", got.RecordedAt, got.OccurredAt)
	}
}
