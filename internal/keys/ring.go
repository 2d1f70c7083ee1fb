// Package keys knows who may use the API: it reads the hashes of keys from a
// parameter of AWS Systems Manager (SSM), and reads them again while the
// function runs, so that a key is given out or taken back without a deployment.
//
// The parameter's text has a line per key: role, name, and the SHA-256 of the
// key in hex, with blanks between them. Blank lines and lines that start with #
// are skipped. `make key` writes such a line.
//
//	admin  billing    6bb1...64 digits
//	viewer dashboard  1f40...64 digits
//
// A plain SHA-256 is enough because keys are long and random: what slows
// guessing down is for passwords, which people choose.
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

// ring is the keys as one reading found them.
type ring []key

type key struct {
	caller mailing.Caller
	hash   [sha256.Size]byte
}

// Line is the line of a key.
func Line(c mailing.Caller, secret string) string {
	hash := sha256.Sum256([]byte(secret))
	return fmt.Sprintf("%s %s %s", c.Role, c.Name, hex.EncodeToString(hash[:]))
}

var name = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// CheckName tells what a key may be called.
func CheckName(s string) error {
	if !name.MatchString(s) {
		return errors.New("a key's name has 1 to 64 letters, digits, dots, dashes and underscores, and starts with a letter or digit")
	}
	return nil
}

// parse reads keys. A line that cannot be read is an error that names it, and
// never shows it; the other lines count all the same, so that one slip does not
// lock everybody out.
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

// find looks at every key, whether it has found one or not, and compares in
// constant time: how long it takes tells nothing of the keys. Of two lines with
// the same hash the first counts.
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
