package bubble

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// redisAddress is where the network has Redis.
const redisAddress = "192.0.2.1:6379"

// network connects hosts with Kafka and Redis. It delays, loses answers and
// requests, and breaks connections. What has left its sender may arrive after
// the sender has given up, or is gone.
type network struct {
	virtual kfake.VirtualNetwork
	redis   *miniredis.Miniredis

	mu        sync.Mutex
	rng       *rand.Rand
	trouble   trouble
	redisDown bool
	links     map[*link]struct{}
}

// trouble is how bad the network is. Chances are per mille of what is sent at
// once.
type trouble struct {
	delay       int
	longest     time.Duration
	loseRequest int
	loseAnswer  int
}

// host is a process's end of the network.
type host struct {
	network *network
	name    string
	dead    bool
	frozen  chan struct{} // closed when the host thaws; nil: it isn't frozen
}

var (
	errRefused = errors.New("connection refused")
	errDead    = errors.New("the process is dead")
)

func newNetwork(seed uint64, redis *miniredis.Miniredis) *network {
	return &network{redis: redis, rng: rand.New(rand.NewPCG(seed, 3)), links: map[*link]struct{}{}}
}

func (n *network) host(name string) *host { return &host{network: n, name: name} }

func (n *network) setTrouble(t trouble) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.trouble = t
}

func (n *network) setRedisDown(down bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.redisDown = down
}

// dial connects a host to a broker or to Redis.
func (h *host) dial(ctx context.Context, networkName, address string) (net.Conn, error) {
	if !h.pass(ctx.Done()) {
		return nil, ctx.Err()
	}
	n := h.network
	n.mu.Lock()
	dead, down := h.dead, n.redisDown
	n.mu.Unlock()
	var server net.Conn
	var err error
	switch {
	case dead:
		return nil, errDead
	case address != redisAddress:
		server, err = n.virtual.DialContext(ctx, networkName, address)
	case down:
		err = errRefused
	default:
		server, err = n.redis.Dial()
	}
	if err != nil {
		return nil, fmt.Errorf("%s to %s: %w", h.name, address, err)
	}
	near, client := net.Pipe()
	l := &link{host: h, toRedis: address == redisAddress, client: client, server: server, hurry: make(chan struct{})}
	n.mu.Lock()
	n.links[l] = struct{}{}
	n.mu.Unlock()
	l.carry(client, server, true)
	l.carry(server, client, false)
	return near, nil
}

// pass waits while the host is frozen; false where cut ends before.
func (h *host) pass(cut <-chan struct{}) bool {
	for {
		h.network.mu.Lock()
		frozen := h.frozen
		h.network.mu.Unlock()
		if frozen == nil {
			return true
		}
		select {
		case <-frozen:
		case <-cut:
			return false
		}
	}
}

// freeze holds back everything that comes and goes, for a time.
func (h *host) freeze(d time.Duration) {
	n := h.network
	n.mu.Lock()
	defer n.mu.Unlock()
	if h.frozen != nil {
		return
	}
	thawed := make(chan struct{})
	h.frozen = thawed
	time.AfterFunc(d, func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		h.frozen = nil
		close(thawed)
	})
}

// kill ends the host at once. What it has sent still arrives.
func (h *host) kill() {
	n := h.network
	n.mu.Lock()
	h.dead = true
	n.mu.Unlock()
	n.breakLinks(func(l *link) bool { return l.host == h }, func(l *link) { l.client.Close() })
}

// cut breaks connections at both ends: what is under way is lost.
func (n *network) cut(which func(l *link) bool) int {
	return n.breakLinks(which, func(l *link) { l.client.Close(); l.server.Close() })
}

func (n *network) breakLinks(which func(*link) bool, do func(*link)) (count int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for l := range n.links {
		if which(l) {
			do(l)
			count++
		}
	}
	return count
}

// link is one connection between a host and a server. As sockets do, it takes
// what is written at once and delivers it when it can.
type link struct {
	host           *host
	toRedis        bool
	client, server net.Conn // the network's ends

	// A group's connection is shared by goroutines that wait for one another with
	// a mutex, and a bubble's time stands still meanwhile: as soon as more than one
	// needs the connection, nothing on it is held back any more.
	group   bool
	open    int // requests that aren't answered
	hurry   chan struct{}
	hurried bool
}

// flow is one direction of a link.
type flow struct {
	from, to net.Conn
	request  bool
	chunks   chan []byte
}

// carry starts a flow.
func (l *link) carry(from, to net.Conn, request bool) {
	f := &flow{from: from, to: to, request: request, chunks: make(chan []byte, 4096)}
	go l.receive(f)
	go l.deliver(f)
}

func (l *link) receive(f *flow) {
	defer close(f.chunks)
	buf := make([]byte, 64<<10)
	for {
		n, err := f.from.Read(buf)
		if err != nil {
			return
		}
		if f.request {
			l.requested(buf[:n])
		}
		f.chunks <- slices.Clone(buf[:n])
	}
}

func (l *link) deliver(f *flow) {
	n := l.host.network
	defer func() {
		f.to.Close()
		f.from.Close()
		n.mu.Lock()
		delete(n.links, l)
		n.mu.Unlock()
		for range f.chunks { // until the other end of the flow has seen it
		}
	}()
	for chunk := range f.chunks {
		wait, lost := n.fate(f.request)
		if wait > 0 {
			timer := time.NewTimer(wait)
			select {
			case <-timer.C:
			case <-l.hurry:
				timer.Stop()
			}
		}
		if !l.host.pass(l.hurry) || lost {
			return
		}
		if !f.request {
			n.mu.Lock()
			l.open--
			n.mu.Unlock()
		}
		if _, err := f.to.Write(chunk); err != nil {
			return
		}
	}
}

// requested looks at a request to Kafka: its length is in four bytes, its kind
// in the next two.
func (l *link) requested(chunk []byte) {
	if l.toRedis || len(chunk) < 6 {
		return
	}
	n := l.host.network
	n.mu.Lock()
	defer n.mu.Unlock()
	kind := kmsg.Key(binary.BigEndian.Uint16(chunk[4:]))
	switch kind {
	case kmsg.JoinGroup, kmsg.SyncGroup, kmsg.Heartbeat, kmsg.OffsetCommit, kmsg.LeaveGroup:
		l.group = true
	default:
	}
	l.open++
	if l.group && !l.hurried && (l.open > 1 || kind == kmsg.OffsetCommit) {
		l.hurried = true
		close(l.hurry)
	}
}

// fate says how long something sent is under way, and whether it breaks the
// connection instead of arriving.
func (n *network) fate(request bool) (wait time.Duration, lost bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	t := n.trouble
	if n.rng.IntN(1000) < t.delay {
		wait = time.Duration(n.rng.Int64N(int64(t.longest)))
	}
	chance := t.loseAnswer
	if request {
		chance = t.loseRequest
	}
	return wait, n.rng.IntN(1000) < chance
}
