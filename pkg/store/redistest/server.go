package redistest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/perennial-cltv/perennial/pkg/store"
)

// startTimeout bounds the wait for a server or for a change of roles; pollEvery is
// how often a server is asked meanwhile.
const (
	startTimeout = time.Minute
	pollEvery    = 10 * time.Millisecond
)

// Server is a Redis process, or one that the environment named.
type Server struct {
	// Addr is host:port.
	Addr string

	t      testing.TB
	dir    string
	args   []string
	client *redis.Client
	config store.Config
	// external servers can't be killed.
	external bool
	mu       sync.Mutex
	keeper   *exec.Cmd
	lifeline io.Closer
	output   *bytes.Buffer
	pid      int
}

// Start starts a server without persistence and with noeviction; args are added to
// its command line and win.
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	requireBinary(t)
	s := &Server{t: t, dir: t.TempDir(), args: args}
	var err error
	for range 5 { // a free port may be taken by somebody else before the server has it
		s.Addr = freeAddr(t)
		s.config = store.Config{Addrs: []string{s.Addr}}
		s.client = redis.NewClient(&redis.Options{Addr: s.Addr, Protocol: 2, DisableIdentity: true, PoolSize: 2})
		if err = s.launch(); err == nil {
			t.Cleanup(s.stop)
			return s
		}
	}
	t.Fatalf("redis-server didn't start: %v", err)
	return nil
}

// Shared returns the server that PERENNIAL_TEST_REDIS names, emptied, or a new one.
func Shared(t testing.TB) *Server {
	t.Helper()
	addr := os.Getenv("PERENNIAL_TEST_REDIS")
	if addr == "" {
		return Start(t)
	}
	s := &Server{t: t, Addr: addr, external: true, config: store.Config{Addrs: []string{addr}}}
	s.client = redis.NewClient(&redis.Options{Addr: addr, Protocol: 2, DisableIdentity: true, PoolSize: 2})
	t.Cleanup(func() { _ = s.client.Close() })
	s.Do("flushall")
	return s
}

// requireBinary skips or fails the test where there is no redis-server.
func requireBinary(t testing.TB) {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		const what = "not run against a real Redis: no redis-server on the PATH"
		if os.Getenv("PERENNIAL_REQUIRE_REAL") == "1" {
			t.Fatal(what)
		}
		t.Skip(what)
	}
}

func freeAddr(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return addr
}

func portOf(addr string) string {
	_, port, _ := net.SplitHostPort(addr)
	return port
}

// launch starts the process and waits until it answers. A shell keeps it: it kills
// the server once its own input ends, which happens even if this process dies.
func (s *Server) launch() error {
	args := append([]string{"-c", `"$@" & server=$!; read -r _; kill -9 $server; wait`, "keeper",
		"redis-server", "--port", portOf(s.Addr), "--bind", "127.0.0.1", "--dir", s.dir,
		"--save", "", "--maxmemory-policy", "noeviction", "--repl-diskless-sync-delay", "0",
		"--daemonize", "no"}, s.args...)
	keeper := exec.CommandContext(context.Background(), "sh", args...)
	lifeline, err := keeper.StdinPipe()
	if err != nil {
		return err
	}
	s.output = &bytes.Buffer{}
	keeper.Stdout, keeper.Stderr = s.output, s.output
	if err := keeper.Start(); err != nil {
		return err
	}
	s.mu.Lock()
	s.keeper, s.lifeline = keeper, lifeline
	s.mu.Unlock()
	if err := s.awaitAnswer(); err != nil {
		s.end()
		return fmt.Errorf("%w; it said: %s", err, s.output)
	}
	return nil
}

// awaitAnswer waits until the server answers and has read its data, and learns its
// process id.
func (s *Server) awaitAnswer() error {
	return poll(func() error {
		info, err := s.client.Info(context.Background()).Result()
		if err != nil {
			return err
		}
		if field(info, "tcp_port") != portOf(s.Addr) && field(info, "tcp_port") != "0" {
			return errors.New("another server has the port")
		}
		if field(info, "loading") != "0" {
			return errors.New("loading")
		}
		if directory, err := os.Readlink("/proc/" + field(info, "process_id") + "/cwd"); err == nil {
			if own, err := filepath.EvalSymlinks(s.dir); err == nil && own != directory {
				return errors.New("another test's server has the port")
			}
		}
		s.pid, err = strconv.Atoi(field(info, "process_id"))
		return err
	})
}

// poll calls f until it returns nil.
func poll(f func() error) error {
	for end := time.Now().Add(startTimeout); ; {
		err := f()
		if err == nil || time.Now().After(end) {
			return err
		}
		time.Sleep(pollEvery)
	}
}

// field returns a field of INFO's answer.
func field(info, name string) string {
	for line := range strings.Lines(info) {
		if value, found := strings.CutPrefix(line, name+":"); found {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// end ends the process and its keeper.
func (s *Server) end() {
	s.mu.Lock()
	keeper, lifeline := s.keeper, s.lifeline
	s.keeper = nil
	s.mu.Unlock()
	if keeper != nil {
		_ = lifeline.Close()
		_ = keeper.Wait() // the shell answers that its child was killed
	}
}

// running says whether the process was started and not killed.
func (s *Server) running() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.keeper != nil
}

func (s *Server) stop() {
	s.end()
	_ = s.client.Close()
}

// Config reaches this server.
func (s *Server) Config() store.Config { return s.config }

// requireOwn fails the test if the server is one that the environment named and
// can't be killed.
func (s *Server) requireOwn() {
	s.t.Helper()
	if s.external {
		s.t.Fatal("a server named by the environment can't be killed; use Start")
	}
}

// Kill ends the process with SIGKILL.
func (s *Server) Kill() {
	s.t.Helper()
	s.requireOwn()
	s.end()
}

// Restart starts a killed server on the same port and directory.
func (s *Server) Restart() {
	s.t.Helper()
	s.requireOwn()
	if err := s.launch(); err != nil {
		s.t.Fatalf("redis-server didn't start again: %v", err)
	}
}

// Freeze stops the process where it stands, Thaw lets it go on.
func (s *Server) Freeze() { s.signal(syscall.SIGSTOP) }

// Thaw undoes Freeze.
func (s *Server) Thaw() { s.signal(syscall.SIGCONT) }

func (s *Server) signal(sig syscall.Signal) {
	s.t.Helper()
	s.requireOwn()
	if err := syscall.Kill(s.pid, sig); err != nil {
		s.t.Fatalf("signal %v: %v", sig, err)
	}
}

// Do runs a command as an operator and returns its answer.
func (s *Server) Do(args ...any) any {
	s.t.Helper()
	answer, err := s.client.Do(context.Background(), args...).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		s.t.Fatalf("%v: %v", args, err)
	}
	return answer
}

// Info returns a field of INFO.
func (s *Server) Info(name string) string {
	s.t.Helper()
	text, _ := s.Do("info").(string)
	return field(text, name)
}

// CPU is the processor time that the process took so far.
func (s *Server) CPU() time.Duration {
	s.t.Helper()
	var total time.Duration
	for _, name := range []string{"used_cpu_user", "used_cpu_sys"} {
		d, err := time.ParseDuration(s.Info(name) + "s")
		if err != nil {
			s.t.Fatal(err)
		}
		total += d
	}
	return total
}

// UsedMemory is what the server has allocated, bytes.
func (s *Server) UsedMemory() int64 {
	s.t.Helper()
	n, err := strconv.ParseInt(s.Info("used_memory"), 10, 64)
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

// StartReplica starts a replica and waits until it is in step. Config of neither
// names the other.
func (s *Server) StartReplica(args ...string) *Server {
	s.t.Helper()
	host, port, _ := net.SplitHostPort(s.Addr)
	replica := Start(s.t, append([]string{"--replicaof", host + " " + port}, args...)...)
	replica.AwaitSync()
	return replica
}

// AwaitSync waits until a replica has its primary's data.
func (s *Server) AwaitSync() {
	s.t.Helper()
	err := poll(func() error {
		if s.Info("master_link_status") != "up" || s.Info("master_sync_in_progress") != "0" {
			return errors.New("the replica isn't in step")
		}
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// Promote makes a replica a primary.
func (s *Server) Promote() {
	s.t.Helper()
	s.Do("replicaof", "no", "one")
}
