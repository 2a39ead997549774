package stream

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"time"

	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/segmentio/kafka-go/sasl/scram"
	"go.opentelemetry.io/otel/metric"
)

// Mechanisms of SASL.
const (
	SASLPlain       = "plain"
	SASLScramSHA256 = "scram-sha-256"
	SASLScramSHA512 = "scram-sha-512"
)

// SASL is who the client says it is. Mechanism "" means nobody.
type SASL struct {
	Mechanism string
	User      string
	Password  string
}

// Topics names the topics. Beside each input there is a topic for dead letters:
// see DeadLetterTopic.
type Topics struct {
	// Calls and Billing are the raw inputs, written by other systems.
	Calls, Billing string
	// Events is the input of the tasks.
	Events string
	// Updates, Churn and State are the outputs of the tasks.
	Updates, Churn, State string
	// Decisions is what the trainer decided about models.
	Decisions string
}

// DeadLetterTopic is where the records of topic go that nobody can use.
func DeadLetterTopic(topic string) string { return topic + ".dlq" }

// Groups names the consumer groups.
type Groups struct {
	// Ingester consumes Topics.Calls, Billing consumes Topics.Billing.
	Ingester, Billing string
	// Updater owns the tasks. It is also the first part of their transactional
	// ids, so two installations on one cluster need different names.
	Updater string
}

// Retention says how long topics keep records. Zero keeps for ever.
type Retention struct {
	// Raw is for the raw inputs and all dead letters.
	Raw time.Duration
	// Events bounds replay, and forgetting.
	Events time.Duration
	// Churn is for the changes of churn bands.
	Churn time.Duration
}

// Config is how to reach Kafka and what to find there. Start from Defaults.
type Config struct {
	// Brokers are host:port pairs, any of which leads to the others.
	Brokers  []string
	ClientID string
	// TLS is nil for plain connections.
	TLS  *tls.Config
	SASL SASL
	// Dial opens connections where TCP is not wanted; nil means TCP.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	Topics    Topics
	Groups    Groups
	Retention Retention
	// OtherTopics are known to the client besides Topics and their dead letters.
	OtherTopics []string

	// RequestTimeout bounds one request. A write that takes longer has an
	// unknown outcome.
	RequestTimeout time.Duration
	// RetryFor bounds trying again within one call of task.Log.
	RetryFor time.Duration
	// MetadataTTL bounds the age of what is known of leaders.
	MetadataTTL time.Duration

	// FetchWait is how long a fetch waits for the first record.
	FetchWait time.Duration
	// FetchBytes is what one fetch asks for; a larger batch comes whole.
	FetchBytes int
	// PrefetchBytes bounds what is read ahead of a partition, to within a fetch.
	// A partition that is behind takes about six times FetchBytes of memory.
	PrefetchBytes int

	// SessionTimeout is how long a group waits for a member that is silent. The
	// broker has a lower bound, by default 6 s.
	SessionTimeout time.Duration
	// HeartbeatInterval is also how soon a member hears of a rebalance.
	HeartbeatInterval time.Duration
	// RebalanceTimeout is how long a group waits for a member to finish.
	RebalanceTimeout time.Duration
	// CommitInterval is how often Consume commits.
	CommitInterval time.Duration

	// ProduceBytes bounds what a Producer holds; beyond it Send says ErrBusy.
	ProduceBytes int
	// BatchBytes bounds a Producer's batches, and with them a message.
	BatchBytes int
	// DeliverFor is how long a Producer tries to deliver a batch.
	DeliverFor time.Duration

	// Log receives what no caller hears of; nil means nobody.
	Log *slog.Logger
	// Meter receives the metrics; nil means nobody.
	Meter metric.Meter
}

// Defaults returns a configuration for brokers.
func Defaults(brokers ...string) Config {
	return Config{
		Brokers:  brokers,
		ClientID: "perennial",
		Topics: Topics{
			Calls: "dialer.calls.v1", Billing: "billing.events.v1",
			Events:  "customer.events.v1",
			Updates: "cltv.updates.v1", Churn: "churn.risk.v1", State: "cltv.state.v1",
			Decisions: "model.decisions.v1",
		},
		Groups:    Groups{Ingester: "call-ingester", Billing: "billing-consumer", Updater: "cltv-updater"},
		Retention: Retention{Raw: 7 * 24 * time.Hour, Events: 400 * 24 * time.Hour, Churn: 90 * 24 * time.Hour},

		RequestTimeout: 5 * time.Second,
		RetryFor:       2 * time.Second,
		MetadataTTL:    time.Second,

		FetchWait:     500 * time.Millisecond,
		FetchBytes:    256 << 10,
		PrefetchBytes: 512 << 10,

		SessionTimeout:    6 * time.Second,
		HeartbeatInterval: 500 * time.Millisecond,
		RebalanceTimeout:  6 * time.Second,
		CommitInterval:    time.Second,

		ProduceBytes: 64 << 20,
		BatchBytes:   1 << 20,
		DeliverFor:   30 * time.Second,
	}
}

// Validate says everything that is wrong with c.
func (c Config) Validate() error {
	var problems []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			problems = append(problems, fmt.Errorf(format, args...))
		}
	}
	check(len(c.Brokers) > 0, "no brokers")
	for _, b := range c.Brokers {
		_, _, err := net.SplitHostPort(b)
		check(err == nil, "broker %q is not host:port", b)
	}
	switch c.SASL.Mechanism {
	case "", SASLPlain, SASLScramSHA256, SASLScramSHA512:
	default:
		check(false, "SASL mechanism %q is none of %q, %q, %q", c.SASL.Mechanism, SASLPlain, SASLScramSHA256, SASLScramSHA512)
	}
	seen := make(map[string]bool)
	for _, t := range c.Topics.all() {
		check(t != "", "a topic has no name")
		check(!seen[t], "topic %q has two uses", t)
		seen[t] = true
	}
	check(c.Groups.Updater != "" && c.Groups.Ingester != "" && c.Groups.Billing != "", "a group has no name")
	for name, d := range map[string]time.Duration{
		"RequestTimeout": c.RequestTimeout, "RetryFor": c.RetryFor, "MetadataTTL": c.MetadataTTL,
		"FetchWait": c.FetchWait, "SessionTimeout": c.SessionTimeout, "HeartbeatInterval": c.HeartbeatInterval,
		"RebalanceTimeout": c.RebalanceTimeout, "CommitInterval": c.CommitInterval, "DeliverFor": c.DeliverFor,
	} {
		check(d >= time.Millisecond, "%s is %v, less than a millisecond", name, d)
	}
	check(c.HeartbeatInterval*3 <= c.SessionTimeout, "HeartbeatInterval %v is more than a third of SessionTimeout %v", c.HeartbeatInterval, c.SessionTimeout)
	for name, n := range map[string]int{
		"FetchBytes": c.FetchBytes, "PrefetchBytes": c.PrefetchBytes, "ProduceBytes": c.ProduceBytes, "BatchBytes": c.BatchBytes,
	} {
		check(n >= 1024 && n <= 1<<30, "%s is %d, not between 1 KiB and 1 GiB", name, n)
	}
	if err := errors.Join(problems...); err != nil {
		return fmt.Errorf("configuration of Kafka: %w", err)
	}
	return nil
}

// inputs are the topics that have dead letters.
func (t Topics) inputs() []string { return []string{t.Calls, t.Billing, t.Events} }

// all are the topics with those of the dead letters.
func (t Topics) all() []string {
	all := []string{t.Calls, t.Billing, t.Events, t.Updates, t.Churn, t.State, t.Decisions}
	for _, in := range t.inputs() {
		all = append(all, DeadLetterTopic(in))
	}
	return all
}

func (s SASL) mechanism() (sasl.Mechanism, error) {
	switch s.Mechanism {
	case SASLPlain:
		return plain.Mechanism{Username: s.User, Password: s.Password}, nil
	case SASLScramSHA256:
		return scram.Mechanism(scram.SHA256, s.User, s.Password)
	case SASLScramSHA512:
		return scram.Mechanism(scram.SHA512, s.User, s.Password)
	default:
		return nil, nil //nolint:nilnil // no mechanism is what was asked for
	}
}

// String names the brokers and never a secret.
func (c Config) String() string { return strings.Join(c.Brokers, ",") }
