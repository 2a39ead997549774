package cli

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/perennial-cltv/perennial/pkg/stream"
	perennialv1 "github.com/perennial-cltv/perennial/proto/perennial/v1"
)

// TestDecisions shows what was decided on models, to people and to programs.
func TestDecisions(t *testing.T) {
	r := run(t)
	decisions := func(more ...string) (string, string, int) {
		t.Helper()
		return command(t, append([]string{"model", "decisions", "--brokers", r.kafka}, more...)...)
	}
	if out, _, code := decisions("--tenant", "acme"); code != 0 || out != "nothing was decided on models of tenant acme\n" {
		t.Errorf("exit code %d: %s", code, out)
	}
	if _, errs, code := decisions(); code != 2 || !strings.Contains(errs, "--tenant is missing") {
		t.Errorf("exit code %d: %s", code, errs)
	}

	client, err := stream.New(stream.Defaults(r.kafka))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	producer := client.NewProducer()
	day := func(month time.Month, n int) *timestamppb.Timestamp {
		return timestamppb.New(time.Date(2026, month, n, 0, 0, 0, 0, time.UTC))
	}
	published := &perennialv1.ModelDecision{
		Tenant: "acme", DecidedAt: day(5, 2), Outcome: perennialv1.Outcome_OUTCOME_PUBLISHED, Reason: "no worse than number 6",
		WindowFrom: day(1, 31), WindowUntil: day(5, 1), Customers: 12345, Transactions: 678,
		Trials: []*perennialv1.ModelTrial{
			{Name: "Pareto/NBD", Role: perennialv1.Role_ROLE_CHALLENGER, LogScore: proto.Float64(-.5), Mae: proto.Float64(.25), Gini: proto.Float64(.6), MoneyGini: proto.Float64(.7)},
			{Name: "MBG/NBD", Role: perennialv1.Role_ROLE_CHALLENGER, NotIdentified: []string{"dropout not identified"}},
			{Name: "recency", Role: perennialv1.Role_ROLE_BASELINE, Gini: proto.Float64(.55)},
		},
		Candidate: &perennialv1.ModelPublished{Number: 7},
	}
	refused := &perennialv1.ModelDecision{
		Tenant: "acme", Scope: "gold", DecidedAt: day(5, 3), Outcome: perennialv1.Outcome_OUTCOME_REFUSED, Reason: "worse than\x1b[31m red",
		WindowFrom: day(1, 31), WindowUntil: day(5, 1),
	}
	held := &perennialv1.ModelDecision{
		Tenant: "acme", DecidedAt: day(5, 4), Outcome: perennialv1.Outcome_OUTCOME_HELD, Reason: "number 8 was published by somebody else",
		WindowUntil: day(5, 3), Candidate: &perennialv1.ModelPublished{Number: 8},
	}
	other := &perennialv1.ModelDecision{Tenant: "other", DecidedAt: day(5, 3), WindowFrom: day(1, 31), WindowUntil: day(5, 1)}
	for _, d := range []*perennialv1.ModelDecision{published, other, refused, held} {
		value, err := proto.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		if err := producer.Send(t.Context(), client.Config().Topics.Decisions, []stream.Message{{Key: []byte(d.Tenant), Value: value}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := producer.Close(t.Context()); err != nil {
		t.Fatal(err)
	}

	out, _, _ := decisions("--tenant", "acme")
	flat := strings.Join(strings.Fields(out), " ")
	for _, want := range []string{
		"2026-05-02 00:00:00 the whole tenant: published as number 7 no worse than number 6 window 2026-02-01 to 2026-05-01: 12,345 customers, 678 purchases",
		"Pareto/NBD challenger -0.5000 0.2500 0.6000 0.7000", "MBG/NBD challenger – – – – dropout not identified", "recency baseline – – 0.5500 –",
		"segment gold: refused worse than", "2026-05-04 00:00:00 the whole tenant: held number 8 was published by somebody else",
	} {
		if !strings.Contains(flat, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if strings.Contains(out, "\x1b") || strings.Contains(out, "1970") {
		t.Errorf("shown:\n%s", out)
	}
	lines := strings.Split(strings.TrimSpace(must(t, "model", "decisions", "--brokers", r.kafka, "--tenant", "acme", "--json")), "\n")
	var first struct {
		Outcome, Reason string
		Candidate       struct{ Number string }
	}
	if len(lines) != 3 || json.Unmarshal([]byte(lines[0]), &first) != nil || first.Outcome != "OUTCOME_PUBLISHED" || first.Candidate.Number != "7" {
		t.Errorf("as JSON: %q, %+v", lines, first)
	}
}
