package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestModels publishes a model over another, compares the two, and goes back: the
// former scores are there again, to the last digit.
func TestModels(t *testing.T) {
	r := run(t)
	kafka := []string{"--brokers", r.kafka, "--tenant", "acme"}
	model := func(args ...string) (string, string, int) {
		t.Helper()
		return command(t, append(append([]string{"model"}, args...), kafka...)...)
	}
	if out, _, code := model("list"); code != 0 || out != "no model of tenant acme is in the log\n" {
		t.Errorf("exit code %d: %s", code, out)
	}
	if _, errs, code := model("show"); code != 2 || !strings.Contains(errs, "no model of tenant acme is in the log") {
		t.Errorf("exit code %d: %s", code, errs)
	}

	publish := func(file string) {
		t.Helper()
		must(t, append([]string{"publish", "model", "--redis", r.redis, file}, kafka...)...)
	}
	publish("cdnow")
	for i, at := range []string{"2026-01-05T10:00:00Z", "2026-02-11T10:00:00Z", "2026-03-20T10:00:00Z"} {
		if status, body := post(t, r.billing, fmt.Sprintf(`{"tenant": "acme", "customer": "c-1", "source": "shop", "sourceEventId": "o-%d", "occurredAt": %q,
			"order": {"orderId": "o-%d", "amount": {"minor": "%d", "currency": "USD"}}}`, i, at, i, 1000+500*i)); status != 202 {
			t.Fatal(status, body)
		}
	}
	// What the customer is worth under the model in force, once number is.
	score := func(number int64) string {
		t.Helper()
		var prediction string
		eventually(t, fmt.Sprint("scored by model number ", number), func() bool {
			out, _, code := command(t, "customer", "--redis", r.redis, "--json", "acme/c-1")
			var shown struct {
				Score struct{ Prediction map[string]any }
			}
			if code != 0 || json.Unmarshal([]byte(out), &shown) != nil || !strings.Contains(out, fmt.Sprintf("(number %d)", number)) {
				return false
			}
			text, err := json.Marshal(shown.Score.Prediction)
			prediction = string(text)
			return err == nil && strings.Contains(prediction, `"repeatTransactions":2`)
		})
		return prediction
	}
	first := score(2) // number 1 is an import's

	path := filepath.Join(t.TempDir(), "pareto.json")
	if err := os.WriteFile(path, []byte(`{"modelId": "spring", "paretoNbd": {"r": 0.553, "alpha": 10.578, "s": 0.606, "beta": 11.669},
		"gammaGamma": {"p": 6.25, "q": 3.74, "gamma": 15.44}, "customers": "5000", "reason": "fitted in spring"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	publish(path)
	if second := score(3); second == first || !strings.Contains(second, "METHOD_PARETO_NBD_GAMMA_GAMMA") {
		t.Errorf("under another model %s", second)
	}

	out, _, _ := model("list")
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if len(lines) != 3 || strings.Contains(lines[1], "yes") || !strings.Contains(lines[2], "yes") || !strings.Contains(lines[2], "spring") {
		t.Errorf("list:\n%s", out)
	}
	if out, _, _ := model("show"); !strings.Contains(out, `"modelId": "spring"`) {
		t.Errorf("show: %s", out)
	}
	if out, _, _ := model("show", "--number", "2"); !strings.Contains(out, `"modelId": "cdnow-1997-09-30"`) {
		t.Errorf("show 2: %s", out)
	}
	out, _, _ = model("diff", "2", "3")
	for _, want := range []string{" BG/NBD Pareto/NBD ", " r 0.242594 0.553 +128.0 % ", " a 0.792922 – ", " s – 0.606 "} {
		if !strings.Contains(strings.Join(strings.Fields(out), " "), want) {
			t.Errorf("diff has no %q:\n%s", want, out)
		}
	}

	if out, errs, code := model("rollback", "2"); code != 0 || !strings.Contains(out, "model number 4 of tenant acme is published: number 2 again") {
		t.Fatalf("exit code %d: %s%s", code, out, errs)
	}
	if third := score(4); third != first {
		t.Errorf("after going back\n%s\nbefore\n%s", third, first)
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"rollback", "4"}, "model number 4 of tenant acme is in force already"},
		{[]string{"rollback", "9"}, "no model number 9 of tenant acme is in the log"},
		{[]string{"rollback", "one"}, `"one": must be the number of a model`},
		{[]string{"show", "--scope", "gold"}, "no model of tenant acme and scope gold is in the log"},
		{[]string{"diff", "2", "7"}, "no model number 7"},
	} {
		if _, errs, code := model(c.args...); code != 2 || !strings.Contains(errs, c.want) {
			t.Errorf("%v: exit code %d: %s", c.args, code, errs)
		}
	}
	var listed struct {
		Model       struct{ Number, Reason string }
		PublishedAt time.Time
		InForce     bool
	}
	out, _, _ = model("list", "--json")
	lines = strings.Split(strings.TrimSpace(out), "\n")
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &listed); err != nil || len(lines) != 3 || !listed.InForce || listed.Model.Number != "4" ||
		listed.Model.Reason != "back to number 2" || time.Since(listed.PublishedAt) > time.Hour {
		t.Errorf("%v: %s", err, out)
	}
}
