package stack

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
)

// stage is a stage of a Dockerfile, as far as ours uses the language.
type stage struct {
	image      string
	workdir    string
	user       string
	env        []string
	copies     []copied
	steps      []step
	entrypoint []string
}

// copied is one source of a COPY.
type copied struct {
	From   string // the stage; "" is the build's context
	Source string
	To     string // absolute path
	Mode   string
}

// step is a command that a RUN runs.
type step struct {
	Mount   string
	Command string
}

// readDockerfile reads a Dockerfile into its stages, by name. An instruction that it
// does not know is an error: a person has to look at new instructions.
func readDockerfile(text string) (map[string]*stage, error) {
	stages := map[string]*stage{}
	s := &stage{}
	for _, line := range instructions(text) {
		word, rest, _ := strings.Cut(line, " ")
		flags, rest := leadingFlags(rest)
		words := strings.Fields(rest)
		var err error
		switch word {
		case "FROM":
			if len(words) != 3 || words[1] != "AS" {
				return nil, fmt.Errorf("a stage without a name: %s", line)
			}
			s = &stage{image: words[0], workdir: "/"}
			stages[words[2]] = s
		case "WORKDIR":
			s.workdir = path.Join(s.workdir, rest)
		case "USER":
			s.user = rest
		case "ENV":
			s.env = append(s.env, words...)
		case "COPY":
			s.copy(flags, words)
		case "RUN":
			err = s.run(flags["mount"], rest)
		case "ENTRYPOINT":
			err = json.Unmarshal([]byte(rest), &s.entrypoint)
		default:
			err = fmt.Errorf("what is %s?", word)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", line, err)
		}
	}
	return stages, nil
}

// instructions returns a Dockerfile's instructions, each on one line, without comments.
func instructions(text string) []string {
	lines := slices.DeleteFunc(strings.Split(text, "\n"), func(line string) bool { return strings.HasPrefix(strings.TrimSpace(line), "#") })
	lines = strings.Split(strings.ReplaceAll(strings.Join(lines, "\n"), "\\\n", " "), "\n")
	return slices.DeleteFunc(lines, func(line string) bool { return strings.TrimSpace(line) == "" })
}

func leadingFlags(rest string) (flags map[string]string, after string) {
	flags = map[string]string{}
	for rest = strings.TrimSpace(rest); strings.HasPrefix(rest, "--"); {
		var flag string
		flag, rest, _ = strings.Cut(rest, " ")
		name, value, _ := strings.Cut(strings.TrimPrefix(flag, "--"), "=")
		flags[name] = value
		rest = strings.TrimSpace(rest)
	}
	return flags, rest
}

func (s *stage) copy(flags map[string]string, words []string) {
	into := words[len(words)-1]
	for _, source := range words[:len(words)-1] {
		to := s.absolute(into)
		if into == "." || strings.HasSuffix(into, "/") {
			to = path.Join(to, path.Base(source))
		}
		s.copies = append(s.copies, copied{From: flags["from"], Source: source, To: to, Mode: flags["chmod"]})
	}
}

// imagesPython is the Python into which LocalStack's image is installed. run replaces
// it by its name, because not every shell allows slashes in the name of a function.
const imagesPython = "/opt/code/localstack/.venv/bin/python"

// run adds the commands that a shell would run for the script, with loops and variables
// expanded. The shell runs no program: each command is a function of the shell that
// prints its own words in <> as its output, and there are no other commands.
func (s *stage) run(mount, script string) error {
	const pretend = `for c in go make pip python imagesPython mkdir grep; do eval "$c() { echo \"$c \$*\" >&2; echo \"<$c \$*>\"; }"; done; `
	sh, err := exec.LookPath("sh")
	if err != nil {
		return err
	}
	cmd := exec.Command(sh, "-c", pretend+strings.ReplaceAll(script, imagesPython, "imagesPython"))
	cmd.Env = []string{"PATH=" + os.DevNull}
	var said strings.Builder
	cmd.Stderr = &said
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%w: %s", err, said.String())
	}
	for command := range strings.Lines(strings.ReplaceAll(said.String(), "imagesPython", imagesPython)) {
		s.steps = append(s.steps, step{mount, strings.TrimSpace(command)})
	}
	return nil
}

func (s *stage) absolute(p string) string {
	if path.IsAbs(p) {
		return path.Clean(p)
	}
	return path.Join(s.workdir, p)
}

// origin returns the source from which a path in the image was copied, or an empty
// copied if there is none.
func (s *stage) origin(p string) copied {
	p = s.absolute(p)
	for _, c := range slices.Backward(s.copies) {
		if rest, ok := strings.CutPrefix(p+"/", c.To+"/"); ok {
			c.Source = path.Join(c.Source, rest)
			return c
		}
	}
	return copied{}
}

// program returns the path of the program that the image runs.
func (s *stage) program() string {
	if len(s.entrypoint) == 0 {
		return ""
	}
	if name := s.entrypoint[0]; strings.Contains(name, "/") {
		return s.absolute(name)
	}
	return path.Join("/usr/local/bin", s.entrypoint[0])
}

// flags returns the flags that the image gives its program, by name.
func (s *stage) flags() map[string]string {
	flags := map[string]string{}
	for i := 1; i < len(s.entrypoint); i += 2 {
		value := "(none)"
		if i+1 < len(s.entrypoint) {
			value = s.entrypoint[i+1]
		}
		flags[s.entrypoint[i]] = value
	}
	return flags
}
