package cli

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	perennialv1 "github.com/perennial-cltv/perennial/proto/perennial/v1"
	"github.com/perennial-cltv/perennial/services/control"
	"github.com/perennial-cltv/perennial/services/perennial/backtestreport"
	"github.com/perennial-cltv/perennial/services/perennial/cdnow"
)

// backtestCDNOW are the arguments that the published figures belong to.
func backtestCDNOW(t *testing.T, more ...string) []string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "CDNOW_sample.txt")
	if err := os.WriteFile(file, cdnow.File, 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"backtest", "--columns", "customer=2,at=3,amount=5", "--calibration-end", "1997-09-30", "--horizon-days", "273"}
	return append(append(args, more...), file)
}

func TestBacktest(t *testing.T) {
	page := filepath.Join(t.TempDir(), "report.html")
	out, errs, code := command(t, backtestCDNOW(t, "--unit", "week", "--json", "--html", page)...)
	if code != 0 || errs != "page: "+page+"\n" {
		t.Fatalf("exit code %d\n%s", code, errs)
	}
	var d backtestreport.Document
	if err := json.Unmarshal([]byte(out), &d); err != nil {
		t.Fatal(err)
	}
	best := d.Chosen()
	if best == nil || d.Rows != 6919 || d.Calibration.Customers != cdnow.Customers || d.Horizon.Transactions != 1882 || d.Horizon.Money != 70976.39 {
		t.Fatalf("answer %+v, %d rows, %+v, %+v", d.Answer, d.Rows, d.Calibration, d.Horizon)
	}
	for name, want := range map[string][2]float64{"BG/NBD": {-9582.4292, .7855}, "MBG/NBD": {-9582.1357, .7648}, "Pareto/NBD": {-9594.9762, .7545}} {
		for _, m := range d.Models {
			if m.Name == name && (math.Abs(float64(m.Fit.LogLikelihood)-want[0]) > 1e-4 || math.Abs(float64(*m.Purchases.MAE)-want[1]) > 5e-5) {
				t.Errorf("%s: ln L %v, MAE %v, want %v", name, m.Fit.LogLikelihood, *m.Purchases.MAE, want)
			}
		}
	}
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(text), "<svg"); n != 5 || strings.Contains(string(text), "NaN") || strings.Contains(string(text), "<script") || !strings.HasSuffix(string(text), "</html>\n") {
		t.Errorf("%d plots\n%s", n, text)
	}

	// Another unit of time changes the numbers that have it, and the density.
	out, _, _ = command(t, backtestCDNOW(t, "--unit", "day", "--json")...)
	var days backtestreport.Document
	if err := json.Unmarshal([]byte(out), &days); err != nil {
		t.Fatal(err)
	}
	week, day := d.Models[0].Fit, days.Models[0].Fit
	for i, ratio := range []float64{1, 7, 1, 1} {
		if got := float64(day.Parameters[i].Value / week.Parameters[i].Value); math.Abs(got-ratio) > 1e-9 {
			t.Errorf("%s in days is %v of that in weeks", day.Parameters[i].Name, got)
		}
	}
	if got, want := float64(week.LogLikelihood-day.LogLikelihood), 2457*math.Log(7); math.Abs(got-want) > 1e-6 {
		t.Errorf("ln L differs by %v, want %v", got, want)
	}
}

func TestBacktestForPeople(t *testing.T) {
	out, errs, code := command(t, backtestCDNOW(t, "--currency", "usd")...)
	for _, want := range []string{
		"amounts in USD", "2,357 customers, 946 of them bought again, 2,457 repeat transactions", "1,882 transactions came, 70,976.39 USD",
		"Pareto/NBD    -11.5  0.7545  1.6028    0.4597", "rate so far    55.7  1.0237", "ln L -9594.9762", "answer: Pareto/NBD, best order",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if code != 0 || errs != "" {
		t.Errorf("exit code %d\n%s", code, errs)
	}
}

// TestBacktestOfBadFiles: each file gets an answer that a person can use.
func TestBacktestOfBadFiles(t *testing.T) {
	dir := t.TempDir()
	file := func(name string, rows func(add func(customer string, day int, amount string))) string {
		var b strings.Builder
		b.WriteString("customer,date,amount\n")
		rows(func(customer string, day int, amount string) {
			fmt.Fprintf(&b, "%s,20%02d-%02d-%02d,%s\n", customer, 20+day/336, 1+day/28%12, 1+day%28, amount)
		})
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	type add = func(customer string, day int, amount string)
	empty := filepath.Join(dir, "empty.csv")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	headerOnly := file("header.csv", func(add) {})
	one := file("one.csv", func(row add) {
		for day := range 600 {
			row("only", day, "5.00")
		}
	})
	singles := file("singles.csv", func(row add) {
		for c := range 1000 {
			row(fmt.Sprint(c), c%600, "5.00")
		}
	})
	negative := file("negative.csv", func(row add) {
		for day := range 400 {
			row("a", day, "-5.00")
		}
	})
	some := file("some.csv", func(row add) {
		for day := range 400 {
			row("a", 399-day, []string{"5.00", "-1", "NaN", "1e3", "7.001"}[day%5])
		}
	})
	huge := file("huge.csv", func(row add) {
		for day := range 400 {
			row("a", day, "90000000000000000.00")
		}
	})
	mixed := filepath.Join(dir, "mixed.csv")
	if err := os.WriteFile(mixed, []byte("customer,date,amount,currency\na,2020-01-01,5,USD\na,2020-02-01,5,EUR\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args      []string
		code      int
		out, errs string
	}{
		{[]string{empty}, 2, "", "empty.csv: the file is empty"},
		{[]string{headerOnly}, 2, "", "header.csv: "},
		{[]string{filepath.Join(dir, "nowhere.csv")}, 2, "", "nowhere.csv: no such file"},
		{[]string{one}, 0, "too few customers: 1, at least 500", ""},
		{[]string{one}, 0, "no answer: no model is identified", ""},
		{[]string{singles}, 0, "too few customers who bought again: 0, at least 100", ""},
		{[]string{singles}, 0, "no model says how much: ", ""},
		{[]string{negative}, 2, "", `line 2: amount: "-5.00" is negative`},
		{[]string{huge}, 2, "", "line 2: amount: 9000000000000000000 minor units are more than"},
		{[]string{some}, 0, "1 customers", "320 lines were left out:\n  line 3: amount: "},
		{[]string{"--strict", some}, 1, "", "and 315 more"},
		{[]string{"--columns", "customer=customer,at=date,amount=amount,currency=currency", mixed}, 2, "", "currency: USD in line 2 and EUR in line 3 can't be added up"},
		{[]string{"--calibration-end", "2019-01-01", one}, 2, "", "--calibration-end 2019-01-01: must be on or after the first purchase, 2020-01-01"},
		{[]string{"--calibration-end", "soon", one}, 2, "", `--calibration-end "soon": must be a day`},
		{[]string{"--calibration-end", "1.5", one}, 2, "", `--calibration-end "1.5": a share`},
		{[]string{"--horizon-days", "5000", one}, 2, "", "what came after isn't known"},
		{[]string{"--html", one, one}, 2, "", "one.csv: is the history itself"},
		{[]string{"--html", "x", "--model", "x", one}, 2, "", "--html and --model both name x"},
		{[]string{"--horizon-days", "0", one}, 2, "", "--horizon-days 0: must be 1 to"},
		{[]string{"--horizon-days", "-1", one}, 2, "", "--horizon-days -1: must be 1 to"},
		{[]string{"--horizon-days", "10", "--horizon-end", "2021-01-01", one}, 2, "", "say the same thing"},
		{[]string{"--horizon-end", "2020-01-02", one}, 2, "", "--horizon-end 2020-01-02: must be after"},
		{[]string{"--unit", "year", one}, 2, "", `--unit "year": must be one of day, week, month`},
		{[]string{"--currency", "dollars", one}, 2, "", `--currency "dollars": must be`},
		{[]string{"--columns", "customer=who,at=date,amount=amount", one}, 2, "", "who"},
		{[]string{"--html", filepath.Join(dir, "no", "folder.html"), one}, 2, "", "folder.html"},
	} {
		args := append([]string{"backtest", "--columns", "customer=customer,at=date,amount=amount"}, c.args...)
		out, errs, code := command(t, args...)
		if code != c.code || !strings.Contains(out, c.out) || !strings.Contains(errs, c.errs) || strings.Contains(out+errs, "NaN (") {
			t.Errorf("%v: exit code %d, want %d\n%s\n%s\nwant %q and %q", c.args, code, c.code, out, errs, c.out, c.errs)
		}
	}
}

// TestBacktestWritesAModel: what it writes can be published, and is the fit to the
// whole file.
func TestBacktestWritesAModel(t *testing.T) {
	path := filepath.Join(t.TempDir(), "model.json")
	out, errs, code := command(t, backtestCDNOW(t, "--model", path)...)
	if code != 0 || !strings.Contains(errs, "fitted to 1998-06-30") || !strings.Contains(out, "answer: Pareto/NBD") {
		t.Fatalf("exit code %d\n%s%s", code, out, errs)
	}
	p, err := control.Load(control.KindModel, path)
	if err != nil {
		t.Fatal(err)
	}
	model, ok := p.(*perennialv1.ModelPublished)
	if !ok || model.ModelId != "pareto-nbd-1998-06-30" || model.Customers != cdnow.Customers || model.GammaGamma == nil ||
		!model.TrainedTo.AsTime().Equal(time.Date(1998, 6, 30, 0, 0, 0, 0, time.UTC)) {
		t.Fatalf("%+v", p)
	}
	control.SetNumber(model, 1)
	if _, err := control.Publish("acme", model, time.Now()); err != nil {
		t.Error(err)
	}
	// Of all 78 weeks, by this very fit: more of the same customers, so near the parameters of 39.
	if r, s := model.ParetoNbd.R, model.ParetoNbd.S; math.Abs(r-.55) > .1 || math.Abs(s-.5) > .2 {
		t.Errorf("%+v", model.ParetoNbd)
	}

	few := filepath.Join(t.TempDir(), "few.csv")
	if err := os.WriteFile(few, []byte("c,d,a\na,2020-01-01,5\nb,2020-03-01,5\na,2021-01-01,5\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, errs, code = command(t, "backtest", "--columns", "customer=c,at=d,amount=a", "--model", path, few); code != 1 || !strings.Contains(errs, "no model to write: no model is identified") {
		t.Errorf("exit code %d\n%s", code, errs)
	}
}
