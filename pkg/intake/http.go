package intake

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/perennial-cltv/perennial/pkg/cltv"
	"github.com/perennial-cltv/perennial/pkg/ops"
)

// Path is where events are posted.
const Path = "/v1/events"

// retryAfter is how long a sender is asked to stay away from an intake that is
// full, or whose log can't be reached.
const retryAfter = time.Second

// ErrBusy is wrapped by a Sink's error where it took nothing because it has too
// much to do; it only changes what the sender is told.
var ErrBusy = errors.New("too much to do")

// Sink puts messages into the log. It returns nil only once the log has
// acknowledged all of them. After an error some may be there; the sender is
// asked to send again, which is harmless.
type Sink interface {
	Send(ctx context.Context, messages []Message) error
}

// HandlerConfig is what an HTTP intake is set up with.
type HandlerConfig struct {
	Credentials Credentials
	Quota       Quota
	// MaxRequests bounds the requests under way; more are answered 503 before
	// anything of them is read. 0: 256.
	MaxRequests int
	// Log is told of failures of the sink; nil: the default logger.
	Log *slog.Logger
	// Metrics may be nil.
	Metrics *Metrics
}

// Handler takes events over HTTP: POST /v1/events, one or many.
//
// 202 means that the log has every event of the request. 422 and other 4xx are
// problem documents (RFC 9457) that name the field. Of several events each has
// its result; where one is refused the others are in the log all the same, and
// the answer is 422: sending all again, corrected, is harmless, and nobody who
// only looks at the status loses an event. 429 and 503 carry Retry-After, and
// mean that nothing is known to be in the log.
type Handler struct {
	in       *Intake
	sink     Sink
	config   HandlerConfig
	quotas   *quotas
	underWay chan struct{}
}

// NewHandler makes a handler for in, which sends to sink.
func NewHandler(in *Intake, sink Sink, config HandlerConfig) (*Handler, error) {
	if config.MaxRequests < 0 || config.Quota.EventsPerSecond < 0 || config.Quota.EventsPerSecond > 0 && config.Quota.Burst < 1 {
		return nil, errors.New("intake: a limit of the handler is negative, or a quota has no burst")
	}
	if config.MaxRequests == 0 {
		config.MaxRequests = 256
	}
	if config.Log == nil {
		config.Log = slog.Default()
	}
	if config.Metrics == nil {
		var err error
		if config.Metrics, err = NewMetrics(nil); err != nil {
			return nil, err
		}
	}
	if config.Credentials.Open() {
		config.Log.Warn("the intake has no credentials: everybody who can reach it may write for every tenant")
	}
	return &Handler{in, sink, config, newQuotas(config.Quota, in.config.Now), make(chan struct{}, config.MaxRequests)}, nil
}

// Register makes mux serve Path.
func (h *Handler) Register(mux *http.ServeMux) { mux.Handle(Path, h) }

func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	select {
	case h.underWay <- struct{}{}:
		defer func() { <-h.underWay }()
	default:
		h.refuse(w, r, reject(CodeBusy, "", "", "too many requests are under way"), retryAfter)
		return
	}
	h.config.Metrics.requests.Add(r.Context(), 1)
	defer h.config.Metrics.requests.Add(r.Context(), -1)

	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		h.refuse(w, r, reject(CodeMethod, "", r.Method, "events are posted"), 0)
		return
	}
	allowed, ok := h.config.Credentials.authorise(r)
	if !ok {
		w.Header().Set("WWW-Authenticate", "Bearer")
		h.refuse(w, r, reject(CodeUnauthorized, "", "", "the request needs a bearer token that is known here"), 0)
		return
	}
	items, rejection := h.read(w, r)
	if rejection != nil {
		h.refuse(w, r, rejection, 0)
		return
	}
	h.take(w, r, items, allowed)
}

// read reads and decodes the body.
func (h *Handler) read(w http.ResponseWriter, r *http.Request) ([]Item, *Rejection) {
	if e := r.Header.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		return nil, reject(CodeEncoding, "content-encoding", e, "compressed bodies aren't taken")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, int64(h.in.config.MaxBytes)))
	if err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			return nil, reject(CodeTooLarge, "", "", fmt.Sprintf("a request has at most %d bytes", tooLarge.Limit))
		}
		return nil, reject(CodeMalformed, "", "", "the body ended early")
	}
	return Decode(Packet{ContentType: r.Header.Get("Content-Type"), Attribute: attributesOf(r.Header), Body: body, Many: true})
}

// attributesOf reads CloudEvents attributes, which are percent-encoded in HTTP.
func attributesOf(headers http.Header) func(string) (string, bool) {
	return func(name string) (string, bool) {
		values := headers.Values("Ce-" + name)
		if len(values) == 0 {
			return "", false
		}
		if plain, err := url.PathUnescape(values[0]); err == nil {
			return plain, true
		}
		return values[0], true
	}
}

// take admits the events of a request, sends those that may come in, and
// answers.
func (h *Handler) take(w http.ResponseWriter, r *http.Request, items []Item, allowed tenants) {
	counts := make(map[string]int)
	for i := range items {
		h.bind(&items[i], allowed)
		if items[i].Rejection == nil {
			counts[items[i].Event.Tenant]++
		}
	}
	if tenant, wait := h.quotas.take(counts); wait > 0 {
		h.refuse(w, r, reject(CodeQuota, "tenant", tenant, "has sent more than its quota"), wait)
		return
	}
	var (
		messages []Message
		kinds    []cltv.Kind
	)
	for i := range items {
		it := &items[i]
		if it.Rejection != nil {
			continue
		}
		var m Message
		if m, it.Rejection = h.in.Admit(it.Event); it.Rejection == nil {
			m.Headers = ops.Inject(r.Context(), m.Headers)
			messages, kinds = append(messages, m), append(kinds, kindOf(it.Event))
		}
	}
	if len(messages) > 0 {
		if err := h.sink.Send(r.Context(), messages); err != nil {
			h.unsent(w, r, err)
			return
		}
	}
	for _, k := range kinds {
		h.config.Metrics.Accepted(r.Context(), k)
	}
	h.answer(w, r, items)
}

// bind refuses an event of a tenant that the credential isn't bound to. An event
// without a tenant is left to validation.
func (h *Handler) bind(it *Item, allowed tenants) {
	if it.Rejection == nil && it.Event.Tenant != "" && !allowed.has(it.Event.Tenant) {
		it.Rejection = &Rejection{StageValidate, []Problem{{CodeTenantForbidden, "tenant", printable(it.Event.Tenant), "the credential isn't bound to this tenant"}}}
	}
}

// unsent answers a request whose messages the sink didn't take.
func (h *Handler) unsent(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, ErrBusy) {
		h.refuse(w, r, reject(CodeBusy, "", "", "too much is waiting to be written"), retryAfter)
		return
	}
	if r.Context().Err() == nil { // else the sender hung up
		h.config.Log.ErrorContext(r.Context(), "events couldn't be written to the log", "error", err)
	}
	h.refuse(w, r, reject(CodeUnavailable, "", "", "the log can't be written to; send the same again, which is harmless"), retryAfter)
}

// refuse answers a request of which nothing was taken.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, why *Rejection, wait time.Duration) {
	h.config.Metrics.Refused(r.Context(), why.Code())
	if wait > 0 {
		seconds := (wait + time.Second - 1) / time.Second
		w.Header().Set("Retry-After", strconv.FormatInt(int64(seconds), 10))
	}
	why.document().write(w)
}

// answer says what became of the events.
func (h *Handler) answer(w http.ResponseWriter, r *http.Request, items []Item) {
	a := answer{Results: make([]result, len(items))}
	for i, it := range items {
		a.Results[i] = resultOf(it)
		if it.Rejection == nil {
			a.Accepted++
			continue
		}
		a.Refused++
		if len(items) == 1 {
			h.refuse(w, r, it.Rejection, 0)
			return
		}
		h.config.Metrics.Refused(r.Context(), it.Rejection.Code())
		if status := it.Rejection.Code().Status(); a.Status == 0 || a.Status == status {
			a.Status = status
		} else {
			a.Status = http.StatusUnprocessableEntity
		}
	}
	switch {
	case a.Refused == 0:
	case a.Accepted == 0:
		a.Type, a.Title = problemType+"all_refused", "All events were refused"
		a.Detail = fmt.Sprintf("all %d events were refused", a.Refused)
	default:
		a.Type, a.Title, a.Status = problemType+"some_refused", "Some events were refused", http.StatusUnprocessableEntity
		a.Detail = fmt.Sprintf("%d of %d events were refused; the others are taken in, and sending them again is harmless", a.Refused, len(items))
	}
	a.write(w)
}

// answer is the body of every answer: a problem document unless all went well.
type answer struct {
	document
	Accepted int      `json:"accepted"`
	Refused  int      `json:"refused"`
	Results  []result `json:"results"`
}

func (a answer) write(w http.ResponseWriter) { writeBody(w, a.Status, a) }

func (d document) write(w http.ResponseWriter) { writeBody(w, d.Status, d) }

// writeBody writes an answer; status 0 is success.
func writeBody(w http.ResponseWriter, status int, body any) {
	contentType := "application/problem+json"
	if status == 0 {
		status, contentType = http.StatusAccepted, "application/json"
	}
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	_ = e.Encode(body) // a sender that hung up needs no answer
}

// result is what became of one event.
type result struct {
	SourceEventID string    `json:"source_event_id,omitempty"`
	Status        string    `json:"status"`
	Problems      []Problem `json:"problems,omitempty"`
}

func resultOf(it Item) (r result) {
	r.Status = "accepted"
	if it.Event != nil {
		r.SourceEventID = printable(it.Event.SourceEventId)
	}
	if it.Rejection != nil {
		r.Status, r.Problems = "refused", it.Rejection.Problems
	}
	return r
}
