package process

import (
	"bytes"
	"fmt"
	"os"
	"strings"
)

// StartTime identifies one run of a process by the boot's id and the process's start,
// in clock ticks since the boot. It returns false if there is no such process, or only
// its zombie.
func StartTime(pid int) (string, bool) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", false
	}
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", false
	}
	// The command's name may contain blanks and parentheses. So the fields are counted
	// from its end.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 20 || fields[0] == "X" || (fields[0] == "Z" && !hasThreads(pid)) {
		return "", false
	}
	return strings.TrimSpace(string(boot)) + "/" + fields[19], true
}

// hasThreads reports whether a process whose first thread is a zombie is still ending.
// The first thread becomes a zombie as soon as it ends, while other threads may still
// hold files and ports.
func hasThreads(pid int) bool {
	threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	return err == nil && len(threads) > 1
}
