package redistest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/perennial-cltv/perennial/pkg/store"
)

// StartTLS starts a server that speaks TLS only, with a certificate for 127.0.0.1,
// and returns the settings that trust it. A redis-server built without TLS counts as
// none.
func StartTLS(t testing.TB, args ...string) (*Server, *tls.Config) {
	t.Helper()
	requireBinary(t)
	if version, err := exec.CommandContext(t.Context(), "ldd", lookPath(t)).Output(); err == nil && !strings.Contains(string(version), "libssl") {
		const what = "TLS to Redis was not tested: this redis-server is built without it"
		if os.Getenv("PERENNIAL_REQUIRE_REAL") == "1" {
			t.Fatal(what)
		}
		t.Skip(what)
	}
	dir := t.TempDir()
	settings := certificate(t, dir)
	addr := freeAddr(t)
	s := &Server{
		t: t, dir: dir, Addr: addr,
		// The last --port wins: 0 closes the port without TLS.
		args: append([]string{"--port", "0", "--tls-port", portOf(addr), "--tls-auth-clients", "no",
			"--tls-cert-file", filepath.Join(dir, "cert.pem"), "--tls-key-file", filepath.Join(dir, "key.pem"),
			"--tls-ca-cert-file", filepath.Join(dir, "cert.pem")}, args...),
		client: redis.NewClient(&redis.Options{Addr: addr, Protocol: 2, DisableIdentity: true, TLSConfig: settings}),
		config: store.Config{Addrs: []string{addr}, TLS: settings},
	}
	if err := s.launch(); err != nil {
		t.Fatalf("redis-server with TLS didn't start: %v", err)
	}
	t.Cleanup(s.stop)
	return s, settings
}

func lookPath(t testing.TB) string {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// certificate writes a self-signed certificate and its key to dir.
func certificate(t testing.TB, dir string) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "redistest"},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(24 * time.Hour),
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1)},
		BasicConstraintsValid: true,
		IsCA:                  true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{
		"cert.pem": {Type: "CERTIFICATE", Bytes: der},
		"key.pem":  {Type: "EC PRIVATE KEY", Bytes: keyDER},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(parsed)
	return &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
}
