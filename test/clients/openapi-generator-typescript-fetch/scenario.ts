// The scenario of test/clients with what openapi-generator makes for TypeScript with fetch.
import { ClientsApi, Configuration, MailingBodyFromJSON, MailingToJSON, MailingsApi, ProblemFromJSON, ResponseError } from './made/index.ts';
import type { WindowBody } from './made/index.ts';

const phones = process.env['PHONES']!;
const configuration = new Configuration({ basePath: process.env['BASE']!, accessToken: process.env['KEY']! });
const clients = new ClientsApi(configuration);
const mailings = new MailingsApi(configuration);

function check(ok: unknown, ...said: unknown[]): asserts ok {
  if (!ok) {
    throw new Error(JSON.stringify(said));
  }
}

// refused returns the answer to a call that must be refused with the status.
async function refused(status: number, call: Promise<unknown>): Promise<Response> {
  const error: unknown = await call.then(() => undefined, (e: unknown) => e);
  check(error instanceof ResponseError && error.response.status === status, 'not refused', status, String(error));
  return error.response;
}

// mailing creates a mailing, reads it, and sends it back with its ETag and with the one before.
async function mailing(window: WindowBody | null): Promise<number> {
  const created = await mailings.createMailing({
    mailingBody: {
      text: 'Hello', startAt: new Date('2090-01-02T03:04:05Z'), endAt: new Date('2091-01-02T03:04:05Z'), filter: { tags: ['absent'] }, window,
    },
  });
  const { id } = created;
  const read = await mailings.getMailingRaw({ id });
  const m = await read.value();
  check((m.window === null) === (window === null) && m.startAt.getUTCFullYear() === 2090, 'read a mailing', m);
  const ifMatch = read.raw.headers.get('ETag')!;
  const mailingBody = { ...MailingBodyFromJSON(MailingToJSON(m)), text: 'Hello!' };
  const put = await mailings.replaceMailing({ id, mailingBody, ifMatch });
  check(put.text === 'Hello!' && put.version === m.version + 1 && put.window?.from === window?.from, 'send back what was read', put);
  await refused(412, mailings.replaceMailing({ id, mailingBody, ifMatch }));
  return id;
}

const client = await clients.createClient({ clientBody: { phone: `${phones}0`, tag: phones, timezone: 'Europe/Moscow' } });
check(client.operatorCode === phones.slice(1, 4), 'create a client', client);

const ids = [await mailing(null), await mailing({ from: '09:00', to: '21:00' })];

const found = new Set<number>();
for (let cursor: string | undefined; ; ) {
  const page = await mailings.listMailings(cursor ? { limit: 1, cursor } : { limit: 1 });
  page.items.forEach((m) => found.add(m.id));
  cursor = page.nextCursor;
  if (!cursor) {
    break;
  }
}
for (const id of ids) {
  check(found.has(id), 'the list lacks a mailing', id);
  await mailings.deleteMailing({ id });
}

const answer = await refused(422, clients.createClient({ clientBody: { phone: `${phones}9`, timezone: 'Mars/Base' } }));
const problem = ProblemFromJSON(await answer.json());
check(problem.errors?.[0]?.location === 'body.timezone', 'errors of a 422', problem);

const rows = `phone,tag,timezone\n${phones}1,${phones},UTC\n7,,UTC\n${phones}2,${phones},UTC\n`;
for (const created of [2, 0]) {
  const done = await clients.importClients({ file: new Blob([rows], { type: 'text/csv' }) });
  check(done.created === created && done.rejected === 1 && done.rows[0]?.line === 3, 'import', done);
}
check((await clients.exportClients({ phone: `${phones}1` })).includes(`${phones}1`), 'export');
console.log('passed');
