package api

import (
	"time"

	"postrider/internal/mailing"
)

// exampleClient returns the client of the examples. The examples tell one story: a
// client, a mailing to it, and the message that the client gets.
func exampleClient() Client {
	return Client{ID: 1, Phone: "79001234567", OperatorCode: "900", Tag: "vip", Timezone: "Europe/Moscow"}
}

// exampleClientBody returns the request that creates the client.
func exampleClientBody() ClientBody {
	return ClientBody{Phone: "79001234567", Tag: "vip", Timezone: "Europe/Moscow"}
}

// exampleAt returns an instant of the story, in minutes after 9:00. The mailing is
// created at 0.
func exampleAt(minutes int) Time {
	return Time(time.Date(2030, time.March, 1, 9, minutes, 0, 0, time.UTC))
}

// exampleMailing returns the mailing before its start.
func exampleMailing() Mailing {
	return Mailing{
		ID: 1, Text: "Your order is ready", StartAt: exampleAt(30), EndAt: exampleAt(12 * 60),
		Filter: Filter{OperatorCodes: []string{}, Tags: []string{"vip"}}, Window: &Window{From: "09:00", To: "21:00"},
		OnUncertain: string(mailing.Resend), SMS: smsJSON("Your order is ready"), Status: string(mailing.StatusScheduled), Version: 1, CreatedAt: exampleAt(0), UpdatedAt: exampleAt(0),
	}
}

// examplePreview returns the answer to a preview of the mailing.
func examplePreview() Preview {
	sms := exampleMailing().SMS
	return Preview{Recipients: 500, SMS: &sms}
}

// exampleMailingBody returns the request that creates the mailing.
func exampleMailingBody() MailingBody {
	m := exampleMailing()
	return MailingBody{Text: m.Text, StartAt: m.StartAt, EndAt: m.EndAt, Filter: FilterBody{Tags: m.Filter.Tags}, Window: m.Window}
}

// exampleMailingIn returns the mailing in a later status and version.
func exampleMailingIn(status mailing.Status, version int64) Mailing {
	m := exampleMailing()
	m.Status, m.Version, m.UpdatedAt = string(status), version, exampleAt(40)
	if status == mailing.StatusPaused {
		m.PausedBy = PausedBy(mailing.ByPerson)
	}
	return m
}

// exampleMessage returns the message of the mailing to the client.
func exampleMessage() Message {
	sent := exampleAt(31)
	return Message{
		ID: int64(mailing.NewMessageID(1, 1)), MailingID: 1, ClientID: 1, Phone: exampleClient().Phone,
		Status: string(mailing.Sent), Attempts: 1, CreatedAt: exampleAt(30), SentAt: &sent,
	}
}

// exampleTest returns a test message of the mailing.
func exampleTest() Message {
	return Message{
		ID: 1, MailingID: 1, Test: true, Phone: exampleClient().Phone, Status: string(mailing.Queued), CreatedAt: exampleAt(5),
	}
}

// exampleCounts returns counts whose total is the sum of the others.
func exampleCounts() Counts { return Counts{Total: 4, Queued: 1, Sent: 2, Failed: 1} }

// exampleInfo returns the mailing's statistics. The progress is that of the counts.
func exampleInfo() Info {
	progress := 0.75
	return Info{
		Mailing: exampleMailingIn(mailing.StatusRunning, 2), Counts: exampleCounts(), Expanded: true, Progress: &progress, Rate: 0.05,
		Messages: []Message{exampleMessage()},
	}
}

// exampleFullInfo returns the overall statistics of that one mailing.
func exampleFullInfo() FullInfo {
	return FullInfo{
		Mailings: []CountedMailing{{exampleMailingIn(mailing.StatusRunning, 2), exampleCounts()}},
		Totals:   exampleCounts(), MailingsByStatus: MailingsByStatus{Running: 1},
	}
}

// exampleQueues returns the three queues, with one dead letter.
func exampleQueues() QueueList {
	age := 12.5
	return QueueList{
		Queues: []Queue{
			{Name: mailing.TasksQueue},
			{Name: mailing.DeliveriesQueue, Waiting: 40, InFlight: 5, OldestAge: &age},
			{Name: mailing.DeadLettersQueue, Waiting: 1, OldestAge: &age},
		},
		DeadLetters: []DeadLetter{{
			MessageID: exampleMessage().ID, MailingID: 1, ClientID: 1, Reason: "http_400", Attempts: 1, At: exampleAt(31),
		}},
	}
}

// exampleMetrics returns the metrics of [exampleQueues] and [exampleCounts],
// written by the code that writes the real ones.
func exampleMetrics() string {
	queues := exampleQueues().Queues
	depths := make([]mailing.QueueDepth, len(queues))
	for i, q := range queues {
		depths[i] = mailing.QueueDepth{Name: q.Name, Waiting: q.Waiting, InFlight: q.InFlight, Delayed: q.Delayed}
	}
	overall := mailing.Overall{
		Totals: mailing.Counts{Total: 4, Queued: 1, Sent: 2, Failed: 1}, Mailings: map[mailing.Status]int64{mailing.StatusRunning: 1},
	}
	text, err := metricsText(overall, depths, 12.5)
	if err != nil {
		return "" // a test finds an empty example
	}
	return string(text)
}

// exampleIndex returns the links as they are in the answer to /api/.
func exampleIndex() Index { return Index{linksFrom("/api/")} }
