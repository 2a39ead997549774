// Package connect turns settings into clients: what operators write, from
// pkg/ops, into what pkg/stream and pkg/store take.
package connect

import (
	"fmt"

	"github.com/perennial-cltv/perennial/pkg/ops"
	"github.com/perennial-cltv/perennial/pkg/store"
	"github.com/perennial-cltv/perennial/pkg/stream"
)

// Kafka answers a client of the cluster in settings, which logs and measures
// through rt. program is its name where the settings give none. It connects
// when it is first used.
func Kafka(program string, settings ops.Kafka, rt *ops.Runtime) (*stream.Client, error) {
	config := stream.Defaults(settings.Brokers...)
	config.ClientID = program
	if settings.ClientID != "" {
		config.ClientID = settings.ClientID
	}
	var err error
	if config.TLS, err = settings.TLS.Config(); err != nil {
		return nil, fmt.Errorf("kafka.tls: %w", err)
	}
	config.SASL = stream.SASL{Mechanism: settings.SASL.Mechanism, User: settings.SASL.User, Password: settings.SASL.Password.Reveal()}
	if rt != nil {
		config.Log = rt.Log.With("component", "kafka")
		config.Meter = rt.Meters.Meter("kafka")
		config.Dial = rt.Network.Dial
	}
	client, err := stream.New(config)
	return client, ops.Usage(err)
}

// Redis answers how to reach the store in settings.
func Redis(settings ops.Redis) (store.Config, error) {
	config := store.Config{
		Addrs: settings.Addrs, Mode: store.Mode(settings.Mode),
		Username: settings.Username, Password: settings.Password.Reveal(),
		Replicas: settings.Replicas, AwaitAOF: settings.AOF,
	}
	var err error
	if config.TLS, err = settings.TLS.Config(); err != nil {
		return store.Config{}, fmt.Errorf("redis.tls: %w", err)
	}
	return config, ops.Usage(config.Validate())
}
