package ops

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// Task is one of the things that a process does until it is stopped.
type Task struct {
	Name string // for logs and errors
	// Run works until ctx ends, then finishes what it must and returns. Because
	// ctx ended isn't a reason to answer an error.
	Run func(ctx context.Context) error
}

// RunTasks runs all tasks side by side until ctx ends or any of them returns,
// with or without an error: a service that has lost one of its loops must not
// stand there half alive. Then it stops the others and waits for them, at most
// grace. It answers the errors of the tasks, by name; nil after a stop that was
// asked for and went well.
func RunTasks(ctx context.Context, grace time.Duration, tasks ...Task) error {
	type ended struct {
		index int
		err   error
	}
	inner, stop := context.WithCancel(ctx)
	defer stop()
	done := make(chan ended, len(tasks))
	for i, t := range tasks {
		go func() { done <- ended{i, t.Run(inner)} }()
	}
	running := make(map[int]bool, len(tasks))
	for i := range tasks {
		running[i] = true
	}
	var errs []error
	var late <-chan time.Time
	asked := ctx.Done()
	for len(running) > 0 {
		select {
		case <-asked:
			asked, late = nil, time.After(grace)
		case <-late:
			var names []string
			for i := range tasks {
				if running[i] {
					names = append(names, tasks[i].Name)
				}
			}
			return errors.Join(append(errs, fmt.Errorf("still running %s after the stop: %s", grace, strings.Join(names, ", ")))...)
		case e := <-done:
			delete(running, e.index)
			stopped := inner.Err() != nil
			switch {
			case stopped && (e.err == nil || errors.Is(e.err, context.Canceled)):
			case e.err == nil:
				e.err = errors.New("ended unasked")
				fallthrough
			default:
				errs = append(errs, fmt.Errorf("%s: %w", tasks[e.index].Name, e.err))
			}
			if !stopped {
				stop()
				asked, late = nil, time.After(grace)
			}
		}
	}
	return errors.Join(errs...)
}

// StopSignals answers a context that ends at the first SIGTERM or SIGINT, which
// asks for a graceful stop; a second one ends the process at once. Call release
// when the program is done.
func StopSignals(ctx context.Context, log *slog.Logger) (_ context.Context, release func()) {
	return stopSignals(ctx, log, os.Exit)
}

func stopSignals(ctx context.Context, log *slog.Logger, exit func(int)) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	released := make(chan struct{})
	go func() {
		for n := 0; ; n++ {
			select {
			case <-released:
				return
			case s := <-signals:
				if n > 0 {
					log.Warn("stopping at once", "signal", s.String())
					exit(ExitFail)
					return
				}
				log.Info("stopping", "signal", s.String())
				cancel()
			}
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(released)
		cancel()
	}
}
