package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/perennial-cltv/perennial/pkg/store/redistest"
	"github.com/perennial-cltv/perennial/pkg/stream"
	"github.com/perennial-cltv/perennial/pkg/stream/kafkatest"
)

// stack is the servers of one workload, each a process of its own on the
// loopback interface, and the updater once it runs.
type stack struct {
	host   *host
	kafka  *kafkatest.Cluster
	redis  *redistest.Server
	client *stream.Client

	binary  string // of the updater
	cache   string // its updater.cache_bytes, empty for the default
	admin   string
	updater *exec.Cmd
	exited  chan struct{}
	log     string
}

// newStack starts one broker and one Redis, and makes the topics.
func newStack(h *host, o *options) (*stack, error) {
	s := &stack{host: h, kafka: kafkatest.Start(h, 1), redis: redistest.Start(h), binary: o.binary, cache: o.cache}
	config := stream.Defaults(s.kafka.Addrs()...)
	config.OtherTopics = []string{passTopic}
	var err error
	if s.client, err = stream.New(config); err != nil {
		return nil, err
	}
	h.Cleanup(func() { _ = s.client.Close() })
	ctx, cancel := context.WithTimeout(h.ctx, time.Minute)
	defer cancel()
	return s, s.client.CreateTopics(ctx, int32(o.partitions), 1)
}

// startUpdater starts cltv-updater and waits until its tasks are open.
func (s *stack) startUpdater() error {
	l, err := new(net.ListenConfig).Listen(s.host.ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s.admin = l.Addr().String()
	if err := l.Close(); err != nil {
		return err
	}
	s.log = filepath.Join(s.host.TempDir(), "updater.log")
	out, err := os.Create(s.log)
	if err != nil {
		return err
	}
	defer out.Close()
	s.updater = exec.CommandContext(s.host.ctx, s.binary)
	s.updater.Env = append(os.Environ(),
		"PERENNIAL_KAFKA_BROKERS="+strings.Join(s.kafka.Addrs(), ","), "PERENNIAL_REDIS_ADDRS="+s.redis.Addr,
		"PERENNIAL_ADMIN_LISTEN="+s.admin, "PERENNIAL_ADMIN_PPROF=true")
	if s.cache != "" {
		s.updater.Env = append(s.updater.Env, "PERENNIAL_UPDATER_CACHE_BYTES="+s.cache)
	}
	s.updater.Stdout, s.updater.Stderr = out, out
	if err := s.updater.Start(); err != nil {
		return err
	}
	s.exited = make(chan struct{})
	go func() {
		_ = s.updater.Wait() // killed in the end
		close(s.exited)
	}()
	s.host.Cleanup(s.stopUpdater)
	return s.await("the updater is ready", func() error { return s.get("/readyz", nil) })
}

func (s *stack) stopUpdater() {
	_ = s.updater.Process.Kill() // it may have ended
	<-s.exited
}

// get asks the updater's admin listener and gives the answer to body, if there
// is one.
func (s *stack) get(path string, body func(*http.Response) error) error {
	request, err := http.NewRequestWithContext(s.host.ctx, http.MethodGet, "http://"+s.admin+path, http.NoBody)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", path, response.Status)
	}
	if body == nil {
		return nil
	}
	return body(response)
}

// await calls f until it returns nil, for a minute, or until the updater ends.
func (s *stack) await(what string, f func() error) error {
	for end := time.Now().Add(time.Minute); ; {
		err := f()
		if err == nil {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("waited a minute until %s: %w", what, err)
		}
		select {
		case <-s.exited:
			return s.ended()
		case <-s.host.ctx.Done():
			return s.host.ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// ended is the error of an updater that is gone.
func (s *stack) ended() error {
	said, err := os.ReadFile(s.log)
	const most = 4000
	return errors.Join(fmt.Errorf("the updater ended; it said: %s", said[max(0, len(said)-most):]), err)
}

// build compiles the updater as it is in the tree, as make build does.
func build(ctx context.Context, dir string) (string, error) {
	binary := filepath.Join(dir, "cltv-updater")
	command := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", binary,
		"github.com/perennial-cltv/perennial/services/cltv-updater")
	command.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := command.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the updater: %w\n%s", err, out)
	}
	return binary, nil
}
