package formula

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const document = "../../docs/FORMULAS.md"

// TestDocument: the document has the variables and functions as they are, its limits, and examples that compile.
func TestDocument(t *testing.T) {
	content, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	text := string(content)
	section := func(title string) string {
		_, rest, ok := strings.Cut(text, "\n## "+title+"\n")
		if !ok {
			t.Fatalf("no section %q", title)
		}
		body, _, _ := strings.Cut(rest, "\n## ")
		return body
	}
	rows := func(section string) (list []string) {
		for line := range strings.Lines(section) {
			if strings.HasPrefix(line, "| `") {
				list = append(list, strings.TrimSpace(line))
			}
		}
		return list
	}

	var wanted []string
	for _, v := range Variables() {
		wanted = append(wanted, fmt.Sprintf("| %#q | %s | %s |", v.Name, v.Type, v.Text))
	}
	compare(t, "What a formula may use", rows(section("What a formula may use")), wanted)
	wanted = nil
	for _, f := range functions {
		wanted = append(wanted, fmt.Sprintf("| %#q | %s |", f.call, f.text))
	}
	compare(t, "Functions", rows(section("Functions")), wanted)

	for _, limit := range []string{"2,000 bytes", "100 deep", "cost 1,000", "-1000 to 1000"} {
		if !strings.Contains(text, limit) {
			t.Errorf("the document doesn't say %q", limit)
		}
	}
	if MaxBytes != 2000 || MaxDepth != 100 || MaxCost != 1000 || maxPower != 1000 {
		t.Error("the limits have changed: the document has to, too")
	}

	examples := regexp.MustCompile("(?s)\n```cel\n(.*?)```").FindAllStringSubmatch(text, -1)
	if len(examples) < 5 {
		t.Errorf("%d examples", len(examples))
	}
	for _, e := range examples {
		f, err := Compile(e[1])
		if err != nil {
			t.Errorf("%s%v", e[1], err)
			continue
		}
		if v, ok := f.Value(someone()); !ok {
			t.Errorf("%sgives %v %v", e[1], v, ok)
		}
	}
	// One example in the text is of an error.
	var wrong *Error
	if _, err = Compile("1.25 * net / nett"); !errors.As(err, &wrong) || !strings.Contains(text, "    "+wrong.Error()+"\n    "+strings.TrimSuffix(strings.ReplaceAll(wrong.Excerpt(), "\n", "\n    "), "    ")) {
		t.Errorf("the document shows another error than %v", err)
	}
}

func compare(t *testing.T, title string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: want\n%s\ngot\n%s", title, strings.Join(want, "\n"), strings.Join(got, "\n"))
	}
}
