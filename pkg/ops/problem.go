package ops

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"
)

// Problem is an HTTP error answer (RFC 9457). Title says what kind of thing went
// wrong, Detail what went wrong this time; Field names the part of the request
// at fault, as a path such as order.amount_minor.
type Problem struct {
	Type   string         `json:"type,omitempty"` // URI of the kind; empty means about:blank
	Title  string         `json:"title"`          // empty: the text of the status
	Status int            `json:"status"`
	Detail string         `json:"detail,omitempty"`
	Field  string         `json:"field,omitempty"`
	Errors []ProblemField `json:"errors,omitempty"` // where several things are wrong

	// RetryAfter becomes the header of that name, rounded up to seconds, where
	// it isn't zero.
	RetryAfter time.Duration `json:"-"`
}

// ProblemField is one of several things wrong with a request.
type ProblemField struct {
	Field  string `json:"field"`
	Detail string `json:"detail"`
}

// WriteProblem answers a request with p.
func WriteProblem(w http.ResponseWriter, p Problem) {
	if p.Title == "" {
		p.Title = http.StatusText(p.Status)
	}
	body, _ := json.Marshal(p) // strings and integers always encode
	if p.RetryAfter > 0 {
		seconds := (p.RetryAfter + time.Second - 1) / time.Second
		w.Header().Set("Retry-After", strconv.FormatInt(int64(seconds), 10))
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(p.Status)
	_, _ = w.Write(append(body, '\n')) // a client that hung up needs no answer
}
