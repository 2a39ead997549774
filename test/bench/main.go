// Command bench measures the updater on a real Kafka and a real Redis, each of
// which it starts as a process of its own on the loopback interface, with
// nothing between them and their users:
//
//	uniform  a preloaded log of events of a million customers, all equally likely
//	zipf     the same number of events of a hundred thousand, by Zipf's law
//	pass     the records of uniform through bare kafka-go, as a yardstick
//	latency  an open loop of events on top of what uniform left
//
// It counts CPU-seconds of updater, Redis and broker apart, bytes in Redis and
// resident memory, and prints a table and the same as JSON. Wall time says
// little where the machine is shared; CPU-seconds and the ratio to the
// pass-through of the same run say more.
//
// Files: main.go what is run; host.go lends the tests' fixtures; stack.go the
// servers and the updater; workload.go the events, preload.go writes them;
// drain.go, memory.go, latency.go and passthrough.go what is measured; usage.go
// reads /proc; report.go prints.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// options are the flags.
type options struct {
	workloads      string
	events         int
	customers      int
	zipfCustomers  int
	partitions     int
	warmUp         float64
	within         time.Duration
	span           time.Duration
	rate           int
	latencyFor     time.Duration
	latencyWarmUp  time.Duration
	seed           uint64
	cache          string
	profiles       string
	profileSeconds int
	jsonOnly       bool

	binary string // of the updater
}

const zipfExponent = .99

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 1 && args[0] == passCommand {
		return runPassThrough(ctx, os.Stdin)
	}
	o, err := parse(args)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "perennial-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a leftover does no harm
	if o.binary, err = build(ctx, dir); err != nil {
		return err
	}
	report := newReport(o)
	if err := report.measure(ctx, o); err != nil {
		return err
	}
	if !o.jsonOnly {
		if err := report.table(os.Stdout); err != nil {
			return err
		}
	}
	return report.json(os.Stdout)
}

func parse(args []string) (*options, error) {
	o := &options{}
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.StringVar(&o.workloads, "workloads", "uniform,zipf,pass,latency", "what to run; pass and latency go with uniform")
	f.IntVar(&o.events, "events", 3_000_000, "events of each drain")
	f.IntVar(&o.customers, "customers", 1_000_000, "customers of uniform and latency")
	f.IntVar(&o.zipfCustomers, "zipf-customers", 100_000, "customers of zipf")
	f.IntVar(&o.partitions, "partitions", 4, "of each topic, and so tasks of the updater")
	f.Float64Var(&o.warmUp, "warm-up", 1./3, "share of a drain's events that are not measured")
	f.DurationVar(&o.within, "within", 10*time.Minute, "bound of each drain")
	f.DurationVar(&o.span, "span", 300*24*time.Hour, "time that a drain's events cover: the shorter, the fewer days and bands change between them")
	f.IntVar(&o.rate, "rate", 5000, "events per second of latency")
	f.DurationVar(&o.latencyFor, "latency-for", 30*time.Second, "how long latency is measured")
	f.DurationVar(&o.latencyWarmUp, "latency-warm-up", 5*time.Second, "how long it runs before")
	f.Uint64Var(&o.seed, "seed", 1, "of the events")
	f.StringVar(&o.cache, "cache", "", "updater.cache_bytes, such as 128MiB; empty: its default")
	f.StringVar(&o.profiles, "profiles", "", "folder for CPU profiles of the updater in the measured part of each drain")
	f.IntVar(&o.profileSeconds, "profile-seconds", 10, "length of a profile")
	f.BoolVar(&o.jsonOnly, "json", false, "print no table")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	for _, name := range strings.Split(o.workloads, ",") {
		if !slices.Contains([]string{"uniform", "zipf", "pass", "latency"}, name) {
			return nil, fmt.Errorf("-workloads: %q is none of uniform, zipf, pass, latency", name)
		}
	}
	if o.events < 1000 || o.customers < 1 || o.zipfCustomers < 1 || o.partitions < 1 || o.rate < 1 || o.warmUp <= 0 || o.warmUp >= 1 {
		return nil, errors.New("events must be at least 1000, customers, partitions and rate above zero, and warm-up between 0 and 1")
	}
	// The fixtures ask the testing package whether the tests are to be short.
	testing.Init()
	return o, flag.CommandLine.Parse(nil)
}

func (o *options) wants(workload string) bool {
	return slices.Contains(strings.Split(o.workloads, ","), workload)
}

// measure runs the workloads, each drain on servers of its own.
func (r *Report) measure(ctx context.Context, o *options) error {
	if o.wants("uniform") || o.wants("pass") || o.wants("latency") {
		err := withHost(ctx, func(h *host) error { return r.uniform(h, o) })
		if err != nil {
			return fmt.Errorf("uniform: %w", err)
		}
	}
	if o.wants("zipf") {
		err := withHost(ctx, func(h *host) (err error) {
			s, err := newStack(h, o)
			if err == nil {
				r.Zipf, _, err = s.drain(o, drainSize{o.zipfCustomers, o.events, zipfExponent})
			}
			return err
		})
		if err != nil {
			return fmt.Errorf("zipf: %w", err)
		}
	}
	return nil
}

// uniform runs the drain, and what needs its log and its states.
func (r *Report) uniform(h *host, o *options) error {
	s, err := newStack(h, o)
	if err != nil {
		return err
	}
	var w *workload
	if r.Uniform, w, err = s.drain(o, drainSize{o.customers, o.events, 0}); err != nil {
		return err
	}
	if o.wants("latency") {
		if r.Latency, err = s.latency(o, w); err != nil {
			return fmt.Errorf("latency: %w", err)
		}
	}
	if o.wants("pass") {
		s.stopUpdater()
		if r.PassThrough, err = s.passThrough(r.Uniform); err != nil {
			return err
		}
	}
	return nil
}
