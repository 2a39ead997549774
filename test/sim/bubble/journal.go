package bubble

import (
	"fmt"
	"strings"
	"sync"
	"time"
)

// journal is what happened, in virtual time: faults, and what the services
// logged.
type journal struct {
	mu    sync.Mutex
	began time.Time
	lines []string
	// counts says how often something was done.
	counts map[string]int
}

func newJournal() *journal { return &journal{began: time.Now(), counts: map[string]int{}} }

func (j *journal) note(who, format string, args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, fmt.Sprintf("%12s %-12s %s", time.Since(j.began).Round(time.Millisecond), who, fmt.Sprintf(format, args...)))
}

func (j *journal) count(what string, n int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.counts[what] += n
}

// text is the last n lines; 0: all.
func (j *journal) text(n int) string {
	j.mu.Lock()
	defer j.mu.Unlock()
	lines := j.lines
	if n > 0 && len(lines) > n {
		lines = lines[len(lines)-n:]
	}
	return strings.Join(lines, "\n")
}

// writer takes the log of a process.
func (j *journal) writer(who string) logWriter { return logWriter{j, who} }

type logWriter struct {
	journal *journal
	who     string
}

// signs are what the updaters say when the protocol has done its work.
var signs = map[string]string{
	"Invalid Producer Epoch": "fenced by Kafka", "fenced at": "fenced by Redis", "rewind": "rewinds",
	"a task is open": "openings", "waits for an operator": "stopped tasks",
}

// Write takes one line, without the time in front of it.
func (w logWriter) Write(line []byte) (int, error) {
	_, text, _ := strings.Cut(strings.TrimSpace(string(line)), " ")
	w.journal.note(w.who, "%s", text)
	for sign, what := range signs {
		if strings.Contains(text, sign) {
			w.journal.count(what, 1)
		}
	}
	return len(line), nil
}
