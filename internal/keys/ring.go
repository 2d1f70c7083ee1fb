// Package keys knows the callers that may use the API. It reads the hashes of their
// keys from a parameter of AWS Systems Manager (SSM), and reads them again while
// the function runs. So a key is given out or revoked without a deployment.
//
// The parameter's text has a line per key: role, name, and the SHA-256 of the key
// in hex, with blanks between them. Blank lines and lines that start with # are
// skipped. `make key` writes such a line.
//
//	admin  billing    6bb1...64 digits
//	viewer dashboard  1f40...64 digits
//
// A plain SHA-256 is enough because keys are long and random. Slow hashes protect
// passwords, which people choose and which can be guessed.
package keys

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"postrider/internal/mailing"
)

// ring holds the keys of one reading.
type ring []key

type key struct {
	caller mailing.Caller
	hash   [sha256.Size]byte
}

// Line returns the parameter's line for a key.
func Line(c mailing.Caller, secret string) string {
	hash := sha256.Sum256([]byte(secret))
	return fmt.Sprintf("%s %s %s", c.Role, c.Name, hex.EncodeToString(hash[:]))
}

var name = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// CheckName returns an error if s cannot be the name of a key.
func CheckName(s string) error {
	if !name.MatchString(s) {
		return errors.New("a key's name has 1 to 64 letters, digits, dots, dashes and underscores, and starts with a letter or digit")
	}
	return nil
}

// parse reads keys. Its error names each line that is wrong by number, and never
// shows its text. The keys of all other lines are returned with the error, so that
// one mistake does not lock out all callers.
func parse(text string) (ring, error) {
	var (
		r    ring
		errs []error
	)
	for n, line := range strings.Split(strings.TrimPrefix(text, "\ufeff"), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		k, err := parseLine(line)
		if err != nil {
			errs = append(errs, fmt.Errorf("line %d: %w", n+1, err))
			continue
		}
		r = append(r, k)
	}
	return r, errors.Join(errs...)
}

func parseLine(line string) (key, error) {
	fields := strings.Fields(line)
	if len(fields) != 3 {
		return key{}, errors.New("is not a role, a name and a hash")
	}
	k := key{caller: mailing.Caller{Role: mailing.Role(fields[0]), Name: fields[1]}}
	if !k.caller.Role.Valid() {
		return key{}, errors.New("the role is neither admin nor viewer")
	}
	if err := CheckName(k.caller.Name); err != nil {
		return key{}, err
	}
	hash, err := hex.DecodeString(fields[2])
	if err != nil || len(hash) != sha256.Size {
		return key{}, errors.New("the hash is not the 64 hexadecimal digits of a SHA-256")
	}
	copy(k.hash[:], hash)
	return k, nil
}

// find returns the caller of a key. It compares with every key in constant time,
// also after a match, so that its duration reveals nothing about the keys. If two
// lines have the same hash, the first counts.
func (r ring) find(secret string) (mailing.Caller, bool) {
	hash := sha256.Sum256([]byte(secret))
	at := -1
	for i := len(r) - 1; i >= 0; i-- {
		at = subtle.ConstantTimeSelect(subtle.ConstantTimeCompare(hash[:], r[i].hash[:]), i, at)
	}
	if at < 0 {
		return mailing.Caller{}, false
	}
	return r[at].caller, true
}
