// Package local is Kafka and Redis in this process: kfake and miniredis. They
// keep everything in memory and forget it at the end; they are for trying out
// and for tests, not for data that matters.
package local

import (
	"fmt"
	"net"
	"strconv"

	"github.com/alicebob/miniredis/v2"
	"github.com/twmb/franz-go/pkg/kfake"
)

// Servers are running twins.
type Servers struct {
	// Broker and Redis are addresses, host:port.
	Broker, Redis string
	kafka         *kfake.Cluster
	redis         *miniredis.Miniredis
}

// Options says where the twins listen. 0: any free port.
type Options struct {
	// KafkaPort and RedisPort are tried first; where one is taken any other is.
	KafkaPort, RedisPort int
}

// Start starts both on the loopback interface.
func Start(o Options) (*Servers, error) {
	kafka, err := startKafka(o.KafkaPort)
	if err != nil {
		return nil, fmt.Errorf("starting Kafka in this process: %w", err)
	}
	redis := miniredis.NewMiniRedis()
	if err := redis.StartAddr(address(free(o.RedisPort))); err != nil {
		kafka.Close()
		return nil, fmt.Errorf("starting Redis in this process: %w", err)
	}
	return &Servers{Broker: kafka.ListenAddrs()[0], Redis: redis.Addr(), kafka: kafka, redis: redis}, nil
}

// Stop ends both and drops what they hold.
func (s *Servers) Stop() {
	s.kafka.Close()
	s.redis.Close()
}

func startKafka(port int) (*kfake.Cluster, error) {
	options := []kfake.Opt{kfake.NumBrokers(1), kfake.ClusterID("perennial-local")}
	if port = free(port); port != 0 {
		options = append(options, kfake.Ports(port))
	}
	return kfake.NewCluster(options...)
}

// free answers port where nobody listens on it, else 0.
func free(port int) int {
	l, err := net.Listen("tcp", address(port))
	if err != nil {
		return 0
	}
	_ = l.Close() // it was only asked for
	return port
}

// FreeAddress answers listen where nobody listens on it, else the same host with
// a port that is free.
func FreeAddress(listen string) string {
	l, err := net.Listen("tcp", listen)
	if err == nil {
		_ = l.Close() // it was only asked for
		return listen
	}
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return listen
	}
	if l, err = net.Listen("tcp", net.JoinHostPort(host, "0")); err != nil {
		return listen
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	_ = l.Close() // as above
	return net.JoinHostPort(host, port)
}

func address(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
