package process

import (
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
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	if len(fields) < 20 || fields[0] == "Z" || fields[0] == "X" {
		return "", false
	}
	return strings.TrimSpace(string(boot)) + "/" + fields[19], true
}
