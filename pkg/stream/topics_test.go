package stream_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/perennial-cltv/perennial/pkg/stream"
	"github.com/perennial-cltv/perennial/pkg/stream/kafkatest"
	"github.com/perennial-cltv/perennial/pkg/task"
)

func TestCreateTopics(t *testing.T) {
	onBoth(t, func(t *testing.T, brokers []string, _ bool) {
		config := kafkatest.Config(t, brokers)
		c := kafkatest.Client(t, config)
		ctx := limit(t)
		if err := c.Ping(ctx); err == nil || !strings.Contains(err.Error(), config.Topics.Events) {
			t.Errorf("ready without topics: %v", err)
		}
		for range 2 {
			if err := c.CreateTopics(ctx, 3, 1); err != nil {
				t.Fatal(err)
			}
		}
		if err := c.Ping(ctx); err != nil {
			t.Error(err)
		}
		if n, err := c.Partitions(ctx, config.Topics.State); n != 3 || err != nil {
			t.Errorf("%d partitions, %v", n, err)
		}
		var other *stream.PartitionsError
		if err := c.CreateTopics(ctx, 4, 1); !errors.As(err, &other) || other.Have != 3 || other.Wanted != 4 {
			t.Errorf("another number of partitions: %v", err)
		}
		settings, err := (&kafka.Client{Addr: kafka.TCP(brokers...)}).DescribeConfigs(ctx, &kafka.DescribeConfigsRequest{
			Resources: []kafka.DescribeConfigRequestResource{
				{ResourceType: kafka.ResourceTypeTopic, ResourceName: config.Topics.State},
				{ResourceType: kafka.ResourceTypeTopic, ResourceName: config.Topics.Events},
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		got := make(map[string]string)
		for _, r := range settings.Resources {
			for _, e := range r.ConfigEntries {
				got[r.ResourceName+" "+e.ConfigName] = e.ConfigValue
			}
		}
		for name, want := range map[string]string{
			config.Topics.State + " cleanup.policy":          "compact",
			config.Topics.Events + " cleanup.policy":         "delete",
			config.Topics.Events + " retention.ms":           "34560000000",
			config.Topics.Events + " message.timestamp.type": "LogAppendTime",
		} {
			if got[name] != want {
				t.Errorf("%s is %q, want %q", name, got[name], want)
			}
		}
	})
}

func TestCreateTopicsRefusesWrongPolicy(t *testing.T) {
	onBoth(t, func(t *testing.T, brokers []string, _ bool) {
		config := kafkatest.Config(t, brokers)
		response, err := (&kafka.Client{Addr: kafka.TCP(brokers...)}).CreateTopics(limit(t), &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{{
			Topic: config.Topics.Events, NumPartitions: 2, ReplicationFactor: 1,
			ConfigEntries: []kafka.ConfigEntry{{ConfigName: "cleanup.policy", ConfigValue: "compact"}},
		}}})
		if err != nil || response.Errors[config.Topics.Events] != nil {
			t.Fatal(err, response)
		}
		err = kafkatest.Client(t, config).CreateTopics(limit(t), 2, 1)
		if err == nil || !strings.Contains(err.Error(), "cleanup.policy") {
			t.Errorf("an input that is compacted: %v", err)
		}
	})
}

// TestCreateTopicsWithBrokersBehind: a broker that hasn't heard of a new topic yet
// may be the one that is asked for its settings.
func TestCreateTopicsWithBrokersBehind(t *testing.T) {
	cluster := kafkatest.Fake(t)
	config := kafkatest.Config(t, cluster.ListenAddrs())
	asked := 0
	cluster.ControlKey(int16(kmsg.DescribeConfigs), func(request kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		if asked++; asked > 2 {
			return nil, nil, false
		}
		r := request.(*kmsg.DescribeConfigsRequest)
		response := r.ResponseKind().(*kmsg.DescribeConfigsResponse)
		for _, wanted := range r.Resources {
			resource := kmsg.NewDescribeConfigsResponseResource()
			resource.ResourceType, resource.ResourceName = wanted.ResourceType, wanted.ResourceName
			resource.ErrorCode = kerr.UnknownTopicOrPartition.Code
			response.Resources = append(response.Resources, resource)
		}
		return response, nil, true
	})
	if err := kafkatest.Client(t, config).CreateTopics(limit(t), 2, 1); err != nil {
		t.Fatal(err)
	}
	if asked != 3 {
		t.Errorf("asked %d times, want 3", asked)
	}
}

func TestReadAndTail(t *testing.T) {
	onBoth(t, func(t *testing.T, brokers []string, _ bool) {
		config := kafkatest.Config(t, brokers)
		c := kafkatest.Client(t, config)
		kafkatest.Topics(t, c, 2, 1)
		ctx := limit(t)
		topic := config.Topics.Events
		wantKind(t, c.Append(ctx, 0, 1, outs("a", 0, 50)), 0)
		wantKind(t, c.Append(ctx, 1, 1, outs("b", 0, 50)), 0)

		var got []string
		err := c.Read(ctx, topic, []stream.Span{{Partition: 1, From: 10, To: 12}, {Partition: 0, From: 48, To: -1}}, func(p int32, r *task.Record) error {
			got = append(got, fmt.Sprintf("%d:%s", p, r.Value))
			return nil
		})
		if want := []string{"1:b-10", "1:b-11", "0:a-48", "0:a-49"}; err != nil || !slices.Equal(got, want) {
			t.Errorf("read %v, %v, want %v", got, err, want)
		}
		enough := errors.New("enough")
		if err := c.Read(ctx, topic, nil, func(int32, *task.Record) error { return enough }); !errors.Is(err, enough) {
			t.Errorf("error %v", err)
		}

		tailing, stop := context.WithCancel(ctx)
		seen := make(map[string]bool)
		err = c.Tail(tailing, []string{topic, config.Topics.Updates}, stream.TailOptions{Last: 2}, func(_ string, _ int32, r *task.Record) error {
			seen[string(r.Value)] = true
			if len(seen) == 4 && !seen["new-0"] { // the last two of both; now something new
				if err := c.Append(ctx, 1, 1, outs("new", 0, 1)); err != nil {
					return err
				}
			}
			if seen["new-0"] {
				stop()
			}
			return nil
		})
		if err != nil || len(seen) != 5 || !seen["a-48"] || !seen["b-49"] || !seen["new-0"] {
			t.Errorf("saw %v, %v", seen, err)
		}
	})
}

// selfSigned is a certificate for 127.0.0.1, and who to trust for it.
func selfSigned(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "kafka"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(certificate)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

// TestSecuredKafka: TLS and each mechanism of SASL, for tasks and for groups;
// and what is said when the certificate or the password is wrong.
func TestSecuredKafka(t *testing.T) {
	certificate, trusted := selfSigned(t)
	for mechanism, name := range map[string]string{
		stream.SASLPlain: "PLAIN", stream.SASLScramSHA256: "SCRAM-SHA-256", stream.SASLScramSHA512: "SCRAM-SHA-512",
	} {
		t.Run(mechanism, func(t *testing.T) {
			cluster := kafkatest.Fake(t, kfake.EnableSASL(), kfake.Superuser(name, "acme", "secret"),
				kfake.TLS(&tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}))
			config := kafkatest.Config(t, cluster.ListenAddrs())
			config.TLS = &tls.Config{RootCAs: trusted, MinVersion: tls.VersionTLS12}
			config.SASL = stream.SASL{Mechanism: mechanism, User: "acme", Password: "secret"}
			c := kafkatest.Client(t, config)
			kafkatest.Topics(t, c, 1, 1)
			wantKind(t, produce(t, c, token(t, c, 0), 0, outs("a", 0, 3)), 0)
			if got := fetchAll(t, c, task.Updates, 0, 0, 3); len(got) != 3 {
				t.Errorf("fetched %v", got)
			}
			o := newOwners()
			member(t, config, o, "m")
			o.await(t, even(1, "m"))

			stranger := config
			stranger.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
			stranger.RetryFor = 100 * time.Millisecond
			wantKind(t, kafkatest.Client(t, stranger).Append(limit(t), 0, 1, outs("a", 0, 1)), task.KindStop)

			// The fake Kafka hangs up on a wrong password; a real one says so first.
			wrong := config
			wrong.SASL.Password = "guess"
			wrong.RetryFor = 100 * time.Millisecond
			if err := kafkatest.Client(t, wrong).Append(limit(t), 0, 1, outs("a", 0, 1)); err == nil {
				t.Error("a wrong password was taken")
			}
			refused := cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.SASLAuthenticate}, Err: kerr.SaslAuthenticationFailed, Count: -1, TopLevel: true})
			bad := kafkatest.Client(t, wrong)
			wantKind(t, bad.Append(limit(t), 0, 1, outs("a", 0, 1)), task.KindStop)
			if err := bad.Ping(limit(t)); !errors.Is(err, kafka.SASLAuthenticationFailed) {
				t.Errorf("wrong password: %v", err)
			}
			if err := bad.RunGroup(limit(t), "g", []string{config.Topics.Events}, nil); !errors.Is(err, kafka.SASLAuthenticationFailed) {
				t.Errorf("wrong password, group: %v", err)
			}
			refused.Remove()
		})
	}
}

func TestConfigValidate(t *testing.T) {
	if err := stream.Defaults("localhost:9092").Validate(); err != nil {
		t.Error(err)
	}
	for what, change := range map[string]func(c *stream.Config){
		"no brokers":      func(c *stream.Config) { c.Brokers = nil },
		"not host:port":   func(c *stream.Config) { c.Brokers = []string{"kafka"} },
		"SASL mechanism":  func(c *stream.Config) { c.SASL.Mechanism = "gssapi" },
		"has two uses":    func(c *stream.Config) { c.Topics.State = c.Topics.Updates },
		"has no name":     func(c *stream.Config) { c.Groups.Updater = "" },
		"RequestTimeout":  func(c *stream.Config) { c.RequestTimeout = 0 },
		"a third of":      func(c *stream.Config) { c.SessionTimeout = c.HeartbeatInterval },
		"BatchBytes is 5": func(c *stream.Config) { c.BatchBytes = 5 },
	} {
		c := stream.Defaults("localhost:9092")
		change(&c)
		if _, err := stream.New(c); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
