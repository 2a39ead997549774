package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/perennial-cltv/perennial/pkg/backtest"
	"github.com/perennial-cltv/perennial/pkg/ops"
	"github.com/perennial-cltv/perennial/services/control"
	"github.com/perennial-cltv/perennial/services/perennial/backtestreport"
	"github.com/perennial-cltv/perennial/services/perennial/history"
	"github.com/perennial-cltv/perennial/services/perennial/screen"
)

// backtestFlags are the flags of backtest, as they were typed.
type backtestFlags struct {
	file                             fileFlags
	calibrationEnd, horizonEnd, unit string
	page, model                      string
	horizonDays                      int32
	horizonGiven                     bool
	json, strict                     bool
}

func (a *app) backtestCommand() *cobra.Command {
	var f backtestFlags
	c := &cobra.Command{
		Use: "backtest FILE", Short: "Ask how good predictions would have been on your own history", Args: arguments("FILE"),
		Long: `Cut a file of purchases at a day, fit every purchase model to what came before,
predict what came after, and compare: errors, order, probabilities, intervals,
beside baselines that anyone could have had. No server is needed.

  perennial backtest --columns customer=2,at=3,amount=5 --calibration-end 1997-09-30 \
    --horizon-days 273 --html report.html CDNOW_sample.txt

Columns are given by their name in the header or by their number from 1; how the
file is written is found out and said. Purchases of one day are one, amounts
are added up. A line that isn't a purchase, such as a negative amount, is left
out and counted.

The answer is the model that Perennial would have used, chosen on the last part of
what was known (as long as the horizon, a third at most), without a look at what
came. A model that the history doesn't identify says why instead of predicting.
With --model the answer is also fitted to the whole file and written for "perennial publish model".`,
		RunE: func(c *cobra.Command, args []string) error {
			f.horizonGiven = c.Flags().Changed("horizon-days")
			return a.backtest(args[0], &f)
		},
	}
	flags := c.Flags()
	flags.StringVar(&f.calibrationEnd, "calibration-end", "0.5", "last `day` that models know, YYYY-MM-DD, or the share of the file's days")
	flags.StringVar(&f.horizonEnd, "horizon-end", "", "last `day` that is predicted (default: the file's last)")
	flags.Int32Var(&f.horizonDays, "horizon-days", 0, "days that are predicted, in place of --horizon-end")
	flags.StringVar(&f.unit, "unit", "week", "unit of time of the parameters: day, week or month")
	flags.BoolVar(&f.json, "json", false, "one JSON object with all figures")
	flags.StringVar(&f.page, "html", "", "also write a page with plots to `PATH`")
	flags.StringVar(&f.model, "model", "", "also fit the answer to the whole file, and write it to `PATH` for \"perennial publish model\"")
	flags.BoolVar(&f.strict, "strict", false, "exit code 1 where lines were left out")
	f.file.add(c, "")
	return c
}

func (a *app) backtest(file string, f *backtestFlags) error {
	options, err := f.file.options(history.Transactions)
	if err != nil {
		return err
	}
	unit, err := unitOf(f.unit)
	if err != nil {
		return err
	}
	if err := f.checkOutputs(file); err != nil {
		return err
	}
	src, err := history.Open(file)
	if err != nil {
		return ops.Usage(err)
	}
	defer func() { _ = src.Close() }() // it was only read
	var ledger backtest.Ledger
	read, err := history.ReadPurchases(src, options, func(p history.Purchase) { ledger.Add(p.Customer, p.Day, p.Minor) })
	if err != nil {
		return ops.Usagef("%s: %w", file, err)
	}
	window, err := f.window(&ledger)
	if err != nil {
		return ops.Usagef("%s: %w", file, err)
	}
	result, err := backtest.Run(&ledger, window, read.MinorPerUnit)
	if err != nil {
		return ops.Usagef("%s: %w", file, err)
	}
	source := backtestreport.Source{File: file, Layout: filepath.Base(file) + ": " + read.Layout.String(), Rows: read.Taken, Rejected: read.Rejected, Decimals: read.Decimals}
	if read.Currency != history.NoCurrency {
		source.Currency = read.Currency
	}
	if err := a.backtested(backtestreport.New(result, source, unit), f); err != nil {
		return err
	}
	strict := a.leftOut(read, f.strict)
	if f.model != "" {
		if err := a.writeModel(&ledger, result, read.MinorPerUnit, f.model); err != nil {
			return err
		}
	}
	return strict
}

// writeModel writes the answer, fitted to the whole file.
func (a *app) writeModel(l *backtest.Ledger, r *backtest.Result, minorPerUnit float64, path string) error {
	choice := r.Choice
	if choice.Model == "" {
		return fmt.Errorf("no model to write: %s", choice.Reason)
	}
	fitted, err := l.FitWhole(choice.Model, minorPerUnit)
	if err != nil {
		return fmt.Errorf("no model to write: %w", err)
	}
	reason := fmt.Sprintf("backtest cut at %s: %s", dateOf(r.Window.Until), choice.Reason)
	text, err := control.JSON(control.Fitted(fitted, reason))
	if err != nil {
		return err
	}
	if err := writeFile(path, text); err != nil {
		return err
	}
	a.progress.Printf("model: %s, fitted to %s; \"perennial publish model --tenant TENANT %s\" brings it into force\n", path, dateOf(fitted.Until), path)
	for _, caution := range fitted.Cautions {
		a.progress.Printf("  caution: %s\n", caution)
	}
	for _, reason := range fitted.SpendNotIdentified {
		a.progress.Printf("  without a model of how much customers pay: %s; a customer's own mean will be taken\n", reason)
	}
	return nil
}

// backtested writes the report.
func (a *app) backtested(d *backtestreport.Document, f *backtestFlags) error {
	if f.json {
		text, err := json.MarshalIndent(d, "", "  ")
		if err != nil {
			return err
		}
		a.out.Printf("%s\n", text)
	} else {
		d.Print(a.out)
	}
	if f.page != "" {
		var page bytes.Buffer
		if err := d.WritePage(&page); err != nil {
			return err
		}
		if err := writeFile(f.page, page.Bytes()); err != nil {
			return err
		}
		a.progress.Printf("page: %s\n", f.page)
	}
	return nil
}

// leftOut tells which lines are no purchases.
func (a *app) leftOut(read *history.Purchases, strict bool) error {
	if read.Rejected == 0 {
		return nil
	}
	a.progress.Printf("%s lines were left out:\n", screen.Count(read.Rejected))
	for _, reason := range read.Reasons {
		a.progress.Printf("  %s\n", screen.Printable(reason.Error()))
	}
	if more := read.Rejected - int64(len(read.Reasons)); more > 0 {
		a.progress.Printf("  and %s more\n", screen.Count(more))
	}
	if strict {
		return errSaid
	}
	return nil
}

// checkOutputs refuses to write over the history, or one output over the other.
func (f *backtestFlags) checkOutputs(file string) error {
	in, err := os.Stat(file)
	if err != nil {
		return ops.Usage(err)
	}
	for flag, path := range map[string]string{"--html": f.page, "--model": f.model} {
		if out, err := os.Stat(path); err == nil && os.SameFile(in, out) {
			return ops.Usagef("%s %s: is the history itself", flag, path)
		}
	}
	if f.page != "" && f.page == f.model {
		return ops.Usagef("--html and --model both name %s", f.page)
	}
	return nil
}

// writeFile writes an output; that it can't is the mistake of whoever named it.
func writeFile(path string, text []byte) error {
	return ops.Usage(os.WriteFile(path, text, 0o644)) //nolint:gosec // nothing in it is secret
}

// window answers the cut that the flags ask for.
func (f *backtestFlags) window(l *backtest.Ledger) (w backtest.Window, err error) {
	first, last, _ := l.Span()
	if share, err := strconv.ParseFloat(f.calibrationEnd, 64); err == nil {
		if !(share > 0 && share < 1) {
			return w, fmt.Errorf("--calibration-end %q: a share must be between 0 and 1", f.calibrationEnd)
		}
		w.Until = first + int32(share*float64(last-first))
	} else if w.Until, err = dayNamed("--calibration-end", f.calibrationEnd); err != nil {
		return w, err
	}
	if f.horizonGiven && f.horizonEnd != "" {
		return w, errors.New("--horizon-days and --horizon-end say the same thing: give one of them")
	}
	end := last
	switch {
	case f.horizonEnd != "":
		if end, err = dayNamed("--horizon-end", f.horizonEnd); err != nil {
			return w, err
		}
	case f.horizonGiven:
		if f.horizonDays < 1 || f.horizonDays > backtest.LongestHorizon {
			return w, fmt.Errorf("--horizon-days %d: must be 1 to %d", f.horizonDays, backtest.LongestHorizon)
		}
		end = w.Until + f.horizonDays
	}
	switch {
	case w.Until < first || w.Until >= last:
		return w, fmt.Errorf("--calibration-end %s: must be on or after the first purchase, %s, and before the last, %s",
			f.calibrationEnd, dateOf(first), dateOf(last))
	case end <= w.Until:
		return w, fmt.Errorf("--horizon-end %s: must be after the calibration's end, %s", dateOf(end), dateOf(w.Until))
	case end > last:
		return w, fmt.Errorf("the horizon ends on %s, and the file's last purchase is of %s: what came after isn't known", dateOf(end), dateOf(last))
	}
	w.HorizonDays = end - w.Until
	return w, nil
}

func dayNamed(flag, text string) (int32, error) {
	at, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return 0, fmt.Errorf("%s %q: must be a day such as 1997-09-30", flag, text)
	}
	return history.DayOf(at), nil
}

func dateOf(day int32) string { return history.DateOf(day).Format(time.DateOnly) }

func unitOf(name string) (backtestreport.Unit, error) {
	var names []string
	for _, u := range backtestreport.Units {
		if u.Name == name {
			return u, nil
		}
		names = append(names, u.Name)
	}
	return backtestreport.Unit{}, ops.Usagef("--unit %q: must be one of %s", name, strings.Join(names, ", "))
}
