// Sums over the counts of messages.
import type { Counts, Status } from './api/client.ts';

export const noCounts: Counts = { total: 0, queued: 0, retrying: 0, deferred: 0, sent: 0, failed: 0, expired: 0, cancelled: 0, skipped: 0, uncertain: 0 };

const pending: Status[] = ['queued', 'retrying', 'deferred'];

// open returns the number of messages that have no final status yet.
export function open(c: Counts): number {
  return pending.reduce((sum, s) => sum + c[s], 0);
}

// progress returns the share of messages with a final status, null if there are none.
export function progress(c: Counts): number | null {
  return c.total === 0 ? null : (c.total - open(c)) / c.total;
}

// timeLeft returns the seconds until all open messages are sent at a rate in messages a
// second, null if the rate says nothing. Deferred messages wait for their window, so
// they are left out.
export function timeLeft(c: Counts, rate: number): number | null {
  const waiting = c.queued + c.retrying;
  return rate <= 0 || waiting === 0 ? null : waiting / rate;
}
