package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/perennial-cltv/perennial/pkg/stream"
	"github.com/perennial-cltv/perennial/services/perennial/recount"
)

// post sends an event in JSON and answers the status and the body.
func post(t *testing.T, url, body string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

// eventually tries until ok, within the limit.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(limit); !ok(); {
		if time.Now().After(end) {
			t.Fatalf("%s: not within %s", what, limit)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// TestFirstEvents goes the way of a first user: a model, a call and an order by
// HTTP, the value of the customer, a mistake and what it is answered.
func TestFirstEvents(t *testing.T) {
	r := run(t)
	if out := must(t, "publish", "model", "--brokers", r.kafka, "--redis", r.redis, "--tenant", "acme", "cdnow"); !strings.Contains(out, "model number 2 of tenant acme") {
		t.Error(out)
	}
	tiers := filepath.Join(t.TempDir(), "tiers.json")
	if err := os.WriteFile(tiers, []byte(`{"tiers": [{"name": "silver", "fromMinor": "1000"}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	must(t, "publish", "thresholds", "--brokers", r.kafka, "--redis", r.redis, "--tenant", "acme", tiers)
	now := time.Now().UTC().Format(time.RFC3339)
	call := `{"tenant": "acme", "customer": "c-7", "source": "dialer", "sourceEventId": "call-1", "occurredAt": "` + now + `",
		"callOutcome": {"disposition": "DISPOSITION_SALE", "talkSeconds": 210, "touch": {"campaign": "spring", "agent": "a-1"}}}`
	order := `{"tenant": "acme", "customer": "c-7", "source": "shop", "sourceEventId": "order-1", "occurredAt": "` + now + `",
		"order": {"orderId": "order-1", "amount": {"minor": "2999", "currency": "USD"}}}`
	for _, sent := range []struct{ url, body string }{{r.calls, call}, {r.billing, order}, {r.billing, order}} {
		if status, text := post(t, sent.url, sent.body); status != http.StatusAccepted {
			t.Fatalf("%d %s", status, text)
		}
	}
	var shown struct {
		Version int64
		Current bool
		Score   struct {
			CltvMinor   string
			Tier        string
			Acquisition struct{ Campaign, Agent string }
			Historic    struct{ GrossMinor string }
		}
		Explanation []struct{ Name, Formula string }
		State       json.RawMessage
	}
	eventually(t, "both events in the state", func() bool {
		out, _, code := command(t, "customer", "--redis", r.redis, "acme/c-7", "--json")
		return code == 0 && json.Unmarshal([]byte(out), &shown) == nil && shown.Version == 2 && shown.Score.Tier != ""
	})
	if shown.Score.Historic.GrossMinor != "2999" || shown.Score.Acquisition.Campaign != "spring" || shown.Score.Tier != "silver" ||
		!shown.Current || len(shown.Explanation) == 0 || len(shown.State) == 0 {
		t.Errorf("%+v", shown)
	}
	if status, text := post(t, r.billing, strings.Replace(order, "2999", "-1", 1)); status != http.StatusUnprocessableEntity || !strings.Contains(text, "order.amount.minor") {
		t.Errorf("negative money: %d %s", status, text)
	}
	if status, text := post(t, r.calls, order); status != http.StatusUnprocessableEntity || !strings.Contains(text, "kind_not_allowed") {
		t.Errorf("an order at the dialers' door: %d %s", status, text)
	}
	verifies(t, r, 1)
	if _, errs, code := command(t, "customer", "--redis", r.redis, "acme/nobody"); code != 1 || !strings.Contains(errs, "no customer acme/nobody") {
		t.Errorf("nobody: exit code %d, %s", code, errs)
	}
}

// TestPolicyKeepsCurrency publishes a policy that says nothing of the currency for
// a tenant in EUR: the default would make its cents those of dollars.
func TestPolicyKeepsCurrency(t *testing.T) {
	r := run(t)
	write := func(name, text string) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	publish := func(brokers, file string, more ...string) []string {
		return append([]string{"publish", "policy", "--brokers", brokers, "--redis", r.redis, "--tenant", "acme", file}, more...)
	}
	must(t, publish(r.kafka, write("euro.json", `{"currency": "EUR"}`))...)
	margin := write("margin.json", `{"marginPpm": 350000}`)
	eventually(t, "the policy in Redis", func() bool {
		_, errs, code := command(t, publish("127.0.0.1:1", margin)...) // nothing is published before it is seen
		return code == 2 && strings.Contains(errs, "the tenant's money is in EUR")
	})
	if out := must(t, publish(r.kafka, margin, "--other-currency")...); !strings.Contains(out, "policy number 3 of tenant acme") {
		t.Error(out)
	}
}

// TestVerifyFinds spoils one sum behind the updater's back.
func TestVerifyFinds(t *testing.T) {
	r := run(t)
	order := `{"tenant": "acme", "customer": "c-7", "source": "shop", "sourceEventId": "order-1", "occurredAt": "` + time.Now().UTC().Format(time.RFC3339) + `",
		"order": {"orderId": "order-1", "amount": {"minor": "2999", "currency": "USD"}}}`
	if status, text := post(t, r.billing, order); status != http.StatusAccepted {
		t.Fatalf("%d %s", status, text)
	}
	eventually(t, "the customer", func() bool {
		_, _, code := command(t, "customer", "--redis", r.redis, "acme/c-7")
		return code == 0
	})
	verifies(t, r, 1)
	conn, err := net.Dial("tcp", r.redis)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	answers := bufio.NewScanner(conn)
	say := func(words ...string) string {
		fmt.Fprintf(conn, "*%d\r\n", len(words))
		for _, w := range words {
			fmt.Fprintf(conn, "$%d\r\n%s\r\n", len(w), w)
		}
		answers.Scan()
		return answers.Text()
	}
	if n := say("KEYS", "*:r:acme/tenant"); n != "*1" {
		t.Fatalf("the sums of the tenant are under %s keys", n)
	}
	answers.Scan() // the length of the key
	answers.Scan()
	if deleted := say("DEL", answers.Text()); deleted != ":1" {
		t.Fatal(deleted)
	}
	out, _, code := command(t, "verify", "--redis", r.redis, "--json")
	var result struct {
		Customers, Differences int
		Details                []recount.Difference
	}
	if err := json.Unmarshal([]byte(out), &result); err != nil || code != 1 || result.Customers != 1 || result.Differences == 0 || len(result.Details) != result.Differences {
		t.Errorf("exit code %d, %v\n%s", code, err, out)
	}
	out, errs, code := command(t, "verify", "--redis", r.redis)
	if code != 1 || !strings.Contains(out, "acme/tenant/all") || !strings.Contains(out, "verified: 1 customers, ") || errs != "" {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
}

// TestDeadLetters sends what can't be taken in, finds it, and sends it again.
func TestDeadLetters(t *testing.T) {
	r := run(t)
	client, err := stream.New(stream.Defaults(r.kafka))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	producer := client.NewProducer()
	topic := client.Config().Topics.Billing
	for i, value := range []string{"garbage", `{"tenant": "acme"}`, `{"nosuch": 1}`} {
		if err := producer.SendTo(t.Context(), topic, 0, []stream.Message{{Key: fmt.Appendf(nil, "k-%d", i), Value: []byte(value)}}); err != nil {
			t.Fatal(err)
		}
	}
	list := func(more ...string) []string {
		out := must(t, append([]string{"dlq", "list", "--brokers", r.kafka, "--json"}, more...)...)
		return strings.Split(strings.TrimSpace(out), "\n")
	}
	eventually(t, "three dead letters", func() bool { return len(list()) == 3 })
	if got := list("--key", "k-1"); len(got) != 1 || !strings.Contains(got[0], `"code":"missing_field"`) {
		t.Errorf("by key: %s", got)
	}
	if got := list("--from", "2", "--to", "2"); len(got) != 1 || !strings.Contains(got[0], `"offset":2`) {
		t.Errorf("by offset: %s", got)
	}
	if out := must(t, "dlq", "redrive", "--brokers", r.kafka, "--code", "missing_field", "--dry-run"); out != "1 records would be sent again\n" {
		t.Error(out)
	}
	if out := must(t, "dlq", "redrive", "--brokers", r.kafka, "--code", "missing_field"); out != "1 records sent again\n" {
		t.Error(out)
	}
	eventually(t, "it died again", func() bool { return len(list("--code", "missing_field")) == 2 })
	if out := must(t, "dlq", "list", "--brokers", r.kafka); !strings.Contains(out, "missing_field") {
		t.Error(out)
	}
	ctx, stop := context.WithTimeout(t.Context(), limit)
	defer stop()
	if err := producer.Close(ctx); err != nil {
		t.Fatal(err)
	}
}

// TestImportNewestFirst imports a customer's purchases backwards, more than are
// kept one by one: what comes too late for that isn't lost without a word.
func TestImportNewestFirst(t *testing.T) {
	r := run(t)
	var lines strings.Builder
	lines.WriteString("c,d,a\n")
	for day := time.Date(1997, 6, 30, 0, 0, 0, 0, time.UTC); day.Year() == 1997 && day.Month() > 3; day = day.AddDate(0, 0, -1) {
		lines.WriteString("c-1," + day.Format(time.DateOnly) + ",5\n")
	}
	file := filepath.Join(t.TempDir(), "backwards.csv")
	if err := os.WriteFile(file, []byte(lines.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	// Of 91 days 32 are kept, one falls out, and the others come after it.
	out, errs, code := command(t, "import", "--brokers", r.kafka, "--kind", "transactions", "--columns", "customer=c,at=d,amount=a",
		"--tenant", "t", "--currency", "USD", "--strict", file)
	if code != 1 || !strings.Contains(out, "58 records couldn't be taken in") || !strings.Contains(errs, "58 records") {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
}
