// Command fits measures what fitting and scoring cost beside Python's lifetimes,
// in one run and in turns, so that whatever else the machine does falls on both.
//
//	go run ./test/bench/fits                      # our side alone
//	go run ./test/bench/fits -python venv/bin/python   # beside lifetimes, where that has it
//
// Everything is CPU time, of one process each.
package main

import (
	"bufio"
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

	"github.com/perennial-cltv/perennial/pkg/btyd"
	"github.com/perennial-cltv/perennial/pkg/btyd/fit"
	"github.com/perennial-cltv/perennial/services/perennial/cdnow"
)

//go:embed lifetimes.py
var script string

func main() {
	python := flag.String("python", "", "a Python that has lifetimes (pip install lifetimes); empty: not compared")
	rounds := flag.Int("rounds", 7, "rounds of CDNOW, of which the median counts")
	customers := flag.Int("customers", 1_000_000, "simulated customers of the grouped fit")
	flag.Parse()
	if err := run(context.Background(), *python, *rounds, *customers); err != nil {
		fmt.Fprintln(os.Stderr, "fits:", err)
		os.Exit(1)
	}
}

// calibrationEnd is 1997-09-30 in days from 1970-01-01.
const calibrationEnd = 10_134

func run(ctx context.Context, python string, rounds, customers int) error {
	base, err := cdnowBase()
	if err != nil {
		return err
	}
	ours, theirs := map[string][]time.Duration{}, map[string][]time.Duration{}
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
		if python == "" {
			continue
		}
		seconds, err := lifetimes(ctx, python, base)
		if err != nil {
			return err
		}
		for name, s := range seconds {
			theirs[name] = append(theirs[name], time.Duration(s*float64(time.Second)))
		}
	}
	out := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(out, "CDNOW, CPU ms a fit\tours\tlifetimes\ttimes as fast\t")
	for _, m := range models {
		mine := median(ours[m.name])
		if other := theirs[m.name]; len(other) > 0 {
			fmt.Fprintf(out, "%s\t%.2f\t%.1f\t%.1f\t\n", m.name, ms(mine), ms(median(other)), float64(median(other))/float64(mine))
		} else {
			fmt.Fprintf(out, "%s\t%.2f\tnot compared\t\t\n", m.name, ms(mine))
		}
	}
	million := simulated(customers)
	fmt.Fprintf(out, "%d customers in %d cells, CPU s a fit\t\t\t\t\n", customers, len(million))
	for _, m := range models {
		spent, err := cpu(func() error { return m.fit(million, millionEnd) })
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%s\t%.2f\t\t\t\n", m.name, spent.Seconds())
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
	fmt.Fprintln(out, "CDNOW's customers, CPU µs a score\tP(alive)\tvalue, interval\t\t")
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
		fmt.Fprintf(out, "%s\t%.3f\t%.3f\t\t\n", m.name, alive.Seconds()*1e6/float64(n), whole.Seconds()*1e6/float64(n))
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
	days := map[string][]int32{}
	for lines := bufio.NewScanner(bytes.NewReader(cdnow.File)); lines.Scan(); {
		columns := bytes.Fields(lines.Bytes())
		at, err := time.Parse("20060102", string(columns[2]))
		if err != nil {
			return nil, err
		}
		if day := int32(at.Unix() / 86_400); day <= calibrationEnd {
			days[string(columns[1])] = append(days[string(columns[1])], day)
		}
	}
	base := fit.Base{}
	for _, d := range days {
		slices.Sort(d)
		d = slices.Compact(d)
		base.Add(fit.History{X: int32(len(d) - 1), First: d[0], Last: d[len(d)-1]}, 1)
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

// lifetimes fits the same customers in Python and answers the CPU seconds of each
// model.
func lifetimes(ctx context.Context, python string, base fit.Base) (map[string]float64, error) {
	var table bytes.Buffer
	w := csv.NewWriter(&table)
	for h, n := range base {
		for range n {
			_ = w.Write([]string{strconv.Itoa(int(h.X)), strconv.Itoa(int(h.Last - h.First)), strconv.Itoa(int(calibrationEnd - h.First))})
		}
	}
	w.Flush()
	command := exec.CommandContext(ctx, python, "-W", "ignore", "-c", script)
	command.Stdin = &table
	var said bytes.Buffer
	command.Stderr = &said
	text, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", python, err, said.String())
	}
	var seconds map[string]float64
	if err := json.Unmarshal(text, &seconds); err != nil {
		return nil, errors.Join(fmt.Errorf("%s answered %q", python, text), err)
	}
	return seconds, nil
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
