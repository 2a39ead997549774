package intake

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestContacts(t *testing.T) {
	key := []byte("0123456789abcdef")
	in := newIntake(t, func(c *Config) { c.HashKey = key })
	hash := func(kind, contact string) string {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(kind + ":acme\x00" + contact))
		return kind + ":" + hex.EncodeToString(mac.Sum(nil))
	}
	phone, mail := hash("phone", "+13035550123"), hash("email", "jane@example.com")
	for give, want := range map[string]string{
		"tel:+13035550123":        phone,
		"TEL:+1-303-555-0123":     phone,
		"tel:+13035550123;ext=7":  phone,
		"+13035550123":            phone,
		"+1 (303) 555-0123":       phone,
		"+1.303.555.0123":         phone,
		"mailto:jane@example.com": mail,
		"Jane@Example.COM":        mail,
		phone:                     phone,
		mail:                      mail,
		"3035550123":              "3035550123", // a customer number, for all we know
		"C-10042":                 "C-10042",
		"+":                       "+",
		"+123":                    "+123",
		"user@host":               "user@host", // no address: the domain has no dot
		"@handle.example":         "@handle.example",
		"a@b@c.example":           "a@b@c.example",
		"phones":                  "phones",
		"telephone":               "telephone",
		"2025-03-31 14:15":        "2025-03-31 14:15",
	} {
		got, _, problem := in.contact("acme", give)
		if got != want || problem != "" {
			t.Errorf("%s: became %s (%s), want %s", give, got, problem, want)
		}
	}
	for _, give := range []string{"tel:", "tel:5550123", "tel:+1", "tel:+1234567890123456", "tel:+1303555O123", "(303) 555-0123",
		"mailto:", "mailto:jane", "phone:1", "email:" + strings.Repeat("g", 64), "PHONE:" + phone[6:], "phone:" + strings.ToUpper(phone[6:])} {
		if _, isContact, problem := in.contact("acme", give); !isContact || problem == "" {
			t.Errorf("%s is taken", give)
		}
	}
	if other, _, _ := in.contact("globex", "tel:+13035550123"); other == phone {
		t.Error("two tenants have one hash for a number")
	}
	keyless := newIntake(t, nil)
	for _, give := range []string{"tel:+13035550123", "+13035550123", "jane@example.com"} {
		if _, isContact, problem := keyless.contact("acme", give); !isContact || problem == "" {
			t.Errorf("%s passes without a key", give)
		}
	}
}

func TestPrintable(t *testing.T) {
	for give, want := range map[string]string{
		"plain":                                   "plain",
		"line\nbreak\x00\x1b[31m":                 "line�break��[31m",
		"\xff\xfe":                                "��",
		"\u202egnp.exe":                           "�gnp.exe",
		strings.Repeat("x", 65):                   strings.Repeat("x", 64) + "…",
		strings.Repeat("x", 63) + "ü":             strings.Repeat("x", 63) + "…",
		strings.Repeat("x", 62) + "ü":             strings.Repeat("x", 62) + "ü",
		strings.Repeat("x", 61) + "\U0001f4deabc": strings.Repeat("x", 61) + "…",
	} {
		if got := printable(give); got != want || !utf8.ValidString(got) {
			t.Errorf("%q became %q, want %q", give, got, want)
		}
	}
}
