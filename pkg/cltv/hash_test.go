package cltv

import (
	"fmt"
	"math/bits"
	"testing"
)

// TestHashIsStable: stored identities must be found again by every later version.
func TestHashIsStable(t *testing.T) {
	for text, want := range map[string]uint64{
		"": 0x832f7b775ca00d6c, "a": 0x317323a47f7772b9, "ord-4711": 0x92d814bc3acb6af1, "evt_1NG8Du2eZvKYlo2CUI79vXWy": 0xfd775fc22f5a9847,
	} {
		if got := hashText(0, text); got != want {
			t.Errorf("%q: %#x, want %#x", text, got, want)
		}
	}
}

// TestHashSpreads: ids as sources number them don't collide, and a change of one bit changes half of the hash.
func TestHashSpreads(t *testing.T) {
	seen := make(map[uint64]string)
	for _, form := range []string{"%d", "%08d", "ord-%d", "evt_1NG8Du2eZvKYlo%06d", "%06d/1700000000.1", "%o%o"} {
		for n := range 60_000 {
			id := fmt.Sprintf(form, n)
			if form == "%o%o" {
				id = fmt.Sprintf(form, n, n)
			}
			h := hashText(0, id)
			if other, ok := seen[h]; ok && other != id {
				t.Fatalf("%q and %q have one hash", id, other)
			}
			seen[h] = id
		}
	}
	for length := 1; length < 40; length++ {
		text := make([]byte, length)
		flips, n := 0, 0
		for i := range length {
			for bit := range 8 {
				text[i] ^= 1 << bit
				changed := hashText(0, string(text))
				text[i] ^= 1 << bit
				flips += bits.OnesCount64(changed ^ hashText(0, string(text)))
				n++
			}
		}
		if mean := float64(flips) / float64(n); mean < 28 || mean > 36 {
			t.Errorf("%d bytes: one bit changes %.1f bits", length, mean)
		}
	}
}

// TestIdentities: kinds, sources and names each make another identity, and the link is that of the name alone.
func TestIdentities(t *testing.T) {
	a, b := hashText(0, "billing"), hashText(0, "crm")
	ids := map[uint64]bool{
		factID(a, KindOrder, "1"): true, factID(a, KindPayment, "1"): true, factID(b, KindOrder, "1"): true, factID(a, KindOrder, "2"): true,
	}
	if len(ids) != 4 {
		t.Errorf("%d identities, want 4", len(ids))
	}
	if ownLink(factID(a, KindPayment, "1"), KindPayment) != linkKey(a, "1") {
		t.Error("the link can't be told from the identity")
	}
	if linkKey(a, "") != 0 {
		t.Error("an empty name links to something")
	}
}
