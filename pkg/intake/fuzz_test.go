package intake

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/perennial-cltv/perennial/pkg/cltv"
	"github.com/perennial-cltv/perennial/pkg/wire"
)

// Whatever comes in, it becomes a record that the updater can read and that
// comes in again as it is, or a rejection that can be shown.
func FuzzProcess(f *testing.F) {
	eachKind(func(k cltv.Kind) {
		body, ev := example(f, k)
		bare := marshal(f, ev)
		for _, r := range encodings(f, body, bare) {
			contentType := ""
			for _, h := range r.Headers {
				if h.Key == "content-type" {
					contentType = string(h.Value)
				}
			}
			f.Add(contentType, r.Value, false)
			f.Add(contentType, r.Value, true)
		}
	})
	in := newIntake(f, func(c *Config) { c.HashKey = []byte("0123456789abcdef") })
	f.Fuzz(func(t *testing.T, contentType string, value []byte, cloudEvent bool) {
		r := Record{Value: value}
		if contentType != "" {
			r.Headers = append(r.Headers, Header{Key: "content-type", Value: []byte(contentType)})
		}
		if cloudEvent {
			for _, name := range []string{"id", "source", "time", "subject"} {
				r.Headers = append(r.Headers, Header{Key: "ce_" + name, Value: value[:min(len(value), 30)]})
			}
			r.Headers = append(r.Headers, Header{Key: "ce_specversion", Value: []byte("1.0")})
		}
		m, rejection := in.Process(r)
		if rejection != nil {
			checkShown(t, rejection)
			return
		}
		var ev cltv.Event
		if err := wire.DecodeEvent(m.Value, &ev); err != nil {
			t.Fatalf("the updater can't read what was taken in: %v", err)
		}
		if !ExternalKinds.Has(ev.Kind) || ev.RecordedAt == 0 || ev.Tenant == "" || !strings.HasPrefix(string(m.Key), ev.Tenant+"/") {
			t.Fatalf("taken in as %+v, key %s", ev, m.Key)
		}
		if again, rejection := in.Process(Record{Value: m.Value, Headers: contentTypeProtobuf}); rejection != nil || !bytes.Equal(again.Value, m.Value) {
			t.Fatalf("the second time: %v", rejection)
		}
	})
}

var contentTypeProtobuf = contentType("application/protobuf")

// checkShown checks that a rejection can go into headers, logs and answers.
func checkShown(t *testing.T, r *Rejection) {
	t.Helper()
	if len(r.Problems) == 0 || len(r.Problems) > maxProblems || !utf8.ValidString(r.Error()) {
		t.Fatalf("%d problems: %q", len(r.Problems), r.Error())
	}
	for _, p := range r.Problems {
		if titles[p.Code] == "" || p.Detail == "" || len(p.Value) > maxValueBytes*utf8.UTFMax || len(p.Field) > 300 {
			t.Fatalf("%+v", p)
		}
	}
}

// Packets of several events are decoded one by one.
func FuzzDecodeMany(f *testing.F) {
	for _, kind := range []cltv.Kind{cltv.KindOrder, cltv.KindCall} {
		body, _ := example(f, kind)
		f.Add("application/json", append(append([]byte("["), body...), ']'))
		f.Add("application/x-ndjson", body)
		f.Add("application/cloudevents-batch+json", []byte(`[{"specversion":"1.0","data":`+string(body)+`}]`))
	}
	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		items, rejection := Decode(Packet{ContentType: contentType, Body: body, Many: true})
		if rejection != nil {
			checkShown(t, rejection)
			return
		}
		if len(items) == 0 || len(items) > maxEvents {
			t.Fatalf("%d events", len(items))
		}
		for _, it := range items {
			if (it.Event == nil) == (it.Rejection == nil) {
				t.Fatalf("%+v", it)
			}
			if it.Rejection != nil {
				checkShown(t, it.Rejection)
			}
		}
	})
}

// A contact never passes, and the hash of what passes is the hash again.
func FuzzContact(f *testing.F) {
	for _, s := range []string{"tel:+13035550123", "+1 (303) 555-0123", "jane@example.com", "mailto:a@b.c", "C-1", "phone:"} {
		f.Add(s)
	}
	in := newIntake(f, func(c *Config) { c.HashKey = []byte("0123456789abcdef") })
	f.Fuzz(func(t *testing.T, key string) {
		hashed, isContact, problem := in.contact("acme", key)
		if !isContact && hashed != key {
			t.Fatalf("%q became %q", key, hashed)
		}
		if problem != "" {
			return
		}
		if again, _, problem := in.contact("acme", hashed); again != hashed || problem != "" {
			t.Fatalf("%q, hashed %q, hashed again %q (%s)", key, hashed, again, problem)
		}
		if strings.HasPrefix(strings.ToLower(hashed), telPrefix) || strings.HasPrefix(strings.ToLower(hashed), mailPrefix) || looksLikeMail(hashed) || looksLikePhone(hashed) {
			t.Fatalf("%q passes as %q", key, hashed)
		}
	})
}

func FuzzParseCredentials(f *testing.F) {
	f.Add("acme,globex " + acmeToken + "\n# none\n* " + rootToken)
	f.Fuzz(func(t *testing.T, text string) {
		c, err := ParseCredentials(text)
		if err != nil && !c.Open() {
			t.Fatal("credentials beside an error")
		}
	})
}
