package intake

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// Prefixes of contacts as publishers give them, and of their hashes.
const (
	telPrefix    = "tel:"
	mailPrefix   = "mailto:"
	phoneHash    = "phone:"
	emailHash    = "email:"
	phoneMinimum = 7  // digits of the shortest telephone number taken for one
	phoneMaximum = 15 // of the longest, ITU-T E.164
)

// contact tells whether a customer's key is a telephone number or an e-mail
// address, and returns its keyed hash. problem says why there is none.
//
// The hash is HMAC-SHA256 over kind, tenant and the normalised contact: without
// the key nobody can try all numbers, and two tenants' hashes of one number
// differ.
func (in *Intake) contact(tenant, key string) (hashed string, isContact bool, problem string) {
	var kind, normal string
	lower := strings.ToLower(key)
	switch {
	case strings.HasPrefix(lower, phoneHash) || strings.HasPrefix(lower, emailHash):
		if isHash(key[len(phoneHash):]) && key[:len(phoneHash)] == lower[:len(phoneHash)] {
			return key, true, ""
		}
		return key, true, "must be phone: or email: and 64 hexadecimal digits in lower case; a number goes as tel:, an address as mailto:"
	case strings.HasPrefix(lower, telPrefix) || looksLikePhone(key):
		kind = phoneHash
		if normal = normalPhone(strings.TrimPrefix(lower, telPrefix)); normal == "" {
			return key, true, "a telephone number must be in international form: + and 7 to 15 digits"
		}
	case strings.HasPrefix(lower, mailPrefix) || looksLikeMail(key):
		kind = emailHash
		if normal = strings.TrimPrefix(lower, mailPrefix); !looksLikeMail(normal) {
			return key, true, "isn't an e-mail address"
		}
	default:
		return key, false, ""
	}
	if len(in.config.HashKey) == 0 {
		return key, true, "telephone numbers and e-mail addresses must not pass unhashed, and no hash key is configured"
	}
	mac := hmac.New(sha256.New, in.config.HashKey)
	mac.Write([]byte(kind + tenant + "\x00" + normal))
	return kind + hex.EncodeToString(mac.Sum(nil)), true, ""
}

func isHash(s string) bool {
	return len(s) == 2*sha256.Size && strings.Trim(s, "0123456789abcdef") == ""
}

// looksLikePhone tells a key that is written as people write telephone numbers:
// it begins with + or ( and has nothing but digits and separators.
func looksLikePhone(s string) bool {
	if s == "" || s[0] != '+' && s[0] != '(' {
		return false
	}
	return strings.Trim(s, "+0123456789"+phoneSeparators) == "" && countDigits(s) >= phoneMinimum
}

// phoneSeparators are the visual separators of RFC 3966, and space.
const phoneSeparators = "-.() "

func countDigits(s string) (n int) {
	for i := range len(s) {
		if s[i] >= '0' && s[i] <= '9' {
			n++
		}
	}
	return n
}

// normalPhone returns + and digits, empty where s is no number in international
// form. Parameters of a tel: URI are left out.
func normalPhone(s string) string {
	s, _, _ = strings.Cut(s, ";")
	s = strings.Map(func(r rune) rune {
		if strings.ContainsRune(phoneSeparators, r) {
			return -1
		}
		return r
	}, s)
	digits, international := strings.CutPrefix(s, "+")
	if !international || strings.Trim(digits, "0123456789") != "" || len(digits) < phoneMinimum || len(digits) > phoneMaximum {
		return ""
	}
	return s
}

// looksLikeMail tells a key with one @ between a name and a domain with a dot.
func looksLikeMail(s string) bool {
	name, domain, ok := strings.Cut(s, "@")
	return ok && name != "" && !strings.ContainsAny(s, " \t") && !strings.Contains(domain, "@") && strings.Contains(strings.Trim(domain, "."), ".")
}
