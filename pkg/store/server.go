package store

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
)

// server is what a Redis process says of itself.
type server struct {
	known           bool // it is a Redis at all
	runID           string
	major, minor    int
	replica         bool
	loading         bool
	cluster         bool
	appendOnly      bool
	maxmemoryPolicy string
	evictedKeys     int64
}

// info asks the server about itself.
func (c *conn) info(ctx context.Context) (server, error) {
	if err := c.send(ctx, []any{"info"}); err != nil {
		return server{}, err
	}
	text, err := c.answers.text()
	if err != nil {
		return server{}, err
	}
	var s server
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimRight(line, "\r\n"), ":")
		switch name {
		case "redis_version":
			s.known = true
			if _, err := fmt.Sscanf(value, "%d.%d", &s.major, &s.minor); err != nil {
				return server{}, fmt.Errorf("redis_version %q: %w", value, err)
			}
		case "run_id":
			s.runID = value
		case "role":
			s.replica = value != "master"
		case "loading":
			s.loading = value != "0"
		case "cluster_enabled":
			s.cluster = value == "1"
		case "aof_enabled":
			s.appendOnly = value == "1"
		case "maxmemory_policy":
			s.maxmemoryPolicy = value
		case "evicted_keys":
			if s.evictedKeys, err = strconv.ParseInt(value, 10, 64); err != nil {
				return server{}, fmt.Errorf("evicted_keys %q: %w", value, err)
			}
		}
	}
	return s, nil
}

// connectPrimary connects to the primary that has the slot of the key.
func connectPrimary(ctx context.Context, cfg *Config, key string) (*conn, server, error) {
	var failed error
	for _, addr := range cfg.Addrs {
		c, about, err := connectVia(ctx, cfg, addr, key)
		if err == nil {
			return c, about, nil
		}
		if failed == nil {
			failed = err
		} else {
			failed = fmt.Errorf("%w; %w", failed, err)
		}
		if ctx.Err() != nil {
			break
		}
	}
	return nil, server{}, failed
}

// connectVia connects to addr, and on to the slot's primary where addr is part of a
// cluster.
func connectVia(ctx context.Context, cfg *Config, addr, key string) (*conn, server, error) {
	c, about, err := connectNode(ctx, cfg, addr)
	if err != nil {
		return nil, server{}, err
	}
	if cfg.Mode == Cluster || (cfg.Mode == Auto && about.cluster) {
		primary, err := c.primaryOf(ctx, crc16(tagOf(key))%Slots)
		if err != nil {
			c.close()
			return nil, server{}, fmt.Errorf("%s: %w", addr, err)
		}
		if primary != addr {
			c.close()
			if c, about, err = connectNode(ctx, cfg, primary); err != nil {
				return nil, server{}, err
			}
		}
	}
	if about.replica {
		c.close()
		return nil, server{}, fmt.Errorf("%s: %w", c.addr, serverError("READONLY it is a replica"))
	}
	return c, about, nil
}

// connectNode connects to one process and asks it about itself.
func connectNode(ctx context.Context, cfg *Config, addr string) (*conn, server, error) {
	c, err := dial(ctx, cfg, addr)
	if err != nil {
		return nil, server{}, err
	}
	about, err := c.info(ctx)
	switch {
	case err != nil:
	case about.loading:
		err = serverError("LOADING it is reading its data set")
	case !about.known && !cfg.Embedded:
		err = serverError("ERR INFO doesn't say that it is a Redis")
	}
	if err != nil {
		c.close()
		return nil, server{}, fmt.Errorf("%s: %w", addr, err)
	}
	return c, about, nil
}

// tagOf returns what is between the first braces of a key.
func tagOf(key string) string {
	_, rest, _ := strings.Cut(key, "{")
	tag, _, _ := strings.Cut(rest, "}")
	return tag
}

// primaryOf asks a cluster's node for the address of a slot's primary.
func (c *conn) primaryOf(ctx context.Context, slot uint16) (string, error) {
	if err := c.send(ctx, []any{"cluster", "slots"}); err != nil {
		return "", err
	}
	ranges, err := c.answers.array(-1)
	if err != nil {
		return "", err
	}
	for range ranges {
		first, last, addr, err := c.slotRange()
		if err != nil {
			return "", fmt.Errorf("CLUSTER SLOTS: %w", err)
		}
		if first <= int64(slot) && int64(slot) <= last {
			return addr, nil
		}
	}
	return "", serverError(fmt.Sprintf("CLUSTERDOWN no node has slot %d", slot))
}

// slotRange takes one entry of CLUSTER SLOTS: first slot, last slot, the primary's
// [host, port, id, …], and the same for each replica.
func (c *conn) slotRange() (first, last int64, addr string, err error) {
	parts, err := c.answers.array(-1)
	if err != nil {
		return 0, 0, "", err
	}
	if parts < 3 {
		return 0, 0, "", fmt.Errorf("%w: %d parts", errProtocol, parts)
	}
	if first, err = c.answers.integer(); err != nil {
		return 0, 0, "", err
	}
	if last, err = c.answers.integer(); err != nil {
		return 0, 0, "", err
	}
	fields, err := c.answers.array(-1)
	if err != nil {
		return 0, 0, "", err
	}
	host, err := c.answers.text()
	if err != nil {
		return 0, 0, "", err
	}
	port, err := c.answers.integer()
	if err != nil {
		return 0, 0, "", err
	}
	if host == "" || host == "?" { // the node doesn't know its own name: it is where we asked
		if host, _, err = net.SplitHostPort(c.addr); err != nil {
			return 0, 0, "", err
		}
	}
	for range fields - 2 {
		if err := c.answers.skip(); err != nil {
			return 0, 0, "", err
		}
	}
	for range parts - 3 {
		if err := c.answers.skip(); err != nil {
			return 0, 0, "", err
		}
	}
	return first, last, net.JoinHostPort(host, strconv.FormatInt(port, 10)), nil
}
