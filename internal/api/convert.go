package api

import (
	"cmp"
	"errors"
	"math"
	"time"

	"postrider/internal/mailing"
)

// clientJSON returns a client as answers have it.
func clientJSON(c mailing.Client) Client {
	return Client{ID: int64(c.ID), Phone: c.Phone, OperatorCode: c.OperatorCode, Tag: c.Tag, Timezone: c.Timezone}
}

// client returns the client that a request describes, under the given id.
func (b ClientBody) client(id mailing.ClientID) mailing.Client {
	return mailing.Client{ID: id, Phone: b.Phone, OperatorCode: b.OperatorCode, Tag: b.Tag, Timezone: string(b.Timezone)}
}

// clientBody returns the part of a client that a request can set, as the base of a
// patch.
func clientBody(c mailing.Client) ClientBody {
	return ClientBody{Phone: c.Phone, OperatorCode: c.OperatorCode, Tag: c.Tag, Timezone: Timezone(c.Timezone)}
}

// mailingJSON returns a mailing as answers have it.
func mailingJSON(m mailing.Mailing) Mailing {
	return Mailing{
		ID:          int64(m.ID),
		Text:        m.Text,
		StartAt:     Time(m.StartAt),
		EndAt:       Time(m.EndAt),
		Filter:      filterJSON(m.Filter),
		Window:      windowJSON(m.Window),
		OnUncertain: string(m.OnUncertain),
		SMS:         smsJSON(m.Text),
		Status:      string(m.Status),
		PausedBy:    pausedBy(m),
		Version:     m.Version,
		CreatedAt:   Time(m.CreatedAt),
		UpdatedAt:   Time(m.UpdatedAt),
	}
}

// pausedBy returns the reason for a pause, "" while m is not paused. A paused
// mailing without a stored reason was paused by a person.
func pausedBy(m mailing.Mailing) PausedBy {
	if m.Status != mailing.StatusPaused {
		return ""
	}
	return PausedBy(cmp.Or(m.PausedBy, mailing.ByPerson))
}

// mailingBody returns the part of a mailing that a request can set, as the base of
// a patch.
func mailingBody(m mailing.Mailing) MailingBody {
	j := mailingJSON(m)
	return MailingBody{Text: j.Text, StartAt: j.StartAt, EndAt: j.EndAt, Filter: FilterBody(j.Filter), Window: j.Window, OnUncertain: j.OnUncertain}
}

// draft returns the draft that a request describes. The body must have passed its
// schema. All faults that are left after that are reported together.
func (b MailingBody) draft() (mailing.Draft, error) {
	d := mailing.Draft{
		Text:        b.Text,
		StartAt:     time.Time(b.StartAt),
		EndAt:       time.Time(b.EndAt),
		Filter:      b.Filter.filter(),
		OnUncertain: mailing.OnUncertain(b.OnUncertain),
	}
	var fields []mailing.Field
	for _, t := range []struct {
		location string
		at       time.Time
	}{{"body.start_at", d.StartAt}, {"body.end_at", d.EndAt}} {
		// RFC 3339 has years of four digits. An offset can move a time out of them.
		if y := t.at.UTC().Year(); y < 1 || y > 9999 {
			fields = append(fields, mailing.Field{Location: t.location, Message: "must be in the years 1 to 9999 of UTC"})
		}
	}
	if b.Window != nil {
		from, fromErr := mailing.ParseClockTime(b.Window.From)
		to, toErr := mailing.ParseClockTime(b.Window.To)
		if errors.Join(fromErr, toErr) != nil {
			fields = append(fields, mailing.Field{Location: "body.window", Message: "from and to must be times as HH:MM"})
		}
		d.Window = &mailing.Window{From: from, To: to}
	}
	if len(fields) > 0 {
		return mailing.Draft{}, &mailing.Error{Kind: mailing.KindInvalid, Message: "the mailing is not valid", Fields: fields}
	}
	return d, nil
}

// smsJSON returns what a text comes to when it is sent as SMS.
func smsJSON(text string) SMS {
	sms := mailing.NewSMS(text)
	return SMS{Encoding: string(sms.Encoding), Units: sms.Units, Segments: sms.Segments}
}

// filter returns the filter that a request describes.
func (f FilterBody) filter() mailing.Filter {
	return mailing.Filter{OperatorCodes: f.OperatorCodes, Tags: f.Tags}
}

// filterJSON returns a filter as answers have it: an empty list is [], not null.
func filterJSON(f mailing.Filter) Filter {
	return Filter{OperatorCodes: notNil(f.OperatorCodes), Tags: notNil(f.Tags)}
}

// windowJSON returns a window as answers have it, nil if the mailing has none.
func windowJSON(w *mailing.Window) *Window {
	if w == nil {
		return nil
	}
	return &Window{From: w.From.String(), To: w.To.String()}
}

// messageJSON returns a message as answers have it. A test message is stored under
// mailing 0, with a number of its own in the place of the client's id. The answer
// names the mailing that is tested instead, and client 0.
func messageJSON(m mailing.Message) Message {
	j := Message{
		ID:                int64(m.ID),
		MailingID:         int64(m.ID.Mailing()),
		ClientID:          int64(m.ID.Client()),
		Phone:             m.Phone,
		Status:            string(m.Member.Status),
		Attempts:          m.Member.Attempts,
		UncertainAttempts: m.Member.Uncertain,
		LastError:         m.Member.Error,
		CreatedAt:         Time(m.CreatedAt),
	}
	if m.Test != nil {
		j.Test, j.MailingID, j.ClientID = true, int64(m.Test.Mailing), 0
	}
	if at := m.Member.SentAt(); !at.IsZero() {
		sent := Time(at)
		j.SentAt = &sent
	}
	return j
}

// thousandths returns x rounded to three decimals.
func thousandths(x float64) float64 { return math.Round(x*1000) / 1000 }

// countsJSON returns counts as answers have them. The conversion compiles only
// while both types have the same fields.
func countsJSON(c mailing.Counts) Counts { return Counts(c) }

// listJSON returns a page as answers have it. one converts an item.
func listJSON[D, J any](l mailing.List[D], one func(D) J) List[J] {
	return List[J]{Items: each(l.Items, one), NextCursor: l.Next}
}

// each returns the converted items. The result is never nil, so that an empty list
// is [] in JSON.
func each[D, J any](ds []D, one func(D) J) []J {
	js := make([]J, 0, len(ds))
	for _, d := range ds {
		js = append(js, one(d))
	}
	return js
}

// notNil returns s, or an empty slice for nil: JSON writes it as [].
func notNil(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}
