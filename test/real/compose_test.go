package real_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/perennial-cltv/perennial/pkg/stream"
	"github.com/perennial-cltv/perennial/pkg/task"
	perennialv1 "github.com/perennial-cltv/perennial/proto/perennial/v1"
	"github.com/perennial-cltv/perennial/test/servers"
)

// composition is the project's compose file, running on ports of its own.
type composition struct {
	files   []string
	project string
	env     []string

	kafka, redis, calls, billing string // addresses on this machine
}

// TestCompose walks through the compose file as a newcomer does: everything up,
// a call and an order posted, the update read from Kafka and from the command
// line, the updater killed and started again; and follows the call through the
// services by its trace.
func TestCompose(t *testing.T) {
	if err := servers.Docker(); err != nil {
		servers.Missing(t, "the compose file needs Docker: %v", err)
	}
	if out, err := exec.Command("docker", "compose", "version").CombinedOutput(); err != nil {
		servers.Missing(t, "the compose file needs docker compose: %v\n%s", err, out)
	}
	traces := startTraces(t)
	c := composeUp(t, traces.port)
	client, err := stream.New(stream.Defaults(c.kafka))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()

	const trace = "5c1f0c0de0ddba11c0ffee0123456789"
	post(t, c.calls, "00-"+trace+"-00f067aa0ba902b7-01", `{"tenant":"acme","customer":"walker","source":"vicidial","sourceEventId":"call-1",
		"occurredAt":"2026-03-02T15:04:05Z","callOutcome":{"disposition":"DISPOSITION_SALE","direction":"DIRECTION_OUTBOUND",
		"talkSeconds":240,"cost":{"minor":"150","currency":"USD"},"touch":{"campaign":"spring","agent":"ann"}}}`)
	post(t, c.billing, "", order(1, 4000))
	u := awaitGross(t, client, "acme/walker", 4000)
	if u.Acquisition.GetCampaign() != "spring" || u.CacMinor != 150 {
		t.Errorf("acquisition %v and CAC %d don't come from the call", u.Acquisition, u.CacMinor)
	}
	c.checkCustomer(t, "acme/walker", u)
	traces.follow(t, trace, ingester, updater)
	if got := traceOf(t, client, "call-1"); got != trace {
		t.Errorf("the update that the call caused belongs to trace %q, want %s", got, trace)
	}

	c.compose(t, "kill", updater)
	post(t, c.billing, "", order(2, 500))
	c.compose(t, "up", "--wait")
	u = awaitGross(t, client, "acme/walker", 4500)
	if u.Version != 3 || u.Historic.Transactions != 1 { // both orders are of one day
		t.Errorf("after the updater came back: version %d with %d transactions, want 3 with 1", u.Version, u.Historic.Transactions)
	}
	c.checkCustomer(t, "acme/walker", u)
}

func order(n, minor int) string {
	return fmt.Sprintf(`{"tenant":"acme","customer":"walker","source":"shop","sourceEventId":"evt-%d","occurredAt":"2026-03-02T15:05:00Z",
		"order":{"orderId":"order-%d","amount":{"minor":"%d","currency":"USD"}}}`, n, n, minor)
}

// composeUp builds the images and starts everything, on ports that are free and
// with traces sent to this machine. Everything is removed when the test ends.
func composeUp(t *testing.T, tracesPort int) *composition {
	t.Helper()
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	port := func() string { return fmt.Sprint(servers.FreePort(t)) }
	kafka, redis, calls, callsAdmin, bills, billsAdmin, admin, trains := port(), port(), port(), port(), port(), port(), port(), port()
	local := func(port string) string { return "127.0.0.1:" + port }
	c := &composition{
		project: "perennial-test-" + kafka, kafka: local(kafka), redis: local(redis), calls: local(calls), billing: local(bills),
		files: []string{filepath.Join(root, "docker-compose.yml"), filepath.Join(t.TempDir(), "ports.yml")},
	}
	c.env = append(os.Environ(), fmt.Sprintf("OTLP_ENDPOINT=http://host.docker.internal:%d", tracesPort))
	for _, name := range []string{"GOPROXY", "GOSUMDB"} { // modules come from where this machine gets them
		value, err := exec.Command("go", "env", name).Output()
		if err != nil {
			t.Fatal(err)
		}
		c.env = append(c.env, name+"="+strings.TrimSpace(string(value)))
	}
	host := `extra_hosts: ["host.docker.internal:host-gateway"]`
	ports := func(pairs ...string) string {
		var list []string
		for i := 0; i < len(pairs); i += 2 {
			list = append(list, fmt.Sprintf("%q", local(pairs[i])+":"+pairs[i+1]))
		}
		return "ports: !override [" + strings.Join(list, ", ") + "]"
	}
	override := fmt.Sprintf(`services:
  kafka:
    %s
    environment:
      KAFKA_LISTENERS: INSIDE://:29092,OUTSIDE://:9092,CONTROLLER://:9093
      KAFKA_ADVERTISED_LISTENERS: INSIDE://kafka:29092,OUTSIDE://%s
  redis:
    %s
  call-ingester:
    %s
    %s
  billing-consumer:
    %s
    %s
  cltv-updater:
    %s
    %s
  model-trainer:
    %s
    %s
`, ports(kafka, "9092"), c.kafka, ports(redis, "6379"), host, ports(calls, "8081", callsAdmin, "9081"),
		host, ports(bills, "8082", billsAdmin, "9082"), host, ports(admin, "8083"), host, ports(trains, "8084"))
	if err := os.WriteFile(c.files[1], []byte(override), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			logs, _ := c.try("logs", "--no-color", "--tail", "40")
			t.Logf("what the containers said:\n%s", logs)
		}
		if out, err := c.try("down", "--volumes", "--remove-orphans", "--timeout", "5"); err != nil {
			t.Errorf("removing the containers: %v\n%s", err, out)
		}
	})
	began := time.Now()
	c.compose(t, "up", "--build", "--wait")
	t.Logf("docker compose up --build --wait took %v", time.Since(began).Round(time.Second))
	return c
}

// compose runs docker compose and answers what it wrote to standard output.
func (c *composition) compose(t *testing.T, args ...string) string {
	t.Helper()
	out, err := c.try(args...)
	if err != nil {
		t.Fatalf("docker compose %s: %v", strings.Join(args, " "), err)
	}
	return out
}

func (c *composition) try(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute) // it may build from nothing
	defer cancel()
	line := []string{"compose", "--progress", "quiet", "--project-name", c.project}
	for _, file := range c.files {
		line = append(line, "--file", file)
	}
	var out, said bytes.Buffer
	command := exec.CommandContext(ctx, "docker", append(line, args...)...)
	command.Env = c.env
	command.Stdout, command.Stderr = &out, &said
	if err := command.Run(); err != nil {
		return out.String(), fmt.Errorf("%w\n%s", err, said.String())
	}
	return out.String(), nil
}

// checkCustomer sees that the command line, run in a container, shows what
// subscribers got.
func (c *composition) checkCustomer(t *testing.T, key string, want *perennialv1.CltvUpdate) {
	t.Helper()
	out := c.compose(t, "run", "--rm", "--no-deps", "perennial", "customer", "--redis", "redis:6379", "--json", key)
	var shown struct {
		Version int64
		Score   struct{ CltvMinor string }
	}
	if err := json.Unmarshal([]byte(out), &shown); err != nil {
		t.Fatalf("perennial customer: %v\n%s", err, out)
	}
	if shown.Version != want.Version || shown.Score.CltvMinor != fmt.Sprint(want.CltvMinor) {
		t.Errorf("perennial customer shows version %d with CLTV %s, subscribers got %d with %d", shown.Version, shown.Score.CltvMinor, want.Version, want.CltvMinor)
	}
}

// post posts one event and wants it accepted.
func post(t *testing.T, addr, traceparent, event string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+addr+"/v1/events", strings.NewReader(event))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	if traceparent != "" {
		request.Header.Set("Traceparent", traceparent)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var body bytes.Buffer
	if _, err := body.ReadFrom(response.Body); err != nil {
		t.Fatal(err)
	}
	if response.StatusCode/100 != 2 {
		t.Fatalf("POST to %s: %s\n%s", addr, response.Status, body.String())
	}
}

// awaitGross waits for an update of a customer that has so much money in it.
func awaitGross(t *testing.T, client *stream.Client, key string, minor int64) *perennialv1.CltvUpdate {
	t.Helper()
	var u *perennialv1.CltvUpdate
	eventually(t, fmt.Sprintf("an update of %s over %d", key, minor), func() error {
		if u = newestUpdates(t, client)[key]; u == nil || u.GetHistoric().GetGrossMinor() != minor {
			return fmt.Errorf("the newest is %v", u)
		}
		return nil
	})
	return u
}

// traceOf is the trace of the update that an event caused.
func traceOf(t *testing.T, client *stream.Client, sourceEventID string) string {
	t.Helper()
	trace := ""
	readAll(t, client, client.Config().Topics.Updates, func(_ int32, r *task.Record) error {
		u := &perennialv1.CltvUpdate{}
		if err := proto.Unmarshal(r.Value, u); err != nil {
			return err
		}
		for _, h := range r.Headers {
			if parts := strings.Split(string(h.Value), "-"); h.Key == "traceparent" && len(parts) == 4 && u.Cause.GetSourceEventId() == sourceEventID {
				trace = parts[1]
			}
		}
		return nil
	})
	return trace
}
