package store

import (
	"context"
	"crypto/sha1"
	_ "embed"
	"encoding/hex"
	"strings"
)

//go:embed scripts/fence.lua
var fenceLua string

//go:embed scripts/open.lua
var openLua string

//go:embed scripts/due_trim.lua
var dueTrimLua string

//go:embed scripts/rebuild_begin.lua
var rebuildBeginLua string

//go:embed scripts/rebuild_finish.lua
var rebuildFinishLua string

// The scripts. An owner's begin with the fence.
var (
	openScript          = newScript(openLua)
	dueTrimScript       = newScript(fenceLua, dueTrimLua)
	rebuildBeginScript  = newScript(fenceLua, rebuildBeginLua)
	rebuildFinishScript = newScript(fenceLua, rebuildFinishLua)
)

// script is a Lua script and its SHA-1.
type script struct{ text, sha string }

func newScript(parts ...string) *script {
	text := strings.Join(parts, "")
	sum := sha1.Sum([]byte(text))
	return &script{text: text, sha: hex.EncodeToString(sum[:])}
}

// run sends a script. args begin with two places that run fills, then the number
// of keys, the keys and the arguments. The answers' reader then stands before the
// script's answer.
func (c *conn) run(ctx context.Context, s *script, args []any) error {
	args[0], args[1] = "evalsha", s.sha
	if err := c.send(ctx, args); err != nil {
		return err
	}
	if !strings.HasPrefix(string(c.answers.buf[:min(len(c.answers.buf), 16)]), "-NOSCRIPT") {
		return nil
	}
	// The server doesn't know it yet, so nothing ran. EVAL runs and keeps it.
	args[0], args[1] = "eval", s.text
	return c.send(ctx, args)
}
