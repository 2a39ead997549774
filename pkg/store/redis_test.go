package store_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/perennial-cltv/perennial/pkg/store"
	"github.com/perennial-cltv/perennial/pkg/store/redistest"
	"github.com/perennial-cltv/perennial/pkg/store/storetest"
	"github.com/perennial-cltv/perennial/pkg/task"
)

// damages renames each key of a task away and puts one of another type there.
func damages(client redis.UniversalClient, partition int32) map[string]storetest.Damage {
	list := map[string]storetest.Damage{}
	for name, suffix := range map[string]string{
		"task": "task", "states": "c", "parameters": "m", "due": "due", "sum keys": "keys",
		"sums": "r:acme/campaign", "due list": "d:acme/20000",
	} {
		key := "{" + store.Tag(partition, storetest.Partitions) + "}:" + suffix
		must := func(err error) {
			if err != nil {
				panic(fmt.Sprint(key, ": ", err))
			}
		}
		list[name] = storetest.Damage{
			Do: func() {
				must(client.Rename(t0, key, key+".aside").Err())
				must(client.Set(t0, key, "a string", 0).Err())
			},
			Undo: func() {
				must(client.Del(t0, key).Err())
				must(client.Rename(t0, key+".aside", key).Err())
			},
		}
	}
	return list
}

func realServer(t *testing.T, s *redistest.Server) *storetest.Server {
	client := redis.NewClient(&redis.Options{Addr: s.Addr})
	t.Cleanup(func() { _ = client.Close() })
	return &storetest.Server{
		Connect: func(partition int32) (task.Store, error) {
			return store.Connect(context.Background(), s.Config(), partition, storetest.Partitions)
		},
		Damage:      func(partition int32) map[string]storetest.Damage { return damages(client, partition) },
		SetFull:     func(full bool) { s.Do("config", "set", "maxmemory", limit(full)) },
		SetEvicting: func(evicting bool) { s.Do("config", "set", "maxmemory-policy", policy(evicting)) },
		Wipe:        func() { s.Do("flushall") },
	}
}

// limit is the maxmemory of a server that is full, or not.
func limit(full bool) string {
	if full {
		return "1"
	}
	return "0"
}

func policy(evicting bool) string {
	if evicting {
		return "allkeys-lru"
	}
	return "noeviction"
}

func TestRedis(t *testing.T) {
	shared := redistest.Shared(t)
	storetest.Run(t, func(t *testing.T) *storetest.Server {
		shared.Do("flushall")
		return realServer(t, shared)
	})
}

func miniServer(t *testing.T) *storetest.Server {
	m := miniredis.RunT(t)
	client := redis.NewClient(&redis.Options{Addr: m.Addr()})
	t.Cleanup(func() { _ = client.Close() })
	config := store.Config{Addrs: []string{m.Addr()}, Embedded: true}
	return &storetest.Server{
		Connect: func(partition int32) (task.Store, error) {
			return store.Connect(context.Background(), config, partition, storetest.Partitions)
		},
		Damage: func(partition int32) map[string]storetest.Damage { return damages(client, partition) },
		Wipe:   m.FlushAll,
	}
}

func TestMiniredis(t *testing.T) {
	storetest.Run(t, miniServer)
}

func TestTwinsAgree(t *testing.T) {
	shared := redistest.Shared(t)
	for seed := range uint64(30) {
		shared.Do("flushall")
		storetest.Agree(t, memoryServer(), realServer(t, shared), seed, 150)
	}
}

func TestMemoryAndMiniredisAgree(t *testing.T) {
	for seed := range uint64(5) {
		storetest.Agree(t, memoryServer(), miniServer(t), seed, 150)
	}
}

func TestRedisCluster(t *testing.T) {
	cluster := redistest.StartCluster(t, 3, 0)
	client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: cluster.Config().Addrs})
	t.Cleanup(func() { _ = client.Close() })
	storetest.Run(t, func(*testing.T) *storetest.Server {
		flush := func() {
			for _, node := range cluster.Nodes {
				node.Do("flushall")
			}
		}
		flush()
		configure := func(name, value string) {
			for _, node := range cluster.Nodes {
				node.Do("config", "set", name, value)
			}
		}
		return &storetest.Server{
			SetFull:     func(full bool) { configure("maxmemory", limit(full)) },
			SetEvicting: func(evicting bool) { configure("maxmemory-policy", policy(evicting)) },
			Connect: func(partition int32) (task.Store, error) {
				return store.Connect(context.Background(), cluster.Config(), partition, storetest.Partitions)
			},
			Damage: func(partition int32) map[string]storetest.Damage { return damages(client, partition) },
			Wipe:   flush,
		}
	})
	for _, node := range cluster.Nodes {
		if keys, _ := node.Do("info", "commandstats").(string); !strings.Contains(keys, "cmdstat_evalsha") {
			t.Errorf("%s ran no commit: the tasks aren't spread", node.Addr)
		}
	}
}
