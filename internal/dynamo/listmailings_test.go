package dynamo_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"postrider/internal/dynamo"
	"postrider/internal/dynamo/dynamotest"
	"postrider/internal/mailing"
)

func listMailings(t *testing.T, s *dynamo.Store, status mailing.Status, limit int) []mailing.ID {
	t.Helper()
	found := all(t, limit, func(cursor string) (mailing.List[mailing.Mailing], error) {
		return s.ListMailings(t.Context(), mailing.MailingQuery{Status: status, Limit: limit, Cursor: cursor})
	})
	got := make([]mailing.ID, 0, len(found))
	for _, m := range found {
		got = append(got, m.ID)
	}
	return got
}

// history stores n mailings of several statuses, some of them deleted. It returns the
// ids that lists show, newest first, by status; all of them by "".
func history(t *testing.T, s *dynamo.Store, n int) map[mailing.Status][]mailing.ID {
	t.Helper()
	shown := map[mailing.Status][]mailing.ID{}
	for i := range n {
		m := newMailing(t, s, noon)
		switch i % 5 {
		case 0:
			finish(t, s, m.ID, mailing.Counts{})
		case 1:
			change(t, s, m.ID, func(m mailing.Mailing) (mailing.Mailing, error) { return m.Paused(noon) })
		case 2:
			change(t, s, m.ID, func(m mailing.Mailing) (mailing.Mailing, error) { return m.Cancelled(noon) })
		case 3:
			if i%2 == 0 {
				finish(t, s, m.ID, mailing.Counts{})
			}
			change(t, s, m.ID, func(m mailing.Mailing) (mailing.Mailing, error) { return m.AsDeleted(noon), nil })
			continue
		}
		m, err := s.Mailing(t.Context(), m.ID)
		if err != nil {
			t.Fatal(err)
		}
		shown[""] = append(shown[""], m.ID)
		shown[m.Status] = append(shown[m.Status], m.ID)
	}
	for _, ids := range shown {
		slices.Reverse(ids)
	}
	return shown
}

func TestMailingsAreListedNewestFirstWithAnyLimit(t *testing.T) {
	t.Parallel()
	e := dynamotest.Start(t)
	// The list crosses the border between two partitions of a thousand ids.
	put(t, e, e.Tables.Mailings, dynamo.CounterItem(987))
	s := e.Store()
	want := history(t, s, 40)
	for _, status := range append([]mailing.Status{""}, mailing.Statuses...) {
		for _, limit := range []int{1, 3, 100} {
			for _, api := range []dynamo.API{e.Client, smallPages{e.Client, 4}} {
				if diff := cmp.Diff(want[status], listMailings(t, e.StoreOver(api), status, limit), cmpopts.EquateEmpty()); diff != "" {
					t.Errorf("status %q, limit %d: %s", status, limit, diff)
				}
			}
		}
	}
}

func TestWithoutMailingsTheListIsEmpty(t *testing.T) {
	t.Parallel()
	s := dynamotest.Store(t)
	for _, status := range append([]mailing.Status{""}, mailing.Statuses...) {
		if got := listMailings(t, s, status, 10); len(got) != 0 {
			t.Errorf("status %q: %v", status, got)
		}
	}
}

func TestAGapOfManyIDsIsPassedPageByPage(t *testing.T) {
	t.Parallel()
	e := dynamotest.Start(t)
	s := e.Store()
	first := newMailing(t, s, noon)
	// No mailing is stored for the ids from 2 to 12,500.
	put(t, e, e.Tables.Mailings, dynamo.CounterItem(12_500))
	last := newMailing(t, s, noon)
	if diff := cmp.Diff([]mailing.ID{last.ID, first.ID}, listMailings(t, s, "", 10)); diff != "" {
		t.Error(diff)
	}
	page, err := s.ListMailings(t.Context(), mailing.MailingQuery{Limit: 10})
	if err != nil || page.Next == "" || len(page.Items) != 1 {
		t.Errorf("the first page has %d items, next %q, %v; want a short one", len(page.Items), page.Next, err)
	}
}

func TestACursorOfAMailingsListBelongsToItsStatus(t *testing.T) {
	t.Parallel()
	s := dynamotest.Store(t)
	history(t, s, 10)
	page, err := s.ListMailings(t.Context(), mailing.MailingQuery{Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.ListMailings(t.Context(), mailing.MailingQuery{Limit: 1, Status: mailing.StatusPaused, Cursor: page.Next})
	wantKind(t, err, mailing.KindMalformed)
}
