// Package cli is the command line of perennial.
//
//	cli.go       the root command, settings, exit codes
//	run.go       all services in one process
//	demo.go      the demo
//	topics.go    making topics
//	import.go    files of history
//	file.go      how a file is written
//	publish.go   parameters
//	model.go     the models that were published
//	customer.go  one customer, explained
//	tail.go      what comes out
//	verify.go    sums against states
//	backtest.go  how good predictions would have been
//	dlq.go       records that couldn't be taken in
//
// Exit codes: 0 done, 1 differences or failure, 2 wrong usage or bad input.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/perennial-cltv/perennial/pkg/ops"
	"github.com/perennial-cltv/perennial/services/perennial/screen"
)

// Process is what the command line has of its process.
type Process struct {
	Args   []string // without the program's name
	Env    []string
	Stdout io.Writer
	Stderr io.Writer
}

// app is one run of the command line.
type app struct {
	Process
	out      *screen.Screen
	progress *screen.Screen // on standard error, apart from what is asked for

	configFile string
	settings   []string
	brokers    string
	redis      string
}

// Main runs a command line and answers the exit code.
func Main(ctx context.Context, p Process) int {
	a := &app{Process: p}
	a.out, a.progress = screen.New(p.Stdout, a.getenv), screen.New(p.Stderr, a.getenv)
	root := a.root()
	root.SetArgs(p.Args)
	root.SetOut(p.Stdout)
	root.SetErr(p.Stderr)
	err := root.ExecuteContext(ctx)
	if err != nil && !errors.Is(err, errSaid) {
		lines := strings.Split(err.Error(), "\n")
		for i, line := range lines {
			lines[i] = screen.Printable(line) // it may quote what a file holds
		}
		a.progress.Printf("perennial: %s\n", strings.Join(lines, "\n  "))
	}
	return ops.ExitCode(err)
}

// errSaid is a failure that the output has told already.
var errSaid = errors.New("failed")

// Exit runs the command line of this process and ends it.
// The first SIGTERM or Ctrl-C asks the command to end, a second one ends it.
func Exit(ctx context.Context) {
	ctx, release := ops.StopSignals(ctx, slog.New(slog.DiscardHandler))
	code := Main(ctx, Process{Args: os.Args[1:], Env: os.Environ(), Stdout: os.Stdout, Stderr: os.Stderr})
	release()
	os.Exit(code)
}

func (a *app) getenv(name string) string {
	for _, entry := range a.Env {
		if value, found := strings.CutPrefix(entry, name+"="); found {
			return value
		}
	}
	return ""
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "perennial",
		Short: "Customer lifetime value and churn risk from calls and money, while you dial",
		Long: `Perennial tells a call centre what each customer is worth for life and who is
about to leave, from the records of its dialer and its billing, within
milliseconds and exactly once in effect.

Start here:
  perennial demo                 real purchase history through everything, in this process
  perennial run                  all services in this process, nothing else needed
  perennial run --brokers localhost:9092 --redis localhost:6379

Every setting can be given in a YAML file, in the environment or by --set, a
later one winning: kafka.brokers is PERENNIAL_KAFKA_BROKERS in the environment.
"perennial config print" lists them.

Exit codes: 0 done, 1 differences or failure, 2 wrong usage or bad input.`,
		SilenceUsage: true, SilenceErrors: true,
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return ops.Usage(err) })
	root.PersistentFlags().StringVar(&a.configFile, "config", "", "YAML file of settings")
	root.PersistentFlags().StringArrayVar(&a.settings, "set", nil, "a setting, `PATH=VALUE`; may be repeated")
	group(root, a.demoCommand(), a.runCommand(), a.topicsCommand(), a.importCommand(), a.publishCommand(), a.modelCommand(),
		a.customerCommand(), a.dormantCommand(), a.tailCommand(), a.verifyCommand(), a.dlqCommand(), a.backtestCommand(),
		a.configCommand(), a.healthcheckCommand(), a.versionCommand())
	return root
}

// group puts commands under a parent that does nothing by itself.
func group(parent *cobra.Command, children ...*cobra.Command) *cobra.Command {
	parent.SuggestionsMinimumDistance = 2
	parent.Args = func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		hint := ""
		if near := c.SuggestionsFor(args[0]); len(near) > 0 {
			hint = fmt.Sprintf("; did you mean %s?", strings.Join(near, " or "))
		}
		return ops.Usagef("unknown command %q for %s%s", args[0], c.CommandPath(), hint)
	}
	parent.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
	parent.AddCommand(children...)
	return parent
}

// arguments asks for so many of them; names says what they are.
func arguments(names ...string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) == len(names) {
			return nil
		}
		return ops.Usagef("%s takes %s; got %d arguments", c.CommandPath(), strings.Join(append([]string(nil), orNothing(names)...), " "), len(args))
	}
}

func orNothing(names []string) []string {
	if len(names) == 0 {
		return []string{"no arguments"}
	}
	return names
}

// kafkaFlag and redisFlag add the flags for the servers that a command needs.
func (a *app) kafkaFlag(c *cobra.Command) {
	c.Flags().StringVar(&a.brokers, "brokers", "", "Kafka brokers, `host:port,…` (kafka.brokers)")
}

func (a *app) redisFlag(c *cobra.Command) {
	c.Flags().StringVar(&a.redis, "redis", "", "Redis, `host:port,…` (redis.addrs)")
}

// load answers the settings in force.
func (a *app) load() (*ops.Loaded[Config], error) { return a.loadWith(Defaults()) }

// loadWith is load with other defaults.
func (a *app) loadWith(defaults Config) (*ops.Loaded[Config], error) {
	src := ops.Sources{File: a.configFile, Env: a.Env}
	for _, s := range a.settings {
		path, value, found := strings.Cut(s, "=")
		if !found {
			return nil, ops.Usagef("--set %q: must be PATH=VALUE", s)
		}
		src.Flags = append(src.Flags, ops.Flag{Name: "--set", Path: path, Value: value})
	}
	if a.brokers != "" {
		src.Flags = append(src.Flags, ops.Flag{Name: "--brokers", Path: "kafka.brokers", Value: a.brokers})
	}
	if a.redis != "" {
		src.Flags = append(src.Flags, ops.Flag{Name: "--redis", Path: "redis.addrs", Value: a.redis})
	}
	return ops.Load(defaults, src)
}

func (a *app) configCommand() *cobra.Command {
	return group(&cobra.Command{Use: "config", Short: "Show the settings"},
		&cobra.Command{
			Use: "print", Short: "Show the settings in force, what each means and where it was set; secrets are masked", Args: arguments(),
			RunE: func(*cobra.Command, []string) error {
				loaded, err := a.load()
				if err != nil {
					return err
				}
				return loaded.Print(a.Stdout)
			},
		})
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{Use: "version", Short: "Show which build this is", Args: arguments(), RunE: func(*cobra.Command, []string) error {
		a.out.Printf("%s\n", ops.Version())
		return nil
	}}
}

func (a *app) healthcheckCommand() *cobra.Command {
	return &cobra.Command{Use: "healthcheck", Short: "Ask a running perennial whether it is ready", Args: arguments(), RunE: func(c *cobra.Command, _ []string) error {
		loaded, err := a.load()
		if err != nil {
			return err
		}
		return ops.Healthcheck(c.Context(), loaded.Value.Admin.Listen)
	}}
}
