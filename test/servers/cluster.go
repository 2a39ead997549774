package servers

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/testcontainers/testcontainers-go/exec"

	"github.com/perennial-cltv/perennial/pkg/store/redistest"
)

// RedisCluster is a Redis Cluster of three masters with a replica each.
type RedisCluster struct {
	// Nodes are its servers.
	Nodes []*Redis
}

const clusterMasters = 3

// StartRedisCluster starts one, which ends with the test.
func StartRedisCluster(t testing.TB) *RedisCluster {
	t.Helper()
	c := &RedisCluster{}
	if useDocker(t) {
		c.startContainers(t)
	} else {
		for _, server := range redistest.StartCluster(t, clusterMasters, 1).Nodes {
			node := &Redis{Addr: server.Addr, process: redisProcess{server}}
			node.connect(t)
			c.Nodes = append(c.Nodes, node)
		}
	}
	c.AwaitHealthy(t)
	return c
}

func (c *RedisCluster) startContainers(t testing.TB) {
	t.Helper()
	create := []string{"redis-cli", "--cluster-yes", "--cluster-replicas", "1", "--cluster", "create"}
	for range 2 * clusterMasters {
		node := StartRedis(t, "--cluster-enabled", "yes", "--cluster-node-timeout", "2000", "--cluster-replica-validity-factor", "0")
		c.Nodes = append(c.Nodes, node)
		create = append(create, node.Addr)
	}
	first, _ := c.Nodes[0].process.(*contained)
	status, output, err := first.inner.Exec(context.Background(), create, exec.Multiplexed())
	if err != nil || status != 0 {
		var said strings.Builder
		if output != nil {
			fmt.Fprint(&said, output)
		}
		t.Fatalf("making a Redis cluster: status %d, %v\n%s", status, err, said.String())
	}
}

// Addrs are the nodes' addresses.
func (c *RedisCluster) Addrs() []string {
	addrs := make([]string, len(c.Nodes))
	for i, node := range c.Nodes {
		addrs[i] = node.Addr
	}
	return addrs
}

// Primaries are the living nodes that are masters now.
func (c *RedisCluster) Primaries(t testing.TB) []*Redis {
	t.Helper()
	var primaries []*Redis
	for _, node := range c.Nodes {
		if node.alive && node.replication(t)["role"] == "master" {
			primaries = append(primaries, node)
		}
	}
	return primaries
}

// Failover kills a master and waits until its replica has taken over.
func (c *RedisCluster) Failover(t testing.TB, primary *Redis) {
	t.Helper()
	primary.Kill(t)
	await(t, "the replica of "+primary.Addr+" takes over", func() error {
		if n := len(c.Primaries(t)); n < clusterMasters {
			return fmt.Errorf("%d masters live", n)
		}
		return nil
	})
	c.AwaitHealthy(t)
}

// Restart starts a killed node, empty, which joins its old shard as a replica.
func (c *RedisCluster) Restart(t testing.TB, node *Redis) {
	t.Helper()
	node.process.restart(t)
	node.alive = true
	await(t, "the node at "+node.Addr+" is a replica", func() error {
		if err := node.client.Ping(context.Background()).Err(); err != nil {
			return err
		}
		if node.replication(t)["role"] != "slave" {
			return errors.New("it is a master")
		}
		return nil
	})
	c.AwaitHealthy(t)
}

// Flush deletes everything in every node.
func (c *RedisCluster) Flush(t testing.TB) {
	t.Helper()
	for _, primary := range c.Primaries(t) {
		primary.Flush(t)
	}
}

// AwaitHealthy waits until every living node sees all slots served and every
// replica is in step.
func (c *RedisCluster) AwaitHealthy(t testing.TB) {
	t.Helper()
	for _, node := range c.Nodes {
		if !node.alive {
			continue
		}
		await(t, "the cluster is well at "+node.Addr, func() error {
			state, _ := node.Do(t, "cluster", "info").(string)
			if !strings.Contains(state, "cluster_state:ok") {
				return errors.New(state)
			}
			if info := node.replication(t); info["role"] == "slave" && info["master_link_status"] != "up" {
				return errors.New("the replica isn't in step")
			}
			return nil
		})
	}
}
