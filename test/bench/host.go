package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"testing"
)

// host lends the fixtures that start servers for tests to a program: it is what
// they see of a test. A failure ends the workload by a panic that run turns into
// an error.
//
// The embedded interface is nil: it is there because testing.TB can't be
// implemented otherwise. A fixture that uses more of it than there is here
// panics at once.
type host struct {
	testing.TB

	ctx      context.Context
	dirs     int
	dir      string
	cleanups []func()
}

// failure is what Fatal and Skip panic with.
type failure struct{ text string }

// withHost calls f with a host and undoes afterwards what was started, whatever
// happened.
func withHost(ctx context.Context, f func(h *host) error) (err error) {
	dir, err := os.MkdirTemp("", "perennial-bench-")
	if err != nil {
		return err
	}
	h := &host{ctx: ctx, dir: dir}
	defer func() {
		if r := recover(); r != nil {
			failed, ours := r.(failure)
			if !ours {
				panic(fmt.Sprintf("%v\n%s", r, debug.Stack()))
			}
			err = fmt.Errorf("%s", failed.text)
		}
	}()
	defer func() {
		for _, cleanup := range slices.Backward(h.cleanups) {
			cleanup()
		}
		_ = os.RemoveAll(dir)
	}()
	return f(h)
}

// Helper is testing.TB.
func (h *host) Helper() {}

// Context is testing.TB.
func (h *host) Context() context.Context { return h.ctx }

// Cleanup is testing.TB.
func (h *host) Cleanup(f func()) { h.cleanups = append(h.cleanups, f) }

// TempDir is testing.TB.
func (h *host) TempDir() string {
	h.dirs++
	dir := filepath.Join(h.dir, fmt.Sprint(h.dirs))
	if err := os.MkdirAll(dir, 0o750); err != nil {
		h.Fatal(err)
	}
	return dir
}

// Fatal is testing.TB.
func (h *host) Fatal(args ...any) { panic(failure{fmt.Sprint(args...)}) }

// Fatalf is testing.TB.
func (h *host) Fatalf(format string, args ...any) { panic(failure{fmt.Sprintf(format, args...)}) }

// Skip is testing.TB. There is nothing to be measured where a server is missing.
func (h *host) Skip(args ...any) { h.Fatal(args...) }

// Skipf is testing.TB.
func (h *host) Skipf(format string, args ...any) { h.Fatalf(format, args...) }
