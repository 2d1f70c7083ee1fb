// Package settings reads a person's settings for the local stack: environment
// variables, or lines of the same form in a .env file in the root folder.
package settings

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
)

// Source looks a variable up. An empty value counts as not set.
type Source func(name string) (string, bool)

// Environment returns a source that looks in the process's environment first, and then
// in the .env file at path, if there is one.
func Environment(path string) (Source, error) {
	file, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return lookup(nil), nil
	}
	if err != nil {
		return nil, fmt.Errorf("read settings: %w", err)
	}
	defer func() { _ = file.Close() }() // it was only read
	values, err := Parse(file)
	if err != nil {
		return nil, fmt.Errorf("read settings from %s: %w", path, err)
	}
	return lookup(values), nil
}

func lookup(values map[string]string) Source {
	return func(name string) (string, bool) {
		if v := os.Getenv(name); v != "" {
			return v, true
		}
		v := values[name]
		return v, v != ""
	}
}

// Parse reads lines NAME=value. It skips blank lines and lines that start with #, and
// allows `export ` before a name. It removes single or double quotes around a value.
// From a value without quotes it removes the blanks around it and a comment after ` #`.
// It expands nothing. An error names the line's number, but never shows the line: it
// may hold a secret.
func Parse(r io.Reader) (map[string]string, error) {
	values := map[string]string{}
	scanner := bufio.NewScanner(r)
	for n := 1; scanner.Scan(); n++ {
		line := strings.TrimSpace(strings.TrimPrefix(scanner.Text(), "\ufeff"))
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, value, ok := strings.Cut(strings.TrimPrefix(line, "export "), "=")
		name = strings.TrimSpace(name)
		if !ok || name == "" || strings.ContainsAny(name, " \t'\"") {
			return nil, fmt.Errorf("line %d is not NAME=value", n)
		}
		value, err := unquote(strings.TrimSpace(value))
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		values[name] = value
	}
	return values, scanner.Err()
}

func unquote(value string) (string, error) {
	if strings.HasPrefix(value, "#") {
		return "", nil
	}
	if value == "" || (value[0] != '"' && value[0] != '\'') {
		value, _, _ = strings.Cut(value, " #")
		return strings.TrimSpace(value), nil
	}
	inner, rest, ok := strings.Cut(value[1:], value[:1])
	rest = strings.TrimSpace(rest)
	if !ok || (rest != "" && !strings.HasPrefix(rest, "#")) {
		return "", errors.New("the quotes do not match")
	}
	return inner, nil
}

// Port reads a TCP port, or returns fallback if the variable is not set.
func (s Source) Port(name string, fallback int) (int, error) {
	v, ok := s(name)
	if !ok {
		return fallback, nil
	}
	port, err := strconv.Atoi(v)
	if err != nil || port < 1 || port > 65535 {
		return 0, fmt.Errorf("%s=%s is not a port: give a number from 1 to 65535", name, v)
	}
	return port, nil
}

// Bool reads a switch: 1, true, yes, on, or 0, false, no, off. It returns fallback if
// the variable is not set.
func (s Source) Bool(name string, fallback bool) (bool, error) {
	v, ok := s(name)
	if !ok {
		return fallback, nil
	}
	switch strings.ToLower(v) {
	case "1", "true", "yes", "on":
		return true, nil
	case "0", "false", "no", "off":
		return false, nil
	}
	return false, fmt.Errorf("%s=%s is not a switch: give 1 or 0", name, v)
}
