package store

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"
)

// Mode says what the addresses of a Config are.
type Mode string

// The modes.
const (
	// Auto asks the server whether it is part of a cluster.
	Auto Mode = "auto"
	// Single is one primary. Of several addresses the first that answers as a
	// primary is taken: name the replicas too, and a failover is followed.
	Single Mode = "single"
	// Cluster is a Redis Cluster; any of its nodes can be named.
	Cluster Mode = "cluster"
)

// Config says how to reach Redis and when a write counts as safe.
type Config struct {
	// Addrs are host:port.
	Addrs []string
	// Mode is Auto where empty.
	Mode Mode
	// Username is an ACL user; empty with a password means the default user.
	Username, Password string
	// TLS encrypts all connections where it isn't nil. A ServerName left empty is
	// filled with the host of each address.
	TLS *tls.Config
	// Replicas must have an opening before its owner goes on (WAIT). 0: none, and a
	// failover may then revive a former owner.
	Replicas int
	// AwaitAOF also waits until the primary has the opening in its append-only file,
	// where the server keeps one and is 7.2 or newer (WAITAOF).
	AwaitAOF bool
	// DialTimeout limits connecting, Timeout one request and its answer,
	// ReplicaTimeout the wait for the replicas. Defaults: 3 s, 5 s, 5 s.
	DialTimeout, Timeout, ReplicaTimeout time.Duration
	// Embedded is set for a server in this process, for demos and tests, that
	// neither evicts nor replicates and can't be asked about it.
	Embedded bool
	// Dialer replaces net.Dialer. TLS, where set, is spoken over what it returns.
	Dialer func(ctx context.Context, network, addr string) (net.Conn, error)
}

// Validate refuses a configuration that can't work.
func (c Config) Validate() error {
	var errs []error
	if len(c.Addrs) == 0 {
		errs = append(errs, errors.New("no address of a Redis server"))
	}
	for _, addr := range c.Addrs {
		if _, _, err := net.SplitHostPort(addr); err != nil {
			errs = append(errs, fmt.Errorf("address %q: %w", addr, err))
		}
	}
	switch c.Mode {
	case "", Auto, Single, Cluster:
	default:
		errs = append(errs, fmt.Errorf("mode %q: must be %s, %s or %s", c.Mode, Auto, Single, Cluster))
	}
	if c.Replicas < 0 {
		errs = append(errs, fmt.Errorf("%d replicas: must not be negative", c.Replicas))
	}
	if c.DialTimeout < 0 || c.Timeout < 0 || c.ReplicaTimeout < 0 {
		errs = append(errs, errors.New("a time limit must not be negative"))
	}
	return errors.Join(errs...)
}

// withDefaults fills what was left open.
func (c Config) withDefaults() Config {
	if c.Mode == "" {
		c.Mode = Auto
	}
	if c.DialTimeout == 0 {
		c.DialTimeout = 3 * time.Second
	}
	if c.Timeout == 0 {
		c.Timeout = 5 * time.Second
	}
	if c.ReplicaTimeout == 0 {
		c.ReplicaTimeout = 5 * time.Second
	}
	return c
}
