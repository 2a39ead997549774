package ops

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
)

// Configuration is what [Main] needs of a service's configuration struct:
// embedding [Common] provides it.
type Configuration interface{ Shared() Common }

// Program is one service as a command.
type Program[T Configuration] struct {
	Name     string // of the binary, in logs and traces
	Summary  string // half a sentence for the help
	Defaults T
	// Run serves until ctx ends, then finishes in order and returns. Logs,
	// metrics, traces and health are up, and the admin listener serves.
	Run func(ctx context.Context, rt *Runtime, config T) error
}

// Main runs a service's command line and answers the exit code:
//
//	NAME [--config FILE] [--set PATH=VALUE]… [run | config print | healthcheck | version | help]
//
// The first SIGTERM or SIGINT stops it gracefully, a second one at once.
func Main[T Configuration](p Program[T]) int {
	return p.main(context.Background(), os.Args[1:], os.Environ(), os.Stdout, os.Stderr)
}

func (p Program[T]) main(ctx context.Context, args, env []string, stdout, stderr io.Writer) int {
	err := p.command(ctx, args, env, stdout, stderr)
	if err != nil {
		fmt.Fprintf(stderr, "%s: %s\n", p.Name, strings.ReplaceAll(err.Error(), "\n", "\n  "))
	}
	return ExitCode(err)
}

func (p Program[T]) command(ctx context.Context, args, env []string, stdout, stderr io.Writer) error {
	src := Sources{Env: env}
	flags := flag.NewFlagSet(p.Name, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&src.File, "config", "", "")
	flags.Func("set", "", func(s string) error {
		path, value, found := strings.Cut(s, "=")
		if !found {
			return errors.New("must be PATH=VALUE")
		}
		src.Flags = append(src.Flags, Flag{Name: "--set", Path: path, Value: value})
		return nil
	})
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		p.help(stdout)
		return nil
	} else if err != nil {
		return Usage(err)
	}
	switch command := strings.Join(flags.Args(), " "); command {
	case "help":
		p.help(stdout)
		return nil
	case "version":
		fmt.Fprintln(stdout, Version())
		return nil
	case "", "run", "config print", "healthcheck":
		config, err := Load(p.Defaults, src)
		if err != nil {
			return err
		}
		switch command {
		case "config print":
			return config.Print(stdout)
		case "healthcheck":
			return Healthcheck(ctx, config.Value.Shared().Admin.Listen)
		default:
			return p.serve(ctx, config.Value, stderr)
		}
	default:
		return Usagef("unknown command %q; try %s help", command, p.Name)
	}
}

func (p Program[T]) help(w io.Writer) {
	fmt.Fprintf(w, `%[1]s %[2]s.

Usage: %[1]s [--config FILE] [--set PATH=VALUE]... [COMMAND]

Commands:
  run           serve until SIGTERM or SIGINT (the default)
  config print  show the configuration in force, what each setting means and where it was set
  healthcheck   ask the running service whether it is ready
  version       show which build this is
  help          show this

Every setting can be given in the YAML file, in the environment and by --set, a
later one winning: kafka.brokers is PERENNIAL_KAFKA_BROKERS in the environment.
PERENNIAL_CONFIG names the file where --config doesn't.

Exit codes: 0 done, 1 failed, 2 wrong usage or configuration.
`, p.Name, p.Summary)
}

// serve runs the service with everything around it.
func (p Program[T]) serve(ctx context.Context, config T, stderr io.Writer) (err error) {
	common := config.Shared()
	rt, err := NewRuntime(ctx, p.Name, common, stderr)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rt.Shutdown(context.WithoutCancel(ctx))) }()
	ctx, release := StopSignals(ctx, rt.Log)
	defer release()
	return rt.Serve(ctx, common, Task{Name: p.Name, Run: func(ctx context.Context) error { return p.Run(ctx, rt, config) }})
}

// Serve runs tasks with the admin listener beside them. When the stop is asked
// for, readiness goes first; the admin listener stays until the tasks are done,
// so that the last of their metrics can be read.
func (rt *Runtime) Serve(ctx context.Context, common Common, tasks ...Task) error {
	admin, err := rt.AdminServer(common.Admin)
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, rt.Health.Stopping)()
	rt.Log.Info("started", "version", Version(), "admin", admin.Addr())
	adminCtx, stopAdmin := context.WithCancel(context.WithoutCancel(ctx))
	defer stopAdmin()
	inner, stop := context.WithCancel(ctx)
	defer stop()
	adminDone := make(chan error, 1)
	go func() {
		adminDone <- admin.Task().Run(adminCtx)
		stop()
	}()
	err = RunTasks(inner, common.StopGrace, tasks...)
	stopAdmin()
	err = errors.Join(err, <-adminDone)
	rt.Log.Info("stopped")
	return err
}
