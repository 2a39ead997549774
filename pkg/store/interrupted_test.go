package store_test

import (
	"bytes"
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/perennial-cltv/perennial/pkg/store"
	"github.com/perennial-cltv/perennial/pkg/store/redistest"
	"github.com/perennial-cltv/perennial/pkg/task"
)

// interrupted runs something of others' once, between the writes that a commit
// has queued and their execution.
type interrupted struct {
	net.Conn
	before *func()
}

func (c interrupted) Write(b []byte) (int, error) {
	at := bytes.Index(b, []byte("*1\r\n$4\r\nexec\r\n"))
	run := *c.before
	if run == nil || at < 0 {
		return c.Conn.Write(b)
	}
	*c.before = nil
	if n, err := c.Conn.Write(b[:at]); err != nil {
		return n, err
	}
	run()
	n, err := c.Conn.Write(b[at:])
	return at + n, err
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

// Redis judges rights again when it runs what was queued. A batch that is written
// in part for that reason leaves a task that says so, and is rebuilt by its next
// owner.
func TestCommitLosesARight(t *testing.T) {
	server := redistest.Start(t)
	server.Do(aclUser...)
	config := server.Config()
	config.Username, config.Password = "perennial", "secret"
	var before func()
	config.Dialer = func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, network, addr)
		return interrupted{c, &before}, err
	}
	without := func(rights ...any) {
		before = func() {
			awaitQueued(t, server.Addr)
			server.Do(append([]any{"acl", "setuser", "perennial"}, rights...)...)
		}
	}
	s := connect(t, config, 1)
	c := take(t, s, 7)
	c.Sums = []task.SumWrite{{Tenant: "acme", Dimension: "agent", ID: "x", Value: []byte{1}}}
	without("-sadd")
	_, err := s.Commit(t0, c)
	wantKind(t, task.KindStop, err)
	server.Do("acl", "setuser", "perennial", "+sadd")
	stored, err := s.Read(t0)
	if err != nil || stored.NextOffset != c.To || !stored.Rebuilding {
		t.Fatalf("written in part, and not marked: %+v, %v", stored, err)
	}

	// Where the mark can't be set either, the error says what is to be done.
	c = take(t, s, 8)
	without("-sadd", "-evalsha", "-eval")
	c.Sums = []task.SumWrite{{Tenant: "acme", Dimension: "agent", ID: "x", Value: []byte{1}}}
	_, err = s.Commit(t0, c)
	wantKind(t, task.KindStop, err)
	if !strings.Contains(err.Error(), "written in part") {
		t.Errorf("the error doesn't say so: %v", err)
	}
}

// awaitQueued waits until a client has queued writes of a transaction.
func awaitQueued(t *testing.T, addr string) {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: addr})
	defer client.Close()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(time.Millisecond) {
		list, err := client.ClientList(t0).Result()
		if err != nil {
			t.Fatal(err)
		}
		for _, field := range strings.Fields(list) {
			if n, found := strings.CutPrefix(field, "multi="); found && n != "-1" && n != "0" {
				return
			}
		}
	}
	t.Fatal("nobody queues writes")
}
