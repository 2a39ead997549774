// Package importer loads files of history through the same topics as live
// records. It can be stopped and goes on where it was, it never publishes faster
// than the services keep up, and what can't be imported is put aside with its
// line number and the reason.
//
//	importer.go  the whole import, from top to bottom
//	pass.go      the records of a file into the raw topic
//	reassess.go  the second pass: a fresh score as of the last day
//	rejected.go  what was put aside
//	follow.go    how far the services are behind
package importer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/perennial-cltv/perennial/pkg/intake"
	"github.com/perennial-cltv/perennial/pkg/ops"
	"github.com/perennial-cltv/perennial/pkg/stream"
	perennialv1 "github.com/perennial-cltv/perennial/proto/perennial/v1"
	"github.com/perennial-cltv/perennial/services/control"
	"github.com/perennial-cltv/perennial/services/perennial/history"
	"github.com/perennial-cltv/perennial/services/perennial/screen"
)

// Options is what to import and how.
type Options struct {
	File    string
	History history.Options
	// Until is the last second that is imported, zero for everything. With it the
	// tenant's time is played back: it ends up there.
	Until time.Time
	// Model comes into force before the first record, unless it is nil.
	Model *perennialv1.ModelPublished
	// StatePath is where it is kept how far the import got, RejectedPath where bad
	// lines go.
	StatePath, RejectedPath string
	// MaxLag is how many records the services may be behind.
	MaxLag int64
	// Wait makes Run return only when the services have taken in everything.
	Wait bool
	// HashKey is the intakes' key for customers that are named by telephone number
	// or e-mail address.
	HashKey []byte
	// Restart imports from the beginning whatever the state says.
	Restart bool
}

// Summary is what an import did, together with the runs before it that were
// stopped.
type Summary struct {
	Published, Rejected, Later int64
	// Reassessed counts customers that were scored anew as of Until.
	Reassessed int64
	// Died counts dead letters that came into being meanwhile, of whatever sender:
	// what the updater alone can refuse. Only with Wait.
	Died int64
}

// Importer is one import.
type Importer struct {
	Options
	client   *stream.Client
	producer *stream.Producer
	screen   *screen.Screen

	layout  *history.Layout
	rules   *intake.Intake
	file    *os.File
	size    int64
	state   history.State
	resumed int64 // where the import before this one stopped
	started time.Time
	saved   time.Time // when the state was last saved
	paced   time.Time // when the lag was last looked at
}

// New makes an import; client and producer stay the caller's.
func New(o Options, client *stream.Client, producer *stream.Producer, out *screen.Screen) *Importer {
	return &Importer{Options: o, client: client, producer: producer, screen: out}
}

// Run imports. After an error, or when ctx ends, the same import can be run
// again and goes on.
func (i *Importer) Run(ctx context.Context) (Summary, error) {
	if err := i.open(); err != nil {
		return Summary{}, err
	}
	defer func() { _ = i.file.Close() }() // it was only read
	i.screen.Printf("%s: %s\n", i.File, i.layout)
	died, err := i.deadLetters(ctx)
	if err != nil {
		return Summary{}, err
	}
	if err := i.steer(ctx); err != nil {
		return Summary{}, err
	}
	if err := i.publish(ctx); err != nil {
		return i.summary(0), i.stopped(err)
	}
	var reassessed int64
	if !i.Until.IsZero() {
		if err := i.awaitForwarded(ctx); err != nil {
			return i.summary(0), i.stopped(err)
		}
		if reassessed, err = i.reassess(ctx); err != nil {
			return i.summary(reassessed), i.stopped(err)
		}
	}
	summary := i.summary(reassessed)
	if i.Wait {
		if err := i.awaitTakenIn(ctx); err != nil {
			return summary, i.stopped(err)
		}
		now, err := i.deadLetters(ctx)
		if err != nil {
			return summary, i.stopped(err)
		}
		summary.Died = now - died
	}
	// An import of the same file later starts anew, perhaps on other servers; it
	// gives the same ids.
	if err := os.Remove(i.StatePath); err != nil && !errors.Is(err, os.ErrNotExist) {
		return summary, fmt.Errorf("forgetting how far the import got: %w", err)
	}
	return summary, nil
}

// open looks at the file and at how far an import of it got.
func (i *Importer) open() (err error) {
	if i.file, err = os.Open(i.File); err != nil {
		return ops.Usage(err)
	}
	info, err := i.file.Stat()
	if err != nil {
		return fmt.Errorf("looking at %s: %w", i.File, err)
	}
	if !info.Mode().IsRegular() {
		return ops.Usagef("%s: must be a regular file: it is read more than once", i.File)
	}
	i.size = info.Size()
	sample := make([]byte, min(i.size, history.SampleBytes))
	if _, err := io.ReadFull(i.file, sample); err != nil {
		return fmt.Errorf("reading %s: %w", i.File, err)
	}
	if i.rules, err = rules(i.History.Kind, i.HashKey); err != nil {
		return ops.Usage(err)
	}
	if i.layout, err = history.Inspect(sample, i.History); err != nil {
		return ops.Usage(fmt.Errorf("%s: %w", i.File, err))
	}
	if err := i.probe(sample); err != nil {
		return ops.Usage(fmt.Errorf("%s: %w", i.File, err))
	}
	return i.resume()
}

// steer publishes what must be known before the first record: currency, zone and
// clock of the tenant, and the model. An operator's own policy and models have
// higher numbers and count more.
func (i *Importer) steer(ctx context.Context) error {
	zone := i.History.Zone.String()
	offsets, err := control.ZoneOffsets(zone)
	if err != nil {
		return ops.Usage(err)
	}
	policy := &perennialv1.PolicySet{Number: 1, Currency: i.History.Currency, TimeZone: zone, ZoneOffsets: offsets}
	if !i.Until.IsZero() {
		policy.ClockMode = perennialv1.ClockMode_CLOCK_MODE_PLAYBACK
	}
	now := time.Now()
	events := []*perennialv1.Event{control.Policy(i.History.Tenant, policy, now)}
	if i.Model != nil {
		events = append(events, control.Model(i.History.Tenant, i.Model, now))
	}
	return control.ToAll(ctx, i.client, i.producer, i.client.Config().Topics.Events, events...)
}

func (i *Importer) summary(reassessed int64) Summary {
	return Summary{Published: i.state.Published, Rejected: i.state.Rejected, Later: i.state.Later, Reassessed: reassessed}
}

// stopped says how to go on.
func (i *Importer) stopped(err error) error {
	if ops.ExitCode(err) == ops.ExitUsage {
		return err
	}
	return fmt.Errorf("%w\nthe import stopped at byte %d of %d; the same command goes on from there", err, i.state.Offset, i.size)
}

// topic answers the raw topic of the file's kind, and the group that reads it.
func (i *Importer) topic() (topic, group string) {
	c := i.client.Config()
	if i.History.Kind == history.Calls {
		return c.Topics.Calls, c.Groups.Ingester
	}
	return c.Topics.Billing, c.Groups.Billing
}

// fingerprint names what is imported whereto. An import that was stopped goes on
// only as the same one.
func (i *Importer) fingerprint() string {
	return fmt.Sprintf("%s %v %s %s %s until=%d %s to %s", i.History.Kind, i.History.Columns, i.History.Tenant, i.History.Source,
		i.History.Currency, i.Until.Unix(), i.layout, i.client.Config())
}
