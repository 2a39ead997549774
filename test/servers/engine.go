package servers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/log"
)

// startWithin bounds the start of a server and a change of its role; pollEvery is
// how often it is asked meanwhile.
const (
	startWithin = 3 * time.Minute
	pollEvery   = 20 * time.Millisecond
)

// engine is the Docker engine, or why there is none.
var engine = sync.OnceValues(func() (*client.Client, error) {
	if os.Getenv("PERENNIAL_TEST_ENGINE") == "process" {
		return nil, errors.New("PERENNIAL_TEST_ENGINE asks for processes")
	}
	if runtime.GOOS != "linux" {
		return nil, errors.New("containers can't share this machine's network")
	}
	docker, err := client.New(client.FromEnv)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if _, err := docker.Ping(ctx, client.PingOptions{}); err != nil {
		return nil, fmt.Errorf("no Docker engine answers: %w", err)
	}
	return docker, nil
})

// Docker says whether there is a Docker engine whose containers share this
// machine's network, and if not, why.
func Docker() error {
	_, err := engine()
	return err
}

// useDocker decides between containers and processes.
func useDocker(t testing.TB) bool {
	t.Helper()
	err := Docker()
	if err != nil && os.Getenv("PERENNIAL_TEST_ENGINE") == "docker" {
		t.Fatalf("PERENNIAL_TEST_ENGINE asks for containers: %v", err)
	}
	return err == nil
}

// Missing ends a test that lacks something real: skipped, or failed where
// PERENNIAL_REQUIRE_REAL=1 demands that nothing is left out.
func Missing(t testing.TB, format string, args ...any) {
	t.Helper()
	what := "not run on real servers: " + fmt.Sprintf(format, args...)
	if os.Getenv("PERENNIAL_REQUIRE_REAL") == "1" {
		t.Fatal(what)
	}
	t.Skip(what)
}

// process is a server that can be killed and started again with its data, at the
// same address.
type process interface {
	kill(t testing.TB)
	restart(t testing.TB)
}

// quiet keeps the story of each container out of the tests' output.
var quiet sync.Once

// contained is a server in a container.
type contained struct {
	inner testcontainers.Container
}

// runContainer starts a container in this machine's network, which ends with the
// test.
func runContainer(t testing.TB, image string, options ...testcontainers.ContainerCustomizer) *contained {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute) // the image may have to be fetched
	defer cancel()
	quiet.Do(func() { log.SetDefault(log.NewNoopLogger()) })
	options = append(options, testcontainers.WithHostConfigModifier(func(host *container.HostConfig) { host.NetworkMode = "host" }))
	inner, err := testcontainers.Run(ctx, image, options...)
	c := &contained{inner}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the end of what %s said:\n%s", image, c.said())
		}
		if err := testcontainers.TerminateContainer(inner, testcontainers.StopTimeout(0)); err != nil {
			t.Errorf("removing a container: %v", err)
		}
	})
	if err != nil {
		t.Fatalf("starting %s: %v", image, err)
	}
	return c
}

// said is the end of what the server wrote.
func (c *contained) said() string {
	if c.inner == nil {
		return ""
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	logs, err := c.inner.Logs(ctx)
	if err != nil {
		return err.Error()
	}
	defer logs.Close()
	text, err := io.ReadAll(logs)
	if err != nil {
		return err.Error()
	}
	const most = 3000
	return string(text[max(0, len(text)-most):])
}

func (c *contained) kill(t testing.TB) {
	t.Helper()
	docker, err := engine()
	if err == nil {
		_, err = docker.ContainerKill(context.Background(), c.inner.GetContainerID(), client.ContainerKillOptions{Signal: "SIGKILL"})
	}
	if err != nil {
		t.Fatalf("killing a container: %v", err)
	}
	// The engine answers when the signal is sent; the server is dead a moment later.
	await(t, "the container ends", func() error {
		state, err := c.inner.State(context.Background())
		if err == nil && state.Running {
			err = errors.New("it runs")
		}
		return err
	})
}

func (c *contained) restart(t testing.TB) {
	t.Helper()
	docker, err := engine()
	if err == nil {
		_, err = docker.ContainerStart(context.Background(), c.inner.GetContainerID(), client.ContainerStartOptions{})
	}
	if err != nil {
		t.Fatalf("starting a container again: %v", err)
	}
}

// await calls f until it returns nil.
func await(t testing.TB, what string, f func() error) {
	t.Helper()
	for end := time.Now().Add(startWithin); ; time.Sleep(pollEvery) {
		err := f()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("waited %v until %s: %v", startWithin, what, err)
		}
	}
}

// Free ports are looked for below those that outgoing connections use, so that
// none takes the port of a server while it is dead. Redis Cluster also wants the
// one busAbove it.
const (
	lowestPort = 15_000
	portCount  = 6_000
	busAbove   = 10_000
)

var ports = struct {
	sync.Mutex
	given map[int]bool
}{given: map[int]bool{}}

// FreePort answers a port of the loopback interface that nobody listens on and
// that no other caller in this process was given.
func FreePort(t testing.TB) int {
	t.Helper()
	ports.Lock()
	defer ports.Unlock()
	for range 1000 {
		port := lowestPort + rand.IntN(portCount)
		if !ports.given[port] && bindable(port) && bindable(port+busAbove) {
			ports.given[port] = true
			return port
		}
	}
	t.Fatal("no free port")
	return 0
}

func bindable(port int) bool {
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", address(port))
	if err != nil {
		return false
	}
	return l.Close() == nil
}

func address(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
