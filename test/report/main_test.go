package main

import (
	"fmt"
	"strings"
	"testing"
)

func lines(l ...string) string { return strings.Join(l, "\n") + "\n" }

func TestReport(t *testing.T) {
	pass := lines(
		`{"Action":"run","Package":"p","Test":"TestA"}`,
		`{"Action":"output","Package":"p","Test":"TestA","Output":"    a_test.go:1: chatter\n"}`,
		`{"Action":"pass","Package":"p","Test":"TestA"}`,
		`{"Action":"output","Package":"p","Output":"PASS\n"}`,
		`{"Action":"output","Package":"p","Output":"ok  \tp\t0.1s\n"}`,
		`{"Action":"pass","Package":"p"}`)
	for _, c := range []struct {
		name, in   string
		ok         bool
		want, lack string
	}{
		{"pass", pass, true, "ok  \tp\t0.1s\n", "chatter"},
		{"nothing", "", false, "no package was tested", ""},
		{"the go command's own words", "pattern ./x: no such directory\n" + pass, true, "no such directory", ""},
		{"skip", lines(
			`{"Action":"output","Package":"p","Test":"TestS","Output":"=== RUN   TestS\n"}`,
			`{"Action":"output","Package":"p","Test":"TestS","Output":"    s_test.go:1: there is no redis-server\n"}`,
			`{"Action":"output","Package":"p","Test":"TestS","Output":"--- SKIP: TestS (0.00s)\n"}`,
			`{"Action":"skip","Package":"p","Test":"TestS"}`) + pass, true, "1 tests\n  p TestS: s_test.go:1: there is no redis-server\n", ""},
		{"fail", lines(
			`{"Action":"output","Package":"p","Test":"TestF","Output":"    f_test.go:1: got 2\n"}`,
			`{"Action":"fail","Package":"p","Test":"TestF"}`,
			`{"Action":"output","Package":"p","Output":"FAIL\tp\t0.1s\n"}`,
			`{"Action":"fail","Package":"p"}`), false, "    f_test.go:1: got 2\nFAIL\tp\t0.1s\n", ""},
		{"panic", lines(
			`{"Action":"output","Package":"p","Test":"TestP","Output":"panic: boom\n"}`,
			`{"Action":"fail","Package":"p"}`), false, "panic: boom\n", ""},
		{"does not build", lines(
			`{"ImportPath":"p","Action":"build-output","Output":"p.go:1: undefined: x\n"}`,
			`{"ImportPath":"p","Action":"build-fail"}`,
			`{"Action":"fail","Package":"p","FailedBuild":"p"}`), false, "undefined: x", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out strings.Builder
			if ok := run(strings.NewReader(c.in), &out, "go test"); ok != c.ok {
				t.Errorf("run = %v, want %v", ok, c.ok)
			}
			if !strings.Contains(out.String(), c.want) || (c.lack != "" && strings.Contains(out.String(), c.lack)) {
				t.Errorf("wrote %q", out.String())
			}
		})
	}
}

// TestFailuresComeLast: whatever a test wrote after it, the message with which it
// failed, its name and how to run it alone are the last words.
func TestFailuresComeLast(t *testing.T) {
	said := func(test, text string) string {
		return fmt.Sprintf(`{"Action":"output","Package":"p","Test":%q,"Output":%q}`, test, text)
	}
	in := []string{
		said("TestB", "=== RUN   TestB\n"), said("TestB/it's_(7)", "=== RUN   TestB/it's_(7)\n"),
		said("TestB/it's_(7)", "    b_test.go:40: map[faults:3]\n"), said("TestB/it's_(7)", "    b_test.go:43: customer c-1 has 3, want 4\n"),
	}
	for i := range 150 {
		in = append(in, said("TestB/it's_(7)", fmt.Sprintf("        journal %d\n", i)))
	}
	in = append(in, said("TestB/it's_(7)", "    b_test.go:50: and the second thing\n"), said("TestB/it's_(7)", "--- FAIL: TestB/it's_(7) (0.10s)\n"),
		`{"Action":"fail","Package":"p","Test":"TestB/it's_(7)"}`,
		said("TestB", "--- FAIL: TestB (0.10s)\n"), `{"Action":"fail","Package":"p","Test":"TestB"}`,
		said("TestDies", "chatter\n"), said("TestDies", "panic: boom\n"),
		`{"Action":"output","Package":"p","Output":"FAIL\tp\t0.1s\n"}`, `{"Action":"fail","Package":"p"}`,
		`{"Action":"build-fail","ImportPath":"q [q.test]"}`, `{"Action":"fail","Package":"q","FailedBuild":"q [q.test]"}`,
		`{"Action":"output","Package":"r","Output":"FAIL\tr\t0.1s\n"}`, `{"Action":"fail","Package":"r"}`)
	var out strings.Builder
	if run(strings.NewReader(lines(in...)), &out, "go test -short") {
		t.Error("run says that all is well")
	}
	if !strings.Contains(out.String(), "journal 149\n") {
		t.Error("the whole output isn't shown")
	}
	_, end, _ := strings.Cut(out.String(), "\nFailed: ")
	want := `4

p TestB/it's_(7)
    b_test.go:40: map[faults:3]
    b_test.go:43: customer c-1 has 3, want 4
        journal 0
        journal 1
        journal 2
        journal 3
        journal 4
        … 145 lines more above
    b_test.go:50: and the second thing
  again: go test -short -run '^TestB$/^it'\''s_\(7\)$' p

p TestDies
chatter
panic: boom
  again: go test -short -run '^TestDies$' p

q
doesn't build; the compiler's words are above
  again: go test -short q

r
failed outside of its tests; what it wrote is above
  again: go test -short r
`
	if end != want {
		t.Errorf("got\n%s\nwant\n%s", end, want)
	}
}
