package real_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/perennial-cltv/perennial/test/servers"
)

// The programs under test.
const (
	updater  = "cltv-updater"
	ingester = "call-ingester"
	billing  = "billing-consumer"
	cli      = "perennial"
)

// built is the folder that binaries made, to be removed at the end.
var built string

// binaries is the folder of the programs, built once for all tests from what is
// in the tree now.
var binaries = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "perennial-bin-")
	if err != nil {
		return "", err
	}
	built = dir
	args := []string{"build", "-o", dir + string(filepath.Separator)}
	for _, name := range []string{updater, ingester, billing, cli} {
		args = append(args, "github.com/perennial-cltv/perennial/services/"+name)
	}
	out, err := exec.Command("go", args...).CombinedOutput()
	if err != nil {
		return dir, fmt.Errorf("building the programs: %w\n%s", err, out)
	}
	return dir, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if built != "" {
		_ = os.RemoveAll(built)
	}
	os.Exit(code)
}

// path answers where a program is.
func path(t testing.TB, name string) string {
	t.Helper()
	dir, err := binaries()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, name)
}

// program is a service that runs as a process of its own.
type program struct {
	name  string
	admin string
	http  string

	command *exec.Cmd
	log     string
	exited  chan struct{}
	result  error // after exited
}

// launch starts a service; it is killed at the latest when the test ends.
func launch(t testing.TB, name string, env ...string) *program {
	t.Helper()
	return launchArgs(t, name, nil, env...)
}

// launchArgs is launch with arguments.
func launchArgs(t testing.TB, name string, args []string, env ...string) *program {
	t.Helper()
	p := &program{
		name: name, admin: fmt.Sprintf("127.0.0.1:%d", servers.FreePort(t)), http: fmt.Sprintf("127.0.0.1:%d", servers.FreePort(t)),
		exited: make(chan struct{}),
	}
	log, err := os.CreateTemp(t.TempDir(), name+"-*.log")
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	p.log = log.Name()
	p.command = exec.Command(path(t, name), args...)
	p.command.Env = append(append(os.Environ(), env...), "PERENNIAL_ADMIN_LISTEN="+p.admin, "PERENNIAL_LOG_FORMAT=text")
	if name == ingester || name == billing {
		p.command.Env = append(p.command.Env, "PERENNIAL_HTTP_LISTEN="+p.http)
	}
	p.command.Stdout, p.command.Stderr = log, log
	if err := p.command.Start(); err != nil {
		t.Fatalf("starting %s: %v", name, err)
	}
	go func() {
		p.result = p.command.Wait()
		close(p.exited)
	}()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("the end of what %s (%d) said:\n%s", name, p.command.Process.Pid, p.said())
		}
	})
	return p
}

// said is the end of what the program logged.
func (p *program) said() string {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	const most = 6000
	return string(text[max(0, len(text)-most):])
}

// kill ends the program with SIGKILL.
func (p *program) kill() {
	_ = p.command.Process.Kill() // it may have ended
	<-p.exited
}

// freeze stops the program where it stands, thaw lets it go on.
func (p *program) freeze(t testing.TB) { t.Helper(); p.signal(t, syscall.SIGSTOP) }
func (p *program) thaw(t testing.TB)   { t.Helper(); p.signal(t, syscall.SIGCONT) }

func (p *program) signal(t testing.TB, s syscall.Signal) {
	t.Helper()
	if err := p.command.Process.Signal(s); err != nil {
		t.Fatalf("sending %v to %s: %v", s, p.name, err)
	}
}

// stop asks the program to end and expects that it does so without an error.
func (p *program) stop(t testing.TB) {
	t.Helper()
	p.signal(t, syscall.SIGTERM)
	select {
	case <-p.exited:
	case <-time.After(patience):
		t.Fatalf("%s didn't end within %v of SIGTERM", p.name, patience)
	}
	if p.result != nil {
		t.Fatalf("%s ended on SIGTERM with: %v", p.name, p.result)
	}
}

// unready answers why the program isn't ready; nil where it is.
func (p *program) unready() error {
	select {
	case <-p.exited:
		return fmt.Errorf("%s ended: %w", p.name, errors.Join(p.result, errors.New(p.said())))
	default:
	}
	status, body, err := p.ask("/readyz")
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("%s isn't ready: %s", p.name, strings.TrimSpace(body))
	}
	return err
}

// ask reads a page for operators.
func (p *program) ask(page string) (status int, body string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.admin+page, http.NoBody)
	if err != nil {
		return 0, "", err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return response.StatusCode, string(text), err
}

// metric is the sum of a metric over what it is told apart by.
func (p *program) metric(t testing.TB, name string) float64 {
	t.Helper()
	_, body, err := p.ask("/metrics")
	if err != nil {
		t.Fatal(err)
	}
	total := 0.0
	for line := range strings.Lines(body) {
		if fields := strings.Fields(line); len(fields) == 2 && (fields[0] == name || strings.HasPrefix(fields[0], name+"{")) {
			value, err := strconv.ParseFloat(fields[1], 64)
			if err != nil {
				t.Fatalf("metric %q: %v", line, err)
			}
			total += value
		}
	}
	return total
}

// awaitReady waits until the program says that it is ready.
func (p *program) awaitReady(t testing.TB) {
	t.Helper()
	eventually(t, p.name+" is ready", p.unready)
}

// patience bounds every wait for something that must happen.
const patience = 90 * time.Second

// eventually calls f until it returns nil.
func eventually(t testing.TB, what string, f func() error) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(25 * time.Millisecond) {
		err := f()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("waited %v until %s: %v", patience, what, err)
		}
	}
}

// run runs the command line of perennial to its end and answers what it wrote
// to standard output.
func run(t testing.TB, env []string, args ...string) string {
	t.Helper()
	out, err := try(t, env, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// try is run for commands that may fail.
func try(t testing.TB, env []string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	defer cancel()
	var out, said bytes.Buffer
	command := exec.CommandContext(ctx, path(t, cli), args...)
	command.Env = append(os.Environ(), env...)
	command.Stdout, command.Stderr = &out, &said
	if err := command.Run(); err != nil {
		return out.String(), fmt.Errorf("perennial %s: %w\n%s%s", strings.Join(args, " "), err, out.String(), said.String())
	}
	return out.String(), nil
}
