package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestUsage names mistakes of users, and what they are told: the field, the value
// and the way out, in few lines, with exit code 2.
func TestUsage(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good := write("good.csv", "c,d,a\n1,1997-01-01,5\n")
	policy := write("policy.json", `{"number": "1", "bandPpm": [3, 2, 1, 4]}`)
	settings := write("settings.yaml", "kafka:\n  broker: localhost:9092\n")
	columns := []string{"--kind", "transactions", "--columns", "customer=c,at=d,amount=a"}
	imports := func(more ...string) []string { return append(append([]string{"import"}, columns...), more...) }
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"custommer"}, `unknown command "custommer" for perennial; did you mean customer?`},
		{[]string{"dlq", "lost"}, `unknown command "lost" for perennial dlq`},
		{[]string{"--nonsense"}, "unknown flag: --nonsense"},
		{[]string{"customer"}, "perennial customer takes TENANT/CUSTOMER; got 0 arguments"},
		{[]string{"customer", "7"}, `"7": must be TENANT/CUSTOMER`},
		{[]string{"verify", "extra"}, "perennial verify takes no arguments; got 1 arguments"},
		{[]string{"verify", "--redis", "nowhere"}, `redis.addrs = "nowhere": must be host:port (set by flag --redis)`},
		{[]string{"tail", "--set", "kafka.broker=x"}, "kafka.broker"},
		{[]string{"tail", "--set", "x"}, `--set "x": must be PATH=VALUE`},
		{[]string{"tail", "--config", settings}, "kafka.broker"},
		{[]string{"topics", "create", "--partitions", "0"}, "--partitions 0"},
		{[]string{"run", "--brokers", "localhost:9092"}, "redis.addrs isn't"},
		{[]string{"run", "--redis", "localhost:6379"}, "kafka.brokers isn't"},
		{imports("--tenant", "T", "--currency", "USD", good), `--tenant "T": must be`},
		{imports("--tenant", "t", "--currency", "dollars", good), `--currency "dollars": must be`},
		{imports("--tenant", "t", "--currency", "USD", "--until", "tomorrow", good), `until "tomorrow": must be a day`},
		{imports("--tenant", "t", "--currency", "USD", "--until", "2199-01-01", good), `until "2199-01-01": has not begun yet`},
		{imports("--tenant", "t", "--currency", "USD", "--time-zone", "Local", good), `time zone "Local" means another one on each machine`},
		{imports("--tenant", "t", "--currency", "USD", "--model", "nowhere.json", good), "model: open nowhere.json"},
		{imports("--tenant", "t", "--currency", "USD", "--time-zone", "Moon/Base", good), "unknown time zone Moon/Base"},
		{imports("--tenant", "t", "--currency", "USD", "--delimiter", "ab", good), `delimiter "ab"`},
		{imports("--tenant", "t", "--currency", "USD"), "perennial import takes FILE"},
		{imports("--tenant", "t", good), "--currency is missing"},
		{imports("--currency", "USD", good), "--tenant is missing"},
		{[]string{"import", "--tenant", "t", "--currency", "USD", "--columns", "customer=c,at=d,amount=a", good}, "--kind is missing"},
		{[]string{"import", "--tenant", "t", "--currency", "USD", "--kind", "calls", good}, "--columns is missing: FIELD=COLUMN,… for customer, at, disposition"},
		{[]string{"backtest", good}, "--columns is missing: FIELD=COLUMN,… for customer, at, amount"},
		{[]string{"tail", "--count", "-1"}, "--count -1: must not be negative"},
		{[]string{"import", "--kind", "orders", "--tenant", "t", "--currency", "USD", good}, `kind "orders": must be transactions or calls`},
		{[]string{"publish", "policy", "--tenant", "t", policy}, "band_ppm"},
		{[]string{"publish", "policy", "--tenant", "t", "nowhere.json"}, "nowhere.json"},
		{[]string{"publish", "policy", policy}, "--tenant is missing"},
	} {
		out, errs, code := command(t, c.args...)
		if code != 2 || !strings.Contains(errs, c.want) || out != "" || strings.Count(errs, "\n") > 3 {
			t.Errorf("perennial %s: exit code %d\n%s%s\nwant %s", strings.Join(c.args, " "), code, out, errs, c.want)
		}
	}
}

// TestNobodyThere checks that a server that doesn't answer is a failure, with
// its address, and no mistake of the user.
func TestNobodyThere(t *testing.T) {
	for _, args := range [][]string{
		{"tail", "--brokers", "127.0.0.1:1"},
		{"dlq", "list", "--brokers", "127.0.0.1:1"},
		{"dlq", "redrive", "--brokers", "127.0.0.1:1"},
		{"topics", "create", "--brokers", "127.0.0.1:1"},
		{"verify", "--redis", "127.0.0.1:1"},
		{"customer", "--redis", "127.0.0.1:1", "t/c"},
		{"healthcheck", "--set", "admin.listen=127.0.0.1:1"},
	} {
		out, errs, code := command(t, args...)
		if code != 1 || !strings.Contains(errs, "127.0.0.1:1") || out != "" {
			t.Errorf("perennial %s: exit code %d\n%s%s", strings.Join(args, " "), code, out, errs)
		}
	}
}

// TestHelp checks that every command explains itself, and that what needs no
// server works without.
func TestHelp(t *testing.T) {
	for _, args := range []string{
		"", "help", "demo --help", "run --help", "topics --help", "topics create --help", "import --help", "publish --help",
		"publish model --help", "customer --help", "tail --help", "verify --help", "dlq --help", "dlq list --help", "dlq redrive --help",
		"config print", "version", "completion bash",
	} {
		out := must(t, strings.Fields(args)...)
		if out == "" {
			t.Errorf("perennial %s says nothing", args)
		}
		for line := range strings.Lines(out) {
			if strings.HasSuffix(args, "--help") && len(line) > 180 {
				t.Errorf("perennial %s: a line of %d columns: %s", args, len(line), line)
			}
		}
	}
}
