package ops

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
)

// probe asks a health handler and answers the status and the reasons by check.
func probe(t *testing.T, report func(context.Context) HealthReport) (int, map[string]string) {
	t.Helper()
	recorder := httptest.NewRecorder()
	healthHandler(report).ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/readyz", nil))
	var body HealthReport
	if err := json.Unmarshal(recorder.Body.Bytes(), &body); err != nil {
		t.Fatal(err)
	}
	if (body.Status == "ok") != (recorder.Code == http.StatusOK) {
		t.Errorf("status %d says %q", recorder.Code, body.Status)
	}
	reasons := map[string]string{}
	for _, c := range body.Checks {
		if c.OK != (c.Reason == "") {
			t.Errorf("check %+v contradicts itself", c)
		}
		if !c.OK {
			reasons[c.Name] = c.Reason
		}
	}
	return recorder.Code, reasons
}

func TestReadinessFollowsConditions(t *testing.T) {
	h := NewHealth()
	if status, _ := probe(t, h.Readiness); status != http.StatusOK {
		t.Errorf("without checks: %d", status)
	}
	kafka := h.Condition("kafka")
	if status, reasons := probe(t, h.Readiness); status != http.StatusServiceUnavailable || reasons["kafka"] != "starting" {
		t.Errorf("before the first word: %d %v", status, reasons)
	}
	kafka.Set(nil)
	h.Ready("redis", func(context.Context) error { return errors.New("connection refused") })
	if status, reasons := probe(t, h.Readiness); status != http.StatusServiceUnavailable || reasons["redis"] != "connection refused" || len(reasons) != 1 {
		t.Errorf("with one down: %d %v", status, reasons)
	}
	h.Ready("redis", func(context.Context) error { return nil })
	if status, reasons := probe(t, h.Readiness); status != http.StatusOK || len(reasons) != 0 {
		t.Errorf("all up: %d %v", status, reasons)
	}
	h.Stopping()
	if status, reasons := probe(t, h.Readiness); status != http.StatusServiceUnavailable || reasons["process"] != "stopping" {
		t.Errorf("stopping: %d %v", status, reasons)
	}
	if status, _ := probe(t, h.Liveness); status != http.StatusOK {
		t.Error("a process that stops in order must not be killed for it")
	}
}

func TestLivenessIsApart(t *testing.T) {
	h := NewHealth()
	h.Ready("kafka", func(context.Context) error { return errors.New("down") })
	if status, _ := probe(t, h.Liveness); status != http.StatusOK {
		t.Error("liveness depends on readiness")
	}
	h.Live("loop", func(context.Context) error { return errors.New("stuck") })
	if status, reasons := probe(t, h.Liveness); status != http.StatusServiceUnavailable || reasons["loop"] != "stuck" {
		t.Errorf("a stuck loop: %d %v", status, reasons)
	}
}

// TestCheckThatHangs: one check that never answers neither holds up the probe
// nor hides what the others say.
func TestCheckThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := NewHealth()
		release := make(chan struct{})
		h.Ready("hangs", func(context.Context) error { <-release; return nil })
		h.Ready("works", func(context.Context) error { return nil })
		status, reasons := probe(t, h.Readiness)
		if status != http.StatusServiceUnavailable || reasons["hangs"] != "no answer in time" || len(reasons) != 1 {
			t.Errorf("%d %v", status, reasons)
		}
		close(release)
	})
}
