package main

import (
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"strings"
	"text/tabwriter"
)

// Report is everything that a run measured.
type Report struct {
	Go          string       `json:"go"`
	CPUs        int          `json:"cpus"`
	Partitions  int          `json:"partitions"`
	Seed        uint64       `json:"seed"`
	SpanDays    float64      `json:"span_days"`
	Uniform     *Drain       `json:"uniform,omitempty"`
	Zipf        *Drain       `json:"zipf,omitempty"`
	PassThrough *PassThrough `json:"pass_through,omitempty"`
	Latency     *Latency     `json:"latency,omitempty"`
}

func newReport(o *options) *Report {
	return &Report{Go: runtime.Version(), CPUs: runtime.NumCPU(), Partitions: o.partitions, Seed: o.seed, SpanDays: o.span.Hours() / 24}
}

// table writes the report for people.
func (r *Report) table(to io.Writer) error {
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', tabwriter.AlignRight)
	row := func(cells ...string) { fmt.Fprintln(w, strings.Join(cells, "\t")+"\t") }
	number := func(f float64) string { return fmt.Sprintf("%.2f", f) }

	row("CPU-seconds per million events", "updater", "Redis", "broker", "total", "of it the broker's compiler", "wall s")
	drains := []struct {
		name string
		d    *Drain
	}{{"uniform", r.Uniform}, {"Zipf", r.Zipf}}
	for _, each := range drains {
		if d := each.d; d != nil {
			name := fmt.Sprintf("%s, %d customers, events %d to %d", each.name, d.Customers, d.WarmUp, d.Events)
			row(name, number(d.Steady.Updater), number(d.Steady.Redis), number(d.Steady.Broker), number(d.Steady.Total),
				number(d.Steady.Compiling), fmt.Sprintf("%.0f", d.Seconds))
		}
	}
	if p := r.PassThrough; p != nil {
		row(fmt.Sprintf("pass-through by bare kafka-go, %d events", p.Events), number(p.Client), "", number(p.Broker), number(p.Total))
		row("uniform: (updater + broker) / pass-through", number(p.Ratio))
		row("uniform: all / pass-through", number(p.RatioAll))
	}
	row("")
	row("memory, bytes", "Redis per customer", "its states", "due lists", "mean state", "updater MiB", "most MiB")
	for _, each := range drains {
		if d := each.d; d != nil {
			m := d.Redis
			row(fmt.Sprintf("%s, %d customers with a state", each.name, m.Customers), number(m.PerCustomer), number(m.StatesPerCustomer),
				number(m.DuePerCustomer), number(m.StateBytes), number(float64(d.Resident)/(1<<20)), number(float64(d.ResidentMost)/(1<<20)))
		}
	}
	row("")
	row("records out per million events", "updates", "churn", "state")
	for _, each := range drains {
		if d := each.d; d != nil {
			row(fmt.Sprintf("%s, %.0f bytes an event", each.name, d.BytesPerEvent), fmt.Sprintf("%.0f", d.Updates), fmt.Sprintf("%.0f", d.Churn), fmt.Sprintf("%.0f", d.States))
		}
	}
	if l := r.Latency; l != nil {
		row("")
		row("intended send to update read, ms", "p50", "p90", "p99", "p99.9", "max")
		row(fmt.Sprintf("%d events/s, %d events", l.EventsPerSecond, l.Events), number(l.P50), number(l.P90), number(l.P99), number(l.P999), number(l.Max))
	}
	return w.Flush()
}

// json writes the report for programs.
func (r *Report) json(to io.Writer) error {
	e := json.NewEncoder(to)
	e.SetIndent("", "  ")
	return e.Encode(r)
}
