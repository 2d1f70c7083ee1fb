package cfn_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"postrider/internal/cfn"
)

func TestShortFormsAreWrittenOut(t *testing.T) {
	t.Parallel()
	got, err := cfn.Parse([]byte(`
A: &a [!Ref X, !GetAtt Y.Arn, !Sub "${Z}"]
B: !If [C, *a, !Sub ["${W}", {W: !Ref X}]]
D: {Condition: !Condition E, "n": 1, yes: "true", date: 2012-10-17}
`))
	if err != nil {
		t.Fatal(err)
	}
	a := []any{
		map[string]any{"Ref": "X"}, map[string]any{"Fn::GetAtt": []any{"Y", "Arn"}}, map[string]any{"Fn::Sub": "${Z}"},
	}
	sub := map[string]any{"Fn::Sub": []any{"${W}", map[string]any{"W": map[string]any{"Ref": "X"}}}}
	want := cfn.Template{
		"A": a,
		"B": map[string]any{"Fn::If": []any{"C", a, sub}},
		"D": map[string]any{"Condition": map[string]any{"Condition": "E"}, "n": 1.0, "yes": "true", "date": "2012-10-17"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestWhatIsNoTemplateIsRefused(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"a repeated key": "Resources:\n  Queue: {}\n  Queue: {}\n",
		"nothing":        "",
		"a list":         "- x",
		"broken YAML":    ": :",
	} {
		if got, err := cfn.Parse([]byte(text)); err == nil {
			t.Errorf("%s is read as %v", name, got)
		}
	}
}
