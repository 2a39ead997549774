package ops

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// until answers a task that works until it is stopped, then takes a while.
func until(name string, takes time.Duration, result error) Task {
	return Task{Name: name, Run: func(ctx context.Context) error {
		<-ctx.Done()
		time.Sleep(takes)
		return result
	}}
}

func ends(name string, after time.Duration, result error) Task {
	return Task{Name: name, Run: func(context.Context) error {
		time.Sleep(after)
		return result
	}}
}

// TestRunTasks runs in virtual time. The context is stopped after an hour.
func TestRunTasks(t *testing.T) {
	boom := errors.New("boom")
	for _, c := range []struct {
		name  string
		tasks []Task
		want  string        // the error; empty for none
		after time.Duration // when it must be over
	}{
		{"stopped in order", []Task{until("a", time.Second, nil), until("b", 2*time.Second, context.Canceled)}, "", time.Hour + 2*time.Second},
		{"nothing to run", nil, "", 0},
		{"one fails", []Task{until("a", time.Second, nil), ends("b", time.Minute, boom)}, "b: boom", time.Minute + time.Second},
		{"one ends unasked", []Task{until("a", 0, nil), ends("b", time.Minute, nil)}, "b: ended unasked", time.Minute},
		{"cancelled unasked", []Task{until("a", 0, nil), ends("b", time.Minute, context.Canceled)}, "b: context canceled", time.Minute},
		{"fails in stopping", []Task{until("a", 0, boom)}, "a: boom", time.Hour},
		{"two fail", []Task{until("a", time.Second, boom), ends("b", time.Minute, boom)}, "b: boom\na: boom", time.Minute + time.Second},
		{"one hangs after the stop", []Task{until("a", time.Minute, nil), until("b", 0, nil)}, "still running 10s after the stop: a", time.Hour + 10*time.Second},
		{"one hangs after a failure", []Task{until("a", time.Minute, nil), ends("b", time.Minute, boom)}, "b: boom\nstill running 10s after the stop: a", time.Minute + 10*time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				begin := time.Now()
				err := RunTasks(ctx, 10*time.Second, c.tasks...)
				if got := time.Since(begin); got != c.after {
					t.Errorf("over after %s, want %s", got, c.after)
				}
				if got := fmt.Sprint(err); got != c.want && (c.want != "" || err != nil) {
					t.Errorf("error %q, want %q", got, c.want)
				}
				time.Sleep(time.Minute) // those left behind end in their own time
			})
		})
	}
}

func TestStopSignals(t *testing.T) {
	exits := make(chan int, 1)
	ctx, release := stopSignals(context.Background(), slog.New(slog.NewTextHandler(io.Discard, nil)), func(code int) { exits <- code })
	defer release()
	if ctx.Err() != nil {
		t.Fatal("stopped before any signal")
	}
	raise := func() {
		t.Helper()
		if err := syscall.Kill(syscall.Getpid(), syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
	}
	raise()
	<-ctx.Done()
	if len(exits) != 0 {
		t.Fatal("the first signal ended the process")
	}
	raise()
	if code := <-exits; code != ExitFail {
		t.Errorf("the second signal exits with %d, want %d", code, ExitFail)
	}
}

func TestExitCode(t *testing.T) {
	for _, c := range []struct {
		err  error
		want int
	}{
		{nil, 0},
		{errors.New("x"), 1},
		{Usagef("x"), 2},
		{fmt.Errorf("reading: %w", Usage(errors.New("x"))), 2},
		{errors.Join(errors.New("x"), Usagef("y")), 2},
		{Usage(nil), 0},
	} {
		if got := ExitCode(c.err); got != c.want {
			t.Errorf("ExitCode(%v) = %d, want %d", c.err, got, c.want)
		}
	}
	if cause := errors.New("x"); !errors.Is(Usage(cause), cause) || !strings.Contains(Usage(cause).Error(), "x") {
		t.Error("Usage hides its cause")
	}
}
