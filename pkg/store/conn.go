package store

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

// conn is one connection to one Redis process. It is dialled once. An error that
// leaves open what the server did closes it for good.
type conn struct {
	addr   string
	client *redis.Client
	sticky *redis.Conn
	pipe   redis.Pipeliner
	// raw is the socket, so that a cancelled request can be cut short.
	raw     net.Conn
	answers replies
	dead    error
}

// maxKeptBuffer bounds what a connection holds on to after a large answer, bytes.
const maxKeptBuffer = 1 << 20

// dial connects and authenticates.
func dial(ctx context.Context, cfg *Config, addr string) (*conn, error) {
	raw, err := dialSocket(ctx, cfg, addr)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", addr, err)
	}
	c := &conn{addr: addr, raw: raw}
	var taken atomic.Bool
	c.client = redis.NewClient(&redis.Options{
		Addr:     addr,
		Username: cfg.Username,
		Password: cfg.Password,
		Dialer: func(context.Context, string, string) (net.Conn, error) {
			if taken.Swap(true) {
				return nil, errClosed // whatever go-redis does, there is no second connection
			}
			return raw, nil
		},
		Protocol:              2, // answers are parsed as RESP2; nothing is pushed
		MaxRetries:            -1,
		DialerRetries:         1,
		DialTimeout:           cfg.DialTimeout,
		ReadTimeout:           cfg.Timeout,
		WriteTimeout:          cfg.Timeout,
		ContextTimeoutEnabled: true,
		PoolSize:              1,
		ConnMaxIdleTime:       -1,
		DisableIdentity:       true,
	})
	c.sticky = c.client.Conn()
	c.pipe = c.sticky.Pipeline()
	if err := c.sticky.Ping(ctx).Err(); err != nil {
		c.close()
		_ = raw.Close() // where go-redis didn't come to take it
		return nil, fmt.Errorf("%s: %w", addr, fromServer(err))
	}
	return c, nil
}

// dialSocket opens the socket, with TLS where configured.
func dialSocket(ctx context.Context, cfg *Config, addr string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, cfg.DialTimeout)
	defer cancel()
	open := cfg.Dialer
	if open == nil {
		open = (&net.Dialer{KeepAlive: 15 * time.Second}).DialContext
	}
	raw, err := open(ctx, "tcp", addr)
	if err != nil || cfg.TLS == nil {
		return raw, err
	}
	settings := cfg.TLS
	if settings.ServerName == "" {
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, errors.Join(err, raw.Close())
		}
		settings = settings.Clone()
		settings.ServerName = host
	}
	secured := tls.Client(raw, settings)
	if err := secured.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(err, raw.Close())
	}
	return secured, nil
}

// fromServer turns an error answer that go-redis parsed into a serverError, so
// that kindOf sees one sort only.
func fromServer(err error) error {
	var answer redis.Error
	if errors.As(err, &answer) {
		return fmt.Errorf("%w", serverError(answer.Error()))
	}
	return err
}

// send runs commands in one round trip and leaves their answers in c.answers, in
// order. What it returns as an error isn't an answer of the server: the outcome is
// open, and the connection is closed.
func (c *conn) send(ctx context.Context, commands ...[]any) error {
	if c.dead != nil {
		return c.dead
	}
	if err := ctx.Err(); err != nil {
		// Nothing is sent, but the caller can't tell; one rule for both.
		return c.kill(context.Cause(ctx))
	}
	if cap(c.answers.buf) > maxKeptBuffer {
		c.answers.buf = nil
	}
	c.answers.reset()
	for _, args := range commands {
		if err := c.pipe.Process(ctx, redis.NewRawWriteToCmd(ctx, &c.answers, args...)); err != nil {
			return c.kill(err)
		}
	}
	release := context.AfterFunc(ctx, func() { _ = c.raw.SetDeadline(time.Unix(1, 0)) })
	_, err := c.pipe.Exec(ctx)
	if !release() {
		// The deadline may have been set after the last byte was read; the socket is
		// of no more use either way.
		if err == nil {
			_ = c.kill(context.Cause(ctx))
			return nil
		}
		err = fmt.Errorf("%w (%w)", context.Cause(ctx), err)
	}
	if err != nil {
		return c.kill(err)
	}
	return nil
}

// multi runs commands that only read as one transaction: were MULTI refused, each
// would be run by itself. The answers' reader then stands before
// the first command's own answer.
func (c *conn) multi(ctx context.Context, commands ...[]any) error {
	all := make([][]any, 0, len(commands)+2)
	all = append(append(append(all, []any{"multi"}), commands...), []any{"exec"})
	if err := c.send(ctx, all...); err != nil {
		return err
	}
	if err := c.answers.statuses(len(commands) + 1); err != nil { // OK, and QUEUED for each
		return err
	}
	_, err := c.answers.array(len(commands))
	return err
}

// exec queues commands in the transaction that MULTI has begun, and runs it. It
// answers false where Redis didn't run it because a watched key was touched. Either
// way nothing is watched any more.
func (c *conn) exec(ctx context.Context, commands ...[]any) (done bool, err error) {
	all := make([][]any, 0, len(commands)+1)
	all = append(append(all, commands...), []any{"exec"})
	if err := c.send(ctx, all...); err != nil {
		return false, err
	}
	if err := c.answers.statuses(len(commands)); err != nil { // QUEUED for each
		return false, err
	}
	if c.answers.isNil() {
		return false, nil
	}
	_, err = c.answers.array(len(commands))
	return err == nil, err
}

// kill closes the connection because of err, and returns err.
func (c *conn) kill(err error) error {
	if c.dead == nil {
		c.dead = err
		c.shut()
	}
	return err
}

// close ends the connection.
func (c *conn) close() { _ = c.kill(errClosed) }

// shut frees the socket. That closing failed helps nobody.
func (c *conn) shut() {
	_ = c.sticky.Close()
	_ = c.client.Close()
}
