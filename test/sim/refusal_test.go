package sim

import (
	"strings"
	"testing"

	"github.com/perennial-cltv/perennial/pkg/task"
)

// TestRefusals: where the log or Redis isn't what it was, a task stops, says
// why, writes nothing, and goes on by itself once all is well again.
func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(s *script)
		says  string
	}{
		{"truncated log", func(s *script) {
			p := s.kafka.topics[task.Input][0]
			p.records, p.next = p.records[:len(p.records)-1], p.next-1
		}, "truncated or replaced"},
		{"truncated log that grew again", func(s *script) {
			p := s.kafka.topics[task.Input][0]
			p.records, p.next = p.records[:len(p.records)-1], p.next-1
			s.order("y")
		}, "isn't the one that was taken in"},
		{"retention took the last record", func(s *script) {
			p := s.kafka.topics[task.Input][0]
			p.trim(p.next)
		}, "retention deleted the record before"},
		{"retention took records that were not taken in", func(s *script) {
			s.order("y")
			s.order("y")
			p := s.kafka.topics[task.Input][0]
			p.trim(p.next)
		}, "input that was not taken in is gone"},
		{"rebuild from a truncated log", func(s *script) {
			s.redis.wipe()
			p := s.kafka.topics[task.Input][0]
			p.records, p.next = p.records[:len(p.records)-1], p.next-1
		}, "truncated or replaced"},
		{"rebuild, and retention took the input since the checkpoint", func(s *script) {
			s.redis.wipe()
			s.order("y")
			s.order("y")
			p := s.kafka.topics[task.Input][0]
			p.trim(p.next)
		}, "input that was not taken in is gone"},
		{"spoilt checkpoint", func(s *script) {
			s.redis.wipe()
			p := s.kafka.topics[task.State][0]
			p.append(task.Token{}, 0, task.Out{Key: []byte(task.CheckpointKey), Value: []byte{0xff}})
		}, "checkpoint at offset"},
		{"spoilt state", func(s *script) {
			s.redis.wipe()
			p := s.kafka.topics[task.State][0]
			p.append(task.Token{}, 0, task.Out{Key: []byte("acme/a"), Value: []byte{0xff}})
		}, "state of \"acme/a\""},
		{"evicting Redis", func(s *script) { s.redis.memory.SetEvicting(true) }, "noeviction"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := scripted(Options{}, func(s *script) {
				s.settledTask()
				c.spoil(s)
				outputs := len(s.kafka.topics[task.Updates][0].records)
				b := s.owner("B0")
				s.refuses(b, c.name)
				if reason := b.machine.Stats().Reason; !strings.Contains(reason, c.says) {
					s.fail("it says %q, want %q", reason, c.says)
				}
				for range 50 { // and stays so
					s.once(b)
				}
				if b.machine.Stats().Ready || len(s.kafka.topics[task.Updates][0].records) != outputs {
					s.fail("it goes on after all")
				}
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
}

// TestAcceptTrimmedLog: where retention took just the last record that was taken
// in, an operator can let the task go on.
// TestEndThatIsHidden: a new leader shows the newest records only once its
// followers asked for them. That is no truncation, and who goes on waiting for
// ever would miss one.
func TestEndThatIsHidden(t *testing.T) {
	if err := scripted(Options{}, func(s *script) {
		s.settledTask()
		in := s.kafka.topics[task.Input][0]
		in.hidden = 2
		b := s.owner("B0")
		s.assign(b)
		began := s.now
		for s.now < began+3000 {
			if s.once(b); b.machine.Stats().Stopped {
				s.fail("stops: %s", b.machine.Stats().Reason)
			}
		}
		in.hidden = 0
		s.end(b)
	}); err != nil {
		t.Error(err)
	}
	if err := scripted(Options{}, func(s *script) {
		s.settledTask()
		s.kafka.topics[task.Input][0].hidden = 2
		s.refuses(s.owner("B0"), "the log was truncated")
	}); err != nil {
		t.Error(err)
	}
}

func TestAcceptTrimmedLog(t *testing.T) {
	for _, wiped := range []bool{false, true} {
		err := scripted(Options{}, func(s *script) {
			s.settledTask()
			s.reference(0) // while the log is whole
			p := s.kafka.topics[task.Input][0]
			p.trim(p.next)
			if wiped {
				s.redis.wipe()
			}
			b := s.owner("B0")
			b.machine = task.New(task.Config{Partitions: 1, CacheBytes: 1 << 20, Tables: s.tables, AcceptTrimmedLog: true})
			s.assign(b)
			s.order("a")
			s.until(b, s.idle)
			s.compareStates(0, s.reference(0))
			s.compareSums(0, s.reference(0))
			s.compareOutputs(0, s.reference(0))
		})
		if err != nil {
			t.Errorf("wiped %v: %v", wiped, err)
		}
	}
}

// TestAppendElsewhere: a partition that can't be written to doesn't hold up the
// task that repeats parameters to it.
func TestAppendElsewhere(t *testing.T) {
	err := scripted(Options{adjust: func(p *plan) { p.partitions = 2 }}, func(s *script) {
		s.playback()
		x := s.owner("A0")
		s.assign(x)
		for range 3 {
			s.until(x, func(a *task.Action) bool { return a.Do == task.Append && a.Partition == 1 })
			x.machine.Done(s.now, &task.Reply{Err: &task.Error{Kind: task.KindRetry, Op: "append", Err: errGap}})
			s.order("a")
			s.until(x, s.idle)
			s.now += 61_000
		}
		if s := x.machine.Stats(); s.Applied < 3 || s.Openings != 1 {
			t.Errorf("stats %+v", s)
		}
		s.until(x, func(a *task.Action) bool { return a.Do == task.Append && a.Partition == 1 })
		s.once(x)
		if len(s.kafka.topics[task.Input][1].records) == 0 {
			t.Error("the parameters were not repeated in the end")
		}
	})
	if err != nil {
		t.Error(err)
	}
}
