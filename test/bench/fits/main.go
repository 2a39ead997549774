// Command fits measures what fitting and scoring cost beside Python's lifetimes
// and pymc-marketing, in one run and in turns, so that whatever else the machine
// does falls on all.
//
//	go run ./test/bench/fits                                           # our side alone
//	go run ./test/bench/fits -lifetimes PYTHON -pymc PYTHON -rounds 3  # beside Pythons that have them
//
// Everything is CPU time, of one process each. A peer without a Python is not
// compared, which the table says.
package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/csv"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/perennial-cltv/perennial/pkg/backtest"
	"github.com/perennial-cltv/perennial/pkg/btyd"
	"github.com/perennial-cltv/perennial/pkg/btyd/fit"
	"github.com/perennial-cltv/perennial/services/perennial/cdnow"
	"github.com/perennial-cltv/perennial/services/perennial/history"
)

// Scripts of the peers. Each reads customers and prints seconds by model.
var (
	//go:embed lifetimes.py
	lifetimesScript string
	//go:embed pymc.py
	pymcScript string
)

// peer is another package that fits the same models.
type peer struct {
	name, script, python string
	seconds              map[string][]time.Duration
}

func main() {
	lifetimes := flag.String("lifetimes", "", "a Python that has lifetimes; empty: not compared")
	pymc := flag.String("pymc", "", "a Python that has pymc-marketing; empty: not compared")
	rounds := flag.Int("rounds", 7, "rounds of CDNOW, of which the median counts")
	customers := flag.Int("customers", 1_000_000, "simulated customers of the grouped fit")
	flag.Parse()
	peers := []*peer{
		{"lifetimes", lifetimesScript, *lifetimes, map[string][]time.Duration{}},
		{"pymc-marketing, MAP", pymcScript, *pymc, map[string][]time.Duration{}},
	}
	if err := run(context.Background(), peers, *rounds, *customers); err != nil {
		fmt.Fprintln(os.Stderr, "fits:", err)
		os.Exit(1)
	}
}

// calibrationEnd is 1997-09-30 in days from 1970-01-01.
const calibrationEnd = 10_134

func run(ctx context.Context, peers []*peer, rounds, customers int) error {
	base, err := cdnowBase()
	if err != nil {
		return err
	}
	ours := map[string][]time.Duration{}
	for range rounds {
		for _, m := range models {
			const repeat = 10 // a single fit is too short for the clock
			spent, err := cpu(func() error {
				for range repeat {
					if err := m.fit(base, calibrationEnd); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				return err
			}
			ours[m.name] = append(ours[m.name], spent/repeat)
		}
		for _, p := range peers {
			if p.python == "" {
				continue
			}
			if err := p.fit(ctx, base); err != nil {
				return err
			}
		}
	}
	out := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(out, "CDNOW, CPU ms a fit\tours\t")
	for _, p := range peers {
		fmt.Fprintf(out, "%s\ttimes as fast\t", p.name)
	}
	fmt.Fprintln(out)
	for _, m := range models {
		mine := median(ours[m.name])
		fmt.Fprintf(out, "%s\t%.2f\t", m.name, ms(mine))
		for _, p := range peers {
			if theirs := p.seconds[m.name]; len(theirs) > 0 {
				fmt.Fprintf(out, "%.1f\t%.1f\t", ms(median(theirs)), float64(median(theirs))/float64(mine))
			} else {
				fmt.Fprint(out, "not compared\t\t")
			}
		}
		fmt.Fprintln(out)
	}
	million := simulated(customers)
	fmt.Fprintf(out, "%d customers in %d cells, CPU s a fit\t\t\t\t\t\t\n", customers, len(million))
	for _, m := range models {
		spent, err := cpu(func() error { return m.fit(million, millionEnd) })
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%s\t%.2f\t\t\t\t\t\n", m.name, spent.Seconds())
	}
	if err := scores(out, base); err != nil {
		return err
	}
	return out.Flush()
}

type model struct {
	name string
	fit  func(fit.Base, int32) error
}

var models = []model{
	{"BG/NBD", func(b fit.Base, until int32) error { _, err := fit.BGNBD(b, until, fit.Options{}); return err }},
	{"MBG/NBD", func(b fit.Base, until int32) error { _, err := fit.MBGNBD(b, until, fit.Options{}); return err }},
	{"Pareto/NBD", func(b fit.Base, until int32) error { _, err := fit.ParetoNBD(b, until, fit.Options{}); return err }},
}

// scores times P(alive) and the whole score, with its interval, of CDNOW's
// customers.
func scores(out *tabwriter.Writer, base fit.Base) error {
	fmt.Fprintln(out, "CDNOW's customers, CPU µs a score\tP(alive)\tvalue, interval\t\t\t\t")
	spend := btyd.GammaGamma{P: 6.25, Q: 3.74, Gamma: 15.44}
	for _, m := range []struct {
		name  string
		model btyd.PurchaseModel
	}{
		{"BG/NBD", btyd.BGNBD{R: .243, Alpha: 4.414, A: .793, B: 2.426}},
		{"MBG/NBD", btyd.MBGNBD{R: .525, Alpha: 6.183, A: .891, B: 1.614}},
		{"Pareto/NBD", btyd.ParetoNBD{R: .553, Alpha: 10.578, S: .606, Beta: 11.669}},
	} {
		table, err := btyd.NewTable(m.model, spend, btyd.Terms{HorizonDays: 365, ChurnDays: 90, DiscountPerWeek: btyd.WeeklyDiscount(.1)})
		if err != nil {
			return err
		}
		const passes = 300
		alive, n := each(base, passes, func(x, tx, age int) float64 { return table.PAlive(x, tx, age) })
		whole, _ := each(base, passes, func(x, tx, age int) float64 { return table.Score(x, tx, age, 35).ValueHigh })
		fmt.Fprintf(out, "%s\t%.3f\t%.3f\t\t\t\t\n", m.name, alive.Seconds()*1e6/float64(n), whole.Seconds()*1e6/float64(n))
	}
	return nil
}

func each(base fit.Base, passes int, score func(x, tx, age int) float64) (time.Duration, int) {
	n, sum := 0, 0.0
	spent, _ := cpu(func() error {
		for range passes {
			for h := range base {
				sum += score(int(h.X), int(h.Last-h.First), int(calibrationEnd-h.First))
				n++
			}
		}
		return nil
	})
	runtime.KeepAlive(sum)
	return spent, n
}

// cdnowBase is the sample at the end of its calibration.
func cdnowBase() (fit.Base, error) {
	columns, err := history.ParseColumns(history.Transactions, "customer=2,at=3,amount=5")
	if err != nil {
		return nil, err
	}
	var ledger backtest.Ledger
	options := history.Options{Columns: columns, Zone: time.UTC}
	if _, err := history.ReadPurchases(bytes.NewReader(cdnow.File), options, func(p history.Purchase) { ledger.Add(p.Customer, p.Day, p.Minor) }); err != nil {
		return nil, err
	}
	customers, _ := ledger.Split(backtest.Window{Until: calibrationEnd})
	base := fit.Base{}
	for i := range customers {
		base.Add(customers[i].History, 1)
	}
	return base, nil
}

// millionEnd is when simulated customers are looked at: they come over a year and
// are seen for two.
const millionEnd = 730

func simulated(customers int) fit.Base {
	truth := btyd.BGNBD{R: .242594, Alpha: 4.4136, A: .792922, B: 2.425906}
	rng := rand.New(rand.NewPCG(1, 6))
	base := fit.Base{}
	for range customers {
		first := int32(rng.IntN(365))
		h := fit.History{First: first, Last: first}
		for _, weeks := range truth.Simulate(rng, float64(millionEnd-first)/7) {
			if day := first + int32(weeks*7); day > h.Last {
				h.X, h.Last = h.X+1, day
			}
		}
		base.Add(h, 1)
	}
	return base
}

// fit has the peer fit the same customers, and adds the CPU time of each model.
func (p *peer) fit(ctx context.Context, base fit.Base) error {
	var table bytes.Buffer
	w := csv.NewWriter(&table)
	for h, n := range base {
		for range n {
			_ = w.Write([]string{strconv.Itoa(int(h.X)), strconv.Itoa(int(h.Last - h.First)), strconv.Itoa(int(calibrationEnd - h.First))})
		}
	}
	w.Flush()
	command := exec.CommandContext(ctx, p.python, "-W", "ignore", "-c", p.script)
	command.Stdin = &table
	var said bytes.Buffer
	command.Stderr = &said
	text, err := command.Output()
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", p.name, err, said.String())
	}
	var seconds map[string]float64
	if err := json.Unmarshal(text, &seconds); err != nil {
		return errors.Join(fmt.Errorf("%s answered %q", p.name, text), err)
	}
	for name, s := range seconds {
		p.seconds[name] = append(p.seconds[name], time.Duration(s*float64(time.Second)))
	}
	return nil
}

// cpu is the processor time that f takes of this process.
func cpu(f func() error) (time.Duration, error) {
	before := used()
	err := f()
	return used() - before, err
}

func used() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err) // it has no reason to
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func median(d []time.Duration) time.Duration {
	d = slices.Sorted(slices.Values(d))
	return d[len(d)/2]
}

func ms(d time.Duration) float64 { return d.Seconds() * 1e3 }
