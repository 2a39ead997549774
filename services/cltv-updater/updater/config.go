package updater

import (
	"errors"

	"github.com/perennial-cltv/perennial/pkg/ops"
)

// Name is the program's, in logs, traces and metrics.
const Name = "cltv-updater"

// Config is all that the program can be told. Nothing in it changes a result:
// what does is a record in the log.
type Config struct {
	ops.Common `yaml:",inline"`
	Kafka      ops.Kafka `yaml:"kafka" doc:"The cluster that has the topics."`
	Redis      ops.Redis `yaml:"redis" doc:"The store that has the states."`
	Updater    Settings  `yaml:"updater" doc:"The tasks, one for each partition of customer.events.v1."`
}

// Settings are those of the tasks.
type Settings struct {
	CacheBytes       ops.Bytes `yaml:"cache_bytes" doc:"Memory for states of customers, shared by all partitions. What doesn't fit is read from Redis again."`
	BatchStates      int       `yaml:"batch_states" doc:"Customers at which a batch is committed. Redis serves nobody else of its shard while it does."`
	BatchBytes       ops.Bytes `yaml:"batch_bytes" doc:"Bytes of records and states at which a batch is committed. Where customers recur, and so have long histories, larger batches write each of them less often."`
	AcceptTrimmedLog bool      `yaml:"accept_trimmed_log" doc:"Go on once where retention has deleted the very last record that was taken in, so that it can't be checked whether the log is still the same. Set it when a task says so and the log is known to be."`
	// EmbeddedRedis is set by whoever brings Redis along in the process.
	EmbeddedRedis bool `yaml:"embedded_redis" doc:"Redis is the twin in this process, which can't be asked about eviction and replicas. For demos and tests only."`
}

// SettingsDefaults answers the defaults of the tasks.
func SettingsDefaults() Settings {
	return Settings{CacheBytes: 128 * ops.MiB, BatchStates: 2000, BatchBytes: 4 * ops.MiB}
}

// Validate refuses batches that would hold up a shard, or never fill.
func (s Settings) Validate() error {
	return errors.Join(
		ops.Check(s.CacheBytes >= 0, "cache_bytes", s.CacheBytes, "must not be negative"),
		ops.Check(s.BatchStates >= 1 && s.BatchStates <= 5000, "batch_states", s.BatchStates, "must be between 1 and 5000"),
		ops.Check(s.BatchBytes >= ops.KiB && s.BatchBytes <= 8*ops.MiB, "batch_bytes", s.BatchBytes, "must be between 1KiB and 8MiB"))
}

// Defaults answers the configuration of a program on this machine.
func Defaults() Config {
	return Config{Common: ops.CommonDefaults(":8083"), Kafka: ops.KafkaDefaults(), Redis: ops.RedisDefaults(), Updater: SettingsDefaults()}
}
