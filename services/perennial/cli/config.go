package cli

import (
	"github.com/perennial-cltv/perennial/pkg/ops"
	"github.com/perennial-cltv/perennial/services/cltv-updater/updater"
	"github.com/perennial-cltv/perennial/services/gate"
	"github.com/perennial-cltv/perennial/services/model-trainer/trainer"
)

// Config is all that perennial can be told: what the services can, once
// for all of them where that makes sense.
type Config struct {
	ops.Common `yaml:",inline"`
	Kafka      ops.Kafka        `yaml:"kafka" doc:"The cluster that has the topics."`
	Redis      ops.Redis        `yaml:"redis" doc:"The store that has the states."`
	Intake     gate.Settings    `yaml:"intake" doc:"Who may send what, to both intakes."`
	Calls      Listener         `yaml:"calls" doc:"call-ingester."`
	Billing    Listener         `yaml:"billing" doc:"billing-consumer."`
	Updater    updater.Settings `yaml:"updater" doc:"The tasks, one for each partition of customer.events.v1."`
	Trainer    trainer.Settings `yaml:"trainer" doc:"model-trainer."`
}

// Listener is where one of the intakes listens.
type Listener struct {
	HTTP ops.HTTP `yaml:"http" doc:"Where events are posted."`
}

// Defaults answers the configuration of a program on this machine.
func Defaults() Config {
	return Config{
		Common: ops.CommonDefaults(":8083"), Kafka: ops.KafkaDefaults(), Redis: ops.RedisDefaults(),
		Intake: gate.SettingsDefaults(), Calls: Listener{ops.HTTPDefaults(":8081")}, Billing: Listener{ops.HTTPDefaults(":8082")},
		Updater: updater.SettingsDefaults(), Trainer: trainer.SettingsDefaults(),
	}
}

// inProcess as the host of brokers and of Redis stands for the twins in this
// process; only commands that start services know it.
const inProcess = "in-process"

// serveDefaults answers the defaults of commands that start the services.
func serveDefaults() Config {
	c := Defaults()
	c.Kafka.Brokers = []string{inProcess + ":9092"}
	c.Redis.Addrs = []string{inProcess + ":6379"}
	return c
}
