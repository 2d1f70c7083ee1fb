package dynamo_test

import (
	"encoding/base64"
	"testing"

	"postrider/internal/dynamo"
	"postrider/internal/mailing"
)

func TestACursorContinuesAtItsPosition(t *testing.T) {
	t.Parallel()
	at := dynamo.Position{Mailing: 7, Slice: 15, Batch: "0000000031#002", Recipient: 49}
	text, err := dynamo.EncodeCursor(&at, "messages", 7, "sent")
	if err != nil {
		t.Fatal(err)
	}
	got, err := dynamo.DecodeCursor(text, "messages", 7, "sent")
	if err != nil || got != at {
		t.Errorf("read %+v, %v; want %+v", got, err, at)
	}
}

func TestNoCursorIsTheBeginning(t *testing.T) {
	t.Parallel()
	got, err := dynamo.DecodeCursor("", "messages")
	if err != nil || got != (dynamo.Position{}) {
		t.Errorf("read %+v, %v", got, err)
	}
}

func TestACursorOfAnotherListIsMalformed(t *testing.T) {
	t.Parallel()
	text, err := dynamo.EncodeCursor(&dynamo.Position{Mailing: 1}, "messages", "a", "b")
	if err != nil {
		t.Fatal(err)
	}
	for name, filters := range map[string][]any{
		"another filter":           {"a", "c"},
		"a filter less":            {"a"},
		"a filter more":            {"a", "b", ""},
		"filters that join up":     {"ab", ""},
		"filters in another order": {"b", "a"},
		"a filter with the quotes": {`a" "b`},
	} {
		if _, err := dynamo.DecodeCursor(text, "messages", filters...); mailing.KindOf(err) != mailing.KindMalformed {
			t.Errorf("%s: %v, want malformed", name, err)
		}
	}
	if _, err := dynamo.DecodeCursor(text, "clients", "a", "b"); mailing.KindOf(err) != mailing.KindMalformed {
		t.Errorf("another list: %v, want malformed", err)
	}
}

func TestAnAlteredCursorIsMalformed(t *testing.T) {
	t.Parallel()
	text, err := dynamo.EncodeCursor(&dynamo.Position{Mailing: 1}, "l")
	if err != nil {
		t.Fatal(err)
	}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	b64 := base64.RawURLEncoding.EncodeToString
	bad := map[string]string{
		"not base64":            "***",
		"not JSON":              b64([]byte("hello")),
		"cut":                   text[:len(text)-4],
		"data after the end":    b64(append(raw, "{}"...)),
		"an unknown field":      b64(append(raw[:len(raw)-1:len(raw)-1], `,"x":1}`...)),
		"blanks":                text + " ",
		"JSON of another type":  b64([]byte(`[]`)),
		"a position missing":    b64([]byte(`{"l":"` + listOf(t, raw) + `"}`)),
		"a position too high":   b64([]byte(`{"l":"` + listOf(t, raw) + `","p":{"m":99999999}}`)),
		"a slice too high":      b64([]byte(`{"l":"` + listOf(t, raw) + `","p":{"m":1,"s":16}}`)),
		"a slice below 0":       b64([]byte(`{"l":"` + listOf(t, raw) + `","p":{"m":1,"s":-1}}`)),
		"a recipient too high":  b64([]byte(`{"l":"` + listOf(t, raw) + `","p":{"m":1,"i":51}}`)),
		"not the id of a batch": b64([]byte(`{"l":"` + listOf(t, raw) + `","p":{"m":1,"b":"~"}}`)),
	}
	for name, c := range bad {
		if _, err := dynamo.DecodeCursor(c, "l"); mailing.KindOf(err) != mailing.KindMalformed {
			t.Errorf("%s: %v, want malformed", name, err)
		}
	}
}

// listOf returns the list that a decoded cursor names.
func listOf(t *testing.T, raw []byte) string {
	t.Helper()
	const before, length = len(`{"l":"`), 16
	return string(raw[before : before+length])
}
