package ops

import (
	"bytes"
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
)

type mainConfig struct {
	Common `yaml:",inline"`
	Kafka  Kafka `yaml:"kafka" doc:"kafka"`
}

// program answers a service that is ready at once and stops when asked to.
func program(listen string, run func(context.Context, *Runtime, mainConfig) error) Program[mainConfig] {
	return Program[mainConfig]{
		Name: "trial", Summary: "is tried", Defaults: mainConfig{CommonDefaults(listen), KafkaDefaults()}, Run: run,
	}
}

func TestCommandLine(t *testing.T) {
	p := program(":1", func(context.Context, *Runtime, mainConfig) error { return errors.New("lost its mind") })
	for _, c := range []struct {
		args           string
		code           int
		stdout, stderr string // each within the output
	}{
		{"help", 0, "Usage: trial", ""},
		{"--help", 0, "PERENNIAL_KAFKA_BROKERS", ""},
		{"version", 0, Version(), ""},
		{"config print", 0, "brokers: [\"localhost:9092\"] # default", ""},
		{"--set kafka.brokers=k:1 config print", 0, "brokers: [\"k:1\"] # flag --set", ""},
		{"--set kafka.brokers config print", 2, "", "PATH=VALUE"},
		{"--set kafka.broker=x config print", 2, "", "did you mean kafka.brokers?"},
		{"--nonsense", 2, "", "nonsense"},
		{"nonsense", 2, "", `unknown command "nonsense"`},
		{"run more", 2, "", "unknown command"},
		{"--config /nowhere.yaml", 2, "", "/nowhere.yaml"},
		{"--set admin.listen=127.0.0.1:0 run", 1, "", "trial: lost its mind"},
		{"--set admin.listen=127.0.0.1:1 healthcheck", 1, "", "asking for health"},
	} {
		var stdout, stderr bytes.Buffer
		code := p.main(t.Context(), strings.Fields(c.args), nil, &stdout, &stderr)
		if code != c.code || !strings.Contains(stdout.String(), c.stdout) || !strings.Contains(stderr.String(), c.stderr) {
			t.Errorf("%q: exit %d, want %d\nstdout: %s\nstderr: %s", c.args, code, c.code, &stdout, &stderr)
		}
	}
}

// syncBuffer is a log that two goroutines use.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// TestServiceLife: start, ready, SIGTERM; while the service finishes it isn't
// ready and can still be asked, then it ends with 0.
func TestServiceLife(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listen := l.Addr().String()
	_ = l.Close()
	running, stopping, finish := make(chan struct{}), make(chan struct{}), make(chan struct{})
	p := program(listen, func(ctx context.Context, rt *Runtime, c mainConfig) error {
		rt.Health.Condition("kafka").Set(nil)
		rt.Log.Info("configured", "brokers", c.Kafka.Brokers)
		close(running)
		<-ctx.Done()
		close(stopping)
		<-finish
		return nil
	})
	var stdout bytes.Buffer
	var stderr syncBuffer
	exit := make(chan int, 1)
	go func() {
		exit <- p.main(context.Background(), nil, []string{"PERENNIAL_KAFKA_BROKERS=k:1"}, &stdout, &stderr)
	}()
	<-running
	if code := p.main(t.Context(), []string{"healthcheck"}, nil, &stdout, &stderr); code != 0 {
		t.Errorf("healthcheck exits with %d: %s", code, &stderr)
	}
	if err := syscall.Kill(syscall.Getpid(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-stopping
	// Readiness goes with the same cancellation, perhaps an instant later.
	for Healthcheck(t.Context(), listen) == nil {
		continue
	}
	if err := Healthcheck(t.Context(), listen); err == nil || !strings.Contains(err.Error(), "stopping") {
		t.Errorf("while it stops: %v", err)
	}
	close(finish)
	if code := <-exit; code != ExitDone {
		t.Errorf("exit %d: %s", code, &stderr)
	}
	for _, want := range []string{`"service":"trial"`, `"brokers":["k:1"]`, `"msg":"stopped"`} {
		if !strings.Contains(stderr.String(), want) {
			t.Errorf("the log lacks %s: %s", want, &stderr)
		}
	}
}
