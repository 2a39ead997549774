package ingester

import (
	"github.com/perennial-cltv/perennial/pkg/ops"
	"github.com/perennial-cltv/perennial/services/gate"
)

// Name is the program's, in logs, traces and metrics.
const Name = "call-ingester"

// Config is all that the program can be told.
type Config struct {
	ops.Common `yaml:",inline"`
	Kafka      ops.Kafka     `yaml:"kafka" doc:"The cluster that has the topics."`
	HTTP       ops.HTTP      `yaml:"http" doc:"Where events are posted."`
	Intake     gate.Settings `yaml:"intake" doc:"Who may send what."`
}

// Defaults answers the configuration of a program on this machine.
func Defaults() Config {
	return Config{
		Common: ops.CommonDefaults(":9081"), Kafka: ops.KafkaDefaults(),
		HTTP: ops.HTTPDefaults(":8081"), Intake: gate.SettingsDefaults(),
	}
}
