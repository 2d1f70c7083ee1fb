// What can be done with a mailing in its present state. The API has the last word: these
// rules only decide which controls are shown.
import type { Counts, Mailing } from '../../api/client.ts';

type Facts = Pick<Mailing, 'status' | 'end_at' | 'on_uncertain'>;

// closed reports whether nothing of the mailing may be sent any more.
export function closed(m: Facts, now: Date): boolean {
  return new Date(m.end_at) <= now;
}

export function editable(m: Facts): boolean {
  return m.status === 'scheduled' || m.status === 'running' || m.status === 'paused';
}

export function pausable(m: Facts): boolean {
  return m.status === 'running';
}

export function resumable(m: Facts, now: Date): boolean {
  return m.status === 'paused' && !closed(m, now);
}

export function cancellable(m: Facts): boolean {
  return editable(m);
}

// retriable returns the numbers of messages that a retry can try again.
export function retriable(m: Facts, counts: Counts, now: Date): { failed: number; uncertain: number } {
  if (m.status === 'scheduled' || m.status === 'cancelled' || closed(m, now)) return { failed: 0, uncertain: 0 };
  return { failed: counts.failed, uncertain: m.on_uncertain === 'stop' ? 0 : counts.uncertain };
}

// moving reports whether the numbers of a mailing change from one second to the next.
export function moving(m: Pick<Mailing, 'status' | 'start_at'>, open: number, now: Date): boolean {
  if (m.status === 'running') return true;
  if (m.status === 'cancelled' || m.status === 'paused') return m.status === 'cancelled' && open > 0;
  return m.status === 'scheduled' && new Date(m.start_at).getTime() - now.getTime() < 60_000;
}

// title returns the beginning of a text as one line of at most length characters.
export function title(text: string, length = 80): string {
  const line = text.replace(/\s+/g, ' ').trim();
  const characters = [...line];
  return characters.length > length ? `${characters.slice(0, length - 1).join('').trimEnd()}…` : line;
}

// roughly rounds a length of time in seconds, so that a forecast does not flicker.
export function roughly(seconds: number): number {
  const unit = seconds < 60 ? 5 : seconds < 3600 ? 60 : 300;
  return Math.max(unit, Math.round(seconds / unit) * unit);
}
