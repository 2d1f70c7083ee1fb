package stack

import (
	"context"
	"fmt"
	"maps"
	"os/exec"
	"strconv"
	"strings"

	"postrider/localstack/recorder"
)

// Output returns an output of the template.
func (s *Stack) Output(key string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.result.Outputs[key]
}

// PhysicalID returns the physical id of a resource: the name of a table or a function,
// the URL of a queue. It returns "" when the template has no such logical id.
func (s *Stack) PhysicalID(logicalID string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.result.Resources[logicalID].PhysicalID
}

// PhysicalIDs returns the physical ids of all resources by logical id.
func (s *Stack) PhysicalIDs() map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	ids := map[string]string{}
	for id, r := range s.result.Resources {
		ids[id] = r.PhysicalID
	}
	return ids
}

// LogDir returns the folder of the logs: <function's name>.log, and localstack.log.
func (s *Stack) LogDir() string { return logs(s.opts.Dir) }

// Process is an execution environment of a function.
type Process struct {
	PID      int
	Function string // the function's logical id
}

// Processes returns the functions' processes that run now. Their programs are in the
// stack's folder: .../<function's name>-<random part>/code/bootstrap.
func (s *Stack) Processes(ctx context.Context) ([]Process, error) {
	list, err := exec.CommandContext(ctx, "ps", "-ewwo", "pid=,args=").Output()
	if err != nil {
		return nil, fmt.Errorf("list the processes of this machine: %w", err)
	}
	var all []Process
	for line := range strings.Lines(string(list)) {
		pid, args, _ := strings.Cut(strings.TrimSpace(line), " ")
		program, ok := strings.CutPrefix(strings.TrimSpace(args), s.opts.Dir)
		number, err := strconv.Atoi(pid)
		if !ok || err != nil {
			continue
		}
		for name, id := range s.logicalIDs() {
			if strings.Contains(program, "/"+name+"-") {
				all = append(all, Process{PID: number, Function: id})
			}
		}
	}
	return all, nil
}

// Call is a kind of call that a function made, in the terms of IAM and of the template.
// It has logical ids where they exist, such as BatchesTable or BatchesTable/index/due.
type Call = recorder.Call

// Calls returns each kind of call that the functions have made so far, once, with its
// count. It returns nothing unless Options.Record was set.
func (s *Stack) Calls() []Call {
	if s.recorder == nil {
		return nil
	}
	logical := s.logicalIDs()
	calls := s.recorder.Calls()
	for i, c := range calls {
		calls[i].Function = translate(logical, c.Function)
		table, index, ok := strings.Cut(c.Resource, "/")
		calls[i].Resource = translate(logical, table)
		if ok {
			calls[i].Resource += "/" + index
		}
	}
	return calls
}

// logicalIDs maps names of resources to their logical ids. The physical id of a queue
// is its URL, and that of a topic its ARN; the last part of both is the name.
func (s *Stack) logicalIDs() map[string]string {
	logical := map[string]string{}
	for id, physical := range maps.All(s.PhysicalIDs()) {
		logical[physical[strings.LastIndexAny(physical, "/:")+1:]] = id
	}
	return logical
}

// translate returns the logical id of a name, or the name itself if there is none.
func translate(logical map[string]string, name string) string {
	if id, ok := logical[name]; ok {
		return id
	}
	return name
}
