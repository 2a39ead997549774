package ops

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// sample has a setting of every kind.
type sample struct {
	Common  `yaml:",inline"`
	Kafka   Kafka         `yaml:"kafka" doc:"kafka"`
	Redis   Redis         `yaml:"redis" doc:"redis"`
	HTTP    HTTP          `yaml:"http" doc:"http"`
	Workers int           `yaml:"workers" doc:"workers"`
	Share   float64       `yaml:"share" doc:"share"`
	Cache   Bytes         `yaml:"cache" doc:"cache"`
	Linger  time.Duration `yaml:"linger" doc:"linger"`
	Small   int32         `yaml:"small" doc:"small"`
}

func sampleDefaults() sample {
	return sample{
		Common: CommonDefaults(":9081"), Kafka: KafkaDefaults(), Redis: RedisDefaults(), HTTP: HTTPDefaults(":8081"),
		Workers: 4, Share: .5, Cache: 64 * MiB, Linger: 5 * time.Millisecond,
	}
}

func (s sample) Validate() error {
	return Check(s.Workers > 0, "workers", s.Workers, "must be above zero")
}

// write puts text into a new file and answers its name.
func write(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestDefaultsAreValid(t *testing.T) {
	l, err := Load(sampleDefaults(), Sources{})
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(l.Value, sampleDefaults()) {
		t.Errorf("loading from nothing changed the defaults: %+v", l.Value)
	}
}

func TestLaterSourceWins(t *testing.T) {
	all := Sources{
		File: write(t, "workers: 1\nkafka:\n  client_id: f\n  brokers: [f:1, f:2]\nlinger: 1s\nshare: 0.25\n"),
		Env: []string{"PERENNIAL_WORKERS=2", "PERENNIAL_KAFKA_BROKERS= e:1 , e:2,", "PERENNIAL_LINGER=2s",
			"HOME=/", "PERENNIAL_CACHE=1GiB", "PERENNIAL_KAFKA_TLS_ENABLED=true", "PERENNIAL_SMALL=-7"},
		Flags: []Flag{{"--workers", "workers", "3"}},
	}
	l, err := Load(sampleDefaults(), all)
	if err != nil {
		t.Fatal(err)
	}
	want := sampleDefaults()
	want.Workers, want.Kafka.ClientID, want.Kafka.Brokers = 3, "f", []string{"e:1", "e:2"}
	want.Linger, want.Share, want.Cache, want.Kafka.TLS.Enabled, want.Small = 2*time.Second, .25, GiB, true, -7
	if !reflect.DeepEqual(l.Value, want) {
		t.Errorf("got %+v\nwant %+v", l.Value, want)
	}
}

func TestFileFromEnvironment(t *testing.T) {
	name := write(t, "workers: 9\n")
	l, err := Load(sampleDefaults(), Sources{Env: []string{"PERENNIAL_CONFIG=" + name}})
	if err != nil || l.Value.Workers != 9 {
		t.Fatalf("workers %v, error %v", l, err)
	}
}

func TestSecretsFromFiles(t *testing.T) {
	secret := write(t, "s3cret\n")
	want := Secret("s3cret")
	base := "redis: {username: u, password_file: " + secret + "}\n"
	l, err := Load(sampleDefaults(), Sources{File: write(t, base)})
	if err != nil || l.Value.Redis.Password != want {
		t.Fatalf("from YAML: error %v", err)
	}
	l, err = Load(sampleDefaults(), Sources{Env: []string{"PERENNIAL_REDIS_PASSWORD_FILE=" + secret}})
	if err != nil || l.Value.Redis.Password != want {
		t.Fatalf("from the environment: error %v", err)
	}
}

// TestRefusals shows for each mistake the message that a person gets.
func TestRefusals(t *testing.T) {
	secret := write(t, "x")
	for _, c := range []struct {
		name, yaml string
		env        []string
		flags      []Flag
		want       []string // each in the message
	}{
		{name: "unknown field", yaml: "\nkafka:\n  broker: x\n", want: []string{"kafka.broker: unknown setting; did you mean brokers?", "file:3"}},
		{name: "unknown section", yaml: "kafkaa: {}\n", want: []string{"kafkaa: unknown setting; did you mean kafka?"}},
		{name: "far from any", yaml: "zookeeper: {}\n", want: []string{"zookeeper: unknown setting (set by"}},
		{name: "two mistakes at once", yaml: "workers: x\nshare: y\n", want: []string{`workers = "x"`, `share = "y"`}},
		{name: "given twice", yaml: "workers: 1\nworkers: 2\n", want: []string{"workers: is given twice", "file:2"}},
		{name: "list for one value", yaml: "workers: [1]\n", want: []string{"workers: must be one plain value"}},
		{name: "section for a value", yaml: "workers: {a: 1}\n", want: []string{"workers: must be one plain value"}},
		{name: "value for a section", yaml: "kafka: 7\n", want: []string{"kafka: must be a section"}},
		{name: "value for everything", yaml: "7\n", want: []string{"must be a section"}},
		{name: "nested list", yaml: "kafka: {brokers: [[a]]}\n", want: []string{"kafka.brokers: must be a list of plain values"}},
		{name: "two documents", yaml: "workers: 1\n---\nworkers: 2\n", want: []string{"a second document"}},
		{name: "not YAML", yaml: "a: [\n", want: []string{"yaml:"}},
		{name: "secret twice in YAML", yaml: "redis: {password: a, password_file: " + secret + "}\n", want: []string{"redis.password_file: is given twice"}},
		{name: "no such secret file", yaml: "redis: {password_file: /nowhere}\n", want: []string{"redis.password_file", "/nowhere"}},
		{name: "file of what isn't secret", yaml: "workers_file: " + secret + "\n", want: []string{"workers_file: unknown setting"}},
		{name: "masked secret", yaml: "redis: {password: \"********\"}\n", want: []string{"redis.password", "masked"}},
		{name: "unknown variable", env: []string{"PERENNIAL_KAFKA_BROKER=x"}, want: []string{"PERENNIAL_KAFKA_BROKER: unknown setting; did you mean PERENNIAL_KAFKA_BROKERS?"}},
		{name: "variable of a section", env: []string{"PERENNIAL_KAFKA=x"}, want: []string{"PERENNIAL_KAFKA: unknown setting"}},
		{name: "secret twice", env: []string{"PERENNIAL_REDIS_PASSWORD=a", "PERENNIAL_REDIS_PASSWORD_FILE=" + secret}, want: []string{"PERENNIAL_REDIS_PASSWORD_FILE: is given twice"}},
		{name: "bad duration", env: []string{"PERENNIAL_LINGER=5"}, want: []string{`linger = "5": must be a duration such as 500ms or 2m (set by env PERENNIAL_LINGER)`}},
		{name: "bad number", env: []string{"PERENNIAL_SHARE=NaN"}, want: []string{`share = "NaN": must be a number`}},
		{name: "infinite", env: []string{"PERENNIAL_SHARE=1e999"}, want: []string{`share = "1e999": must be a number`}},
		{name: "too large for 32 bits", env: []string{"PERENNIAL_SMALL=3000000000"}, want: []string{`small = "3000000000": must be a whole number`}},
		{name: "bad bool", env: []string{"PERENNIAL_REDIS_AOF=yes"}, want: []string{`redis.aof = "yes": must be true or false`}},
		{name: "bad bytes", env: []string{"PERENNIAL_CACHE=-1"}, want: []string{`cache = "-1": not an amount of bytes`}},
		{name: "unknown flag path", flags: []Flag{{"--set", "kafka.brokerss", "x"}}, want: []string{"kafka.brokerss: unknown setting; did you mean kafka.brokers?", "flag --set"}},
		{name: "own rule", flags: []Flag{{"--workers", "workers", "0"}}, want: []string{`workers = "0": must be above zero (set by flag --workers)`}},
		{name: "rule of a section", env: []string{"PERENNIAL_KAFKA_SASL_MECHANISM=gssapi"}, want: []string{`kafka.sasl.mechanism = "gssapi": must be one of plain, scram-sha-256, scram-sha-512, or empty (set by env PERENNIAL_KAFKA_SASL_MECHANISM)`}},
		{name: "rule of the common part", env: []string{"PERENNIAL_LOG_LEVEL=loud"}, want: []string{`log.level = "loud"`}},
		{name: "secret in a rule", env: []string{"PERENNIAL_TELEMETRY_OTLP_HEADERS=hunter2"}, want: []string{"telemetry.otlp_headers", mask}},
	} {
		t.Run(c.name, func(t *testing.T) {
			src := Sources{Env: c.env, Flags: c.flags}
			if c.yaml != "" {
				src.File = write(t, c.yaml)
			}
			l, err := Load(sampleDefaults(), src)
			if err == nil {
				t.Fatalf("accepted: %+v", l.Value)
			}
			if ExitCode(err) != ExitUsage {
				t.Errorf("exit code %d, want %d", ExitCode(err), ExitUsage)
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the message lacks %q:\n%v", want, err)
				}
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the message shows a secret: %v", err)
			}
		})
	}
}

func TestMissingFileIsUsage(t *testing.T) {
	_, err := Load(sampleDefaults(), Sources{File: filepath.Join(t.TempDir(), "none.yaml")})
	if ExitCode(err) != ExitUsage || !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("error %v", err)
	}
}

// TestEmbeddedRuleSpeaksOnce: a struct that embeds Common without rules of its
// own has Common's by promotion as well.
func TestEmbeddedRuleSpeaksOnce(t *testing.T) {
	type bare struct {
		Common `yaml:",inline"`
	}
	_, err := Load(bare{CommonDefaults(":1")}, Sources{Env: []string{"PERENNIAL_STOP_GRACE=0s"}})
	if err == nil || strings.Count(err.Error(), "stop_grace") != 1 {
		t.Fatalf("error %v", err)
	}
}

// TestForeignVariables are those with our prefix that others set.
func TestForeignVariables(t *testing.T) {
	env := []string{
		"PERENNIAL_REQUIRE_REAL=1", "PERENNIAL_REQUIRE_VULN=1", "PERENNIAL_DOCKER_SETUP=/x", "PERENNIAL_TEST_SEED=4",
		"PERENNIAL_SERVICE_HOST=10.0.0.1", "PERENNIAL_CALL_INGESTER_SERVICE_HOST=10.0.0.1",
		"PERENNIAL_CALL_INGESTER_SERVICE_PORT=80", "PERENNIAL_CALL_INGESTER_SERVICE_PORT_HTTP=80",
		"PERENNIAL_CALL_INGESTER_PORT=tcp://10.0.0.1:80", "PERENNIAL_CALL_INGESTER_PORT_80_TCP=tcp://10.0.0.1:80",
		"PERENNIAL_CALL_INGESTER_PORT_80_TCP_ADDR=10.0.0.1", "PERENNIAL_CALL_INGESTER_PORT_80_TCP_PROTO=tcp",
	}
	if _, err := Load(sampleDefaults(), Sources{Env: env}); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(sampleDefaults(), Sources{Env: []string{"PERENNIAL_CALL_INGESTER_PORT=80"}}); err == nil {
		t.Fatal("a variable that is no service link was let through")
	}
}

func TestStructMistakes(t *testing.T) {
	if _, err := Load(struct {
		A int `yaml:"a"`
	}{}, Sources{}); err == nil || ExitCode(err) != ExitFail {
		t.Errorf("a setting without doc: %v", err)
	}
	if _, err := Load(struct {
		A map[string]int `yaml:"a" doc:"a"`
	}{}, Sources{}); err == nil {
		t.Error("a map was accepted")
	}
	if _, err := Load(struct {
		A  Secret `yaml:"a" doc:"a"`
		AF string `yaml:"a_file" doc:"a"`
	}{}, Sources{}); err == nil || !strings.Contains(err.Error(), "PERENNIAL_A_FILE") {
		t.Errorf("two settings of one name: %v", err)
	}
}

// TestPrintReadsBack: what config print shows is a configuration file that says
// the same.
func TestPrintReadsBack(t *testing.T) {
	text := rapid.StringMatching(`[ -~äß€\n\t]{0,12}`)
	rapid.Check(t, func(rt *rapid.T) {
		want := sampleDefaults()
		want.Kafka.ClientID = text.Draw(rt, "client id")
		want.Telemetry.ServiceName = text.Draw(rt, "service name")
		want.Kafka.Brokers = rapid.SliceOfN(rapid.StringMatching(`[a-z:{}"'#&*!|>%@-]{1,8}:[0-9]{1,4}`), 1, 3).Draw(rt, "brokers")
		want.Workers = rapid.IntRange(1, 1<<40).Draw(rt, "workers")
		want.Share = rapid.Float64().Draw(rt, "share")
		want.Cache = Bytes(rapid.Int64Min(0).Draw(rt, "cache"))
		want.Linger = time.Duration(rapid.Int64().Draw(rt, "linger"))
		want.Redis.AOF = rapid.Bool().Draw(rt, "aof")

		var first Loaded[sample]
		first.Value = want
		root, err := walk(reflect.ValueOf(&first.Value).Elem())
		if err != nil {
			rt.Fatal(err)
		}
		first.root = root
		var printed bytes.Buffer
		if err := first.Print(&printed); err != nil {
			rt.Fatal(err)
		}
		var second sample
		root, err = walk(reflect.ValueOf(&second).Elem())
		if err != nil {
			rt.Fatal(err)
		}
		if errs := loadYAML(root, "printed", printed.Bytes()); len(errs) > 0 {
			rt.Fatalf("%v\n%s", errs, printed.String())
		}
		if !reflect.DeepEqual(second, want) {
			rt.Fatalf("got %+v\nwant %+v\n%s", second, want, printed.String())
		}
	})
}

func TestPrintSaysMeaningAndOrigin(t *testing.T) {
	file := write(t, "workers: 7\nredis: {password: hunter2}\n")
	l, err := Load(sampleDefaults(), Sources{File: file, Env: []string{"PERENNIAL_SHARE=0.75"}, Flags: []Flag{{"--brokers", "kafka.brokers", "k:1"}}})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := l.Print(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"# Addresses to start from, host:port.\n  # PERENNIAL_KAFKA_BROKERS\n  brokers: [\"k:1\"] # flag --brokers\n",
		"workers: 7 # " + file + ":1\n", "share: 0.75 # env PERENNIAL_SHARE\n", "cache: \"64MiB\" # default\n",
		"password: \"" + mask + "\" # " + file + ":2\n", "linger: 5ms # default\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("lacks %q in\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "hunter2") {
		t.Error("a secret is printed")
	}
}

// FuzzLoadYAML: no file makes it panic, and what it accepts is a setting's value
// as Print shows it again.
func FuzzLoadYAML(f *testing.F) {
	for _, s := range []string{"", "#", "a: &a {b: *a}", "kafka: {brokers: [a, b]}", "kafka: !!binary x", "workers: 0x10", "? {a: b}\n: c", "<<: {workers: 1}", "redis: {password: ~}"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		config := sampleDefaults()
		root, err := walk(reflect.ValueOf(&config).Elem())
		if err != nil {
			t.Fatal(err)
		}
		if len(loadYAML(root, "fuzz", text)) > 0 {
			return
		}
		var out bytes.Buffer
		l := Loaded[sample]{config, root}
		if err := l.Print(&out); err != nil {
			t.Fatalf("accepted but not printable: %v", err)
		}
		again := sampleDefaults()
		root2, err := walk(reflect.ValueOf(&again).Elem())
		if err != nil {
			t.Fatal(err)
		}
		errs := slices.DeleteFunc(loadYAML(root2, "again", out.Bytes()), func(err error) bool { return strings.Contains(err.Error(), "masked") })
		if len(errs) > 0 {
			t.Fatalf("printed but not accepted: %v\n%s", errs, out.String())
		}
	})
}
