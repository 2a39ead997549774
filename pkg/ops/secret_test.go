package ops

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
	"pgregory.net/rapid"
)

func TestSecretNeverShows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		// Letters that no mask, verb or field name has in a row.
		text := "zQ" + rapid.StringMatching(`[a-z0-9]{4,20}`).Draw(t, "secret") + "Qz"
		holder := struct {
			Password Secret
			Pointer  *Secret
		}{Password: Secret(text)}
		holder.Pointer = &holder.Password

		var shown []string
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%f", "%c", "%U", "%10s", "%T"} {
			shown = append(shown, fmt.Sprintf(verb, holder.Password), fmt.Sprintf(verb, holder), fmt.Sprintf(verb, []Secret{holder.Password}))
		}
		asJSON, err := json.Marshal(holder)
		asYAML, err2 := yaml.Marshal(holder)
		if err = errors.Join(err, err2); err != nil {
			t.Fatal(err)
		}
		var log bytes.Buffer
		slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "secret", holder.Password, "holder", holder)
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "secret", holder.Password, "holder", holder)
		shown = append(shown, string(asJSON), string(asYAML), log.String(), Check(false, "f", holder.Password, "r").Error())

		hex := fmt.Sprintf("%x", text)
		for _, s := range shown {
			if strings.Contains(s, text) || strings.Contains(strings.ToLower(s), hex) {
				t.Fatalf("the secret shows in %q", s)
			}
		}
		if holder.Password.Reveal() != text {
			t.Fatalf("Reveal() = %q, want %q", holder.Password.Reveal(), text)
		}
	})
}

func TestSecretShowsWhetherItIsSet(t *testing.T) {
	if got := Secret("").String(); got != "" {
		t.Errorf("an empty secret shows as %q", got)
	}
	if got := Secret("x").String(); got != mask {
		t.Errorf("a secret shows as %q, want %q", got, mask)
	}
}
