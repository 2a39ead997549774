package formula

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Error is the first thing that is wrong with a text, and where.
type Error struct {
	// Line and Column count from 1, columns in characters.
	Line, Column int
	// Text says what is wrong, without the place.
	Text string

	line string
}

// Error is place and text, such as "1:14: undeclared reference to 'nett'".
func (e *Error) Error() string { return fmt.Sprintf("%d:%d: %s", e.Line, e.Column, e.Text) }

// Excerpt is the line with a caret under the column, each on a line of its own; empty where the text is none to show.
func (e *Error) Excerpt() string {
	if e.line == "" {
		return ""
	}
	var b strings.Builder
	b.WriteString(e.line)
	b.WriteByte('\n')
	column := 1
	for _, c := range e.line {
		if column >= e.Column {
			break
		}
		if c != '\t' {
			c = ' '
		}
		b.WriteRune(c)
		column++
	}
	b.WriteString("^\n")
	return b.String()
}

// source is a text by lines, each in characters.
type source struct {
	lines [][]rune
}

func newSource(text string) *source {
	s := &source{}
	for line := range strings.SplitSeq(text, "\n") {
		s.lines = append(s.lines, []rune(line))
	}
	return s
}

// at is an error at a line from 1 and a column from 0; a place that isn't in the text is moved into it.
func (s *source) at(line, column int, text string) *Error {
	line = min(max(line, 1), len(s.lines))
	here := s.lines[line-1]
	return &Error{Line: line, Column: min(max(column, 0), len(here)) + 1, Text: text, line: printable(strings.TrimSuffix(string(here), "\r"))}
}

// atStart is an error about all of the text.
func (s *source) atStart(text string) *Error {
	for i, line := range s.lines {
		for column, c := range line {
			if !strings.ContainsRune(" \t\r", c) {
				return s.at(i+1, column, text)
			}
		}
	}
	return s.at(1, 0, text)
}

// name moves a column from the bracket of a call, where CEL sees it, to the beginning of its name.
func (s *source) name(line, column int) int {
	if line < 1 || line > len(s.lines) || column < 1 || column >= len(s.lines[line-1]) || s.lines[line-1][column] != '(' {
		return column
	}
	here, start := s.lines[line-1], column
	for start > 0 && isNamed(here[start-1]) {
		start--
	}
	return start
}

func isNamed(c rune) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// notUTF8 is an error at the first byte that belongs to no character.
func notUTF8(text string) *Error {
	line, column := 1, 1
	for i, c := range text {
		if c == utf8.RuneError {
			if _, size := utf8.DecodeRuneInString(text[i:]); size == 1 {
				break
			}
		}
		column++
		if c == '\n' {
			line, column = line+1, 1
		}
	}
	return &Error{Line: line, Column: column, Text: "the formula isn't valid UTF-8"}
}
