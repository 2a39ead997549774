package sim

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"time"

	perennialv1 "github.com/perennial-cltv/perennial/proto/perennial/v1"

	"github.com/perennial-cltv/perennial/pkg/task"
)

// script is a world in which a schedule is told step by step: nothing goes
// wrong by chance, and requests land when the schedule says so.
type script struct{ *world }

// scripted runs a schedule and gives the promise that was broken.
func scripted(o Options, schedule func(s *script)) (err error) {
	adjust := o.adjust
	o.adjust = func(p *plan) {
		*p = plan{partitions: 1, members: 2, batchStates: 500, batchBytes: 1 << 20, cacheBytes: 1 << 20, fetch: 1}
		if adjust != nil {
			adjust(p)
		}
	}
	w := newWorld(1, o)
	w.calm, w.input = true, nil
	defer func() {
		switch v := recover().(type) {
		case nil:
		case violation:
			err = errors.New(v.text)
		default:
			panic(v)
		}
	}()
	schedule(&script{w})
	return nil
}

func (s *script) owner(name string) *owner {
	for _, o := range s.owners {
		if o.name == name {
			return o
		}
	}
	panic("no owner " + name)
}

// order publishes an order of a customer of a tenant whose clock stands still.
func (s *script) order(customer string) {
	p := s.kafka.topics[task.Input][0]
	ev := &perennialv1.Event{
		Tenant: "acme", Customer: customer, Source: "crm", SourceEventId: fmt.Sprint("e", p.next),
		OccurredAt: timestamppb.New(time.UnixMilli(startOfTime - day)), RecordedAt: timestamppb.New(time.UnixMilli(startOfTime)),
		Fact: &perennialv1.Event_Order{Order: &perennialv1.Order{OrderId: fmt.Sprint("o", p.next), Amount: &perennialv1.Money{Minor: 100 + p.next, Currency: "USD"}}},
	}
	s.put("acme/"+customer, ev)
}

func (s *script) put(key string, ev *perennialv1.Event) {
	value, err := proto.Marshal(ev)
	if err != nil {
		panic(err)
	}
	s.kafka.topics[task.Input][0].append(task.Token{}, s.now, task.Out{Key: []byte(key), Value: value})
}

// playback keeps the owners from appending clocks.
func (s *script) playback() {
	s.put("acme/~policy", &perennialv1.Event{
		Tenant: "acme", Source: "operator", RecordedAt: timestamppb.New(time.UnixMilli(startOfTime)),
		Fact: &perennialv1.Event_PolicySet{PolicySet: &perennialv1.PolicySet{Number: 1, ClockMode: perennialv1.ClockMode_CLOCK_MODE_PLAYBACK}},
	})
}

// until moves an owner until it asks for something, which is not yet done.
// What it produces lands at once.
func (s *script) until(o *owner, asks func(a *task.Action) bool) *task.Action {
	for range 10_000 {
		a := o.machine.Next(s.now)
		if asks(a) {
			return a
		}
		s.once(o)
	}
	s.fail("%s never comes to the step of the schedule: %s %s", o.name, o.machine.Stats().Phase, o.machine.Stats().Reason)
	return nil
}

// once makes one step of an owner, landing what it produces.
func (s *script) once(o *owner) {
	if a := o.machine.Next(s.now); a.Do == task.Sleep {
		s.now = max(s.now, a.Until)
	}
	s.move(o)
	s.landAll(o)
	s.now = max(s.now, o.wakeAt)
}

// landAll lands what an owner waits for.
func (s *script) landAll(o *owner) {
	for i := 0; i < len(s.net); {
		if s.net[i].owner == o && s.net[i].waiting {
			s.land(i)
		} else {
			i++
		}
	}
}

// idle tells whether an owner fetches at the end of the input.
func (s *script) idle(a *task.Action) bool {
	return a.Do == task.Fetch && a.Topic == task.Input && a.Offset == s.kafka.topics[task.Input][0].next
}

func sends(t task.Topic) func(a *task.Action) bool {
	return func(a *task.Action) bool {
		if a.Do != task.ProduceAll {
			return false
		}
		for i := range a.Produce {
			if a.Produce[i].Topic == t {
				return true
			}
		}
		return false
	}
}

func asks(d task.Do) func(a *task.Action) bool {
	return func(a *task.Action) bool { return a.Do == d }
}

// end lets one owner settle alone and compares.
func (s *script) end(survivor *owner) {
	for _, o := range s.owners {
		if o != survivor {
			o.assigned = false
			o.life++
		}
	}
	if !survivor.assigned {
		s.assign(survivor)
	}
	s.untilQuiet()
	s.compare()
}

// refuses demands that an owner stops and says why.
func (s *script) refuses(o *owner, why string) {
	s.assign(o)
	for range 10_000 {
		s.once(o)
		if o.machine.Stats().Stopped {
			return
		}
		if o.machine.Stats().Ready {
			break
		}
	}
	s.fail("%s goes on, although %s", o.name, why)
}
