package bubble

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"testing"
	"testing/synctest"

	"github.com/perennial-cltv/perennial/test/sim"
)

// TestBubbles runs scenarios with the services as they are. How many is told by
// PERENNIAL_TEST_BUBBLES, the first one's number by PERENNIAL_TEST_BUBBLE; with
// PERENNIAL_TEST_TRACE=1 each prints its whole journal, else a failure the end
// of it.
func TestBubbles(t *testing.T) {
	n, first := 20, 1
	if testing.Short() {
		n = 3
	}
	if os.Getenv("PERENNIAL_TEST_SEED") != "" && os.Getenv("PERENNIAL_TEST_BUBBLE") == "" {
		t.Skip("a seed of the first tier is being replayed")
	}
	for name, number := range map[string]*int{"PERENNIAL_TEST_BUBBLES": &n, "PERENNIAL_TEST_BUBBLE": &first} {
		if text := os.Getenv(name); text != "" {
			v, err := strconv.Atoi(text)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			*number = v
		}
	}
	for seed := first; seed < first+n; seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				j := newJournal()
				err := run(context.Background(), uint64(seed), j, sim.Compare)
				t.Logf("%v", j.counts)
				switch trace := os.Getenv("PERENNIAL_TEST_TRACE") != ""; {
				case err != nil && trace:
					t.Errorf("%v\n%s", err, j.text(0))
				case err != nil:
					t.Errorf("%v\n%s", err, j.text(150))
				case trace:
					t.Log(j.text(0))
				}
			})
		})
	}
}
