package sim

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"testing"
)

// seeds reads PERENNIAL_TEST_SEED (one to replay) and PERENNIAL_TEST_SEEDS (how
// many).
func seeds(t *testing.T, otherwise int) (first, n int) {
	t.Helper()
	number := func(name string) (int, bool) {
		text := os.Getenv(name)
		if text == "" {
			return 0, false
		}
		v, err := strconv.Atoi(text)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return v, true
	}
	if seed, ok := number("PERENNIAL_TEST_SEED"); ok {
		return seed, 1
	}
	if n, ok := number("PERENNIAL_TEST_SEEDS"); ok {
		return 1, n
	}
	return 1, otherwise
}

// TestSeeds is the simulation. A failing seed is printed with the end of its
// schedule; PERENNIAL_TEST_SEED replays it, PERENNIAL_TEST_TRACE=1 prints all of
// it.
func TestSeeds(t *testing.T) {
	otherwise := 300
	if testing.Short() {
		otherwise = 50
	}
	first, n := seeds(t, otherwise)
	var mu sync.Mutex
	totals := map[string]int{}
	next := make(chan uint64)
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for seed := range next {
				counts, err := Run(seed, Options{})
				mu.Lock()
				for k, v := range counts {
					totals[k] += v
				}
				mu.Unlock()
				if err != nil {
					t.Errorf("seed %d: %v\n%s", seed, err, schedule(seed, Options{}))
				}
			}
		})
	}
	for i := range n {
		if t.Failed() {
			break
		}
		next <- uint64(first + i)
	}
	close(next)
	workers.Wait()
	t.Logf("%d seeds: %v", n, totals)
}

// TestSeedsReplayExactly: the same seed is the same schedule, step by step, or a
// failure that was found once could not be looked at.
func TestSeedsReplayExactly(t *testing.T) {
	run := func(seed uint64) (lines []string) {
		if _, err := Run(seed, Options{Trace: func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }}); err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
		return lines
	}
	for seed := range uint64(30) {
		first, again := run(seed), run(seed)
		if len(first) != len(again) {
			t.Errorf("seed %d: %d lines, then %d", seed, len(first), len(again))
		}
		for i := range min(len(first), len(again)) {
			if first[i] != again[i] {
				t.Errorf("seed %d, line %d: %q, then %q", seed, i, first[i], again[i])
				break
			}
		}
	}
}

// schedule runs a seed again and gives the end of its schedule.
func schedule(seed uint64, o Options) string {
	var lines []string
	o.Trace = func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	_, err := Run(seed, o)
	if os.Getenv("PERENNIAL_TEST_TRACE") == "" && len(lines) > 80 {
		lines = lines[len(lines)-80:]
	}
	text := ""
	for _, l := range lines {
		text += l + "\n"
	}
	return fmt.Sprintf("%sreplay with PERENNIAL_TEST_SEED=%d: %v", text, seed, err)
}
