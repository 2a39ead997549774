package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/perennial-cltv/perennial/pkg/ops"
	perennialv1 "github.com/perennial-cltv/perennial/proto/perennial/v1"
	"github.com/perennial-cltv/perennial/services/control"
	"github.com/perennial-cltv/perennial/services/perennial/history"
	"github.com/perennial-cltv/perennial/services/perennial/importer"
	"github.com/perennial-cltv/perennial/services/perennial/screen"
)

// importFlags are the flags of import, as they were typed.
type importFlags struct {
	file                               fileFlags
	kind, tenant, source, until, model string
	dispositions, state, rejected      string
	maxLag                             int64
	wait, strict, restart              bool
}

func (a *app) importCommand() *cobra.Command {
	var f importFlags
	c := &cobra.Command{
		Use: "import FILE", Short: "Load a file of purchases or calls", Args: arguments("FILE"),
		Long: `Load a file of history, CSV or divided by tabs, semicolons or blanks, through the
same topics as live records. How the file is written is found out and said.

  perennial import --brokers localhost:9092 --kind transactions \
    --columns customer=2,at=3,amount=5 --tenant cdnow --currency USD CDNOW_sample.txt

Columns are given by their name in the header or by their number from 1.
` + fieldHelp() + `
Without a column "id" a line's id comes from its text and from how often the same
text came before, so that importing a file again changes nothing, and equal lines
stay apart.

An import that was stopped goes on where it was when the same command is given
again. A bad line is put aside, with its number and the reason, into
FILE.rejected.csv; the rest is imported, and the exit code is 0 unless --strict.
Of each customer lines should come in the order of time: what is older than all
that is kept of a customer one by one (policy: keepTransactions, 32) can't be
taken in any more.

Before the first record the tenant's currency and time zone are published, as
policy number 1: what an operator published counts more. With --until the
tenant's time is played back, and ends with that day.`,
		RunE: func(c *cobra.Command, args []string) error { return a.importFile(c.Context(), args[0], &f) },
	}
	flags := c.Flags()
	flags.StringVar(&f.kind, "kind", "", "transactions or calls")
	flags.StringVar(&f.tenant, "tenant", "", "whose customers they are")
	flags.StringVar(&f.source, "source", "import", "name of the source in the records")
	flags.StringVar(&f.until, "until", "", "last `day`, YYYY-MM-DD: import up to it, and score everybody as of it")
	flags.StringVar(&f.model, "model", "", "bring a model into force first: `FILE.json`, or cdnow")
	flags.StringVar(&f.dispositions, "dispositions", "", "what a dialer's codes mean, `CODE=NAME,…`")
	flags.StringVar(&f.state, "state", "", "where to keep how far the import got (default FILE.import.json)")
	flags.StringVar(&f.rejected, "rejected", "", "where to put bad lines (default FILE.rejected.csv)")
	flags.Int64Var(&f.maxLag, "max-lag", 500_000, "wait while the services are more records behind; 0: never")
	flags.BoolVar(&f.wait, "wait", true, "return when everything is taken in, not only published")
	flags.BoolVar(&f.strict, "strict", false, "exit code 1 where lines were put aside, or records couldn't be taken in")
	flags.BoolVar(&f.restart, "restart", false, "from the beginning, whatever an earlier import did")
	f.file.add(c, "the tenant and of ")
	a.kafkaFlag(c)
	return c
}

func fieldHelp() string {
	var b strings.Builder
	for _, kind := range []history.Kind{history.Transactions, history.Calls} {
		required, optional := history.FieldNames(kind)
		fmt.Fprintf(&b, "  %s: %s; and if there are any: %s\n", kind, strings.Join(required, ", "), strings.Join(optional, ", "))
	}
	return b.String()
}

// options checks the flags.
func (f *importFlags) options(file string) (o importer.Options, err error) {
	if err := checkTenant(f.tenant); err != nil {
		return o, err
	}
	if f.kind == "" {
		return o, ops.Usagef("--kind is missing: must be transactions or calls")
	}
	if f.file.currency == "" {
		return o, ops.Usagef("--currency is missing: must be an ISO 4217 code such as USD")
	}
	kind, err := history.ParseKind(f.kind)
	if err != nil {
		return o, ops.Usage(err)
	}
	var errs []error
	check := func(err error) {
		if err != nil {
			errs = append(errs, err)
		}
	}
	h, err := f.file.options(kind)
	check(err)
	h.Tenant, h.Source = f.tenant, f.source
	h.Dispositions, err = history.ParseDispositions(f.dispositions)
	check(err)
	o = importer.Options{
		File: file, History: h, StatePath: f.state, RejectedPath: f.rejected,
		MaxLag: f.maxLag, Wait: f.wait, Restart: f.restart,
	}
	if o.StatePath == "" {
		o.StatePath = file + ".import.json"
	}
	if o.RejectedPath == "" {
		o.RejectedPath = file + ".rejected.csv"
	}
	if f.until != "" && h.Zone != nil {
		o.Until, err = lastSecond(f.until, h.Zone)
		check(err)
	}
	o.Model, err = loadModel(f.model)
	check(err)
	return o, ops.Usage(errors.Join(errs...))
}

// lastSecond answers the last second of a day in a zone.
func lastSecond(day string, zone *time.Location) (time.Time, error) {
	at, err := time.ParseInLocation(time.DateOnly, day, zone)
	if err != nil {
		return at, fmt.Errorf("until %q: must be a day such as 1997-09-30", day)
	}
	if at.After(time.Now()) {
		return at, fmt.Errorf("until %q: has not begun yet, and the tenant's clock can't be set back", day)
	}
	return at.AddDate(0, 0, 1).Add(-time.Second), nil
}

// loadModel answers the model that --model names, nil for none.
func loadModel(name string) (*perennialv1.ModelPublished, error) {
	if name == "" {
		return nil, nil //nolint:nilnil // no model is what was asked for
	}
	p, err := control.Load(control.KindModel, name)
	if err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	if p.GetNumber() == 0 {
		control.SetNumber(p, 1)
	}
	if _, err := control.Publish("check", p, time.Now()); err != nil {
		return nil, fmt.Errorf("model %s: %w", name, err)
	}
	model, _ := p.(*perennialv1.ModelPublished)
	return model, nil
}

func (a *app) importFile(ctx context.Context, file string, f *importFlags) (err error) {
	options, err := f.options(file)
	if err != nil {
		return err
	}
	loaded, err := a.load()
	if err != nil {
		return err
	}
	options.HashKey = []byte(loaded.Value.Intake.HashKey.Reveal())
	client, done, err := a.kafkaWithTopics(ctx)
	if err != nil {
		return err
	}
	defer done()
	to, closeProducer := producer(ctx, client)
	defer func() { err = errors.Join(err, closeProducer()) }()
	summary, err := importer.New(options, client, to, a.out).Run(ctx)
	if err != nil {
		return err
	}
	a.out.Printf("imported: %s records%s%s\n", screen.Count(summary.Published),
		part(summary.Later, " after the last day left out"), part(summary.Rejected, " rejected into "+options.RejectedPath))
	if summary.Reassessed > 0 {
		a.out.Printf("scored: %s customers as of %s\n", screen.Count(summary.Reassessed), f.until)
	}
	if summary.Died > 0 {
		a.out.Printf("%s records couldn't be taken in meanwhile; \"perennial dlq list\" says why\n", screen.Count(summary.Died))
	}
	if f.strict && summary.Rejected+summary.Died > 0 {
		return fmt.Errorf("%d lines were put aside, %d records couldn't be taken in", summary.Rejected, summary.Died)
	}
	return nil
}

// part is a part of a summary, where there is something to say.
func part(n int64, what string) string {
	if n == 0 {
		return ""
	}
	return ", " + screen.Count(n) + what
}
