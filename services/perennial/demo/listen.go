package demo

import (
	"context"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/perennial-cltv/perennial/pkg/cltv"
	"github.com/perennial-cltv/perennial/pkg/stream"
	"github.com/perennial-cltv/perennial/pkg/task"
	"github.com/perennial-cltv/perennial/pkg/wire"
	perennialv1 "github.com/perennial-cltv/perennial/proto/perennial/v1"
)

// listen counts what comes out, until ctx ends. A dead letter ends it with an
// error: the story has nothing that can't be taken in.
func (p *Player) listen(ctx context.Context) error {
	t := p.Client.Config().Topics
	topics := []string{t.Events, t.Updates, t.Churn}
	for _, topic := range []string{t.Calls, t.Billing, t.Events} {
		topics = append(topics, stream.DeadLetterTopic(topic))
	}
	return p.Client.Tail(ctx, topics, stream.TailOptions{Last: -1}, func(topic string, _ int32, r *task.Record) error {
		switch topic {
		case t.Events:
			return p.heardEvent(r)
		case t.Updates:
			return p.heardUpdate(r)
		case t.Churn:
			p.tell(func(g *Progress) { g.Alarms++ })
			return nil
		}
		letter, _ := stream.ParseDeadLetter(r)
		return fmt.Errorf("a record of %s, key %s, can't be taken in: %s", letter.Topic, letter.Key, letter.Cause.Text)
	})
}

// heardEvent counts events that an intake forwarded.
func (p *Player) heardEvent(r *task.Record) error {
	var ev cltv.Event
	if err := wire.DecodeEvent(r.Value, &ev); err != nil {
		return fmt.Errorf("record of key %s: %w", r.Key, err)
	}
	switch ev.Source {
	case dialerSource, billingSource, mediaSource:
		p.mu.Lock()
		p.forwarded++
		p.mu.Unlock()
	}
	return nil
}

// heardUpdate counts updates, and hands on the first of customers who bought.
func (p *Player) heardUpdate(r *task.Record) error {
	p.tell(func(g *Progress) { g.Updates++ })
	if p.first >= firstUpdates {
		return nil
	}
	u := &perennialv1.CltvUpdate{}
	if err := proto.Unmarshal(r.Value, u); err != nil {
		return fmt.Errorf("update of key %s: %w", r.Key, err)
	}
	if u.GetHistoric().GetTransactions() > 0 {
		p.first++
		p.First(u)
	}
	return nil
}

func (p *Player) tell(change func(*Progress)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(&p.progress)
}

// Progress answers how far the story is.
func (p *Player) Progress() Progress {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.progress
}
