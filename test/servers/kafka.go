package servers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/testcontainers/testcontainers-go"

	"github.com/perennial-cltv/perennial/pkg/stream"
	"github.com/perennial-cltv/perennial/pkg/stream/kafkatest"
)

const kafkaImage = "apache/kafka:4.2.1"

// Kafka is a cluster of brokers.
type Kafka struct {
	// Addrs are the brokers' addresses.
	Addrs []string

	brokers []process
	alive   []bool
}

// AnyKafka answers the Kafka that the environment names, without the topics of
// Perennial, or a broker of its own.
func AnyKafka(t testing.TB) *Kafka {
	t.Helper()
	named := os.Getenv("PERENNIAL_TEST_KAFKA")
	if named == "" {
		return StartKafka(t, 1)
	}
	k := &Kafka{Addrs: strings.Split(named, ",")}
	k.deleteTopics(t)
	return k
}

// StartKafka starts a cluster of brokers, which ends with the test. Each is also
// a controller, so that most of them must live.
func StartKafka(t testing.TB, brokers int) *Kafka {
	t.Helper()
	k := &Kafka{alive: make([]bool, brokers)}
	if useDocker(t) {
		k.startContainers(t, brokers)
	} else {
		cluster := kafkatest.Start(t, brokers)
		k.Addrs = cluster.Addrs()
		for i := range brokers {
			k.brokers = append(k.brokers, brokerProcess{cluster, i})
		}
	}
	for i := range brokers {
		k.alive[i] = true
	}
	k.awaitBrokers(t)
	return k
}

// brokerProcess is a broker of kafkatest.
type brokerProcess struct {
	cluster *kafkatest.Cluster
	index   int
}

func (b brokerProcess) kill(t testing.TB)    { t.Helper(); b.cluster.Kill(t, b.index) }
func (b brokerProcess) restart(t testing.TB) { t.Helper(); b.cluster.Restart(t, b.index) }

func (k *Kafka) startContainers(t testing.TB, brokers int) {
	t.Helper()
	controllers, voters := make([]string, brokers), make([]string, brokers)
	for i := range brokers {
		k.Addrs = append(k.Addrs, address(FreePort(t)))
		controllers[i] = address(FreePort(t))
		voters[i] = fmt.Sprintf("%d@%s", i+1, controllers[i])
	}
	for i := range brokers {
		k.brokers = append(k.brokers, runContainer(t, kafkaImage,
			testcontainers.WithEnv(brokerSettings(i+1, brokers, k.Addrs[i], controllers[i], strings.Join(voters, ",")))))
	}
}

// brokerSettings are those of a broker that forgets and replaces dead ones soon.
func brokerSettings(id, brokers int, addr, controller, voters string) map[string]string {
	replicas := min(brokers, 3)
	inSync := fmt.Sprint(max(1, replicas-1))
	return map[string]string{
		"CLUSTER_ID":                                     "4L6g3nShT-eMCtK--X86sw",
		"KAFKA_HEAP_OPTS":                                "-Xmx512m",
		"KAFKA_JVM_PERFORMANCE_OPTS":                     "-XX:+UseSerialGC -XX:TieredStopAtLevel=1", // starts in half the time
		"KAFKA_NODE_ID":                                  fmt.Sprint(id),
		"KAFKA_PROCESS_ROLES":                            "broker,controller",
		"KAFKA_CONTROLLER_QUORUM_VOTERS":                 voters,
		"KAFKA_CONTROLLER_LISTENER_NAMES":                "CONTROLLER",
		"KAFKA_LISTENERS":                                "PLAINTEXT://" + addr + ",CONTROLLER://" + controller,
		"KAFKA_ADVERTISED_LISTENERS":                     "PLAINTEXT://" + addr,
		"KAFKA_LISTENER_SECURITY_PROTOCOL_MAP":           "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
		"KAFKA_INTER_BROKER_LISTENER_NAME":               "PLAINTEXT",
		"KAFKA_LOG_DIRS":                                 "/tmp/kafka-data",
		"KAFKA_AUTO_CREATE_TOPICS_ENABLE":                "false",
		"KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS":         "0",
		"KAFKA_DEFAULT_REPLICATION_FACTOR":               fmt.Sprint(replicas),
		"KAFKA_MIN_INSYNC_REPLICAS":                      inSync,
		"KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR":         fmt.Sprint(replicas),
		"KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS":             "4",
		"KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": fmt.Sprint(replicas),
		"KAFKA_TRANSACTION_STATE_LOG_MIN_ISR":            inSync,
		"KAFKA_TRANSACTION_STATE_LOG_NUM_PARTITIONS":     "4",
		"KAFKA_BROKER_SESSION_TIMEOUT_MS":                "4000",
		"KAFKA_BROKER_HEARTBEAT_INTERVAL_MS":             "500",
	}
}

// Kill ends a broker, counted from 0, as a crash does.
func (k *Kafka) Kill(t testing.TB, broker int) {
	t.Helper()
	k.brokers[broker].kill(t)
	k.alive[broker] = false
}

// Restart starts a killed broker with its data, and returns when all that live
// know it.
func (k *Kafka) Restart(t testing.TB, broker int) {
	t.Helper()
	k.brokers[broker].restart(t)
	k.alive[broker] = true
	k.awaitBrokers(t)
}

// awaitBrokers waits until every living broker knows as many as live.
func (k *Kafka) awaitBrokers(t testing.TB) {
	t.Helper()
	living := 0
	for _, alive := range k.alive {
		if alive {
			living++
		}
	}
	for i, addr := range k.Addrs {
		if !k.alive[i] {
			continue
		}
		client := kafka.Client{Addr: kafka.TCP(addr), Timeout: 5 * time.Second}
		await(t, "the broker at "+addr+" serves", func() error {
			meta, err := client.Metadata(context.Background(), &kafka.MetadataRequest{})
			if err == nil && len(meta.Brokers) < living {
				err = fmt.Errorf("it knows %d of %d brokers", len(meta.Brokers), living)
			}
			return err
		})
	}
}

// deleteTopics deletes what another test left on a Kafka that stays.
func (k *Kafka) deleteTopics(t testing.TB) {
	t.Helper()
	names := stream.Defaults().Topics
	ours := []string{names.Calls, names.Billing, names.Events, names.Updates, names.Churn, names.State}
	for _, input := range []string{names.Calls, names.Billing, names.Events} {
		ours = append(ours, stream.DeadLetterTopic(input))
	}
	client := kafka.Client{Addr: kafka.TCP(k.Addrs...), Timeout: 10 * time.Second}
	await(t, "the topics of an earlier test are gone", func() error {
		meta, err := client.Metadata(context.Background(), &kafka.MetadataRequest{})
		if err != nil {
			return err
		}
		var there []string
		for _, topic := range meta.Topics {
			if slices.Contains(ours, topic.Name) {
				there = append(there, topic.Name)
			}
		}
		if len(there) == 0 {
			return nil
		}
		if _, err := client.DeleteTopics(context.Background(), &kafka.DeleteTopicsRequest{Topics: there}); err != nil {
			return err
		}
		return errors.New("just asked for it")
	})
}
