// Package programtest runs a service's real main in a process of its own, on
// Kafka and Redis in the test's process.
package programtest

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/perennial-cltv/perennial/pkg/stream"
	"github.com/perennial-cltv/perennial/services/perennial/local"
)

// asMain, set in the environment, makes the test binary the program.
const asMain = "PERENNIAL_TEST_MAIN"

// limit bounds each step.
const limit = time.Minute

// Uses is what a program uses beside Kafka.
type Uses int

// What there is.
const (
	Nothing Uses = iota
	HTTP
	Redis
)

// Main is for TestMain: it runs the tests, or, in the process that Serve starts,
// the program itself.
func Main(m *testing.M, main func()) {
	if os.Getenv(asMain) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// Serve starts the program, waits until it says that it is ready, asks it to
// stop, and checks that it ended well. It also checks what needs no server:
// config print, version, help, and a setting that is wrong.
func Serve(t *testing.T, uses Uses) {
	t.Helper()
	twins, err := local.Start(local.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer twins.Stop()
	client, err := stream.New(stream.Defaults(twins.Broker))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	if err := client.CreateTopics(t.Context(), 2, 1); err != nil {
		t.Fatal(err)
	}
	env := []string{
		asMain + "=1", "PERENNIAL_KAFKA_BROKERS=" + twins.Broker, "PERENNIAL_ADMIN_LISTEN=" + freeAddress(t),
	}
	switch uses {
	case Nothing:
	case HTTP:
		env = append(env, "PERENNIAL_HTTP_LISTEN="+freeAddress(t))
	case Redis:
		env = append(env, "PERENNIAL_REDIS_ADDRS="+twins.Redis, "PERENNIAL_UPDATER_EMBEDDED_REDIS=true")
	}
	for args, want := range map[string]string{
		"config print": twins.Broker, "version": "", "help": "config print",
	} {
		if out, code := run(t, env, strings.Fields(args)...); code != 0 || !strings.Contains(out, want) {
			t.Errorf("%s: exit code %d\n%s", args, code, out)
		}
	}
	if out, code := run(t, append(env, "PERENNIAL_STOP_GRACE=soon")); code != 2 || !strings.Contains(out, "stop_grace") {
		t.Errorf("a wrong setting: exit code %d\n%s", code, out)
	}
	serve(t, env)
}

// serve runs the program until it is ready, and stops it.
func serve(t *testing.T, env []string) {
	t.Helper()
	var log bytes.Buffer
	program := command(t.Context(), env)
	program.Stderr = &log
	if err := program.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- program.Wait() }()
	for end := time.Now().Add(limit); ; {
		if _, code := run(t, env, "healthcheck"); code == 0 {
			break
		}
		select {
		case err := <-ended:
			t.Fatalf("it ended: %v\n%s", err, log.String())
		case <-time.After(50 * time.Millisecond):
		}
		if time.Now().After(end) {
			_ = program.Process.Kill()
			<-ended //nolint:errcheck // it was killed
			t.Fatalf("not ready within %s\n%s", limit, log.String())
		}
	}
	if err := program.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("after SIGTERM: %v\n%s", err, log.String())
		}
	case <-time.After(limit):
		_ = program.Process.Kill()
		<-ended //nolint:errcheck // it was killed
		t.Errorf("it didn't stop within %s\n%s", limit, log.String())
	}
}

func command(ctx context.Context, env []string, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, os.Args[0], args...)
	c.Env = env
	return c
}

// run runs the program to its end and answers all that it wrote.
func run(t *testing.T, env []string, args ...string) (string, int) {
	t.Helper()
	out, err := command(t.Context(), env, args...).CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if exit != nil {
		return string(out), exit.ExitCode()
	}
	return string(out), 0
}

// freeAddress answers a local address on which nobody listens.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}
