package gate

import (
	"errors"
	"time"

	"github.com/perennial-cltv/perennial/pkg/intake"
	"github.com/perennial-cltv/perennial/pkg/ops"
)

// Settings are what operators say about an intake.
type Settings struct {
	Credentials     ops.Secret    `yaml:"credentials" doc:"Who may post: a line each of tenants, comma separated, or * for all, and a token of 16 bytes or more, which comes as a bearer token. Empty: everybody may."`
	HashKey         ops.Secret    `yaml:"hash_key" doc:"Key, 16 bytes or more, by which telephone numbers and e-mail addresses that name customers are hashed; the same in every intake, for good. Empty: they are refused."`
	MaxRecord       ops.Bytes     `yaml:"max_record" doc:"Largest record of the raw topic; a larger one is dead-lettered."`
	FutureTolerance time.Duration `yaml:"future_tolerance" doc:"How far occurred_at may be ahead of the clock."`
	HTTPBackfill    bool          `yaml:"http_backfill" doc:"Also take events over HTTP that are marked as history. The raw topic takes them always, from the importer."`
	QuotaPerSecond  float64       `yaml:"quota_per_second" doc:"Events a second that a tenant may post in the long run; more are answered 429. 0: any number."`
	QuotaBurst      int           `yaml:"quota_burst" doc:"Events that a tenant may post at once."`
	MaxRequests     int           `yaml:"max_requests" doc:"Requests under way; more are answered 503."`
}

// SettingsDefaults answers the defaults.
func SettingsDefaults() Settings {
	return Settings{MaxRecord: ops.MiB, FutureTolerance: 24 * time.Hour, QuotaBurst: 1000, MaxRequests: 256}
}

// Validate refuses what the intake couldn't be made with.
func (s Settings) Validate() error {
	_, credentials := intake.ParseCredentials(s.Credentials.Reveal())
	reason := ""
	if credentials != nil {
		reason = credentials.Error() // names the line, never the token
	}
	return errors.Join(
		ops.Check(credentials == nil, "credentials", s.Credentials, reason),
		ops.Check(s.HashKey == "" || len(s.HashKey.Reveal()) >= 16, "hash_key", s.HashKey, "must have 16 bytes or more"),
		ops.Check(s.MaxRecord >= ops.KiB && s.MaxRecord <= 64*ops.MiB, "max_record", s.MaxRecord, "must be between 1KiB and 64MiB"),
		ops.Check(s.FutureTolerance > 0, "future_tolerance", s.FutureTolerance, "must be above zero"),
		ops.Check(s.QuotaPerSecond >= 0, "quota_per_second", s.QuotaPerSecond, "must not be negative"),
		ops.Check(s.QuotaBurst >= 1, "quota_burst", s.QuotaBurst, "must be above zero"),
		ops.Check(s.MaxRequests >= 1, "max_requests", s.MaxRequests, "must be above zero"))
}

// Config answers the rules for records of a raw topic of these kinds.
func (s Settings) Config(kinds intake.KindSet) intake.Config {
	return intake.Config{
		Kinds: kinds, AllowBackfill: true, MaxBytes: int(s.MaxRecord), FutureTolerance: s.FutureTolerance,
		HashKey: []byte(s.HashKey.Reveal()),
	}
}
