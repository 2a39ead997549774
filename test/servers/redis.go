package servers

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/testcontainers/testcontainers-go"

	"github.com/perennial-cltv/perennial/pkg/store/redistest"
)

const redisImage = "redis:7.4-alpine"

// Redis is one Redis server.
type Redis struct {
	// Addr is host:port.
	Addr string

	client  *redis.Client
	process process
	alive   bool
}

// AnyRedis answers the Redis that the environment names, emptied, or one of its
// own.
func AnyRedis(t testing.TB) *Redis {
	t.Helper()
	addr := os.Getenv("PERENNIAL_TEST_REDIS")
	if addr == "" {
		return StartRedis(t)
	}
	r := &Redis{Addr: addr}
	r.connect(t)
	r.Flush(t)
	return r
}

// StartRedis starts a server without persistence, which ends with the test; args
// are added to its command line.
func StartRedis(t testing.TB, args ...string) *Redis {
	t.Helper()
	r := &Redis{}
	if useDocker(t) {
		port := FreePort(t)
		r.Addr = address(port)
		r.process = runContainer(t, redisImage, testcontainers.WithCmd(append([]string{
			"redis-server", "--port", fmt.Sprint(port), "--bind", "127.0.0.1", "--save", "",
			"--maxmemory-policy", "noeviction", "--repl-diskless-sync-delay", "0",
		}, args...)...))
	} else {
		server := redistest.Start(t, args...)
		r.Addr, r.process = server.Addr, redisProcess{server}
	}
	r.connect(t)
	return r
}

// redisProcess is a server of redistest.
type redisProcess struct{ *redistest.Server }

func (p redisProcess) kill(testing.TB)    { p.Kill() }
func (p redisProcess) restart(testing.TB) { p.Restart() }

// connect opens the operator's connection and waits until the server answers.
func (r *Redis) connect(t testing.TB) {
	t.Helper()
	r.client = redis.NewClient(&redis.Options{Addr: r.Addr, Protocol: 2, DisableIdentity: true, PoolSize: 2})
	t.Cleanup(func() { _ = r.client.Close() })
	r.alive = true
	await(t, "Redis at "+r.Addr+" answers", func() error { return r.client.Ping(context.Background()).Err() })
}

// Do runs a command as an operator does.
func (r *Redis) Do(t testing.TB, args ...any) any {
	t.Helper()
	answer, err := r.client.Do(context.Background(), args...).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		t.Fatalf("%v at %s: %v", args, r.Addr, err)
	}
	return answer
}

// Flush deletes everything.
func (r *Redis) Flush(t testing.TB) { t.Helper(); r.Do(t, "flushall") }

// Kill ends the server as a crash does. What it had is lost.
func (r *Redis) Kill(t testing.TB) {
	t.Helper()
	r.process.kill(t)
	r.alive = false
}

// StartReplica starts a replica and waits until it has everything.
func (r *Redis) StartReplica(t testing.TB) *Redis {
	t.Helper()
	host, port, err := net.SplitHostPort(r.Addr)
	if err != nil {
		t.Fatal(err)
	}
	replica := StartRedis(t, "--replicaof", host+" "+port)
	replica.awaitSync(t)
	return replica
}

func (r *Redis) awaitSync(t testing.TB) {
	t.Helper()
	await(t, "the replica at "+r.Addr+" is in step", func() error {
		if info := r.replication(t); info["master_link_status"] != "up" || info["master_sync_in_progress"] != "0" {
			return errors.New("it isn't")
		}
		return nil
	})
}

// replication is what the server says of its role.
func (r *Redis) replication(t testing.TB) map[string]string {
	t.Helper()
	text, _ := r.Do(t, "info", "replication").(string)
	fields := map[string]string{}
	for line := range strings.Lines(text) {
		if name, value, found := strings.Cut(strings.TrimSpace(line), ":"); found {
			fields[name] = value
		}
	}
	return fields
}

// Promote makes a replica a primary.
func (r *Redis) Promote(t testing.TB) { t.Helper(); r.Do(t, "replicaof", "no", "one") }
