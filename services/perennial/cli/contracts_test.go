package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	perennialv1 "github.com/perennial-cltv/perennial/proto/perennial/v1"
)

// TestContracts: a contract is judged by the model of contracts, which has numbers of its own; who left is on the list of the
// dormant; a formula values a segment, and one that can't be read is refused with its column.
func TestContracts(t *testing.T) {
	r := run(t)
	kafka := []string{"--brokers", r.kafka, "--tenant", "acme"}
	file := func(name, text string) string {
		t.Helper()
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	publish := func(kind, path string) (string, int) {
		t.Helper()
		_, errs, code := command(t, append([]string{"publish", kind, "--redis", r.redis, path}, kafka...)...)
		return errs, code
	}
	contracts := file("contracts.json", `{"modelId": "renewals", "sBg": {"alpha": 1, "beta": 9}, "returnPpm": [50000, 20000, 10000],
		"leaving": {"intercept": -2.2, "tenure": 1, "meanBase": -2.2, "weights": [{"feature": "open_tickets", "weight": 0.7, "mean": 0.1}]}}`)
	for _, p := range [][2]string{{"model", "cdnow"}, {"model", contracts},
		{"policy", file("policy.json", `{"valuations": [{"segment": "trial", "method": "VALUE_METHOD_CUSTOM", "formula": "net * 2 + subscriptions"}]}`)}} {
		if errs, code := publish(p[0], p[1]); code != 0 {
			t.Fatalf("%v: exit code %d: %s", p, code, errs)
		}
	}
	if errs, code := publish("policy", file("bad.json", `{"valuations": [{"method": "VALUE_METHOD_CUSTOM", "formula": "net * nett"}]}`)); code != 2 ||
		!strings.Contains(errs, "valuations.formula: 1:7:") || !strings.Contains(errs, "did you mean net?") {
		t.Errorf("a formula that can't be read: exit code %d: %s", code, errs)
	}

	day := func(ago int) string { return time.Now().UTC().AddDate(0, 0, -ago).Format(time.RFC3339) }
	send := func(customer, id, fact string, ago int) {
		t.Helper()
		body := fmt.Sprintf(`{"tenant": "acme", "customer": %q, "source": "billing", "sourceEventId": %q, "occurredAt": %q, %s}`, customer, id, day(ago), fact)
		if status, answer := post(t, r.billing, body); status != 202 {
			t.Fatal(status, answer)
		}
	}
	start := func(ago int) string {
		return fmt.Sprintf(`"subscriptionStarted": {"subscriptionId": "s", "plan": "basic", "price": {"minor": "1000", "currency": "USD"},
			"periodDays": 30, "invoiceId": "i", "periodEnd": %q}`, day(ago-30))
	}
	send("holder", "1", start(10), 10)
	send("holder", "2", `"ticketOpened": {"ticketId": "t"}`, 5)
	send("gone", "1", start(200), 200)
	send("quiet", "1", start(200), 200)
	send("quiet", "2", `"consent": {"channel": "CONSENT_CHANNEL_CALL"}`, 190)
	send("trial", "1", `"profile": {"segment": "trial"}`, 9)
	send("trial", "2", `"order": {"orderId": "o", "amount": {"minor": "500", "currency": "USD"}}`, 9)

	shown := func(customer, mark string) string {
		t.Helper()
		var out string
		eventually(t, "what "+customer+" is worth", func() bool {
			var code int
			out, _, code = command(t, "customer", "--redis", r.redis, "acme/"+customer)
			return code == 0 && strings.Contains(out, mark)
		})
		return out
	}
	for _, want := range []string{"prediction.contracts.residual", "sBG α 1, β 9", "churn.reason.open_tickets", "1 open ticket", "subscription runs: basic"} {
		if out := shown("holder", "1 open ticket"); !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if out := shown("trial", "net * 2 + subscriptions"); !strings.Contains(out, "residual 10.00 USD") {
		t.Errorf("by a formula:\n%s", out)
	}
	shown("gone", "wasn't renewed")
	shown("quiet", "do not call")

	models := func(args ...string) string {
		t.Helper()
		return must(t, append(append([]string{"model"}, args...), kafka...)...)
	}
	if out := models("list"); !strings.Contains(out, "sBG") || strings.Count(out, "yes") != 2 {
		t.Errorf("list:\n%s", out)
	}
	if out := models("show", "--contracts"); !strings.Contains(out, `"modelId": "renewals"`) {
		t.Errorf("show: %s", out)
	}
	if out := models("show"); !strings.Contains(out, "cdnow") {
		t.Errorf("show: %s", out)
	}

	dormant := func(args ...string) string {
		t.Helper()
		return must(t, append(append([]string{"dormant"}, args...), kafka...)...)
	}
	eventually(t, "who is dormant", func() bool { return strings.Contains(dormant(), "gone") })
	out := dormant()
	if !strings.Contains(out, "1 customer of acme is taken for gone; 1 more must not be called") || !strings.Contains(out, "2.0 %") ||
		strings.Contains(out, "quiet") || strings.Contains(out, "holder") {
		t.Errorf("dormant:\n%s", out)
	}
	if out := dormant("--do-not-call"); !strings.Contains(out, "quiet") {
		t.Errorf("dormant, all:\n%s", out)
	}
	var first struct {
		Customer string
		Churn    struct{ Band string }
	}
	if out := dormant("--json", "--top", "1"); json.Unmarshal([]byte(out), &first) != nil || first.Customer != "gone" || first.Churn.Band != "BAND_LOST" {
		t.Errorf("dormant in JSON:\n%s", out)
	}
	if _, errs, code := command(t, append([]string{"dormant", "--top", "0"}, kafka...)...); code != 2 || !strings.Contains(errs, "--top 0") {
		t.Errorf("exit code %d: %s", code, errs)
	}
}

// TestGone: with contracts alone the end of all of them decides, else the band of the purchases.
func TestGone(t *testing.T) {
	for _, c := range []struct {
		method  perennialv1.Method
		band    perennialv1.Band
		running int32
		want    bool
	}{
		{perennialv1.Method_METHOD_S_BG, perennialv1.Band_BAND_CRITICAL, 0, true}, // likely to come back, and gone all the same
		{perennialv1.Method_METHOD_BD_W, perennialv1.Band_BAND_LOST, 0, true},
		{perennialv1.Method_METHOD_S_BG, perennialv1.Band_BAND_LOST, 1, false}, // cancelled, and runs until its end
		{perennialv1.Method_METHOD_BG_NBD_GAMMA_GAMMA, perennialv1.Band_BAND_CRITICAL, 0, false},
		{perennialv1.Method_METHOD_BG_NBD_GAMMA_GAMMA, perennialv1.Band_BAND_LOST, 0, true},
		{perennialv1.Method_METHOD_BG_NBD_GAMMA_GAMMA, perennialv1.Band_BAND_LOST, 1, false},
		{perennialv1.Method_METHOD_UNSPECIFIED, perennialv1.Band_BAND_UNSPECIFIED, 0, false},
	} {
		u := &perennialv1.CltvUpdate{
			Prediction: &perennialv1.Prediction{Method: c.method, Contracts: &perennialv1.ContractPrediction{Running: c.running}},
			Churn:      &perennialv1.Churn{Band: c.band},
		}
		if gone(u) != c.want {
			t.Errorf("%v %v, %d running: %v", c.method, c.band, c.running, !c.want)
		}
	}
}
