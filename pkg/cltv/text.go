package cltv

import (
	"strings"
	"unsafe"
)

// textRef is the position of a text in a State's table; 0 is the empty text.
type textRef = uint16

// touchRef is the position of a touch in a State's table; 0 is the empty touch.
type touchRef = uint16

// touch is a Touch by the positions of its texts.
type touch struct {
	campaign, agent, offer, leadSource textRef
}

// texts holds a state's texts and touches, each once. Position 0 of either is the empty one and not stored.
type texts struct {
	// table refers into arenas, of which arena is the one being filled. An arena is only overwritten by reset.
	table   []string
	arena   []byte
	touches []touch
}

func (t *texts) reset() {
	t.table = append(t.table[:0], "")
	t.touches = append(t.touches[:0], touch{})
	t.arena = t.arena[:0]
}

// add appends a copy of s to the table.
func (t *texts) add(s string) textRef {
	if t.table == nil {
		t.reset()
	}
	from := len(t.arena)
	t.arena = append(t.arena, s...)
	// The bytes don't change before reset: the arena is only appended to, and when it moves, the old one stays as it is.
	t.table = append(t.table, unsafe.String(unsafe.SliceData(t.arena[from:]), len(s)))
	return textRef(len(t.table) - 1)
}

// ref returns the position of s, adding it where it isn't there.
func (t *texts) ref(s string) textRef {
	if s == "" {
		return 0
	}
	for i, known := range t.table {
		if known == s {
			return textRef(i)
		}
	}
	return t.add(s)
}

// touchRef returns the position of a touch, adding it where it isn't there.
func (t *texts) touchRef(v *Touch) touchRef {
	if *v == (Touch{}) {
		return 0
	}
	refs := touch{t.ref(v.Campaign), t.ref(v.Agent), t.ref(v.Offer), t.ref(v.LeadSource)}
	for i, known := range t.touches {
		if known == refs {
			return touchRef(i)
		}
	}
	t.touches = append(t.touches, refs)
	return touchRef(len(t.touches) - 1)
}

// text returns the text at a position.
func (t *texts) text(r textRef) string {
	if r == 0 {
		return ""
	}
	return t.table[r]
}

// touch returns the touch at a position.
func (t *texts) touch(r touchRef) Touch {
	if r == 0 {
		return Touch{}
	}
	refs := t.touches[r]
	return Touch{t.text(refs.campaign), t.text(refs.agent), t.text(refs.offer), t.text(refs.leadSource)}
}

// crowded says whether the tables approach the greatest position, so that unused entries must go.
func (t *texts) crowded() bool { return len(t.table) > 1<<15 || len(t.touches) > 1<<15 }

// compareTouches is the fixed order of touches: campaign, agent, offer, lead source.
func compareTouches(a, b *Touch) int {
	if c := strings.Compare(a.Campaign, b.Campaign); c != 0 {
		return c
	}
	if c := strings.Compare(a.Agent, b.Agent); c != 0 {
		return c
	}
	if c := strings.Compare(a.Offer, b.Offer); c != 0 {
		return c
	}
	return strings.Compare(a.LeadSource, b.LeadSource)
}

// addBytes is add for a text in bytes.
func (t *texts) addBytes(s []byte) textRef { return t.add(unsafe.String(unsafe.SliceData(s), len(s))) }
