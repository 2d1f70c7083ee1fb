//go:build !linux

package process

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// StartTime identifies one run of a process by its start time in UTC, to the second. It
// returns false if there is no such process, or only its zombie.
func StartTime(pid int) (string, bool) {
	cmd := exec.Command("ps", "-o", "state=,lstart=", "-p", strconv.Itoa(pid))
	cmd.Env = append(os.Environ(), "TZ=UTC0", "LC_ALL=C")
	out, err := cmd.Output()
	fields := strings.Fields(string(out))
	if err != nil || len(fields) < 2 || strings.HasPrefix(fields[0], "Z") {
		return "", false
	}
	return strings.Join(fields[1:], "_"), true
}
