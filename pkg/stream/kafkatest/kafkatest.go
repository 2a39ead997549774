// Package kafkatest gives tests a Kafka: a fake one in the process, or a real
// one.
//
// A real one is, in this order: the brokers that PERENNIAL_TEST_KAFKA names
// (host:port, separated by commas); brokers started here from Kafka's Maven
// artifacts, where java and mvn exist. Where neither can be had, or under
// -short, the test is skipped and says so; PERENNIAL_REQUIRE_REAL=1 makes that a
// failure.
package kafkatest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/perennial-cltv/perennial/pkg/stream"
)

// Fake starts a Kafka in the process. It ends with the test.
func Fake(t testing.TB, options ...kfake.Opt) *kfake.Cluster {
	t.Helper()
	cluster, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1)}, options...)...)
	if err != nil {
		t.Fatalf("starting a fake Kafka: %v", err)
	}
	t.Cleanup(cluster.Close)
	return cluster
}

// Config is a configuration for brokers, with names for topics and groups that
// no other test uses and waits that suit tests.
func Config(t testing.TB, brokers []string) stream.Config {
	t.Helper()
	c := stream.Defaults(brokers...)
	suffix := fmt.Sprintf(".%s.%d", sanitized(t.Name()), time.Now().UnixNano())
	for _, name := range []*string{
		&c.Topics.Calls, &c.Topics.Billing, &c.Topics.Events, &c.Topics.Updates, &c.Topics.Churn, &c.Topics.State, &c.Topics.Decisions,
		&c.Groups.Ingester, &c.Groups.Billing, &c.Groups.Updater,
	} {
		*name += suffix
	}
	c.MetadataTTL = 100 * time.Millisecond
	c.FetchWait = 100 * time.Millisecond
	c.HeartbeatInterval = 100 * time.Millisecond
	c.CommitInterval = 50 * time.Millisecond
	c.RetryFor = 10 * time.Second
	return c
}

func sanitized(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, name)
}

// Client makes a client that closes with the test.
func Client(t testing.TB, c stream.Config) *stream.Client {
	t.Helper()
	client, err := stream.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	})
	return client
}

// Topics makes a client's topics.
func Topics(t testing.TB, c *stream.Client, partitions int32, replication int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := c.CreateTopics(ctx, partitions, replication); err != nil {
		t.Fatal(err)
	}
}

// Brokers returns the addresses of a real Kafka that the test binary shares,
// one broker unless the environment names others.
func Brokers(t testing.TB) []string {
	t.Helper()
	notShort(t)
	if named := os.Getenv("PERENNIAL_TEST_KAFKA"); named != "" {
		return strings.Split(named, ",")
	}
	shared.Lock()
	defer shared.Unlock()
	if shared.cluster == nil {
		dir, err := os.MkdirTemp("", "perennial-kafka-")
		if err != nil {
			t.Fatal(err)
		}
		shared.cluster = start(t, 1, dir)
	}
	return shared.cluster.Addrs()
}

// Start starts a cluster of brokers of its own, which ends with the test, so
// that the test may stop, freeze and kill them.
func Start(t testing.TB, brokers int) *Cluster {
	t.Helper()
	notShort(t)
	c := start(t, brokers, t.TempDir())
	t.Cleanup(c.Stop)
	return c
}

// Main runs a package's tests and then stops what Brokers started. A package
// that uses Brokers calls it from TestMain, as the last thing there.
func Main(m *testing.M) {
	defer func() {
		shared.Lock()
		defer shared.Unlock()
		if shared.cluster != nil {
			shared.cluster.Stop()
			if err := os.RemoveAll(shared.cluster.dir); err != nil {
				fmt.Fprintln(os.Stderr, err)
			}
		}
	}()
	m.Run() // the exit code is remembered
}

func notShort(t testing.TB) {
	t.Helper()
	if testing.Short() {
		missing(t, "-short leaves it out")
	}
}

// missing ends a test that needs a real Kafka.
func missing(t testing.TB, format string, args ...any) {
	t.Helper()
	why := fmt.Sprintf(format, args...)
	if os.Getenv("PERENNIAL_REQUIRE_REAL") == "1" {
		t.Fatalf("no real Kafka: %s", why)
	}
	t.Skipf("not run, no real Kafka: %s", why)
}

// cacheDir is where the jars are kept between runs.
func cacheDir() (string, error) {
	base, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(base, "perennial", "kafka-"+version), nil
}
