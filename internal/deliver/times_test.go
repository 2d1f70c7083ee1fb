package deliver_test

import (
	"strings"
	"testing"

	"postrider/internal/deliver"
)

func TestTimesThatDoNotFitAreRefused(t *testing.T) {
	for _, c := range []struct {
		times      deliver.Times
		provider   string
		visibility string
	}{
		{times: deliver.Times{Provider: 10, Sender: 30, Visibility: 180}},
		{times: deliver.Times{Provider: 22, Sender: 30, Visibility: 43_200}},
		{times: deliver.Times{Provider: 23, Sender: 30, Visibility: 180}, provider: "PROVIDER_TIMEOUT_SECONDS=23"},
		{times: deliver.Times{Provider: 60, Sender: 30, Visibility: 180}, provider: "PROVIDER_TIMEOUT_SECONDS=60"},
		{times: deliver.Times{Provider: 1, Sender: 30, Visibility: 179}, visibility: "VISIBILITY_TIMEOUT_SECONDS=179"},
	} {
		for name, check := range map[string]struct {
			err  error
			want string
		}{
			"provider":   {c.times.CheckProvider(), c.provider},
			"visibility": {c.times.CheckVisibility(), c.visibility},
		} {
			if (check.err == nil) != (check.want == "") || check.err != nil && !strings.HasPrefix(check.err.Error(), check.want+": ") {
				t.Errorf("%+v, %s: %v, want %q", c.times, name, check.err, check.want)
			}
		}
	}
}
