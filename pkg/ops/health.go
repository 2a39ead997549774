package ops

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// checkLimit bounds one check: probes are asked every few seconds and must answer.
const checkLimit = 2 * time.Second

// healthCheck is one question; its name is a short noun: kafka, redis, assignment.
type healthCheck struct {
	name string
	ask  func(context.Context) error
}

// Health is what the process says when asked whether it lives and whether it
// can serve. All methods may be called at any time from anywhere.
type Health struct {
	mu       sync.Mutex
	ready    []healthCheck
	live     []healthCheck
	stopping atomic.Bool
}

// NewHealth answers a process that lives and is ready, having no checks yet.
func NewHealth() *Health { return &Health{} }

// Ready adds a check that must pass for the process to be ready; its error is
// shown as the reason. It is called on each probe, for two seconds at most.
// A check of the same name is replaced.
func (h *Health) Ready(name string, check func(context.Context) error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ready = replaceCheck(h.ready, healthCheck{name, check})
}

// Live adds a check that must pass for the process to be left running. A failure
// gets the process killed, so it must mean that nothing but a restart helps:
// never let it depend on Kafka or Redis.
func (h *Health) Live(name string, check func(context.Context) error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.live = replaceCheck(h.live, healthCheck{name, check})
}

func replaceCheck(checks []healthCheck, c healthCheck) []healthCheck {
	checks = slices.DeleteFunc(slices.Clone(checks), func(old healthCheck) bool { return old.name == c.name })
	checks = append(checks, c)
	slices.SortFunc(checks, func(a, b healthCheck) int { return strings.Compare(a.name, b.name) })
	return checks
}

// Condition adds a check that a loop answers ahead of time, by telling what it
// last saw. Until it tells anything the process isn't ready.
func (h *Health) Condition(name string) *Condition {
	c := &Condition{}
	c.Set(errors.New("starting"))
	h.Ready(name, func(context.Context) error { return *c.reason.Load() })
	return c
}

// Condition is one fact on which readiness depends.
type Condition struct{ reason atomic.Pointer[error] }

// Set says why the process isn't ready, or by nil that it is.
func (c *Condition) Set(reason error) { c.reason.Store(&reason) }

// Stopping makes the process not ready for good, so that nothing new is sent to
// it while it finishes.
func (h *Health) Stopping() { h.stopping.Store(true) }

// CheckResult is the answer of one check.
type CheckResult struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Reason string `json:"reason,omitempty"` // why not
}

// HealthReport is the body of /livez and /readyz.
type HealthReport struct {
	Status string        `json:"status"` // "ok" or "failing"
	Checks []CheckResult `json:"checks"`
}

// Readiness asks every check of readiness.
func (h *Health) Readiness(ctx context.Context) HealthReport {
	h.mu.Lock()
	checks := h.ready
	h.mu.Unlock()
	report := ask(ctx, checks)
	if h.stopping.Load() {
		report.Status = "failing"
		report.Checks = append(report.Checks, CheckResult{Name: "process", Reason: "stopping"})
	}
	return report
}

// Liveness asks every check of liveness.
func (h *Health) Liveness(ctx context.Context) HealthReport {
	h.mu.Lock()
	checks := h.live
	h.mu.Unlock()
	return ask(ctx, checks)
}

// ask runs the checks side by side. One that overruns its time counts as failed
// and is left to end by itself.
func ask(ctx context.Context, checks []healthCheck) HealthReport {
	ctx, cancel := context.WithTimeout(ctx, checkLimit)
	defer cancel()
	answers := make([]chan error, len(checks))
	for i, c := range checks {
		answers[i] = make(chan error, 1)
		go func() { answers[i] <- c.ask(ctx) }()
	}
	report := HealthReport{Status: "ok", Checks: make([]CheckResult, len(checks))}
	for i, c := range checks {
		var err error
		select {
		case err = <-answers[i]:
		case <-ctx.Done():
			// Time ran out over an earlier check; this one may well have answered.
			select {
			case err = <-answers[i]:
			default:
				err = errors.New("no answer in time")
			}
		}
		report.Checks[i] = CheckResult{Name: c.name, OK: err == nil}
		if err != nil {
			report.Status, report.Checks[i].Reason = "failing", err.Error()
		}
	}
	return report
}

// healthHandler serves a report: 200 where all is well, else 503.
func healthHandler(report func(context.Context) HealthReport) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := report(r.Context())
		status := http.StatusOK
		if body.Status != "ok" {
			status = http.StatusServiceUnavailable
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(status)
		encoder := json.NewEncoder(w)
		encoder.SetIndent("", "  ")
		_ = encoder.Encode(body) // a prober that hung up needs no answer
	})
}
