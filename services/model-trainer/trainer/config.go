package trainer

import (
	"errors"
	"time"

	"github.com/perennial-cltv/perennial/pkg/ops"
)

// Name is the program's, in logs, traces and metrics.
const Name = "model-trainer"

// Config is all that the program can be told.
type Config struct {
	ops.Common `yaml:",inline"`
	Kafka      ops.Kafka `yaml:"kafka" doc:"The cluster that has the topics."`
	Trainer    Settings  `yaml:"trainer" doc:"When models are fitted anew."`
}

// Settings say when models are fitted anew.
type Settings struct {
	EveryDays int           `yaml:"every_days" doc:"Days of a tenant's clock between two trainings of its models, and the least that they are compared by. A model that an operator published is left in force as long."`
	Poll      time.Duration `yaml:"poll" doc:"How often new states are looked for."`
}

// SettingsDefaults answers the defaults.
func SettingsDefaults() Settings { return Settings{EveryDays: 28, Poll: 5 * time.Second} }

// Validate refuses trainings without end or pause.
func (s Settings) Validate() error {
	return errors.Join(
		ops.Check(s.EveryDays >= 1 && s.EveryDays <= 366, "every_days", s.EveryDays, "must be between 1 and 366"),
		ops.Check(s.Poll >= 100*time.Millisecond && s.Poll <= time.Hour, "poll", s.Poll, "must be between 100ms and 1h"))
}

// Defaults answers the configuration of a program on this machine.
func Defaults() Config {
	return Config{Common: ops.CommonDefaults(":8084"), Kafka: ops.KafkaDefaults(), Trainer: SettingsDefaults()}
}
