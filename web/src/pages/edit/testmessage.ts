// A test message before the recipients get theirs. The API tests stored mailings only. So a
// text that is not stored is put into a mailing without recipients: its filter wants a random
// tag. It is deleted as soon as the test has ended.
import { api, ApiError, call, type Mailing, type Message } from '../../api/client.ts';
import { newKey } from './kept.ts';

const minute = 60_000;

// testTime is how long the service tries a test message.
const testTime = 10 * minute;

const stored = 'postrider.tests';

interface Helper {
  id: number;
  // until is when the test has ended in any case.
  until: number;
}

// Try is a test that the person has asked for. The keys stay when it is repeated after a
// lost answer, so that one message goes out.
export interface Try {
  text: string;
  phone: string;
  key: string;
}

export function newTry(text: string, phone: string): Try {
  return { text, phone, key: newKey() };
}

// send sends the text of a try to its phone. It returns the queued message.
export async function send(what: Try, saved: Mailing | null): Promise<Message> {
  const id = saved?.text === what.text ? saved.id : await helper(what);
  const params = { path: { id }, header: { 'Idempotency-Key': `${what.key}-test` } };
  return (await call(api.POST('/api/mailings/{id}/test', { params, body: { phone: what.phone } }))).data;
}

async function helper(what: Try): Promise<number> {
  // The times are those of the first try: a repetition must have the same body.
  const now = helperTimes.get(what.key) ?? Date.now();
  helperTimes.set(what.key, now);
  const at = (ms: number) => new Date(now + ms).toISOString();
  const body = { text: what.text, filter: { tags: [`postrider-test-${what.key}`] }, start_at: at(2 * testTime), end_at: at(3 * testTime) };
  const { data } = await call(api.POST('/api/mailings', { params: { header: { 'Idempotency-Key': `${what.key}-text` } }, body }));
  write([...read().filter((h) => h.id !== data.id), { id: data.id, until: now + testTime + minute }]);
  return data.id;
}

const helperTimes = new Map<string, number>();

const ended: Message['status'][] = ['sent', 'failed', 'expired', 'cancelled', 'skipped', 'uncertain'];

export function hasEnded(m: Message): boolean {
  return ended.includes(m.status);
}

// follow reads a message until it has ended, and tells each of its states. Then the
// mailing without recipients is deleted.
export async function follow(m: Message, tell: (m: Message) => void, stop: AbortSignal) {
  for (let last = m; !stop.aborted; ) {
    if (hasEnded(last)) return remove(last.mailing_id);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    try {
      last = (await call(api.GET('/api/messages/{id}', { params: { path: { id: m.id } }, signal: stop }))).data;
      tell(last);
    } catch (e) {
      if (e instanceof ApiError && e.status === 404) return;
      // Otherwise the next read may succeed.
    }
  }
}

// tidy deletes the mailings without recipients that an earlier page has left behind.
export async function tidy() {
  for (const h of read()) if (h.until < Date.now()) await remove(h.id);
}

async function remove(id: number) {
  if (!read().some((h) => h.id === id)) return; // a person's mailing
  try {
    await call(api.DELETE('/api/mailings/{id}', { params: { path: { id } } }));
  } catch (e) {
    if (!(e instanceof ApiError) || e.status !== 404) return; // tidied later
  }
  write(read().filter((h) => h.id !== id));
}

function read(): Helper[] {
  try {
    return JSON.parse(localStorage.getItem(stored) ?? '[]') as Helper[];
  } catch {
    return [];
  }
}

function write(helpers: Helper[]) {
  try {
    localStorage.setItem(stored, JSON.stringify(helpers));
  } catch {
    // Then a mailing without recipients stays in the list of mailings.
  }
}
