package ops

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"
)

// Common is what every service configures. A service's struct embeds it with
// the tag `yaml:",inline"`.
type Common struct {
	Admin     Admin         `yaml:"admin" doc:"Health, metrics and profiles, apart from what the service serves to others."`
	Log       Log           `yaml:"log" doc:"Structured logs on standard error."`
	Telemetry Telemetry     `yaml:"telemetry" doc:"OpenTelemetry traces."`
	StopGrace time.Duration `yaml:"stop_grace" doc:"How long a graceful stop may take before the process ends anyway."`
}

// CommonDefaults answers the defaults with the admin listener at adminListen.
func CommonDefaults(adminListen string) Common {
	return Common{
		Admin:     Admin{Listen: adminListen},
		Log:       Log{Level: "info", Format: "json"},
		Telemetry: Telemetry{SampleRatio: 1, Timeout: 5 * time.Second},
		StopGrace: 20 * time.Second,
	}
}

// Shared answers the part that every service has; [Main] asks for it.
func (c Common) Shared() Common { return c }

// Validate refuses a stop that would be given no time.
func (c Common) Validate() error {
	return Check(c.StopGrace > 0, "stop_grace", c.StopGrace, "must be above zero")
}

// Admin is the listener for operators.
type Admin struct {
	Listen string `yaml:"listen" doc:"host:port of /livez, /readyz and /metrics. Keep it off the public network."`
	Pprof  bool   `yaml:"pprof" doc:"Also serve profiles under /debug/pprof/."`
}

// Validate refuses an address that can't be listened on.
func (a Admin) Validate() error { return checkListen("listen", a.Listen) }

// Log says what is logged and how.
type Log struct {
	Level  string `yaml:"level" doc:"debug, info, warn or error. Customer ids are readable at debug only."`
	Format string `yaml:"format" doc:"json for machines, text for people."`
}

// Validate refuses unknown levels and formats.
func (l Log) Validate() error {
	return errors.Join(
		checkOneOf("level", l.Level, "debug", "info", "warn", "error"),
		checkOneOf("format", l.Format, "json", "text"))
}

// Telemetry says where traces go.
type Telemetry struct {
	OTLPEndpoint string        `yaml:"otlp_endpoint" doc:"URL of an OTLP/HTTP receiver, such as http://collector:4318; /v1/traces is added where it has no path. Empty: no traces are made, those of callers are still passed on."`
	OTLPHeaders  Secret        `yaml:"otlp_headers" doc:"Headers for the receiver, as name=value,name=value."`
	ServiceName  string        `yaml:"service_name" doc:"service.name in traces. Empty: the program's name."`
	SampleRatio  float64       `yaml:"sample_ratio" doc:"Share of new traces that are kept, 0 to 1. A trace that a caller began follows the caller's decision."`
	Timeout      time.Duration `yaml:"timeout" doc:"Limit of one export and of the last flush at stop."`
}

// Validate refuses what the exporter couldn't use.
func (t Telemetry) Validate() error {
	u, err := url.Parse(t.OTLPEndpoint)
	endpointOK := t.OTLPEndpoint == "" || (err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "")
	_, headersErr := parseHeaders(t.OTLPHeaders)
	return errors.Join(
		Check(endpointOK, "otlp_endpoint", t.OTLPEndpoint, "must be an http or https URL"),
		Check(headersErr == nil, "otlp_headers", t.OTLPHeaders, "must be name=value,name=value"),
		Check(t.SampleRatio >= 0 && t.SampleRatio <= 1, "sample_ratio", t.SampleRatio, "must be between 0 and 1"),
		Check(t.Timeout > 0, "timeout", t.Timeout, "must be above zero"))
}

// parseHeaders reads name=value,name=value.
func parseHeaders(s Secret) (map[string]string, error) {
	headers := map[string]string{}
	for part := range strings.SplitSeq(s.Reveal(), ",") {
		if strings.TrimSpace(part) == "" {
			continue
		}
		name, value, found := strings.Cut(part, "=")
		if name = strings.TrimSpace(name); !found || name == "" {
			return nil, errors.New("a header without a name or a value")
		}
		headers[name] = strings.TrimSpace(value)
	}
	return headers, nil
}

// HTTP is a listener for others and its limits.
type HTTP struct {
	Listen            string        `yaml:"listen" doc:"host:port to serve on."`
	ReadHeaderTimeout time.Duration `yaml:"read_header_timeout" doc:"Limit for a request's headers to arrive."`
	ReadTimeout       time.Duration `yaml:"read_timeout" doc:"Limit for a whole request to arrive."`
	WriteTimeout      time.Duration `yaml:"write_timeout" doc:"Limit for a request to be answered."`
	IdleTimeout       time.Duration `yaml:"idle_timeout" doc:"How long an unused connection is kept."`
	MaxBody           Bytes         `yaml:"max_body" doc:"Largest request body; a larger one is answered 413."`
}

// HTTPDefaults answers the defaults with the listener at listen.
func HTTPDefaults(listen string) HTTP {
	return HTTP{
		Listen: listen, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 30 * time.Second,
		WriteTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute, MaxBody: 4 * MiB,
	}
}

// Validate refuses an address that can't be listened on and limits of zero,
// which net/http would take for "no limit".
func (h HTTP) Validate() error {
	return errors.Join(
		checkListen("listen", h.Listen),
		Check(h.ReadHeaderTimeout > 0, "read_header_timeout", h.ReadHeaderTimeout, "must be above zero"),
		Check(h.ReadTimeout > 0, "read_timeout", h.ReadTimeout, "must be above zero"),
		Check(h.WriteTimeout > 0, "write_timeout", h.WriteTimeout, "must be above zero"),
		Check(h.IdleTimeout > 0, "idle_timeout", h.IdleTimeout, "must be above zero"),
		Check(h.MaxBody > 0, "max_body", h.MaxBody, "must be above zero"))
}

// Kafka says how to reach the cluster.
type Kafka struct {
	Brokers  []string `yaml:"brokers" doc:"Addresses to start from, host:port."`
	ClientID string   `yaml:"client_id" doc:"Name in the brokers' logs and quotas. Empty: the program's name."`
	TLS      TLS      `yaml:"tls" doc:"Encryption of the connections to the brokers."`
	SASL     SASL     `yaml:"sasl" doc:"Who we are to the brokers."`
}

// KafkaDefaults answers a broker on this machine, in the clear.
func KafkaDefaults() Kafka { return Kafka{Brokers: []string{"localhost:9092"}} }

// Validate refuses addresses without a port.
func (k Kafka) Validate() error { return checkAddresses("brokers", k.Brokers) }

// The SASL mechanisms.
const (
	SASLNone        = ""
	SASLPlain       = "plain"
	SASLScramSHA256 = "scram-sha-256"
	SASLScramSHA512 = "scram-sha-512"
)

// SASL is the identity shown to the brokers.
type SASL struct {
	Mechanism string `yaml:"mechanism" doc:"plain, scram-sha-256, scram-sha-512, or empty for none."`
	User      string `yaml:"user" doc:"User name."`
	Password  Secret `yaml:"password" doc:"Password."`
}

// Validate refuses a mechanism without a user, and a user without a mechanism,
// which would be silently ignored.
func (s SASL) Validate() error {
	return errors.Join(
		checkOneOf("mechanism", s.Mechanism, SASLNone, SASLPlain, SASLScramSHA256, SASLScramSHA512),
		Check(s.Mechanism == SASLNone || s.User != "", "user", s.User, "is needed by the mechanism"),
		Check(s.Mechanism == SASLNone || s.Password != "", "password", s.Password, "is needed by the mechanism"),
		Check(s.Mechanism != SASLNone || s.User == "", "user", s.User, "has no effect without a mechanism"))
}

// The ways to speak to Redis.
const (
	RedisAuto    = "auto"    // ask the server
	RedisSingle  = "single"  // one primary
	RedisCluster = "cluster" // Redis Cluster
)

// Redis says how to reach the store and how safe a write must be.
type Redis struct {
	Addrs    []string `yaml:"addrs" doc:"Addresses, host:port: the primary, or some nodes of the cluster."`
	Mode     string   `yaml:"mode" doc:"single, cluster, or auto to ask the server."`
	Username string   `yaml:"username" doc:"ACL user. Empty: the default user."`
	Password Secret   `yaml:"password" doc:"Password of the user."`
	TLS      TLS      `yaml:"tls" doc:"Encryption of the connections to Redis."`
	Replicas int      `yaml:"replicas" doc:"How many replicas must have the opening of a task before it starts. Set it to the number each primary has: with fewer a failover can bring a former owner back."`
	AOF      bool     `yaml:"aof" doc:"Also wait until the opening is in the append-only file, where the server is 7.2 or newer and keeps one."`
}

// RedisDefaults answers a server on this machine, in the clear, without replicas.
func RedisDefaults() Redis {
	return Redis{Addrs: []string{"localhost:6379"}, Mode: RedisAuto, AOF: true}
}

// Validate refuses addresses without a port, unknown modes and a number of
// replicas that can't be.
func (r Redis) Validate() error {
	return errors.Join(
		checkAddresses("addrs", r.Addrs),
		checkOneOf("mode", r.Mode, RedisAuto, RedisSingle, RedisCluster),
		Check(r.Mode != RedisSingle || len(r.Addrs) == 1, "addrs", strings.Join(r.Addrs, ","), "must be one address in mode single"),
		Check(r.Username == "" || r.Password != "", "password", r.Password, "is needed by the user name"),
		Check(r.Replicas >= 0 && r.Replicas <= 16, "replicas", r.Replicas, "must be between 0 and 16"))
}

// TLS says how a connection is encrypted and who vouches for whom.
type TLS struct {
	Enabled    bool   `yaml:"enabled" doc:"Encrypt, and verify the server's certificate."`
	CAFile     string `yaml:"ca_file" doc:"PEM file of the authorities to trust. Empty: the system's."`
	CertFile   string `yaml:"cert_file" doc:"PEM file of our own certificate, where the server wants one."`
	KeyFile    string `yaml:"key_file" doc:"PEM file of the key to cert_file."`
	ServerName string `yaml:"server_name" doc:"Name the server's certificate must have. Empty: the name in the address."`
}

// Validate refuses half a key pair, and files without TLS, which would be
// silently ignored.
func (t TLS) Validate() error {
	return errors.Join(
		Check((t.CertFile == "") == (t.KeyFile == ""), "cert_file", t.CertFile, "and key_file need each other"),
		Check(t.Enabled || t.CAFile == "", "ca_file", t.CAFile, "has no effect unless enabled"),
		Check(t.Enabled || t.CertFile == "", "cert_file", t.CertFile, "has no effect unless enabled"))
}

// Config reads the files and answers what crypto/tls wants; nil without error
// where TLS isn't enabled.
func (t TLS) Config() (*tls.Config, error) {
	if !t.Enabled {
		return nil, nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName}
	if t.CAFile != "" {
		pem, err := os.ReadFile(t.CAFile)
		if err != nil {
			return nil, Usage(fmt.Errorf("reading the authorities to trust: %w", err))
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, Usagef("no certificate in %s", t.CAFile)
		}
	}
	if t.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
		if err != nil {
			return nil, Usage(fmt.Errorf("reading our certificate: %w", err))
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

func checkOneOf(field, value string, allowed ...string) error {
	named := slices.DeleteFunc(slices.Clone(allowed), func(s string) bool { return s == "" })
	reason := "must be one of " + strings.Join(named, ", ")
	if len(named) < len(allowed) {
		reason += ", or empty"
	}
	return Check(slices.Contains(allowed, value), field, value, reason)
}

func checkListen(field, addr string) error {
	_, port, err := net.SplitHostPort(addr)
	return Check(err == nil && port != "", field, addr, "must be host:port or :port")
}

func checkAddresses(field string, addrs []string) error {
	if len(addrs) == 0 {
		return Check(false, field, "", "needs at least one address")
	}
	for _, addr := range addrs {
		host, port, err := net.SplitHostPort(addr)
		if err != nil || host == "" || port == "" {
			return Check(false, field, addr, "must be host:port")
		}
	}
	return nil
}
