// Package screen writes for people: headings, tables and a line of progress
// that renews itself. On anything but a terminal it writes plain lines, and
// progress only now and then.
package screen

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"golang.org/x/term"
)

// plainWidth is the width where nothing says how wide the output is.
const plainWidth = 100

// Screen is where a command writes for people. Its methods may be called from
// several goroutines.
type Screen struct {
	mu       sync.Mutex
	w        io.Writer
	terminal int // file descriptor, −1 where it isn't a terminal
	styled   bool
	live     bool // the line the cursor is on is a line of progress
	lastLive time.Time
}

// New writes to w. Colours are left out where the environment has NO_COLOR, or
// TERM=dumb.
func New(w io.Writer, getenv func(string) string) *Screen {
	s := &Screen{w: w, terminal: -1, lastLive: time.Now()}
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) && getenv("TERM") != "dumb" {
		s.terminal = int(f.Fd())
		s.styled = getenv("NO_COLOR") == ""
	}
	return s
}

// Width answers how many columns there are.
func (s *Screen) Width() int {
	if s.terminal >= 0 {
		if width, _, err := term.GetSize(s.terminal); err == nil && width > 0 {
			return width
		}
	}
	return plainWidth
}

// Printf writes text above the line of progress, if there is one. The text ends
// its lines itself.
func (s *Screen) Printf(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clear()
	fmt.Fprintf(s.w, format, args...)
}

// Heading writes an empty line and a title.
func (s *Screen) Heading(title string) { s.Printf("\n%s\n", s.bold(title)) }

// Wrapped writes text in as many lines as it needs, each after indent.
func (s *Screen) Wrapped(indent, text string) {
	width := s.Width() - len(indent)
	var line string
	for _, word := range strings.Fields(text) {
		if line != "" && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width {
			s.Printf("%s%s\n", indent, line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	s.Printf("%s%s\n", indent, line)
}

// Table writes a table.
func (s *Screen) Table(t Table) { s.Printf("%s", t.render(s.Width(), s.bold)) }

// The least time between two lines of progress: on a terminal what an eye can
// follow, elsewhere what a log can bear.
const (
	liveEvery  = 100 * time.Millisecond
	plainEvery = 5 * time.Second
)

// Live renews the line of progress, if it is time to. It may be called as often
// as is convenient. Not on a terminal it writes a line every few seconds.
func (s *Screen) Live(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	every := plainEvery
	if s.terminal >= 0 {
		every = liveEvery
	}
	now := time.Now()
	if now.Sub(s.lastLive) < every {
		return
	}
	s.lastLive = now
	if s.terminal < 0 {
		fmt.Fprintln(s.w, line)
		return
	}
	s.clear()
	fmt.Fprint(s.w, cut(line, s.Width()-1))
	s.live = true
}

// EndLive writes the last line of progress, which stays, and goes on below.
func (s *Screen) EndLive(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clear()
	if s.terminal >= 0 {
		line = cut(line, s.Width()-1)
	}
	fmt.Fprintln(s.w, line)
}

// clear removes the line of progress. The caller holds the lock.
func (s *Screen) clear() {
	if s.live {
		fmt.Fprint(s.w, "\r\x1b[K")
		s.live = false
	}
}

func (s *Screen) bold(text string) string {
	if !s.styled || text == "" {
		return text
	}
	return "\x1b[1m" + text + "\x1b[0m"
}

// Printable answers text with what a terminal would take for a command, or not
// show, replaced: names come from outside.
func Printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r == utf8.RuneError || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			return '�'
		}
		return r
	}, text)
}

// cut shortens text to width columns; one column a rune, which holds for all
// that is written here but wide scripts.
func cut(text string, width int) string {
	if utf8.RuneCountInString(text) <= width || width < 1 {
		return text
	}
	runes := []rune(text)
	return string(runes[:width-1]) + "…"
}
