package ops

import (
	"fmt"
	"io"
	"log/slog"
)

// mask stands wherever a secret would have been shown.
const mask = "********"

// Secret is text that must not be seen: a password or a token. However it is
// printed, logged or encoded, it shows as asterisks (an empty one as nothing);
// only [Secret.Reveal] gives the text.
//
// In the environment and in YAML a field of this type has a twin with the
// suffix _FILE or _file, which names a file that holds the text.
type Secret string

// Reveal answers the text itself, for handing it to the client that needs it.
func (s Secret) Reveal() string { return string(s) }

// String answers the mask, or nothing for an empty secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return mask
}

// Format writes the mask whatever the verb: fmt prints the raw value for a verb
// that doesn't fit the type, which is how secrets get into logs.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// MarshalText answers the mask; encoding/json uses it as well.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// MarshalYAML answers the mask.
func (s Secret) MarshalYAML() (any, error) { return s.String(), nil }

// LogValue answers the mask.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }
