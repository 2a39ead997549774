package store_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/perennial-cltv/perennial/pkg/store"
	"github.com/perennial-cltv/perennial/pkg/task"
)

// fakeServer answers what it is told to, for answers that a real server can't be
// brought to give at will.
type fakeServer struct {
	addr string
	mu   sync.Mutex
	// answers by command in lower case; info is the answer to INFO.
	answers map[string]string
	seen    []string
}

const fakeInfo = "redis_version:7.4.1\r\nrun_id:abc\r\nrole:master\r\nloading:0\r\naof_enabled:1\r\nmaxmemory_policy:noeviction\r\nevicted_keys:0\r\n"

func bulk(s string) string { return fmt.Sprintf("$%d\r\n%s\r\n", len(s), s) }

func newFake(t *testing.T) *fakeServer {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &fakeServer{addr: l.Addr().String(), answers: map[string]string{
		"hello": "-ERR unknown command\r\n", "ping": "+PONG\r\n", "info": bulk(fakeInfo),
	}}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go f.serve(c)
		}
	}()
	return f
}

func (f *fakeServer) serve(c net.Conn) {
	defer c.Close()
	r := bufio.NewReader(c)
	for {
		args, err := readCommand(r)
		if err != nil {
			return
		}
		f.mu.Lock()
		f.seen = append(f.seen, strings.Join(args, " "))
		answer, known := f.answers[strings.ToLower(args[0])]
		f.mu.Unlock()
		if !known {
			answer = "-ERR unknown command\r\n"
		}
		if _, err := io.WriteString(c, answer); err != nil || answer == "" {
			return // an empty answer hangs up
		}
	}
}

func readCommand(r *bufio.Reader) ([]string, error) {
	number := func(prefix string) (int, error) {
		line, err := r.ReadString('\n')
		if err != nil {
			return 0, err
		}
		return strconv.Atoi(strings.TrimSpace(strings.TrimPrefix(line, prefix)))
	}
	n, err := number("*")
	if err != nil {
		return nil, err
	}
	args := make([]string, n)
	for i := range args {
		size, err := number("$")
		if err != nil {
			return nil, err
		}
		b := make([]byte, size+2)
		if _, err := io.ReadFull(r, b); err != nil {
			return nil, err
		}
		args[i] = string(b[:size])
	}
	return args, nil
}

func (f *fakeServer) set(command, answer string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answers[command] = answer
}

func (f *fakeServer) config() store.Config { return store.Config{Addrs: []string{f.addr}} }

// count says how many commands with this beginning came.
func (f *fakeServer) count(prefix string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, command := range f.seen {
		if strings.HasPrefix(command, prefix) {
			n++
		}
	}
	return n
}

func TestErrorsByKind(t *testing.T) {
	f := newFake(t)
	for answer, kind := range map[string]task.ErrorKind{
		"-LOADING Redis is loading the dataset in memory":          task.KindConnection,
		"-READONLY You can't write against a read only replica.":   task.KindConnection,
		"-MOVED 3999 127.0.0.1:6381":                               task.KindConnection,
		"-ASK 3999 127.0.0.1:6381":                                 task.KindConnection,
		"-CLUSTERDOWN The cluster is down":                         task.KindConnection,
		"-MASTERDOWN Link with MASTER is down":                     task.KindConnection,
		"-BUSY Redis is busy running a script.":                    task.KindRetry,
		"-TRYAGAIN Multiple keys request during rehashing of slot": task.KindRetry,
		"-NOREPLICAS Not enough good replicas to write.":           task.KindRetry,
		"-OOM command not allowed when used memory > 'maxmemory'.": task.KindStop,
		"-NOPERM this user has no permissions":                     task.KindStop,
		"-NOAUTH Authentication required.":                         task.KindStop,
		"-WRONGTYPE Operation against a key":                       task.KindStop,
		"-MISCONF Redis is configured to save RDB snapshots":       task.KindStop,
		"-ERR unknown command":                                     task.KindStop,
		"+OK":                                                      task.KindConnection,
		":-7":                                                      task.KindConnection,
		":99":                                                      task.KindConnection,
		"*-1":                                                      task.KindConnection,
		"?what":                                                    task.KindConnection,
		"":                                                         task.KindConnection,
	} {
		s := connect(t, f.config(), 1)
		if answer != "" {
			answer += "\r\n"
		}
		f.set("evalsha", answer)
		v, err := s.DueTrim(t0, task.Token{}, 0, task.DueBucket{}, 1)
		if v != 0 {
			t.Errorf("%q: verdict %d beside an error", answer, v)
		}
		wantKind(t, kind, err)
		// Only an error of this kind ends the connection.
		f.set("evalsha", ":1\r\n")
		v, err = s.DueTrim(t0, task.Token{}, 0, task.DueBucket{}, 1)
		if kind == task.KindConnection {
			wantKind(t, task.KindConnection, err)
		} else {
			wantVerdict(t, task.OK, v, err)
		}
	}
}

// TestCommitErrors: whatever Redis answers to whichever command of a commit, it is
// an error of the kind that the answer asks for, and never taken for a verdict.
func TestCommitErrors(t *testing.T) {
	f := newFake(t)
	good := map[string]string{
		"watch": "+OK\r\n", "unwatch": "+OK\r\n", "discard": "+OK\r\n", "multi": "+OK\r\n", "hset": "+QUEUED\r\n", "type": "+hash\r\n",
		"hmget": "*6\r\n$1\r\n0\r\n$1\r\n0\r\n$1\r\n0\r\n$1\r\n0\r\n$1\r\n0\r\n$1\r\n0\r\n", "exec": "*1\r\n:3\r\n",
	}
	commit := &task.Commit{To: 1, CheckpointOffset: -1}
	for _, c := range []struct {
		command, answer string
		kind            task.ErrorKind
	}{
		{"watch", "-MOVED 3999 127.0.0.1:6381", task.KindConnection},
		{"watch", "-NOPERM this user has no permissions", task.KindStop},
		{"hmget", "-WRONGTYPE Operation against a key", task.KindStop},
		{"hmget", "*-1", task.KindConnection},
		{"hmget", "+OK", task.KindConnection},
		{"type", "+string", task.KindStop},
		{"type", ":1", task.KindConnection},
		{"multi", "-ERR MULTI calls can not be nested", task.KindStop},
		{"multi", "-NOPERM this user has no permissions", task.KindStop},
		{"hset", "-OOM command not allowed when used memory > 'maxmemory'.", task.KindStop},
		{"hset", "-READONLY You can't write against a read only replica.", task.KindConnection},
		{"hset", "-NOREPLICAS Not enough good replicas to write.", task.KindRetry},
		{"hset", ":1", task.KindConnection},
		{"exec", "-EXECABORT Transaction discarded", task.KindStop},
		{"exec", "-EXECABORT Transaction discarded because of: NOREPLICAS Not enough good replicas to write.", task.KindRetry},
		{"exec", "-EXECABORT Transaction discarded because of: READONLY You can't write against a read only replica.", task.KindConnection},
		{"exec", "*-1", task.KindRetry},
		{"exec", "*2\r\n:1\r\n:1", task.KindConnection},
		{"exec", "*1\r\n-WRONGTYPE Operation against a key", task.KindStop},
		{"exec", "*1\r\n", task.KindConnection},
		{"exec", "", task.KindConnection},
	} {
		for command, answer := range good {
			f.set(command, answer)
		}
		s := connect(t, f.config(), 1)
		v, err := s.Commit(t0, commit)
		wantVerdict(t, task.OK, v, err)
		if c.answer != "" {
			c.answer += "\r\n"
		}
		f.set(c.command, c.answer)
		t.Log(c.command, c.answer)
		writes := f.count("hset")
		v, err = s.Commit(t0, commit)
		if c.command == "multi" && f.count("hset") != writes {
			t.Errorf("%q: something was written without a transaction", c.answer)
		}
		if v != 0 {
			t.Errorf("%s %q: verdict %d beside an error", c.command, c.answer, v)
		}
		wantKind(t, c.kind, err)
	}
}

func TestConnectSeesWhatTheServerIs(t *testing.T) {
	f := newFake(t)
	for answer, kind := range map[string]task.ErrorKind{
		bulk(strings.Replace(fakeInfo, "loading:0", "loading:1", 1)):              task.KindConnection,
		bulk(strings.Replace(fakeInfo, "role:master", "role:slave", 1)):           task.KindConnection,
		bulk("# Clients\r\nconnected_clients:1\r\n"):                              task.KindStop,
		bulk("redis_version:unstable\r\n"):                                        task.KindConnection,
		"-NOPERM this user has no permissions to run the 'info' command\r\n":      task.KindStop,
		bulk(strings.Replace(fakeInfo, "role:", "cluster_enabled:1\r\nrole:", 1)): task.KindStop, // CLUSTER SLOTS is unknown
	} {
		f.set("info", answer)
		_, err := store.Connect(t0, f.config(), 1, parts)
		wantKind(t, kind, err)
	}
	// A server in this process that can't say what it is.
	f.set("info", bulk("# Clients\r\n"))
	config := f.config()
	config.Embedded = true
	if err := connect(t, config, 1).Check(t0); err != nil {
		t.Fatal(err)
	}
	// A cluster without an owner of the slot.
	f.set("info", bulk(strings.Replace(fakeInfo, "role:", "cluster_enabled:1\r\nrole:", 1)))
	f.set("cluster", "*1\r\n*3\r\n:0\r\n:5\r\n*3\r\n$0\r\n\r\n:7\r\n$2\r\nid\r\n")
	_, err := store.Connect(t0, f.config(), 1, parts)
	wantKind(t, task.KindConnection, err)
	// A node that doesn't know its own name is where it was asked; so many fields
	// follow as the server likes.
	_, port, _ := net.SplitHostPort(f.addr)
	f.set("cluster", "*1\r\n*4\r\n:0\r\n:16383\r\n*4\r\n$0\r\n\r\n:"+port+"\r\n$2\r\nid\r\n*2\r\n$8\r\nhostname\r\n$1\r\nx\r\n*2\r\n$1\r\nr\r\n:1\r\n")
	if s := connect(t, f.config(), 1); s.Addr() != f.addr {
		t.Errorf("connected to %s", s.Addr())
	}
}

func TestCheckByWhatInfoSays(t *testing.T) {
	f := newFake(t)
	s := connect(t, f.config(), 1)
	for answer, kind := range map[string]task.ErrorKind{
		strings.Replace(fakeInfo, "noeviction", "volatile-lru", 1):          task.KindStop,
		strings.Replace(fakeInfo, "maxmemory_policy:noeviction\r\n", "", 1): task.KindStop,
		strings.Replace(fakeInfo, "evicted_keys:0", "evicted_keys:1", 1):    task.KindStop,
	} {
		f.set("info", bulk(answer))
		wantKind(t, kind, s.Check(t0))
	}
	f.set("info", bulk(fakeInfo))
	if err := s.Check(t0); err != nil {
		t.Fatal(err)
	}
	// A proxy may have put another server behind the connection.
	f.set("info", bulk(strings.Replace(fakeInfo, "run_id:abc", "run_id:abd", 1)))
	wantKind(t, task.KindConnection, s.Check(t0))
}

func TestAwaitReplicasAsksForReplicasAndFile(t *testing.T) {
	f := newFake(t)
	config := f.config()
	config.Replicas, config.AwaitAOF = 2, true
	config.Timeout, config.ReplicaTimeout = time.Second, 2*time.Second
	f.set("wait", ":2\r\n")
	f.set("waitaof", "*2\r\n:1\r\n:0\r\n")
	if err := connect(t, config, 1).AwaitReplicas(t0); err != nil {
		t.Fatal(err)
	}
	// Each wait is shorter than a request's time limit.
	if f.count("wait 2 500") != 1 || f.count("waitaof 1 0 500") != 1 {
		t.Errorf("asked %q", f.seen)
	}

	config.ReplicaTimeout = time.Millisecond
	f.set("wait", ":1\r\n")
	wantKind(t, task.KindRetry, connect(t, config, 1).AwaitReplicas(t0))
	f.set("wait", ":3\r\n")
	f.set("waitaof", "*2\r\n:0\r\n:0\r\n")
	wantKind(t, task.KindRetry, connect(t, config, 1).AwaitReplicas(t0))
	f.set("waitaof", "-ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.\r\n")
	wantKind(t, task.KindStop, connect(t, config, 1).AwaitReplicas(t0))
	f.set("wait", "")
	wantKind(t, task.KindConnection, connect(t, config, 1).AwaitReplicas(t0))

	// Not asked for, no file, or a server that has no such command.
	before := f.count("waitaof")
	f.set("wait", ":2\r\n")
	config.AwaitAOF = false
	if err := connect(t, config, 1).AwaitReplicas(t0); err != nil {
		t.Error(err)
	}
	config.AwaitAOF = true
	for _, info := range []string{
		strings.Replace(fakeInfo, "aof_enabled:1", "aof_enabled:0", 1),
		strings.Replace(fakeInfo, "redis_version:7.4.1", "redis_version:7.0.15", 1),
		strings.Replace(fakeInfo, "redis_version:7.4.1", "redis_version:6.2.9", 1),
	} {
		f.set("info", bulk(info))
		if err := connect(t, config, 1).AwaitReplicas(t0); err != nil {
			t.Error(err)
		}
	}
	if f.count("waitaof") != before {
		t.Error("WAITAOF was sent to a server without it")
	}
	f.set("info", bulk(strings.Replace(fakeInfo, "redis_version:7.4.1", "redis_version:8.0.0", 1)))
	_ = connect(t, config, 1).AwaitReplicas(t0)
	if f.count("waitaof") != before+1 {
		t.Error("WAITAOF wasn't sent to Redis 8")
	}
}

// An operator's hand in the task's hash stops the task, and says where.
func TestDamagedTaskHash(t *testing.T) {
	f := newFake(t)
	s := connect(t, f.config(), 1)
	for field, value := range map[string]string{
		"offset": "12x", "epoch": "40000", "partitions": "9999999999", "crc": "-1", "clock:acme": "", "rebuilding": "yes",
	} {
		f.set("hgetall", "*2\r\n"+bulk(field)+bulk(value))
		_, err := s.Read(t0)
		wantKind(t, task.KindStop, err)
		if !strings.Contains(err.Error(), field) {
			t.Errorf("the field isn't named: %v", err)
		}
	}
	f.set("hmget", "*4\r\n$1\r\n1\r\n$1\r\n1\r\n$1\r\n1\r\n$1\r\nx\r\n")
	_, err := s.Position(t0)
	wantKind(t, task.KindStop, err)
}
