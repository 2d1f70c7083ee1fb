package mailing_test

import (
	"testing"

	"postrider/internal/mailing"
)

func TestAnAdminMayDoEverythingAndAViewerMayOnlyRead(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		has, needed mailing.Role
		want        bool
	}{
		{mailing.Admin, mailing.Admin, true},
		{mailing.Admin, mailing.Viewer, true},
		{mailing.Viewer, mailing.Viewer, true},
		{mailing.Viewer, mailing.Admin, false},
		{"", mailing.Viewer, false},
		{"", mailing.Admin, false},
		{"", "", false},
		{"root", mailing.Viewer, false},
		{"root", "root", false},
		{mailing.Admin, "root", false},
		{mailing.Admin, "", false},
	} {
		if got := c.has.May(c.needed); got != c.want {
			t.Errorf("may the role %q make a request that needs %q? %t", c.has, c.needed, got)
		}
	}
}
