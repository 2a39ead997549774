package store_test

import (
	"bytes"
	"context"
	"net"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/perennial-cltv/perennial/pkg/store"
	"github.com/perennial-cltv/perennial/pkg/store/redistest"
	"github.com/perennial-cltv/perennial/pkg/task"
)

// interrupted runs something of others' once, before the writes of a commit are
// sent.
type interrupted struct {
	net.Conn
	before *func()
}

func (c interrupted) Write(b []byte) (int, error) {
	if run := *c.before; run != nil && bytes.Contains(b, []byte("exec\r\n")) {
		*c.before = nil
		run()
	}
	return c.Conn.Write(b)
}

// Whatever happens between a commit's look and its write is noticed: a new owner
// fences it, a change of no consequence is looked at again, and a lost Redis or a
// key of another type stops it. Nothing is written in part.
func TestCommitIsInterrupted(t *testing.T) {
	for name, start := range map[string]func(t *testing.T) (config store.Config, do func(args ...any), wipe func()){
		"redis": func(t *testing.T) (store.Config, func(args ...any), func()) {
			server := redistest.Start(t)
			return server.Config(), func(args ...any) { server.Do(args...) }, func() { server.Do("flushall") }
		},
		"miniredis": func(t *testing.T) (store.Config, func(args ...any), func()) {
			m := miniredis.RunT(t)
			client := redis.NewClient(&redis.Options{Addr: m.Addr()})
			t.Cleanup(func() { _ = client.Close() })
			do := func(args ...any) {
				if err := client.Do(t0, args...).Err(); err != nil {
					t.Fatal(err)
				}
			}
			// Its FLUSHALL isn't noticed by who watches.
			return store.Config{Addrs: []string{m.Addr()}, Embedded: true}, do, func() {
				for _, key := range m.Keys() {
					do("del", key)
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			config, do, wipe := start(t)
			var before func()
			config.Dialer = func(ctx context.Context, network, addr string) (net.Conn, error) {
				c, err := new(net.Dialer).DialContext(ctx, network, addr)
				return interrupted{c, &before}, err
			}
			s := connect(t, config, 1)
			c := take(t, s, 7)
			key := func(suffix string) string { return "{" + store.Tag(1, parts) + "}:" + suffix }

			before = func() { do("hset", key("task"), "clock:other", "5") }
			v, err := s.Commit(t0, c)
			wantVerdict(t, task.OK, v, err)

			next := *c
			next.Batch, next.From, next.To = 1, c.To, c.To+1
			next.States = []task.StateWrite{{Key: "acme/ann", Value: []byte("two")}}
			next.Sums = []task.SumWrite{{Tenant: "acme", Dimension: "agent", ID: "x", Value: []byte{1}}}
			sums := key("r:acme/agent")
			before = func() { do("set", sums, "a string") }
			_, err = s.Commit(t0, &next)
			wantKind(t, task.KindStop, err)
			do("del", sums)
			load, err := s.Load(t0, []string{"acme/ann"})
			if err != nil || string(load.States[0]) != "one" {
				t.Fatalf("%q, %v", load.States, err)
			}

			plain := config
			plain.Dialer = nil
			other := connect(t, plain, 1)
			before = func() { take(t, other, 8) }
			v, err = s.Commit(t0, &next)
			wantVerdict(t, task.Fenced, v, err)

			before = wipe
			next.Token.ProducerID, next.Opening = 8, next.Opening+1
			v, err = s.Commit(t0, &next)
			wantVerdict(t, task.Fenced, v, err)
			if load, err = s.Load(t0, []string{"acme/ann"}); err != nil || load.States[0] != nil {
				t.Fatalf("%q, %v", load.States, err)
			}
		})
	}
}
