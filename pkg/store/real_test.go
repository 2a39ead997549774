package store_test

import (
	"context"
	"crypto/tls"
	"errors"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/perennial-cltv/perennial/pkg/store"
	"github.com/perennial-cltv/perennial/pkg/store/redistest"
	"github.com/perennial-cltv/perennial/pkg/task"
)

// These tests are about what only a real server does: dying, failing over, moving
// slots, refusing users.

const parts = 8

func connect(t *testing.T, config store.Config, partition int32) *store.Redis {
	t.Helper()
	s, err := store.Connect(t0, config, partition, parts)
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// take opens a task and ends its rebuild where it is new. It returns the first
// commit.
func take(t *testing.T, s task.Store, producer int64) *task.Commit {
	t.Helper()
	stored, err := s.Read(t0)
	if err != nil {
		t.Fatal(err)
	}
	token := task.Token{ProducerID: producer}
	reply, err := s.Open(t0, task.OpenRequest{Token: token, ReadOpening: stored.Opening, FoldVersion: 1, Partitions: parts})
	if err != nil || reply.Verdict != task.OK {
		t.Fatalf("open: %d, %v", reply.Verdict, err)
	}
	c := &task.Commit{Token: token, Opening: stored.Opening + 1, Batch: stored.Batch, From: stored.NextOffset, To: stored.NextOffset, CheckpointOffset: -1}
	if reply.Before.Rebuilding || !reply.Before.Exists {
		if v, err := s.FinishRebuild(t0, c); err != nil || v != task.OK {
			t.Fatalf("finish: %d, %v", v, err)
		}
	}
	c.To++
	c.States = []task.StateWrite{{Key: "acme/ann", Value: []byte("one")}}
	return c
}

func wantVerdict(t *testing.T, want task.Verdict, got task.Verdict, err error) {
	t.Helper()
	if err != nil || got != want {
		t.Fatalf("verdict %d, %v; want %d", got, err, want)
	}
}

func wantKind(t *testing.T, want task.ErrorKind, err error) {
	t.Helper()
	var e *task.Error
	if !errors.As(err, &e) || e.Kind != want {
		t.Fatalf("error %v; want kind %d", err, want)
	}
	t.Log(err)
}

// The server comes back with all its data, but the connection doesn't: whether the
// restart lost something is for a new opening to find out.
func TestRestartBreaksTheConnection(t *testing.T) {
	server := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
	s := connect(t, server.Config(), 1)
	c := take(t, s, 7)
	v, err := s.Commit(t0, c)
	wantVerdict(t, task.OK, v, err)
	server.Kill()
	server.Restart()
	for range 3 {
		_, err = s.Commit(t0, c)
		wantKind(t, task.KindConnection, err)
	}
	again := connect(t, server.Config(), 1)
	if again.RunID() == s.RunID() {
		t.Error("a restarted server has the same run id")
	}
	v, err = again.Commit(t0, c)
	wantVerdict(t, task.Dup, v, err)
}

func TestRestartWithoutTheScripts(t *testing.T) {
	server := redistest.Start(t)
	s := connect(t, server.Config(), 1)
	c := take(t, s, 7)
	for range 2 {
		server.Do("script", "flush")
		v, err := s.DueTrim(t0, c.Token, c.Opening, task.DueBucket{Tenant: "acme", Day: 1}, 1)
		wantVerdict(t, task.OK, v, err)
	}
}

// A frozen server answers nothing; whether it did what it was asked shows when it
// thaws.
func TestFrozenServerTimesOut(t *testing.T) {
	server := redistest.Start(t)
	config := server.Config()
	config.Timeout = 100 * time.Millisecond
	s := connect(t, config, 1)
	c := take(t, s, 7)
	server.Freeze()
	_, err := s.Commit(t0, c)
	wantKind(t, task.KindConnection, err)
	_, err = store.Connect(t0, config, 1, parts)
	wantKind(t, task.KindConnection, err)
	server.Thaw()
	_, err = s.Commit(t0, c)
	wantKind(t, task.KindConnection, err)
	// The frozen commit landed, or lands now.
	v, err := connect(t, server.Config(), 1).Commit(t0, c)
	if err != nil || (v != task.Dup && v != task.OK) {
		t.Fatalf("verdict %d, %v", v, err)
	}
}

func TestCancelCutsARequestShort(t *testing.T) {
	server := redistest.Start(t)
	config := server.Config()
	config.Timeout = time.Hour
	s := connect(t, config, 1)
	c := take(t, s, 7)
	server.Freeze()
	defer server.Thaw()
	cause := errors.New("the group took the partition away")
	ctx, cancel := context.WithCancelCause(t0)
	time.AfterFunc(20*time.Millisecond, func() { cancel(cause) })
	_, err := s.Commit(ctx, c)
	wantKind(t, task.KindConnection, err)
	if !errors.Is(err, cause) {
		t.Errorf("the cause isn't told: %v", err)
	}
	deadline, cancelDeadline := context.WithTimeout(t0, 50*time.Millisecond)
	defer cancelDeadline()
	_, err = store.Connect(deadline, config, 1, parts)
	wantKind(t, task.KindConnection, err)
}

func TestFailoverToTheReplica(t *testing.T) {
	primary := redistest.Start(t)
	replica := primary.StartReplica()
	config := primary.Config()
	config.Addrs = append(config.Addrs, replica.Addr)
	config.Replicas = 1

	s := connect(t, config, 1)
	c := take(t, s, 7)
	if err := s.AwaitReplicas(t0); err != nil {
		t.Fatal(err)
	}
	v, err := s.Commit(t0, c)
	wantVerdict(t, task.OK, v, err)
	if err := s.AwaitReplicas(t0); err != nil {
		t.Fatal(err)
	}

	// What is written while the replica is cut off is lost with the primary.
	replica.Do("replicaof", "127.0.0.1", "1")
	lost := *c
	lost.Batch, lost.From, lost.To = c.Batch+1, c.To, c.To+1
	lost.States = []task.StateWrite{{Key: "acme/ann", Value: []byte("two")}}
	v, err = s.Commit(t0, &lost)
	wantVerdict(t, task.OK, v, err)
	config.ReplicaTimeout = 20 * time.Millisecond
	impatient := connect(t, store.Config{Addrs: []string{primary.Addr}, Replicas: 1, ReplicaTimeout: 20 * time.Millisecond}, 1)
	takeOver := task.OpenRequest{Token: task.Token{ProducerID: 8}, ReadOpening: 1, FoldVersion: 1, Partitions: parts}
	reply, err := impatient.Open(t0, takeOver)
	wantVerdict(t, task.OK, reply.Verdict, err)
	wantKind(t, task.KindRetry, impatient.AwaitReplicas(t0))

	primary.Kill()
	// Before it is promoted, the replica isn't taken for a primary.
	_, err = store.Connect(t0, config, 1, parts)
	wantKind(t, task.KindConnection, err)
	replica.Promote()
	_, err = s.Commit(t0, &lost)
	wantKind(t, task.KindConnection, err)

	survivor := connect(t, config, 1)
	if survivor.Addr() != replica.Addr {
		t.Fatalf("connected to %s", survivor.Addr())
	}
	// State and offset went back together; the opening that no replica had is gone.
	load, err := survivor.Load(t0, []string{"acme/ann"})
	if err != nil || string(load.States[0]) != "one" || load.Position.NextOffset != c.To || load.Position.Token != c.Token {
		t.Fatalf("after the failover: %q, %+v, %v", load.States, load.Position, err)
	}
	v, err = survivor.Commit(t0, c)
	wantVerdict(t, task.Dup, v, err)
}

func TestPrimaryThatBecomesAReplica(t *testing.T) {
	server, other := redistest.Start(t), redistest.Start(t)
	s := connect(t, server.Config(), 1)
	c := take(t, s, 7)
	host, port, _ := strings.Cut(other.Addr, ":")
	server.Do("replicaof", host, port)
	_, err := s.Commit(t0, c)
	wantKind(t, task.KindConnection, err)
	_, err = s.Read(t0)
	wantKind(t, task.KindConnection, err)
	server.AwaitSync()
	_, err = store.Connect(t0, server.Config(), 1, parts)
	wantKind(t, task.KindConnection, err)
}

// Check notices it, too: an owner may have nothing to commit for long.
func TestCheckFindsAReplica(t *testing.T) {
	server, other := redistest.Start(t), redistest.Start(t)
	s := connect(t, server.Config(), 1)
	host, port, _ := strings.Cut(other.Addr, ":")
	server.Do("replicaof", host, port)
	wantKind(t, task.KindConnection, s.Check(t0))
}

func TestTooFewReplicasForTheServer(t *testing.T) {
	server := redistest.Start(t)
	s := connect(t, server.Config(), 1)
	c := take(t, s, 7)
	server.Do("config", "set", "min-replicas-to-write", "1")
	_, err := s.Commit(t0, c)
	wantKind(t, task.KindRetry, err)
	server.Do("config", "set", "min-replicas-to-write", "0")
	v, err := s.Commit(t0, c)
	wantVerdict(t, task.OK, v, err)
}

func TestEvictedKeysStopTheTask(t *testing.T) {
	server := redistest.Start(t)
	s := connect(t, server.Config(), 1)
	server.Do("set", "a", "b")
	server.Do("config", "set", "maxmemory-policy", "allkeys-random")
	server.Do("config", "set", "maxmemory", "1")
	server.Do("get", "a")
	_ = s.Check(t0)
	server.Do("config", "set", "maxmemory-policy", "noeviction")
	server.Do("config", "set", "maxmemory", "0")
	if server.Info("evicted_keys") == "0" {
		t.Fatal("nothing was evicted")
	}
	wantKind(t, task.KindStop, s.Check(t0))
	server.Do("config", "resetstat")
	if err := s.Check(t0); err != nil {
		t.Fatal(err)
	}
}

// aclUser is what the package comment says a user needs, but for WAITAOF, which
// Redis 7.0 would refuse to grant.
var aclUser = []any{
	"acl", "setuser", "perennial", "on", ">secret", "resetkeys", "resetchannels", "~{*}:*", "-@all",
	"+@connection", "+@transaction", "+info", "+wait", "+cluster|slots", "+eval", "+evalsha", "+type",
	"+hset", "+hdel", "+hmget", "+hgetall", "+hkeys", "+hscan", "+smembers", "+sadd",
	"+zrange", "+zadd", "+zrem", "+lrange", "+rpush", "+ltrim", "+exists", "+unlink",
}

func TestTLSAndACLUser(t *testing.T) {
	server, settings := redistest.StartTLS(t)
	server.Do(aclUser...)
	config := server.Config()
	config.Username, config.Password, config.Replicas = "perennial", "secret", 0

	s := connect(t, config, 1)
	if err := s.Check(t0); err != nil {
		t.Fatal(err)
	}
	c := take(t, s, 7)
	c.Sums = []task.SumWrite{{Tenant: "acme", Dimension: "agent", ID: "x", Value: []byte{1}}}
	c.Due = []task.DueWrite{{DueBucket: task.DueBucket{Tenant: "acme", Day: 1}, Customers: []string{"acme/ann"}}}
	c.Parameters = []task.ParametersWrite{{Tenant: "acme", Value: []byte{1}}}
	c.States = append(c.States, task.StateWrite{Key: "acme/bob"})
	v, err := s.Commit(t0, c)
	wantVerdict(t, task.OK, v, err)
	if _, err := s.Contents(t0); err != nil {
		t.Fatal(err)
	}
	v, err = s.DueTrim(t0, c.Token, c.Opening, c.Due[0].DueBucket, 1)
	wantVerdict(t, task.OK, v, err)

	// Each right that is taken away stops the commit before it changes anything.
	next := *c
	next.Batch, next.From, next.To = 1, c.To, c.To+1
	next.States = []task.StateWrite{{Key: "acme/ann", Value: []byte("two")}, {Key: "acme/bob"}}
	for _, command := range []string{"watch", "multi", "exec", "hset", "hdel", "sadd", "zadd", "rpush"} {
		server.Do("acl", "setuser", "perennial", "-"+command)
		_, err := s.Commit(t0, &next)
		wantKind(t, task.KindStop, err)
		server.Do("acl", "setuser", "perennial", "+"+command)
		load, err := s.Load(t0, []string{"acme/ann"})
		if err != nil || string(load.States[0]) != "one" || load.Position.NextOffset != c.To {
			t.Fatalf("without %s: %q, %+v, %v", command, load.States, load.Position, err)
		}
	}
	v, err = s.Commit(t0, &next)
	wantVerdict(t, task.OK, v, err)
	for _, command := range []string{"hset", "unlink"} {
		server.Do("acl", "setuser", "perennial", "-"+command)
		_, err = s.BeginRebuild(t0, c.Token, c.Opening)
		wantKind(t, task.KindStop, err)
		server.Do("acl", "setuser", "perennial", "+"+command)
	}
	if stored, err := s.Read(t0); err != nil || stored.Rebuilding {
		t.Fatalf("%+v, %v", stored, err)
	}
	v, err = s.BeginRebuild(t0, c.Token, c.Opening)
	wantVerdict(t, task.OK, v, err)

	// Other keys aren't its own.
	server.Do("acl", "setuser", "perennial", "resetkeys", "~other:*")
	_, err = s.Read(t0)
	wantKind(t, task.KindStop, err)

	for name, change := range map[string]func(c *store.Config){
		"a wrong password":    func(c *store.Config) { c.Password = "wrong" },
		"no user":             func(c *store.Config) { c.Username = "nobody" },
		"a user without INFO": func(*store.Config) { server.Do("acl", "setuser", "perennial", "-info") },
	} {
		broken := config
		change(&broken)
		_, err = store.Connect(t0, broken, 1, parts)
		t.Log(name)
		wantKind(t, task.KindStop, err)
	}
	plain := config
	plain.TLS = nil
	_, err = store.Connect(t0, plain, 1, parts)
	wantKind(t, task.KindConnection, err)
	distrusting := config
	distrusting.TLS = &tls.Config{MinVersion: settings.MinVersion}
	_, err = store.Connect(t0, distrusting, 1, parts)
	wantKind(t, task.KindConnection, err)
}

func TestConnectRefusesNonsense(t *testing.T) {
	for _, c := range []struct {
		config                store.Config
		partition, partitions int32
	}{
		{store.Config{}, 0, 8},
		{store.Config{Addrs: []string{"localhost"}}, 0, 8},
		{store.Config{Addrs: []string{"localhost:1"}, Mode: "sentinel"}, 0, 8},
		{store.Config{Addrs: []string{"localhost:1"}, Replicas: -1}, 0, 8},
		{store.Config{Addrs: []string{"localhost:1"}, Timeout: -1}, 0, 8},
		{store.Config{Addrs: []string{"localhost:1"}}, 8, 8},
		{store.Config{Addrs: []string{"localhost:1"}}, -1, 8},
		{store.Config{Addrs: []string{"localhost:1"}}, 0, 0},
		{store.Config{Addrs: []string{"localhost:1"}}, 0, 16385},
	} {
		_, err := store.Connect(t0, c.config, c.partition, c.partitions)
		wantKind(t, task.KindStop, err)
	}
}

func TestClusterFailoverAndMovedSlot(t *testing.T) {
	cluster := redistest.StartCluster(t, 3, 1)
	config := cluster.Config()
	config.Replicas = 1
	s := connect(t, config, 3)
	c := take(t, s, 7)
	v, err := s.Commit(t0, c)
	wantVerdict(t, task.OK, v, err)
	if err := s.AwaitReplicas(t0); err != nil {
		t.Fatal(err)
	}

	// Its slot moves to another master, with the keys.
	from := cluster.PrimaryOf(3, parts)
	to := cluster.Nodes[slices.IndexFunc(cluster.Nodes, func(n *redistest.Server) bool { return n != from })]
	cluster.MoveSlot(3, parts, to)
	_, err = s.Commit(t0, c)
	wantKind(t, task.KindConnection, err)
	_, err = s.Read(t0)
	wantKind(t, task.KindConnection, err)
	s = connect(t, config, 3)
	if s.Addr() != to.Addr {
		t.Fatalf("connected to %s, the slot is at %s", s.Addr(), to.Addr)
	}
	v, err = s.Commit(t0, c)
	wantVerdict(t, task.Dup, v, err)
	if err := s.AwaitReplicas(t0); err != nil {
		t.Fatal(err)
	}

	// Its master dies and the replica is elected.
	to.Kill()
	_, err = s.Commit(t0, c)
	wantKind(t, task.KindConnection, err)
	primary := cluster.AwaitFailover(3, parts, to)
	s = connect(t, config, 3)
	if s.Addr() != primary.Addr {
		t.Fatalf("connected to %s, the slot is at %s", s.Addr(), primary.Addr)
	}
	v, err = s.Commit(t0, c)
	wantVerdict(t, task.Dup, v, err)
}

// go-redis has pools and retries; here a Store has one connection, and none after
// Close.
func TestOneConnectionForAStore(t *testing.T) {
	server := redistest.Start(t)
	number := func(field string) int {
		n, err := strconv.Atoi(server.Info(field))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	goroutines := runtime.NumGoroutine()
	before, clients := number("total_connections_received"), number("connected_clients")
	const stores = 20
	for range stores {
		s := connect(t, server.Config(), 1)
		for range 3 {
			if err := s.Check(t0); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Load(t0, []string{"acme/ann"}); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Contents(t0); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if made := number("total_connections_received") - before; made != stores {
		t.Errorf("%d stores made %d connections", stores, made)
	}
	for end := time.Now().Add(10 * time.Second); number("connected_clients") > clients || runtime.NumGoroutine() > goroutines; runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("%d connections and %d goroutines are left", number("connected_clients")-clients, runtime.NumGoroutine()-goroutines)
		}
	}
}
