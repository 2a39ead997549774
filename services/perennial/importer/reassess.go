package importer

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"time"

	"github.com/perennial-cltv/perennial/pkg/stream"
	perennialv1 "github.com/perennial-cltv/perennial/proto/perennial/v1"
	"github.com/perennial-cltv/perennial/services/control"
	"github.com/perennial-cltv/perennial/services/perennial/history"
	"github.com/perennial-cltv/perennial/services/perennial/screen"
)

// reassess moves the tenant's clock to Until and asks for a fresh score of each
// customer of the file as of then: a score of a customer who has been silent
// since is as of its last purchase otherwise. It answers how many there are.
//
// The file is read a second time; what is remembered of a customer is 8 bytes.
// Two customers that share them would be one of 2⁶⁴: the other is then scored
// when it is due.
func (i *Importer) reassess(ctx context.Context) (int64, error) {
	events := i.client.Config().Topics.Events
	if err := control.ToAll(ctx, i.client, i.producer, events, control.Clock(i.History.Tenant, i.Until)); err != nil {
		return 0, err
	}
	seen := map[uint64]struct{}{}
	started := time.Now()
	var batch []stream.Message
	sent := int64(0)
	flush := func() error {
		if err := i.pace(ctx); err != nil {
			return err
		}
		if err := deliver(ctx, func() error { return i.producer.Send(ctx, events, batch) }); err != nil {
			return err
		}
		sent += int64(len(batch))
		batch = batch[:0]
		return nil
	}
	progress := func(at int64) string {
		return screen.Progress{Label: "scoring  ", Done: at, Total: i.size, Count: sent, Unit: "customers", Elapsed: time.Since(started)}.Line()
	}
	err := i.walk(func(rec history.Record, event *perennialv1.Event, problem error) error {
		if event == nil || problem != nil {
			return nil //nolint:nilerr // it was put aside
		}
		sum := sha256.Sum256([]byte(event.Customer))
		key := binary.BigEndian.Uint64(sum[:])
		if _, known := seen[key]; known {
			return nil
		}
		seen[key] = struct{}{}
		m, err := control.Message(control.Reassess(i.History.Tenant, event.Customer, i.Until))
		if err != nil {
			return err
		}
		if batch = append(batch, m); len(batch) < batchRecords {
			return nil
		}
		i.screen.Live(progress(rec.End))
		return flush()
	})
	if err == nil {
		err = flush()
	}
	if err == nil {
		i.screen.EndLive(progress(i.size))
	}
	return sent, err
}
