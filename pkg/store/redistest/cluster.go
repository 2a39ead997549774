package redistest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/perennial-cltv/perennial/pkg/store"
)

// Cluster is a Redis Cluster.
type Cluster struct {
	// Nodes are the masters, then the replicas.
	Nodes []*Server

	t testing.TB
}

// StartCluster starts masters that share the slots evenly, each with so many
// replicas, and waits until all agree that the cluster is well.
func StartCluster(t testing.TB, masters, replicasEach int) *Cluster {
	t.Helper()
	requireBinary(t)
	c := &Cluster{t: t}
	for range masters * (1 + replicasEach) {
		c.Nodes = append(c.Nodes, Start(t, "--cluster-enabled", "yes",
			"--cluster-port", portOf(freeAddr(t)), "--cluster-node-timeout", "2000",
			"--cluster-replica-validity-factor", "0"))
	}
	for i, node := range c.Nodes[:masters] {
		node.Do("cluster", "addslotsrange", i*store.Slots/masters, (i+1)*store.Slots/masters-1)
		node.Do("cluster", "set-config-epoch", i+1)
	}
	c.meet()
	for i, node := range c.Nodes[masters:] {
		c.replicate(node, c.Nodes[i%masters])
	}
	c.AwaitHealthy()
	return c
}

// meet introduces every node to the first and waits until all know all.
func (c *Cluster) meet() {
	c.t.Helper()
	host, port, _ := net.SplitHostPort(c.Nodes[0].Addr)
	bus := c.Nodes[0].args[3]
	for _, node := range c.Nodes[1:] {
		node.Do("cluster", "meet", host, port, bus)
	}
	c.await(func(node *Server) error {
		nodes, _ := node.Do("cluster", "nodes").(string)
		if n := strings.Count(nodes, " connected"); n != len(c.Nodes) || strings.Contains(nodes, "handshake") {
			return fmt.Errorf("%s knows %d of %d nodes", node.Addr, n, len(c.Nodes))
		}
		return nil
	})
}

func (c *Cluster) replicate(node, of *Server) {
	c.t.Helper()
	id, _ := of.Do("cluster", "myid").(string)
	node.Do("cluster", "replicate", id)
}

// await polls all nodes that run until f is content with each.
func (c *Cluster) await(f func(node *Server) error) {
	c.t.Helper()
	for _, node := range c.Nodes {
		if !node.running() {
			continue
		}
		if err := poll(func() error { return f(node) }); err != nil {
			for _, node := range c.Nodes {
				if node.running() {
					c.t.Logf("%s sees:\n%s", node.Addr, node.Do("cluster", "nodes"))
				}
			}
			c.t.Fatalf("%s: %v", node.Addr, err)
		}
	}
}

// AwaitHealthy waits until every running node has all slots served and every
// replica is in step.
func (c *Cluster) AwaitHealthy() {
	c.t.Helper()
	c.await(func(node *Server) error {
		info, _ := node.Do("cluster", "info").(string)
		if field(info, "cluster_state") != "ok" {
			return fmt.Errorf("%s: cluster_state is %s", node.Addr, field(info, "cluster_state"))
		}
		if node.Info("role") == "slave" && node.Info("master_link_status") != "up" {
			return errors.New("a replica isn't in step")
		}
		return nil
	})
}

// Config names all nodes.
func (c *Cluster) Config() store.Config {
	config := store.Config{Mode: store.Cluster}
	for _, node := range c.Nodes {
		config.Addrs = append(config.Addrs, node.Addr)
	}
	return config
}

// PrimaryOf returns the node that has a task's slot, as the first running node sees
// it.
func (c *Cluster) PrimaryOf(partition, partitions int32) *Server {
	c.t.Helper()
	for _, node := range c.Nodes {
		if !node.running() {
			continue
		}
		primary, err := c.primaryOf(node, partition, partitions)
		if err != nil {
			c.t.Fatal(err)
		}
		return primary
	}
	c.t.Fatal("no node runs")
	return nil
}

func (c *Cluster) primaryOf(asked *Server, partition, partitions int32) (*Server, error) {
	slots, err := asked.client.ClusterSlots(context.Background()).Result() //nolint:staticcheck // CLUSTER SHARDS came with Redis 7.0 only
	if err != nil {
		return nil, err
	}
	slot := int(int64(partition) * store.Slots / int64(partitions))
	for _, r := range slots {
		if slot < r.Start || slot > r.End {
			continue
		}
		for _, node := range c.Nodes {
			if portOf(node.Addr) == portOf(r.Nodes[0].Addr) {
				return node, nil
			}
		}
	}
	return nil, errors.New("no node of the cluster has slot " + strconv.Itoa(slot))
}

// AwaitFailover waits until all running nodes see another primary of the task's slot
// than the given one, and returns it.
func (c *Cluster) AwaitFailover(partition, partitions int32, from *Server) *Server {
	c.t.Helper()
	var primary *Server
	c.await(func(node *Server) (err error) {
		primary, err = c.primaryOf(node, partition, partitions)
		if err == nil && primary == from {
			err = errors.New("the old primary still has the slot")
		}
		return err
	})
	c.AwaitHealthy()
	return primary
}

// MoveSlot hands a task's slot, which must be empty or is moved with its keys, to
// another master.
func (c *Cluster) MoveSlot(partition, partitions int32, to *Server) {
	c.t.Helper()
	from := c.PrimaryOf(partition, partitions)
	slot := int(int64(partition) * store.Slots / int64(partitions))
	fromID, toID := from.Do("cluster", "myid"), to.Do("cluster", "myid")
	to.Do("cluster", "setslot", slot, "importing", fromID)
	from.Do("cluster", "setslot", slot, "migrating", toID)
	host, port, _ := net.SplitHostPort(to.Addr)
	keys, _ := from.Do("cluster", "getkeysinslot", slot, 1000).([]any)
	for _, key := range keys {
		from.Do("migrate", host, port, key, 0, 5000)
	}
	for _, node := range []*Server{to, from} {
		node.Do("cluster", "setslot", slot, "node", toID)
	}
	// Until all nodes know the new owner under its new epoch, its death would take the
	// news with it, and the slot would stay with a dead node.
	epoch := configEpoch(to, toID)
	c.await(func(node *Server) error {
		owner, err := c.primaryOf(node, partition, partitions)
		if err != nil {
			return err
		}
		if owner != to {
			return errors.New("the slot didn't move")
		}
		if seen := configEpoch(node, toID); seen != epoch {
			return fmt.Errorf("the new owner has epoch %s, seen is %s", epoch, seen)
		}
		return nil
	})
}

// configEpoch is the epoch of a node's slots as the asked node knows it.
func configEpoch(asked *Server, id any) string {
	nodes, _ := asked.Do("cluster", "nodes").(string)
	for line := range strings.Lines(nodes) {
		// id, address, flags, master, ping sent, pong received, epoch, link, slots
		if fields := strings.Fields(line); len(fields) > 6 && fields[0] == id {
			return fields[6]
		}
	}
	return "unknown"
}
