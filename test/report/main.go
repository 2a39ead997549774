// Command report reads what `go test -json` writes and shows it as go test
// does, plus, at the end, every test that was skipped with its reason: a test
// that didn't run should not look like one that passed. After that comes what
// failed: each test with the beginning of what it said, however long that was,
// and the command that runs it alone.
//
// It exits with 1 if anything failed or if no package was tested.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// event is one line of `go test -json`; see `go doc test2json`.
type event struct {
	Action  string
	Package string
	Test    string // empty: about the package
	Output  string
	// ImportPath is of a package that is compiled, FailedBuild of the one whose
	// failure kept a package from being tested.
	ImportPath, FailedBuild string
}

// name identifies a test of a package.
type name struct{ pkg, test string }

// report is what is known while the lines come in.
type report struct {
	out      io.Writer
	held     map[name][]string // output of tests that have not ended
	skipped  []string
	failures []failure
	unbuilt  map[string]bool // packages that can't be compiled, as go names them
	packages int
	failed   bool
}

func main() {
	again := flag.String("again", "go test -count=1", "the command that runs a test again, without -run and package")
	flag.Parse()
	if !run(os.Stdin, os.Stdout, *again) {
		os.Exit(1)
	}
}

// run copies the report of in to out, and says whether all is well.
func run(in io.Reader, out io.Writer, again string) bool {
	r := &report{out: out, held: map[name][]string{}, unbuilt: map[string]bool{}}
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			r.line(line)
		}
		if err != nil {
			r.failed = r.failed || err != io.EOF
			break
		}
	}
	if len(r.skipped) > 0 {
		fmt.Fprintf(out, "\nNot run, skipped by themselves: %d tests\n", len(r.skipped))
		for _, s := range r.skipped {
			fmt.Fprintf(out, "  %s\n", s)
		}
	}
	if r.packages == 0 {
		fmt.Fprintln(out, "no package was tested")
	}
	writeFailures(out, r.failures, again)
	return r.packages > 0 && !r.failed
}

func (r *report) line(line string) {
	var e event
	if err := json.Unmarshal([]byte(line), &e); err != nil {
		// The go command's own words, such as a pattern that matches nothing.
		fmt.Fprint(r.out, line)
		return
	}
	key := name{e.Package, e.Test}
	switch e.Action {
	case "build-output":
		fmt.Fprint(r.out, e.Output)
	case "output":
		if e.Test != "" {
			r.held[key] = append(r.held[key], e.Output)
		} else if e.Output != "PASS\n" {
			fmt.Fprint(r.out, e.Output)
		}
	case "pass", "skip", "fail", "build-fail":
		r.end(e, key)
	}
}

// end takes the end of a test or of a package.
func (r *report) end(e event, key name) {
	r.failed = r.failed || e.Action == "fail" || e.Action == "build-fail"
	switch {
	case e.Action == "build-fail":
		r.unbuilt[e.ImportPath] = true
	case e.Test != "" && e.Action == "fail":
		r.fail(key)
	case e.Test != "" && e.Action == "skip":
		r.skipped = append(r.skipped, fmt.Sprintf("%s %s: %s", e.Package, e.Test, reason(r.held[key])))
	case e.Test == "":
		r.packages++
		if e.Action == "fail" {
			r.failPackage(e)
		}
	}
	delete(r.held, key)
}

// failPackage takes the end of a package that failed: the tests that were
// running when its process died did, too, and where there is none, it failed by
// itself.
func (r *report) failPackage(e event) {
	var left []name
	for k := range r.held {
		if k.pkg == e.Package {
			left = append(left, k)
		}
	}
	slices.SortFunc(left, func(a, b name) int { return strings.Compare(a.test, b.test) })
	for _, k := range left {
		r.fail(k)
	}
	if slices.ContainsFunc(r.failures, func(f failure) bool { return f.pkg == e.Package }) {
		return
	}
	f := failure{name: name{pkg: e.Package}, words: []string{"failed outside of its tests; what it wrote is above"}}
	if e.FailedBuild != "" || r.unbuilt[e.Package] {
		f.words = []string{"doesn't build; the compiler's words are above"}
	}
	r.failures = append(r.failures, f)
}

// fail shows a test that failed, and keeps what the end says of it.
func (r *report) fail(key name) {
	r.failures = append(r.failures, failure{key, excerpt(r.held[key])})
	r.show(key)
}

// show prints what a test wrote.
func (r *report) show(key name) {
	for _, s := range r.held[key] {
		fmt.Fprint(r.out, s)
	}
	delete(r.held, key)
}

// reason answers what a skipped test said, on one line.
func reason(output []string) string {
	var said []string
	for _, s := range output {
		if s = strings.TrimSpace(s); s != "" && !strings.HasPrefix(s, "===") && !strings.HasPrefix(s, "---") {
			said = append(said, s)
		}
	}
	if len(said) == 0 {
		return "no reason given"
	}
	return strings.Join(said, " ")
}
