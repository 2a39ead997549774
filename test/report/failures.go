package main

import (
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
)

// failure is a test that failed, or a package, if test is empty.
type failure struct {
	name
	words []string // the beginning of what it said
}

// What is shown of a failure: of each thing that the test said its first lines,
// and only so many in all. A message begins with what is wrong; the journal that
// may follow is further up.
const (
	linesEach  = 6
	linesInAll = 30
	widest     = 300 // bytes of a line
)

// begins finds the line with which a test says something new.
var begins = regexp.MustCompile(`^ +[^ ]+\.go:\d+: |^panic: |^fatal error: |^WARNING: DATA RACE`)

// excerpt answers the beginning of each thing that a test said.
func excerpt(output []string) []string {
	var words []string
	of, left := 0, 0 // lines of this message that are shown, and that aren't
	cut := func() {
		if left > 0 {
			words = append(words, fmt.Sprintf("        … %d lines more above", left))
		}
		of, left = 0, 0
	}
	for line := range strings.Lines(strings.Join(output, "")) {
		line = strings.TrimRight(line, "\r\n")
		if trimmed := strings.TrimSpace(line); trimmed == "" || strings.HasPrefix(trimmed, "=== ") || strings.HasPrefix(trimmed, "--- ") {
			continue
		}
		if begins.MatchString(line) {
			cut()
		}
		if of == linesEach || len(words) >= linesInAll {
			left++
			continue
		}
		if len(line) > widest {
			line = strings.ToValidUTF8(line[:widest], "") + "…"
		}
		words = append(words, line)
		of++
	}
	cut()
	return words
}

// writeFailures says at the very end what failed, what it said, and how to run
// it again. A test that failed only because one within it did is left out.
func writeFailures(out io.Writer, failures []failure, again string) {
	failures = slices.DeleteFunc(slices.Clone(failures), func(f failure) bool {
		return len(f.words) == 0 && slices.ContainsFunc(failures, func(g failure) bool {
			return g.pkg == f.pkg && strings.HasPrefix(g.test, f.test+"/")
		})
	})
	if len(failures) == 0 {
		return
	}
	fmt.Fprintf(out, "\nFailed: %d\n", len(failures))
	for _, f := range failures {
		fmt.Fprintf(out, "\n%s\n", strings.TrimSpace(f.pkg+" "+f.test))
		for _, line := range f.words {
			fmt.Fprintf(out, "%s\n", line)
		}
		fmt.Fprintf(out, "  again: %s%s %s\n", again, pattern(f.test), f.pkg)
	}
}

// pattern answers the flag that selects one test, for a shell.
func pattern(test string) string {
	if test == "" {
		return ""
	}
	parts := strings.Split(test, "/")
	for i, p := range parts {
		parts[i] = "^" + regexp.QuoteMeta(p) + "$"
	}
	return " -run '" + strings.ReplaceAll(strings.Join(parts, "/"), "'", `'\''`) + "'"
}
