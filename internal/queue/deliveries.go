package queue

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"postrider/internal/mailing"
)

// Deliveries is the sender's queue.
type Deliveries struct {
	api API
	url string
}

// NewDeliveries returns the sender's queue at url.
func NewDeliveries(api API, url string) *Deliveries { return &Deliveries{api: api, url: url} }

type deliveryBody struct {
	// Mailing is a pointer because 0 is a valid value: the mailing of test messages. A
	// body without it is not a delivery.
	Mailing *mailing.ID `json:"mailing_id"`
	Slice   int         `json:"slice"`
	Batch   string      `json:"batch"`
}

// Queue queues batches, all with the same delay (at most 15 minutes; a fraction of a
// second is rounded up).
func (d *Deliveries) Queue(ctx context.Context, keys []mailing.BatchKey, delay time.Duration) error {
	messages := make([]message, len(keys))
	for i, k := range keys {
		messages[i] = message{
			body:  deliveryBody{Mailing: &k.Mailing, Slice: k.Slice, Batch: k.Batch.String()},
			group: strconv.FormatUint(uint64(k.Mailing), 10), delay: delay,
		}
	}
	if err := send(ctx, d.api, d.url, messages); err != nil {
		return fmt.Errorf("queue %d batches: %w", len(keys), err)
	}
	return nil
}

func decodeDelivery(body string) (mailing.BatchKey, error) {
	var b deliveryBody
	if err := json.Unmarshal([]byte(body), &b); err != nil {
		return mailing.BatchKey{}, fmt.Errorf("decode a delivery: %w", err)
	}
	id, err := mailing.ParseBatchID(b.Batch)
	if err != nil || b.Mailing == nil || b.Slice < 0 || b.Slice >= mailing.Slices {
		return mailing.BatchKey{}, fmt.Errorf("decode a delivery: no batch %q of slice %d, or of no mailing", b.Batch, b.Slice)
	}
	return mailing.BatchKey{Mailing: *b.Mailing, Slice: b.Slice, Batch: id}, nil
}
