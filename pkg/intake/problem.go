package intake

import (
	"fmt"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Code says what kind of thing is wrong. The values are stable: answers and dead
// letters carry them, and people write alerts on them.
type Code string

// The codes. Where the updater refuses for the same reason it uses the same one.
const (
	// Of the message as a whole.
	CodeEmpty       Code = "empty"
	CodeTooLarge    Code = "too_large"
	CodeMalformed   Code = "malformed"
	CodeWrongSchema Code = "wrong_schema"
	CodeEncoding    Code = "unsupported_encoding"

	// Of a field.
	CodeUnknownField    Code = "unknown_field"
	CodeMissing         Code = "missing_field"
	CodeTooLong         Code = "too_long"
	CodeInvalidText     Code = "invalid_text"
	CodeInvalidValue    Code = "invalid_value"
	CodeOutOfRange      Code = "out_of_range"
	CodeUnknownValue    Code = "unknown_value"
	CodeUnknownCurrency Code = "unknown_currency"
	CodeInconsistent    Code = "inconsistent_money"
	CodeNotAllowed      Code = "not_allowed"
	CodeRawContact      Code = "raw_contact"

	// Of the kind of event.
	CodeInternalKind   Code = "internal_kind"
	CodeKindNotAllowed Code = "kind_not_allowed"

	// Of the request.
	CodeUnauthorized    Code = "unauthorized"
	CodeTenantForbidden Code = "tenant_forbidden"
	CodeMethod          Code = "method_not_allowed"
	CodeQuota           Code = "quota_exceeded"
	CodeBusy            Code = "busy"
	CodeUnavailable     Code = "unavailable"
)

// statuses are the HTTP statuses of the codes that aren't 422.
var statuses = map[Code]int{
	CodeEmpty:           http.StatusBadRequest,
	CodeMalformed:       http.StatusBadRequest,
	CodeTooLarge:        http.StatusRequestEntityTooLarge,
	CodeEncoding:        http.StatusUnsupportedMediaType,
	CodeUnauthorized:    http.StatusUnauthorized,
	CodeTenantForbidden: http.StatusForbidden,
	CodeMethod:          http.StatusMethodNotAllowed,
	CodeQuota:           http.StatusTooManyRequests,
	CodeBusy:            http.StatusServiceUnavailable,
	CodeUnavailable:     http.StatusServiceUnavailable,
}

// titles say for people what a code means.
var titles = map[Code]string{
	CodeEmpty:           "The message is empty",
	CodeTooLarge:        "The message is too large",
	CodeMalformed:       "The message can't be decoded",
	CodeWrongSchema:     "The message has another schema",
	CodeEncoding:        "The encoding isn't understood",
	CodeUnknownField:    "There is no such field",
	CodeMissing:         "A field is missing",
	CodeTooLong:         "A text is too long",
	CodeInvalidText:     "A text isn't allowed",
	CodeInvalidValue:    "A value has the wrong form",
	CodeOutOfRange:      "A value is out of range",
	CodeUnknownValue:    "A value isn't known",
	CodeUnknownCurrency: "The currency isn't known",
	CodeInconsistent:    "Amounts contradict one another",
	CodeNotAllowed:      "A field must be left out",
	CodeRawContact:      "A contact would pass unhashed",
	CodeInternalKind:    "The kind of event is internal",
	CodeKindNotAllowed:  "The kind of event isn't taken here",
	CodeUnauthorized:    "The sender isn't known",
	CodeTenantForbidden: "The tenant is another's",
	CodeMethod:          "The method isn't supported",
	CodeQuota:           "The quota is used up",
	CodeBusy:            "The intake is busy",
	CodeUnavailable:     "The log can't be reached",
}

// Status returns the HTTP status that goes with a code.
func (c Code) Status() int {
	if s, ok := statuses[c]; ok {
		return s
	}
	return http.StatusUnprocessableEntity
}

// Problem is one thing that is wrong with an event or a request.
type Problem struct {
	Code Code `json:"code"`
	// Field is the path of the field at fault, in the schema's names, such as
	// "order.amount.currency"; empty where it is the whole message.
	Field string `json:"field,omitempty"`
	// Value is what stands there, cut and made printable; empty where it doesn't
	// help, and for contacts, which must not spread.
	Value string `json:"value,omitempty"`
	// Detail says for people what is wrong.
	Detail string `json:"detail"`
}

func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(string(p.Code))
	if p.Field != "" {
		b.WriteString(": " + p.Field)
	}
	if p.Value != "" {
		fmt.Fprintf(&b, ": %q", p.Value)
	}
	return b.String() + ": " + p.Detail
}

// Stage is the step that refused a message, as dead letters name it.
type Stage string

// The stages.
const (
	StageDecode   Stage = "DECODE"
	StageValidate Stage = "VALIDATE"
)

// maxProblems bounds how many problems of one event are listed.
const maxProblems = 16

// Rejection says why an event is refused: the cause of a dead letter, or of an
// answer.
type Rejection struct {
	Stage Stage
	// Problems has at least one, the weightiest first, and at most 16.
	Problems []Problem
}

// Code is that of the first problem; dead letters and metrics count by it.
func (r *Rejection) Code() Code { return r.Problems[0].Code }

// Error names all problems in one line.
func (r *Rejection) Error() string {
	texts := make([]string, len(r.Problems))
	for i, p := range r.Problems {
		texts[i] = p.String()
	}
	return strings.Join(texts, "; ")
}

// reject makes the rejection of a message that can't be decoded.
func reject(code Code, field, value, detail string) *Rejection {
	return &Rejection{StageDecode, []Problem{{code, field, printable(value), detail}}}
}

// maxValueBytes bounds Problem.Value.
const maxValueBytes = 64

// printable makes a value fit to be shown: cut, and without what isn't text.
func printable(s string) string {
	cut := len(s) > maxValueBytes
	if cut {
		s = s[:maxValueBytes]
		for i := 0; i < utf8.UTFMax && len(s) > 0; i++ { // not through a character
			if r, n := utf8.DecodeLastRuneInString(s); r != utf8.RuneError || n > 1 {
				break
			}
			s = s[:len(s)-1]
		}
	}
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return utf8.RuneError
		}
		return r
	}, s)
	if cut {
		s += "…"
	}
	return s
}

// problemType begins the URI of every problem; the code follows.
const problemType = "urn:perennial:problem:"

// document is a problem document (RFC 9457), with the members code, field, value
// and, where several things are wrong, problems.
type document struct {
	Type     string    `json:"type,omitempty"`
	Title    string    `json:"title,omitempty"`
	Status   int       `json:"status,omitempty"`
	Code     Code      `json:"code,omitempty"`
	Field    string    `json:"field,omitempty"`
	Value    string    `json:"value,omitempty"`
	Detail   string    `json:"detail,omitempty"`
	Problems []Problem `json:"problems,omitempty"`
}

func (r *Rejection) document() document {
	first := r.Problems[0]
	d := document{
		Type: problemType + string(first.Code), Title: titles[first.Code], Status: first.Code.Status(),
		Code: first.Code, Field: first.Field, Value: first.Value, Detail: first.Detail,
	}
	if len(r.Problems) > 1 {
		d.Problems = r.Problems
	}
	return d
}
