package ops

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

func TestWriteProblem(t *testing.T) {
	for _, c := range []struct {
		problem    Problem
		body       string
		retryAfter string
	}{
		{Problem{Status: 404}, `{"title":"Not Found","status":404}`, ""},
		{
			Problem{Type: "https://example.org/p", Title: "Invalid", Status: 422, Detail: "must not be negative", Field: "order.amount_minor"},
			`{"type":"https://example.org/p","title":"Invalid","status":422,"detail":"must not be negative","field":"order.amount_minor"}`, "",
		},
		{
			Problem{Status: 400, Errors: []ProblemField{{"a", "x"}, {"b", "\xff"}}},
			`{"title":"Bad Request","status":400,"errors":[{"field":"a","detail":"x"},{"field":"b","detail":"\ufffd"}]}`, "",
		},
		{Problem{Status: 503, RetryAfter: 1500 * time.Millisecond}, `{"title":"Service Unavailable","status":503}`, "2"},
	} {
		recorder := httptest.NewRecorder()
		WriteProblem(recorder, c.problem)
		if recorder.Code != c.problem.Status || recorder.Header().Get("Content-Type") != "application/problem+json" || recorder.Header().Get("Retry-After") != c.retryAfter {
			t.Errorf("%+v: %d %v", c.problem, recorder.Code, recorder.Header())
		}
		var got, want any
		if err := json.Unmarshal(recorder.Body.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(c.body), &want); err != nil {
			t.Fatal(err)
		}
		gotText, _ := json.Marshal(got)
		wantText, _ := json.Marshal(want)
		if !bytes.Equal(gotText, wantText) {
			t.Errorf("body %s, want %s", gotText, wantText)
		}
	}
}

func TestProblemWithoutTitleHasOne(t *testing.T) {
	recorder := httptest.NewRecorder()
	WriteProblem(recorder, Problem{Status: http.StatusTeapot})
	if body := recorder.Body.String(); body != "{\"title\":\"I'm a teapot\",\"status\":418}\n" {
		t.Errorf("body %q", body)
	}
}
