package intake

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"strings"
)

// minTokenBytes keeps tokens from being guessed.
const minTokenBytes = 16

// everyTenant in a credential stands for all of them.
const everyTenant = "*"

// Credentials are the bearer tokens that are accepted and the tenants of each.
// Only hashes of the tokens are kept. The zero value accepts everybody.
type Credentials struct {
	tenants map[[sha256.Size]byte]tenants
}

// tenants is what a token is bound to; nil: every tenant.
type tenants map[string]bool

func (t tenants) has(tenant string) bool { return t == nil || t[tenant] }

// ParseCredentials reads one credential a line: tenants, separated by commas, or
// * for every tenant; space; the token, at least 16 bytes without space. Empty
// lines and lines that begin with # are skipped. Several lines may have one
// token, and a token counts for all their tenants. Errors name the line, never
// the token.
func ParseCredentials(text string) (Credentials, error) {
	c := Credentials{tenants: make(map[[sha256.Size]byte]tenants)}
	number := 0
	for line := range strings.Lines(text) {
		number++
		fields := strings.Fields(line)
		if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		if len(fields) != 2 {
			return Credentials{}, fmt.Errorf("credentials, line %d: want tenants and a token, got %d words", number, len(fields))
		}
		if len(fields[1]) < minTokenBytes {
			return Credentials{}, fmt.Errorf("credentials, line %d: the token is shorter than %d bytes", number, minTokenBytes)
		}
		if err := c.add(fields[0], sha256.Sum256([]byte(fields[1]))); err != nil {
			return Credentials{}, fmt.Errorf("credentials, line %d: %w", number, err)
		}
	}
	return c, nil
}

func (c Credentials) add(names string, token [sha256.Size]byte) error {
	known, seen := c.tenants[token]
	if names == everyTenant || seen && known == nil {
		c.tenants[token] = nil
		return nil
	}
	if known == nil {
		known = make(tenants)
		c.tenants[token] = known
	}
	for name := range strings.SplitSeq(names, ",") {
		if name == "" || len(name) > maxTenant || strings.ContainsFunc(name, func(r rune) bool { return !isTenant(r) }) {
			return fmt.Errorf("%q is no tenant: it must be 1 to 63 of a-z, 0-9 and -", name)
		}
		known[name] = true
	}
	return nil
}

// Open says whether everybody is accepted.
func (c Credentials) Open() bool { return len(c.tenants) == 0 }

// authorise returns the tenants of a request's token; false: who sent it isn't
// known. Tokens are looked up by their hash, so that the time it takes says
// nothing of them.
func (c Credentials) authorise(r *http.Request) (tenants, bool) {
	if c.Open() {
		return nil, true
	}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return nil, false
	}
	t, ok := c.tenants[sha256.Sum256([]byte(strings.TrimSpace(token)))]
	return t, ok
}
