package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// clockTick is the unit of the times in /proc, which Linux shows to programs as
// 100 a second on every machine.
const clockTick = 10 * time.Millisecond

// cpuOf is the processor time that all threads of a process took so far.
func cpuOf(pid int) (time.Duration, error) {
	return cpuIn(fmt.Sprintf("/proc/%d/stat", pid))
}

// compilingOf is what of it the compiler threads of a Java process took. Those
// that ended are missing from it.
func compilingOf(pid int) (total time.Duration, err error) {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/comm", pid))
	if err != nil {
		return 0, err
	}
	for _, file := range threads {
		name, err := os.ReadFile(file)
		if err != nil || !bytes.HasPrefix(name, []byte("C1 Comp")) && !bytes.HasPrefix(name, []byte("C2 Comp")) {
			continue // another one, or it has ended meanwhile
		}
		used, err := cpuIn(filepath.Join(filepath.Dir(file), "stat"))
		if err != nil {
			continue
		}
		total += used
	}
	return total, nil
}

// cpuIn reads it from a stat file of /proc.
func cpuIn(file string) (time.Duration, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	// The name, in parentheses, may contain anything: count from behind it.
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	const utime, stime = 11, 12
	if len(fields) <= stime {
		return 0, fmt.Errorf("%s: %q", file, text)
	}
	ticks := int64(0)
	for _, field := range [][]byte{fields[utime], fields[stime]} {
		n, err := strconv.ParseInt(string(field), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", file, err)
		}
		ticks += n
	}
	return time.Duration(ticks) * clockTick, nil
}

// residentOf is the memory of a process that is in RAM, now and at most so far,
// bytes.
func residentOf(pid int) (now, most int64, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0, err
	}
	for line := range bytes.Lines(text) {
		name, value, _ := bytes.Cut(line, []byte(":"))
		to := map[string]*int64{"VmRSS": &now, "VmHWM": &most}[string(name)]
		if to == nil {
			continue
		}
		kibibytes, err := strconv.ParseInt(string(bytes.TrimSuffix(bytes.TrimSpace(value), []byte(" kB"))), 10, 64)
		if err != nil {
			return 0, 0, fmt.Errorf("/proc/%d/status: %w", pid, err)
		}
		*to = kibibytes << 10
	}
	return now, most, nil
}
