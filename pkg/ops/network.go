package ops

import (
	"context"
	"net"
)

// Network is how a process reaches others and is reached. What is nil is TCP;
// a test puts a network in memory in its place.
type Network struct {
	// Dial connects to Kafka and Redis.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Listen binds an address for HTTP.
	Listen func(network, address string) (net.Listener, error)
}

func (n Network) listen(address string) (net.Listener, error) {
	if n.Listen != nil {
		return n.Listen("tcp", address)
	}
	return net.Listen("tcp", address)
}
