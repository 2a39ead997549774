package ops

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// TestRulesOfSections: each case breaks one rule of valid settings, and the
// answer must name that field.
func TestRulesOfSections(t *testing.T) {
	type rules interface{ Validate() error }
	kafka, redis, web, common := KafkaDefaults(), RedisDefaults(), HTTPDefaults(":1"), CommonDefaults(":1")
	for _, c := range []rules{kafka, redis, web, common, common.Admin, common.Log, common.Telemetry, TLS{}, SASL{},
		SASL{Mechanism: SASLScramSHA512, User: "u", Password: "p"}, TLS{Enabled: true, CAFile: "x", CertFile: "c", KeyFile: "k"}} {
		if err := c.Validate(); err != nil {
			t.Errorf("%+v is refused: %v", c, err)
		}
	}
	with := func(change func(r *Redis)) Redis { r := redis; change(&r); return r }
	withHTTP := func(change func(h *HTTP)) HTTP { h := web; change(&h); return h }
	withTelemetry := func(change func(t *Telemetry)) Telemetry { t := common.Telemetry; change(&t); return t }
	for _, c := range []struct {
		rules rules
		field string
	}{
		{Kafka{}, "brokers"},
		{Kafka{Brokers: []string{"a:1", "b"}}, "brokers"},
		{Kafka{Brokers: []string{":9092"}}, "brokers"},
		{SASL{Mechanism: "PLAIN"}, "mechanism"},
		{SASL{Mechanism: SASLPlain, Password: "p"}, "user"},
		{SASL{Mechanism: SASLPlain, User: "u"}, "password"},
		{SASL{User: "u"}, "user"},
		{TLS{Enabled: true, CertFile: "c"}, "cert_file"},
		{TLS{Enabled: true, KeyFile: "k"}, "cert_file"},
		{TLS{CAFile: "c"}, "ca_file"},
		{TLS{CertFile: "c", KeyFile: "k"}, "cert_file"},
		{with(func(r *Redis) { r.Addrs = nil }), "addrs"},
		{with(func(r *Redis) { r.Mode = "sentinel" }), "mode"},
		{with(func(r *Redis) { r.Mode, r.Addrs = RedisSingle, []string{"a:1", "b:2"} }), "addrs"},
		{with(func(r *Redis) { r.Username = "u" }), "password"},
		{with(func(r *Redis) { r.Replicas = -1 }), "replicas"},
		{withHTTP(func(h *HTTP) { h.Listen = "8081" }), "listen"},
		{withHTTP(func(h *HTTP) { h.ReadHeaderTimeout = 0 }), "read_header_timeout"},
		{withHTTP(func(h *HTTP) { h.ReadTimeout = 0 }), "read_timeout"},
		{withHTTP(func(h *HTTP) { h.WriteTimeout = -1 }), "write_timeout"},
		{withHTTP(func(h *HTTP) { h.IdleTimeout = 0 }), "idle_timeout"},
		{withHTTP(func(h *HTTP) { h.MaxBody = 0 }), "max_body"},
		{Admin{}, "listen"},
		{Log{Level: "info", Format: "xml"}, "format"},
		{withTelemetry(func(c *Telemetry) { c.OTLPEndpoint = "collector:4318" }), "otlp_endpoint"},
		{withTelemetry(func(c *Telemetry) { c.OTLPHeaders = "authorization" }), "otlp_headers"},
		{withTelemetry(func(c *Telemetry) { c.SampleRatio = 1.01 }), "sample_ratio"},
		{withTelemetry(func(c *Telemetry) { c.Timeout = 0 }), "timeout"},
		{Common{}, "stop_grace"},
	} {
		var field *FieldError
		if err := c.rules.Validate(); !errors.As(err, &field) || field.Field != c.field {
			t.Errorf("%T %+v: error %v, want one of field %s", c.rules, c.rules, err, c.field)
		}
	}
}

func TestTLSConfigOff(t *testing.T) {
	if c, err := (TLS{}).Config(); c != nil || err != nil {
		t.Fatalf("got %v, %v", c, err)
	}
}

func TestTLSConfigMistakes(t *testing.T) {
	empty := write(t, "no certificate")
	for _, c := range []TLS{
		{Enabled: true, CAFile: "/nowhere"}, {Enabled: true, CAFile: empty},
		{Enabled: true, CertFile: empty, KeyFile: empty},
	} {
		if _, err := c.Config(); ExitCode(err) != ExitUsage {
			t.Errorf("%+v: error %v", c, err)
		}
	}
}

// TestTLSConfigConnects: a server that wants a certificate of ours accepts the
// one in the files, and we accept its.
func TestTLSConfigConnects(t *testing.T) {
	certPEM, keyPEM := selfSigned(t)
	settings := TLS{Enabled: true, CAFile: write(t, certPEM), CertFile: write(t, certPEM), KeyFile: write(t, keyPEM), ServerName: "localhost"}
	config, err := settings.Config()
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte(r.TLS.PeerCertificates[0].Subject.CommonName))
	}))
	server.TLS = &tls.Config{Certificates: config.Certificates, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: config.RootCAs, MinVersion: tls.VersionTLS12}
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // it will complain of the client that refuses it
	server.StartTLS()
	defer server.Close()
	get := func(c *tls.Config) error {
		client := http.Client{Transport: &http.Transport{TLSClientConfig: c, DisableKeepAlives: true}}
		response, err := client.Get(server.URL)
		if err != nil {
			return err
		}
		return response.Body.Close()
	}
	if err := get(config); err != nil {
		t.Errorf("with the files: %v", err)
	}
	other, err := (TLS{Enabled: true}).Config()
	if err != nil {
		t.Fatal(err)
	}
	if err := get(other); err == nil {
		t.Error("a server nobody vouches for was trusted")
	}
}

// selfSigned answers a certificate for localhost and its key, as PEM.
func selfSigned(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "perennial"}, NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}))
}
