// The import that is under way. It belongs to the page as a whole, so that it goes on
// while other pages are shown, while the service is away, and after a new sign-in.
import { effect, signal, type Signal } from '@preact/signals';
import { api, ApiError, call, isAway } from '../../api/client.ts';
import { session } from '../../api/connection.ts';
import { loadFacets } from '../../api/facets.ts';
import { partsOf } from '../../i18n/rule.ts';
import { said } from '../../i18n/said.ts';
import { t } from '../../i18n/index.ts';
import { chunksOf } from '../../files.ts';
import { fields } from './columns.ts';
import { Job, Stalled, type Totals } from './job.ts';
import type { Plan, Reason } from './part.ts';
import { rowsOf, type Shape } from './reader.ts';
import { Rejects } from './rejects.ts';
import { Speed } from './speed.ts';

export type State =
  | { kind: 'running' | 'stopping' | 'stopped' | 'done' }
  | { kind: 'waiting'; why: 'session' }
  | { kind: 'waiting'; why: 'away'; until: Date }
  // unreadable: the file has changed or is gone, and cannot be read on.
  | { kind: 'failed'; error: unknown; unreadable: boolean };

export interface Running {
  name: string;
  rows: number;
  state: Signal<State>;
  totals: Signal<Totals>;
  speed: Speed;
  rejects: Rejects;
  job: Job;
}

// current is the import that is shown, undefined before the first one.
export const current = signal<Running | undefined>();

const timeout = 60_000; // milliseconds that one part may take
const longestWait = 30; // seconds

// wake ends a pause between two tries.
let wake = () => {};

// begin starts an import. header has the names of the file's columns.
export function begin(o: { file: File; rows: number; shape: Shape; plan: Plan; header: string[] }) {
  const speed = new Speed();
  const rejects = new Rejects([t('import.rejected.line'), t('import.rejected.reason'), ...o.header], o.shape.separator);
  const totals = signal<Totals>({ read: 0, created: 0, updated: 0, unchanged: 0, rejected: 0 });
  const job = new Job({
    rows: rowsOf(chunksOf(o.file), o.shape),
    plan: o.plan,
    send,
    now: () => performance.now(),
    done: (rejected) => {
      rejects.add(rejected.map(({ row, reasons }) => ({ row, reason: reasons.map(reasonText).join('; '), kinds: reasons.map(kindText) })));
      totals.value = { ...job.totals };
      speed.add(job.totals.read, performance.now());
    },
  });
  const running: Running = { name: o.file.name, rows: o.rows, state: signal<State>({ kind: 'running' }), totals, speed, rejects, job };
  current.value = running;
  void drive(running);
}

async function send(csv: string) {
  const { data } = await call(api.POST('/api/clients/import', {
    body: csv,
    bodySerializer: (text) => text,
    headers: { 'Content-Type': 'text/csv' },
    signal: AbortSignal.timeout(timeout),
  }));
  return data;
}

// drive runs an import until it is done, stopped, or at an error that time does not mend.
async function drive(r: Running) {
  let failures = 0;
  let read = 0;
  addEventListener('beforeunload', warn);
  for (;;) {
    r.state.value = { kind: 'running' };
    r.speed.start(performance.now());
    try {
      const done = await r.job.run();
      r.state.value = { kind: done ? 'done' : 'stopped' };
      break;
    } catch (e) {
      if (isStopping(r)) {
        r.state.value = { kind: 'stopped' };
        break;
      }
      failures = r.totals.value.read > read ? 1 : failures + 1;
      read = r.totals.value.read;
      if (e instanceof ApiError && e.status === 401) {
        r.state.value = { kind: 'waiting', why: 'session' };
        await signedIn();
      } else if (isAway(e) || e instanceof Stalled || (e instanceof ApiError && e.status === 429)) {
        const seconds = Math.min(longestWait, 2 ** failures);
        r.state.value = { kind: 'waiting', why: 'away', until: new Date(Date.now() + seconds * 1000) };
        await pause(seconds);
      } else {
        r.state.value = { kind: 'failed', error: e, unreadable: !(e instanceof ApiError) };
        break;
      }
      if (isStopping(r)) {
        r.state.value = { kind: 'stopped' };
        break;
      }
    }
  }
  removeEventListener('beforeunload', warn);
  void loadFacets();
}

function isStopping(r: Running): boolean {
  return r.state.peek().kind === 'stopping';
}

// stop ends an import after the part that is being sent; a pause ends at once.
export function stop(r: Running) {
  r.state.value = { kind: 'stopping' };
  r.job.stop();
  wake();
}

export function goOn(r: Running) {
  void drive(r);
}

// tryNow ends the pause before the next try.
export function tryNow() {
  wake();
}

function pause(seconds: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, seconds * 1000);
    wake = () => {
      clearTimeout(timer);
      resolve();
    };
  });
}

// signedIn waits for the next sign-in.
function signedIn(): Promise<void> {
  return new Promise((resolve) => {
    let dispose = () => {};
    const end = () => {
      resolve();
      queueMicrotask(() => dispose());
    };
    wake = end;
    // The 401 has cleared the session, so its next value is a new one.
    dispose = effect(() => {
      if (session.value) end();
    });
  });
}

// warn lets the browser ask before it closes the page.
function warn(e: BeforeUnloadEvent) {
  e.preventDefault();
}

// reasonText returns why a row was rejected.
function reasonText(reason: Reason): string {
  if ('key' in reason) return t(`reject.${reason.key}`, reason.values);
  if (reason.field === 'row') return said(reason.message);
  const field = fields.find((f) => f === reason.field);
  return `${field ? t(`field.${field}`) : reason.field}: ${said(reason.message)}`;
}

// kindText returns the reason without what differs from row to row: numbers, and hints.
function kindText(reason: Reason): string {
  if ('key' in reason && (reason.key === 'twice' || reason.key === 'cells')) return t(`reject.kind.${reason.key}`);
  return reasonText('key' in reason ? reason : { ...reason, message: partsOf(reason.message).rule });
}
