package stack

import (
	"maps"
	"strings"

	"postrider/localstack/process"
	"postrider/localstack/recorder"
)

// Output returns an output of the template.
func (s *Stack) Output(key string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.result.Outputs[key]
}

// PhysicalID returns the physical id of a resource: a table's or function's
// name, a queue's URL; "" when the template has no such logical id.
func (s *Stack) PhysicalID(logicalID string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.result.Resources[logicalID].PhysicalID
}

// PhysicalIDs returns those of all resources, by logical id.
func (s *Stack) PhysicalIDs() map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	ids := map[string]string{}
	for id, r := range s.result.Resources {
		ids[id] = r.PhysicalID
	}
	return ids
}

// LogDir is the folder of logs: <function's name>.log, and localstack.log.
func (s *Stack) LogDir() string { return logs(s.opts.Dir) }

// A Process is an execution environment of a function.
type Process struct {
	PID      int
	Function string // the function's logical id
}

// Processes returns the functions' processes that run at the moment.
func (s *Stack) Processes() ([]Process, error) {
	alive, err := process.Alive(processes(s.opts.Dir))
	if err != nil {
		return nil, err
	}
	logical := s.logicalIDs()
	var all []Process
	for _, r := range alive {
		if r.Kind != process.KindFunction {
			continue
		}
		all = append(all, Process{PID: r.PID, Function: translate(logical, r.Name)})
	}
	return all, nil
}

// A Call is what a function did, in the terms of IAM and of the template:
// logical ids where there is one, such as BatchesTable or BatchesTable/index/due.
type Call = recorder.Call

// Calls returns what the functions have called so far, each once with its
// count; nothing unless Options.Record was set.
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

// logicalIDs maps names of resources to their logical ids. A queue's physical id
// is its URL, a topic's its ARN; of both the last part is the name.
func (s *Stack) logicalIDs() map[string]string {
	logical := map[string]string{}
	for id, physical := range maps.All(s.PhysicalIDs()) {
		logical[physical[strings.LastIndexAny(physical, "/:")+1:]] = id
	}
	return logical
}

func translate(logical map[string]string, name string) string {
	if id, ok := logical[name]; ok {
		return id
	}
	return name
}
