package process

import (
	"bytes"
	"fmt"
	"os"
	"strings"
)

// StartTime identifies the run of a process: the boot's id and the start in
// clock ticks since then. False: there is none, or only its zombie.
func StartTime(pid int) (string, bool) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", false
	}
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", false
	}
	// The command's name may hold blanks and parentheses: fields count from its end.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 20 || fields[0] == "X" || (fields[0] == "Z" && !hasThreads(pid)) {
		return "", false
	}
	return strings.TrimSpace(string(boot)) + "/" + fields[19], true
}

// hasThreads tells a zombie from a process that is still ending: its first
// thread is a zombie as soon as it has ended, while the others may still hold
// files and ports.
func hasThreads(pid int) bool {
	threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	return err == nil && len(threads) > 1
}
