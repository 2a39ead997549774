package intake

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/perennial-cltv/perennial/pkg/cltv"
	perennialv1 "github.com/perennial-cltv/perennial/proto/perennial/v1"
)

// memorySink keeps what it is sent; before is asked first.
type memorySink struct {
	before func(context.Context) error

	mu       sync.Mutex
	messages []Message
}

func (s *memorySink) Send(ctx context.Context, messages []Message) error {
	if s.before != nil {
		if err := s.before(ctx); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.messages = append(s.messages, messages...)
	return nil
}

func (s *memorySink) keys() (keys []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.messages {
		keys = append(keys, string(m.Key))
	}
	return keys
}

const (
	acmeToken = "acme-token-0123456789"
	rootToken = "root-token-0123456789"
)

func newHandler(t testing.TB, sink Sink, change func(*HandlerConfig)) http.Handler {
	t.Helper()
	credentials, err := ParseCredentials("# who may write\nacme,acme-eu " + acmeToken + "\n\n* " + rootToken + "\n")
	if err != nil {
		t.Fatal(err)
	}
	c := HandlerConfig{Credentials: credentials, Log: slog.New(slog.DiscardHandler)}
	if change != nil {
		change(&c)
	}
	h, err := NewHandler(newIntake(t, nil), sink, c)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	h.Register(mux)
	return mux
}

func post(h http.Handler, contentType string, body []byte, change func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, Path, bytes.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	r.Header.Set("Authorization", "Bearer "+acmeToken)
	if change != nil {
		change(r)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// describe writes an answer as the golden file has it.
func describe(name string, w *httptest.ResponseRecorder) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n%d %s\n", name, w.Code, w.Header().Get("Content-Type"))
	for _, h := range []string{"Retry-After", "Allow", "WWW-Authenticate"} {
		if v := w.Header().Get(h); v != "" {
			fmt.Fprintf(&b, "%s: %s\n", h, v)
		}
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, w.Body.Bytes(), "", "  "); err != nil {
		return b.String() + "not JSON: " + w.Body.String()
	}
	return b.String() + strings.TrimSpace(indented.String()) + "\n\n"
}

// The answers are as testdata/answers.golden has them.
func TestAnswers(t *testing.T) {
	order, ev := example(t, cltv.KindOrder)
	call, _ := example(t, cltv.KindCall)
	compact := func(b []byte) []byte {
		var out bytes.Buffer
		if err := json.Compact(&out, b); err != nil {
			t.Fatal(err)
		}
		return out.Bytes()
	}
	bad := bytes.Replace(order, []byte("EUR"), []byte("euro"), 1)
	strange := bytes.Replace(order, []byte(`"acme"`), []byte(`"globex"`), 1)
	lines := func(events ...[]byte) []byte {
		for i := range events {
			events[i] = compact(events[i])
		}
		return bytes.Join(events, []byte("\n"))
	}
	array := func(events ...[]byte) []byte {
		return append(append([]byte("["), bytes.Join(events, []byte(","))...), ']')
	}
	none := proto.Clone(ev).(*perennialv1.Event)
	none.Tenant, none.OccurredAt, none.GetOrder().Amount.Minor = "", nil, -5

	sink := new(memorySink)
	h := newHandler(t, sink, nil)
	busy := newHandler(t, &memorySink{before: func(context.Context) error { return fmt.Errorf("sending: %w", ErrBusy) }}, nil)
	down := newHandler(t, &memorySink{before: func(context.Context) error { return errors.New("no leader") }}, nil)
	limited := newHandler(t, new(memorySink), func(c *HandlerConfig) { c.Quota = Quota{EventsPerSecond: .5, Burst: 1} })
	post(limited, "application/json", order, nil)

	var got strings.Builder
	for _, c := range []struct {
		name, contentType string
		body              []byte
		handler           http.Handler
		change            func(*http.Request)
	}{
		{"one event", "application/json", order, h, nil},
		{"one event in protobuf", "application/protobuf", marshal(t, ev), h, nil},
		{"two events in an array", "application/json", array(order, call), h, nil},
		{"two events in lines", "application/x-ndjson", append(lines(order, call), "\n\n"...), h, nil},
		{"cloudevents batch", "application/cloudevents-batch+json", []byte(`[{"specversion":"1.0","data":` + string(order) + `},{"specversion":"2.0"}]`), h, nil},
		{"cloudevents binary", "application/json", []byte(`{"tenant":"acme","source":"helpdesk","ticketResolved":{"ticketId":"7"}}`), h, func(r *http.Request) {
			r.Header.Set("ce-specversion", "1.0")
			r.Header.Set("ce-id", "id%207")
			r.Header.Set("ce-source", "unused")
			r.Header.Set("ce-time", "2025-06-01T00:00:00Z")
			r.Header.Set("ce-subject", "M%C3%BCller")
		}},
		{"one is refused", "application/json", array(order, bad, strange, []byte(`{"tennant":"acme"}`)), h, nil},
		{"all are refused alike", "application/json", array(strange, strange), h, nil},
		{"a line is broken", "application/x-ndjson", append(lines(order), "\n{\"tenant\":"...), h, nil},
		{"field at fault", "application/json", bad, h, nil},
		{"several fields at fault", "application/protobuf", marshal(t, none), h, nil},
		{"unknown field", "application/json", []byte(`{"tenant":"acme","order":{"orderId":"1","amuont":{}}}`), h, nil},
		{"internal kind", "application/json", []byte(`{"tenant":"acme","erase":{}}`), h, nil},
		{"tenant of somebody else", "application/json", strange, h, nil},
		{"tenant of somebody else, root", "application/json", strange, h, func(r *http.Request) { r.Header.Set("Authorization", "bearer "+rootToken) }},
		{"no token", "application/json", order, h, func(r *http.Request) { r.Header.Del("Authorization") }},
		{"unknown token", "application/json", order, h, func(r *http.Request) { r.Header.Set("Authorization", "Bearer x") }},
		{"basic authorisation", "application/json", order, h, func(r *http.Request) { r.SetBasicAuth("acme", acmeToken) }},
		{"not posted", "application/json", nil, h, func(r *http.Request) { r.Method = http.MethodGet }},
		{"nothing", "application/json", nil, h, nil},
		{"empty array", "application/json", []byte("[]"), h, nil},
		{"broken array", "application/json", []byte("[{},"), h, nil},
		{"too many", "application/json", array(slices.Repeat([][]byte{[]byte("{}")}, maxEvents+1)...), h, nil},
		{"too large", "application/json", bytes.Repeat([]byte(" "), 1<<20+1), h, nil},
		{"another type", "text/csv", []byte("a,b"), h, nil},
		{"compressed", "application/json", order, h, func(r *http.Request) { r.Header.Set("Content-Encoding", "gzip") }},
		{"over quota", "application/json", order, limited, nil},
		{"log busy", "application/json", order, busy, nil},
		{"log down", "application/json", order, down, nil},
	} {
		got.WriteString(describe(c.name, post(c.handler, c.contentType, c.body, c.change)))
	}
	golden(t, "testdata/answers.golden", got.String())
	want := []string{"acme/C-10042", "acme/C-10042", "acme/C-10042", "acme/C-10042", "acme/C-10042", "acme/C-10042",
		"acme/C-10042", "acme/Müller", "acme/C-10042", "acme/C-10042", "globex/C-10042"}
	if keys := sink.keys(); strings.Join(keys, " ") != strings.Join(want, " ") {
		t.Errorf("the log has %q, want %q", keys, want)
	}
}

// An answer comes only after the log acknowledged, and no more requests are
// taken than may be under way.
func TestAnswerWaitsForTheLog(t *testing.T) {
	order, _ := example(t, cltv.KindOrder)
	entered, release := make(chan struct{}), make(chan struct{})
	sink := &memorySink{before: func(context.Context) error {
		entered <- struct{}{}
		<-release
		return nil
	}}
	h := newHandler(t, sink, func(c *HandlerConfig) { c.MaxRequests = 1 })
	first := make(chan *httptest.ResponseRecorder)
	go func() { first <- post(h, "application/json", order, nil) }()
	<-entered
	if w := post(h, "application/json", order, nil); w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
		t.Errorf("a second request is answered %d", w.Code)
	}
	select {
	case w := <-first:
		t.Fatalf("answered %d before the log acknowledged", w.Code)
	default:
	}
	close(release)
	if w := <-first; w.Code != http.StatusAccepted {
		t.Errorf("answered %d", w.Code)
	}
	go func() { <-entered }()
	if w := post(h, "application/json", order, nil); w.Code != http.StatusAccepted {
		t.Errorf("the place isn't free again: %d", w.Code)
	}
}

func TestBodyThatEndsEarly(t *testing.T) {
	h := newHandler(t, new(memorySink), nil)
	w := post(h, "application/json", nil, func(r *http.Request) {
		r.Body = io.NopCloser(io.MultiReader(strings.NewReader(`{"tenant":`), failingReader{}))
	})
	if w.Code != http.StatusBadRequest {
		t.Errorf("answered %d", w.Code)
	}
}

type failingReader struct{}

func (failingReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestOpenIntakeWarns(t *testing.T) {
	var log bytes.Buffer
	order, _ := example(t, cltv.KindOrder)
	h := newHandler(t, new(memorySink), func(c *HandlerConfig) {
		c.Credentials, c.Log = Credentials{}, slog.New(slog.NewTextHandler(&log, nil))
	})
	if !strings.Contains(log.String(), "level=WARN") {
		t.Errorf("no warning: %q", log.String())
	}
	if w := post(h, "application/json", order, func(r *http.Request) { r.Header.Del("Authorization") }); w.Code != http.StatusAccepted {
		t.Errorf("answered %d", w.Code)
	}
}

func TestParseCredentials(t *testing.T) {
	for _, text := range []string{"acme", "acme short", "acme " + acmeToken + " more", "Acme " + acmeToken, "acme, " + acmeToken, "acme,,b " + acmeToken, acmeToken + "!! acme"} {
		_, err := ParseCredentials(text)
		if err == nil {
			t.Errorf("%q is taken", text)
		} else if strings.Contains(err.Error(), acmeToken) && !strings.HasPrefix(text, acmeToken) {
			t.Errorf("the error shows the token: %v", err)
		}
	}
	c, err := ParseCredentials("acme " + acmeToken + "\nglobex " + acmeToken + "\r\n* " + rootToken + "\na " + rootToken)
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, Path, nil)
	for token, want := range map[string][3]bool{acmeToken: {true, true, false}, rootToken: {true, true, true}} {
		r.Header.Set("Authorization", "Bearer "+token)
		allowed, ok := c.authorise(r)
		if got := [3]bool{allowed.has("acme"), allowed.has("globex"), allowed.has("other")}; !ok || got != want {
			t.Errorf("%s: %v", token, got)
		}
	}
	if empty, err := ParseCredentials("# none\n"); err != nil || !empty.Open() {
		t.Errorf("%v", err)
	}
}
