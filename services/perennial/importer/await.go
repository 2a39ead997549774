package importer

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/perennial-cltv/perennial/pkg/stream"
	"github.com/perennial-cltv/perennial/services/perennial/screen"
)

// silence is how long a service may take nothing before it is asked about: longer
// than a group needs to share its partitions out anew.
const silence = 15 * time.Second

// Await returns when a group has committed all that a topic has at this moment.
// While it waits it says on out how much is left.
func Await(ctx context.Context, client *stream.Client, out *screen.Screen, group, topic string) error {
	marks, err := client.Watermarks(ctx, topic)
	if err != nil {
		return err
	}
	least, since := int64(math.MaxInt64), time.Now()
	for {
		lags, err := client.Lag(ctx, group, topic)
		if err != nil {
			return err
		}
		left := int64(0)
		for _, l := range lags {
			if int(l.Partition) < len(marks) {
				left += max(0, marks[l.Partition].End-max(l.Committed, marks[l.Partition].Start))
			}
		}
		if left == 0 {
			return nil
		}
		if left < least {
			least, since = left, time.Now()
		}
		hint := ""
		if time.Since(since) > silence {
			hint = ", but it takes none: is it running?"
		}
		out.Live(fmt.Sprintf("waiting for %s: %s records to go%s", group, screen.Count(left), hint))
		if err := sleep(ctx, lookEvery); err != nil {
			return fmt.Errorf("waiting for %s, %d records to go: %w", group, left, err)
		}
	}
}
