package importer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/perennial-cltv/perennial/pkg/ops"
	"github.com/perennial-cltv/perennial/pkg/stream"
	"github.com/perennial-cltv/perennial/pkg/task"
	perennialv1 "github.com/perennial-cltv/perennial/proto/perennial/v1"
	"github.com/perennial-cltv/perennial/services/perennial/history"
	"github.com/perennial-cltv/perennial/services/perennial/screen"
)

// batchRecords is how many records are published and acknowledged at once.
const batchRecords = 2000

// saveEvery is how often the state is saved: what a crash costs is published
// twice, which changes nothing.
const saveEvery = time.Second

// walk reads the file from its beginning and gives each record to take, with its
// event or the reason why it has none. Records after Until have neither.
func (i *Importer) walk(take func(history.Record, *perennialv1.Event, error) error) error {
	if _, err := i.file.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("reading %s: %w", i.File, err)
	}
	r, ids := i.layout.NewReader(i.file), history.NewIdentities(i.History.Kind)
	for {
		rec, ok := r.Next()
		if !ok {
			break
		}
		var event *perennialv1.Event
		var problem error
		if !i.layout.IsHeader(rec) {
			event, problem = i.event(rec, ids.Next(rec.Raw))
		}
		if err := take(rec, event, problem); err != nil {
			return err
		}
	}
	if err := r.Err(); err != nil {
		return fmt.Errorf("reading %s: %w", i.File, err)
	}
	return nil
}

// event answers the event of a record as the intake will accept it; neither
// event nor error for one after Until.
func (i *Importer) event(rec history.Record, id string) (*perennialv1.Event, error) {
	event, err := i.layout.Event(rec, id)
	if err != nil {
		return nil, err
	}
	if !i.Until.IsZero() && event.OccurredAt.AsTime().After(i.Until) {
		return nil, nil //nolint:nilnil // as documented
	}
	if err := i.validate(event); err != nil {
		return nil, err
	}
	return event, nil
}

// probe refuses a file of whose beginning nothing can be imported: most likely
// the columns are wrong, and it is better said before anything is published.
func (i *Importer) probe(sample []byte) error {
	r, ids := i.layout.NewReader(bytes.NewReader(sample)), history.NewIdentities(i.History.Kind)
	var first error
	for n := 0; n < 1000; n++ {
		rec, ok := r.Next()
		if !ok {
			break
		}
		if i.layout.IsHeader(rec) {
			continue
		}
		_, err := i.event(rec, ids.Next(rec.Raw))
		if err == nil {
			return nil
		}
		if first == nil {
			first = fmt.Errorf("no line can be imported; line %d: %w", rec.Line, err)
		}
	}
	return first
}

// resume finds out where an import that was stopped goes on.
func (i *Importer) resume() (err error) {
	if i.state, err = history.LoadState(i.StatePath); err != nil {
		return ops.Usage(err)
	}
	if i.Restart || i.state.Import != i.fingerprint() {
		i.state = history.State{Import: i.fingerprint()}
		if err := os.Remove(i.RejectedPath); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("removing the rejected lines of an earlier import: %w", err)
		}
	}
	i.resumed = i.state.Offset
	if i.resumed > 0 {
		i.screen.Printf("going on at byte %d of %d: %s records were published before\n", i.resumed, i.size, screen.Count(i.state.Published))
	}
	return nil
}

// publish sends every record that isn't published yet, in batches, and saves how
// far it got after each that Kafka acknowledged.
func (i *Importer) publish(ctx context.Context) (err error) {
	rejected, err := openRejected(i.RejectedPath, i.state.RejectedBytes)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rejected.close()) }()
	i.started = time.Now()
	resumed, done, prefix := i.state.Published, i.state, history.NewPrefix()
	var batch []stream.Message
	flush := func() error {
		if err := i.send(ctx, batch); err != nil {
			return err
		}
		batch = batch[:0]
		if done.RejectedBytes, err = rejected.flush(); err != nil {
			return err
		}
		done.Prefix = prefix.Sum()
		i.state = done
		i.show(done.Published - resumed)
		return i.save(false)
	}
	err = i.walk(func(rec history.Record, event *perennialv1.Event, problem error) error {
		prefix.Add(rec)
		if rec.End <= i.resumed {
			return i.same(rec, prefix)
		}
		switch {
		case problem != nil:
			done.Rejected++
			if err := rejected.add(rec, problem); err != nil {
				return err
			}
		case event != nil:
			message, err := message(event)
			if err != nil {
				return err
			}
			batch = append(batch, message)
			done.Published++
		case !i.layout.IsHeader(rec):
			done.Later++
		}
		done.Offset = rec.End
		if len(batch) < batchRecords {
			return nil
		}
		return flush()
	})
	if err == nil {
		err = flush()
	}
	if err == nil && i.state.Offset < i.resumed {
		err = i.changed()
	}
	if err == nil {
		i.screen.EndLive(i.line(i.state.Published - resumed))
	}
	return errors.Join(err, i.save(true))
}

// same checks, where the import goes on, that the file before is what it was.
func (i *Importer) same(rec history.Record, prefix history.Prefix) error {
	if rec.End == i.resumed && prefix.Sum() != i.state.Prefix {
		return i.changed()
	}
	return nil
}

func (i *Importer) changed() error {
	return ops.Usagef("%s was changed before byte %d since its import stopped there; --restart imports it as it is now, from the beginning", i.File, i.resumed)
}

// send publishes a batch when the services aren't too far behind.
func (i *Importer) send(ctx context.Context, batch []stream.Message) error {
	if err := i.pace(ctx); err != nil {
		return err
	}
	topic, _ := i.topic()
	return deliver(ctx, func() error { return i.producer.Send(ctx, topic, batch) })
}

// deliver sends until the producer has room.
func deliver(ctx context.Context, send func() error) error {
	for {
		err := send()
		if !errors.Is(err, stream.ErrBusy) {
			return err
		}
		if err := sleep(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
}

// save keeps how far the import got, now and then or at once.
func (i *Importer) save(now bool) error {
	if !now && time.Since(i.saved) < saveEvery || i.state.Offset == 0 {
		return nil
	}
	i.saved = time.Now()
	return i.state.Save(i.StatePath)
}

// message answers the record of an event in a raw topic.
func message(event *perennialv1.Event) (stream.Message, error) {
	value, err := proto.Marshal(event)
	if err != nil {
		return stream.Message{}, fmt.Errorf("encoding %s: %w", event.SourceEventId, err)
	}
	return stream.Message{
		Key: []byte(event.Tenant + "/" + event.Customer), Value: value,
		Headers: []task.Header{{Key: "content-type", Value: []byte("application/x-protobuf")}},
	}, nil
}

func (i *Importer) show(count int64) { i.screen.Live(i.line(count)) }

func (i *Importer) line(count int64) string {
	p := screen.Progress{
		Label: "importing", Done: i.state.Offset, Total: i.size, From: i.resumed,
		Count: count, Unit: "records", Elapsed: time.Since(i.started),
	}
	if i.state.Rejected > 0 {
		p.Detail = screen.Count(i.state.Rejected) + " rejected"
	}
	return p.Line()
}
