package stacktest

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"testing"
)

// Processes returns the arguments of running processes by their ids: those of all
// processes that have dir in their arguments, and of all others in their process groups.
func Processes(tb testing.TB, dir string) map[int]string {
	tb.Helper()
	list, err := exec.CommandContext(context.WithoutCancel(tb.Context()), "ps", "-ewwo", "pid=,pgid=,args=").Output()
	if err != nil {
		tb.Fatal(err)
	}
	groups, all := map[int]bool{}, map[int]string{}
	for range 2 {
		for line := range strings.Lines(string(list)) {
			var pid, group int
			if _, err := fmt.Sscan(line, &pid, &group); err != nil {
				tb.Fatalf("%s: %v", line, err)
			}
			args := strings.Join(strings.Fields(line)[2:], " ")
			if strings.Contains(args, dir+"/") {
				groups[group] = true
			}
			if groups[group] && !strings.HasSuffix(args, "<defunct>") {
				all[pid] = args
			}
		}
	}
	return all
}
