package real_test

import (
	"testing"

	"github.com/perennial-cltv/perennial/test/servers"
)

// TestKilledServersComeBack sees that what the harness kills is dead, and that
// what it starts again is the same server.
func TestKilledServersComeBack(t *testing.T) {
	t.Run("kafka of three", func(t *testing.T) {
		k := servers.StartKafka(t, 3)
		k.Kill(t, 1)
		k.Restart(t, 1)
	})
	t.Run("redis with a replica", func(t *testing.T) {
		primary := servers.StartRedis(t)
		replica := primary.StartReplica(t)
		primary.Do(t, "set", "a", "1")
		primary.Do(t, "wait", 1, 5000)
		primary.Kill(t)
		replica.Promote(t)
		if got := replica.Do(t, "get", "a"); got != "1" {
			t.Errorf("the replica has %v, want 1", got)
		}
		replica.Do(t, "set", "b", "2") // a primary takes writes
	})
	t.Run("redis cluster", func(t *testing.T) {
		c := servers.StartRedisCluster(t)
		dead := c.Primaries(t)[0]
		c.Failover(t, dead)
		c.Restart(t, dead)
		c.Flush(t)
	})
}
