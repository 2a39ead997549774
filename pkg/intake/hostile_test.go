package intake

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/perennial-cltv/perennial/pkg/cltv"
	perennialv1 "github.com/perennial-cltv/perennial/proto/perennial/v1"
)

// hostile is a record that nobody should send, and somebody will.
type hostile struct {
	name   string
	record Record
	intake *Intake // nil: takes every external kind
}

// edit returns the order example with one text replaced.
func edit(t *testing.T, old, replacement string) Record {
	t.Helper()
	body, _ := example(t, cltv.KindOrder)
	if !bytes.Contains(body, []byte(old)) {
		t.Fatalf("the example has no %s", old)
	}
	return Record{Value: bytes.ReplaceAll(body, []byte(old), []byte(replacement)), Headers: contentType("application/json")}
}

func change(t *testing.T, k cltv.Kind, f func(*perennialv1.Event)) Record {
	t.Helper()
	_, ev := example(t, k)
	f(ev)
	return Record{Value: marshal(t, ev)}
}

func hostileRecords(t *testing.T) []hostile {
	order, _ := example(t, cltv.KindOrder)
	_, ev := example(t, cltv.KindOrder)
	bare := marshal(t, ev)
	dialer := newIntake(t, func(c *Config) { c.Kinds = DialerKinds })
	keyless := newIntake(t, nil)
	text := func(s string) Record { return Record{Value: []byte(s), Headers: contentType("application/json")} }
	spend := func(f func(*perennialv1.Event)) Record { return change(t, cltv.KindMarketingSpend, f) }
	return append([]hostile{
		{"empty", Record{}, nil},
		{"ten megabytes", Record{Value: bytes.Repeat([]byte("x"), 10<<20)}, nil},
		{"random text", Record{Value: []byte("hello, world")}, nil},
		{"spaces", text("   "), nil},
		{"avro", Record{Value: []byte("\x00\x00\x00\x00\x07\x0eacme"), Headers: contentType("application/avro")}, nil},
		{"content type that isn't one", Record{Value: order, Headers: contentType("json;;")}, nil},
		{"json in latin-1", Record{Value: order, Headers: contentType("application/json; charset=iso-8859-1")}, nil},
		{"framed, cut short", Record{Value: []byte{0, 0, 0}}, nil},
		{"framed, other message of the file", Record{Value: append([]byte{0, 0, 0, 0, 7, 2, 6}, bare...)}, nil},
		{"framed, nested message", Record{Value: append([]byte{0, 0, 0, 0, 7, 4, 0, 2}, bare...)}, nil},
		{"framed, endless count", Record{Value: append([]byte{0, 0, 0, 0, 7}, bytes.Repeat([]byte{0xff}, 20)...)}, nil},
		{"framed, nothing behind", Record{Value: []byte{0, 0, 0, 0, 7, 0}}, nil},
		{"protobuf, cut short", Record{Value: bare[:len(bare)-3]}, nil},
		{"protobuf, text not UTF-8", Record{Value: append(bare[:len(bare):len(bare)], 0x0a, 1, 0xff)}, nil},
		{"protobuf, text in a fact not UTF-8", Record{Value: append(bare[:len(bare):len(bare)], 0xaa, 1, 3, 0x0a, 1, 0xff)}, nil},
		{"protobuf, kind of a newer schema", Record{Value: []byte("\x0a\x04acme\x12\x01c\xba\x03\x00")}, nil},
		{"protobuf as json", Record{Value: bare, Headers: contentType("application/json")}, nil},
		{"json as protobuf", Record{Value: order, Headers: contentType("application/protobuf")}, nil},
		{"json, cut short", text(string(order[:100])), nil},
		{"json array on a topic", text("[" + string(order) + "]"), nil},
		{"ndjson on a topic", Record{Value: order, Headers: contentType("application/x-ndjson")}, nil},
		{"json, number", text("17"), nil},
		{"json, null", text("null"), nil},
		{"json, empty object", text("{}"), nil},
		{"json, ten thousand levels", text(strings.Repeat(`{"order":`, 10_001) + strings.Repeat("}", 10_001)), nil},
		{"json, deep in a text field", text(`{"tenant":` + strings.Repeat("[", 5_000) + strings.Repeat("]", 5_000) + `}`), nil},
		{"json, field twice", text(`{"tenant":"a","tenant":"b"}`), nil},
		{"json, two facts", text(`{"order":{},"payment":{}}`), nil},
		{"json, unknown field", edit(t, `"source":`, `"src":`), nil},
		{"json, unknown field below", edit(t, `"minor": 11900`, `"amount": 11900`), nil},
		{"json, unknown field with a hostile name", text(`{"\u0000\u202e` + strings.Repeat("x", 200) + `":1}`), nil},
		{"json, NaN", edit(t, `"minor": 11900`, `"minor": NaN`), nil},
		{"json, NaN as text", edit(t, `"minor": 11900`, `"minor": "NaN"`), nil},
		{"json, infinite", edit(t, `"minor": 11900`, `"minor": 1e999`), nil},
		{"json, fraction", edit(t, `"minor": 11900`, `"minor": 119.5`), nil},
		{"json, over 64 bits", edit(t, `"minor": 11900`, `"minor": 99999999999999999999`), nil},
		{"json, money as a number", edit(t, "\"amount\": {\n      \"minor\": 11900,\n      \"currency\": \"EUR\"\n    }", `"amount": 119.00`), nil},
		{"json, unknown enum", edit(t, `ORDER_TYPE_NEW`, `ORDER_TYPE_GIFT`), nil},
		{"json, unknown enum number", edit(t, `"ORDER_TYPE_NEW"`, `77`), nil},
		{"json, not UTF-8", edit(t, `gold-12m`, "gold\xff"), nil},
		{"json, half a surrogate", edit(t, `gold-12m`, `\ud800`), nil},
		{"json, local time", edit(t, `2025-03-31T14:15:16Z`, `2025-03-31 14:15:16`), nil},
		{"year 0", edit(t, `2025-03-31T14:15:16Z`, `0000-03-31T14:15:16Z`), nil},
		{"year 1", edit(t, `2025-03-31T14:15:16Z`, `0001-01-01T00:00:00Z`), nil},
		{"no time at all", edit(t, `2025-03-31T14:15:16Z`, `1970-01-01T00:00:00Z`), nil},
		{"year 1969", edit(t, `2025-03-31T14:15:16Z`, `1969-12-31T23:59:59Z`), nil},
		{"year 9999", edit(t, `2025-03-31T14:15:16Z`, `9999-12-31T23:59:59Z`), nil},
		{"the day after tomorrow", edit(t, `2025-03-31T14:15:16Z`, `2025-07-03T00:00:00Z`), nil},
		{"nanoseconds out of range", change(t, cltv.KindOrder, func(e *perennialv1.Event) { e.OccurredAt.Nanos = -1 }), nil},
		{"negative money", edit(t, `11900`, `-1`), nil},
		{"money over 10^12", edit(t, `11900`, `1000000000001`), nil},
		{"money at the end of 64 bits", edit(t, `11900`, `"9223372036854775807"`), nil},
		{"currency in lower case", edit(t, `EUR`, `eur`), nil},
		{"currency unknown", edit(t, `EUR`, `XXX`), nil},
		{"currency missing", edit(t, `"currency": "EUR"`, `"currency": ""`), nil},
		{"conversion that isn't one", edit(t, `EUR`, `USD`), nil},
		{"conversion of nothing", edit(t, `"minor": 11900`, `"minor": 0`), nil},
		{"cost in another currency", change(t, cltv.KindOrder, func(e *perennialv1.Event) { e.GetOrder().CostOfGoods.Currency = "EUR" }), nil},
		{"no amount", change(t, cltv.KindOrder, func(e *perennialv1.Event) { e.GetOrder().Amount = nil }), nil},
		{"tenant in upper case", edit(t, `"acme"`, `"Acme"`), nil},
		{"tenant with a slash", edit(t, `"acme"`, `"acme/other"`), nil},
		{"tenant too long", edit(t, `"acme"`, `"`+strings.Repeat("a", 64)+`"`), nil},
		{"customer of our own keys", edit(t, `"C-10042"`, `"~spend/x"`), nil},
		{"customer with a line break", edit(t, `"C-10042"`, `"C\n10042"`), nil},
		{"customer too long", edit(t, `"C-10042"`, `"`+strings.Repeat("ü", 101)+`"`), nil},
		{"customer a phone number, no key", edit(t, `"C-10042"`, `"+1 (303) 555-0123"`), keyless},
		{"customer an e-mail address, no key", edit(t, `"C-10042"`, `"jane@example.com"`), keyless},
		{"customer a local phone number", edit(t, `"C-10042"`, `"(303) 555-0123"`), nil},
		{"customer a false hash", edit(t, `"C-10042"`, `"phone:+13035550123"`), nil},
		{"nothing but the kind", Record{Value: []byte("\xaa\x01\x00")}, nil},
		{"negative revision", change(t, cltv.KindOrder, func(e *perennialv1.Event) { e.Revision = -1 }), nil},
		{"backfill from outside", change(t, cltv.KindOrder, func(e *perennialv1.Event) { e.Backfill = true }), nil},
		{"order at the dialers' intake", Record{Value: bare}, dialer},
		{"spend with a customer", spend(func(e *perennialv1.Event) { e.Customer = "C-1" }), nil},
		{"spend without a campaign", spend(func(e *perennialv1.Event) { e.GetMarketingSpend().Touch = nil }), nil},
		{"referral of oneself", change(t, cltv.KindReferral, func(e *perennialv1.Event) { e.GetReferral().ReferredCustomer = e.Customer }), nil},
		{"profile that says nothing", change(t, cltv.KindProfile, func(e *perennialv1.Event) { proto.Reset(e.GetProfile()) }), nil},
		{"score of eleven", change(t, cltv.KindSurveyAnswer, func(e *perennialv1.Event) { e.GetSurveyAnswer().Score = 11 }), nil},
		{"first price missing", change(t, cltv.KindSubscriptionStarted, func(e *perennialv1.Event) { e.GetSubscriptionStarted().Price = nil }), nil},
		{"unknown fields without end", Record{Value: append(append(bare[:len(bare):len(bare)], 0x9a, 0x3f, 0x80, 0x80, 0x08), make([]byte, 128<<10)...)}, nil},
	}, hostileCloudEvents(t)...)
}

func hostileCloudEvents(t *testing.T) []hostile {
	_, ev := example(t, cltv.KindOrder)
	ev.OccurredAt = nil
	bare := marshal(t, ev)
	structured := func(s string) Record {
		return Record{Value: []byte(s), Headers: contentType("application/cloudevents+json")}
	}
	binary := func(name, value string) Record {
		return Record{Value: bare, Headers: []Header{{Key: "ce_specversion", Value: []byte("1.0")}, {Key: name, Value: []byte(value)}}}
	}
	return []hostile{
		{"cloudevent of another version", binary("ce_specversion", "0.3"), nil},
		{"cloudevent with a false time", binary("ce_time", "yesterday"), nil},
		{"cloudevent batch on a topic", Record{Value: []byte("[]"), Headers: contentType("application/cloudevents-batch+json")}, nil},
		{"cloudevent in protobuf", Record{Value: bare, Headers: contentType("application/cloudevents+protobuf")}, nil},
		{"cloudevent, empty", structured("{}"), nil},
		{"cloudevent, array", structured("[]"), nil},
		{"cloudevent, id a number", structured(`{"specversion":"1.0","id":7}`), nil},
		{"cloudevent without data", structured(`{"specversion":"1.0","id":"7","data":null}`), nil},
		{"cloudevent with both data", structured(`{"specversion":"1.0","data":{},"data_base64":"AA=="}`), nil},
		{"cloudevent, data a text", structured(`{"specversion":"1.0","data":"order"}`), nil},
		{"cloudevent, data not base64", structured(`{"specversion":"1.0","data_base64":"%%%"}`), nil},
		{"cloudevent, data in xml", structured(`{"specversion":"1.0","data":"<order/>","datacontenttype":"text/xml"}`), nil},
		{"cloudevent, protobuf in data", structured(`{"specversion":"1.0","data":"AA","datacontenttype":"application/protobuf"}`), nil},
		{"cloudevent in a cloudevent", structured(`{"specversion":"1.0","data":{},"datacontenttype":"application/cloudevents+json"}`), nil},
	}
}

// Each hostile record has the exact answer that testdata/hostile.golden says.
func TestHostileRecords(t *testing.T) {
	in := newIntake(t, func(c *Config) { c.HashKey = []byte("0123456789abcdef") })
	var got strings.Builder
	for _, h := range hostileRecords(t) {
		intake := in
		if h.intake != nil {
			intake = h.intake
		}
		before := bytes.Clone(h.record.Value)
		m, rejection := intake.Process(h.record)
		if rejection == nil {
			t.Errorf("%s: taken in as %s", h.name, m.Key)
			continue
		}
		if !bytes.Equal(before, h.record.Value) {
			t.Errorf("%s: the record was changed", h.name)
		}
		fmt.Fprintf(&got, "%s\n\t%s %d\n", h.name, rejection.Stage, rejection.Code().Status())
		for _, p := range rejection.Problems {
			fmt.Fprintf(&got, "\t%s\n", p)
			if titles[p.Code] == "" {
				t.Errorf("%s: code %s has no title", h.name, p.Code)
			}
		}
	}
	golden(t, "testdata/hostile.golden", got.String())
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	gotLines, wantLines := strings.Split(got, "\n"), strings.Split(string(want), "\n")
	for i, line := range gotLines {
		if i >= len(wantLines) || line != wantLines[i] {
			t.Fatalf("%s, line %d: got\n%s, want\n%s", path, i+1, line, wantLines[min(i, len(wantLines)-1)])
		}
	}
	if len(gotLines) < len(wantLines) {
		t.Fatalf("%s has %d lines more", path, len(wantLines)-len(gotLines))
	}
}
