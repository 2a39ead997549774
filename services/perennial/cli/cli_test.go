package cli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/perennial-cltv/perennial/services/perennial/cdnow"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

// limit bounds every command of these tests.
const limit = 2 * time.Minute

// command runs a command line as the program does.
func command(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	var out, errs bytes.Buffer
	code = Main(ctx, Process{Args: args, Env: []string{"TZ=UTC"}, Stdout: &out, Stderr: &errs})
	return out.String(), errs.String(), code
}

// must is command for one that has to go well.
func must(t *testing.T, args ...string) string {
	t.Helper()
	out, errs, code := command(t, args...)
	if code != 0 {
		t.Fatalf("perennial %s: exit code %d\n%s%s", strings.Join(args, " "), code, out, errs)
	}
	return out
}

// running is a `perennial run` with servers in the process.
type running struct{ calls, billing, operators, kafka, redis string }

// run starts all services and waits until they are ready. They are stopped, and
// have to stop well, when the test ends.
func run(t *testing.T, more ...string) *running {
	t.Helper()
	ctx, stop := context.WithTimeout(context.Background(), limit)
	out, writer := io.Pipe()
	var errs lockedBuffer
	code := make(chan int, 1)
	go func() {
		code <- Main(ctx, Process{Args: append([]string{"run", "--partitions", "3"}, more...), Stdout: writer, Stderr: &errs})
		_ = writer.Close()
	}()
	r := &running{}
	lines := bufio.NewScanner(out)
	isReady := false
	for !isReady && lines.Scan() {
		fields := strings.Fields(lines.Text())
		switch last := fields[len(fields)-1]; fields[0] {
		case "calls":
			r.calls = last
		case "billing":
			r.billing = last
		case "operators":
			r.operators = last
		case "kafka":
			r.kafka = last
		case "redis":
			r.redis = last
		case "ready":
			isReady = true
		}
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	t.Cleanup(func() {
		stop()
		if got := <-code; got != 0 {
			t.Errorf("run ended with %d\n%s", got, errs.String())
		}
	})
	if !isReady {
		t.Fatalf("run isn't ready\n%s", errs.String())
	}
	return r
}

// lockedBuffer is a buffer that one goroutine writes and another reads.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// TestDemo runs the demo as a newcomer does. Its figures are the same each time.
func TestDemo(t *testing.T) {
	out := must(t, "demo", "--exit")
	lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
	if got, want := lines[len(lines)-1], "verified: 2357 customers, 0 differences"; got != want {
		t.Errorf("the last line is %q, want %q", got, want)
	}
	if !strings.Contains(out, "  cdnow/") {
		t.Error("no update was shown while it played")
	}
	_, report, found := strings.Cut(out, "\nTotals")
	if !found {
		t.Fatalf("no totals\n%s", out)
	}
	golden := filepath.Join("testdata", "demo.golden")
	if *rewrite {
		if err := os.WriteFile(golden, []byte("Totals"+report), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if "Totals"+report != string(want) {
		t.Errorf("got\nTotals%s\nwant\n%s", report, want)
	}
}

// TestImport imports the data set as it was published, to the end of its
// calibration period, and compares the counts with the published ones; imports it
// again, which changes nothing; and goes on to its end.
func TestImport(t *testing.T) {
	r := run(t)
	file := filepath.Join(t.TempDir(), "CDNOW_sample.txt")
	if err := os.WriteFile(file, cdnow.File, 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{
		"import", "--brokers", r.kafka, "--kind", "transactions", "--columns", "customer=2,at=3,amount=5",
		"--tenant", "cdnow", "--currency", "USD", "--model", "cdnow", "--until", "1997-09-30", file,
	}
	must(t, args...)
	first := newest(t, r)
	repeats, none := 0, 0
	for _, u := range first {
		repeats += u.Prediction.RepeatTransactions
		if u.Prediction.RepeatTransactions == 0 {
			none++
		}
	}
	if len(first) != 2357 || repeats != 2457 || none != 1411 {
		t.Errorf("%d customers, %d repeat transactions, %d without; published are 2357, 2457, 1411", len(first), repeats, none)
	}
	verifies(t, r, 2357)

	must(t, args...)
	for customer, u := range newest(t, r) {
		if u != first[customer] {
			t.Fatalf("customer %s changed by importing the same again: %+v, was %+v", customer, u, first[customer])
		}
	}
	if left, err := filepath.Glob(file + ".*"); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if out, errs, code := command(t, "customer", "--redis", r.redis, "cdnow/0001"); code != 0 || !strings.Contains(out, "prediction.alive") {
		t.Errorf("customer: exit code %d\n%s%s", code, out, errs)
	}
}

// update is what the test reads of an update.
type update struct {
	Customer   string
	Version    int64 `json:",string"`
	CltvMinor  int64 `json:",string"`
	Prediction struct {
		RepeatTransactions, AgeDays, AlivePpm int
		ExpectedPurchasesPpm                  int64 `json:",string"`
	}
}

// newest reads the newest update of each customer, through tail.
func newest(t *testing.T, r *running) map[string]update {
	t.Helper()
	found := map[string]update{}
	// It ends when nothing new came for a while: what comes is all there.
	ctx, stop := context.WithTimeout(t.Context(), limit)
	defer stop()
	out, writer := io.Pipe()
	quiet := time.AfterFunc(3*time.Second, stop)
	go func() {
		Main(ctx, Process{Args: []string{"tail", "--brokers", r.kafka, "--from-beginning", "--only", "updates", "--json"}, Stdout: writer, Stderr: io.Discard})
		_ = writer.Close()
	}()
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		quiet.Reset(time.Second)
		var u update
		if err := json.Unmarshal(lines.Bytes(), &u); err != nil {
			t.Fatalf("%v: %s", err, lines.Text())
		}
		if found[u.Customer].Version < u.Version {
			found[u.Customer] = u
		}
	}
	return found
}

// verifies checks what verify says.
func verifies(t *testing.T, r *running, customers int) {
	t.Helper()
	if got, want := must(t, "verify", "--redis", r.redis, "--json"), fmt.Sprintf(`{"customers":%d,"differences":0}`+"\n", customers); got != want {
		t.Errorf("verify: %s, want %s", got, want)
	}
}
