// The scenario of test/clients with the types that openapi-typescript makes and with
// openapi-fetch.
import createClient from 'openapi-fetch';
import type { components, paths } from './schema.ts';

type WindowBody = components['schemas']['WindowBody'];

const phones = process.env['PHONES']!;
const api = createClient<paths>({
  baseUrl: process.env['BASE']!,
  headers: { Authorization: `Bearer ${process.env['KEY']}` },
});

function check(ok: unknown, ...said: unknown[]): asserts ok {
  if (!ok) {
    throw new Error(JSON.stringify(said));
  }
}

// mailing creates a mailing, reads it, and sends it back with its ETag and with the one before.
async function mailing(window: WindowBody | null): Promise<number> {
  const created = await api.POST('/api/mailings', {
    body: { text: 'Hello', start_at: '2090-01-02T03:04:05Z', end_at: '2091-01-02T03:04:05Z', filter: { tags: ['absent'] }, window },
  });
  check(created.data, 'create a mailing', created.error);
  const path = { id: created.data.id };
  const read = await api.GET('/api/mailings/{id}', { params: { path } });
  check(read.data && (read.data.window === null) === (window === null), 'read a mailing', read);
  const header = { 'If-Match': read.response.headers.get('ETag')! };
  // An answer may have fields that a request must not have, so the body names its own.
  const { text, start_at, end_at, filter, on_uncertain } = read.data;
  const { operator_codes, tags } = filter;
  const body = {
    text: `${text}!`, start_at, end_at, on_uncertain, filter: { operator_codes, tags },
    window: read.data.window && { from: read.data.window.from, to: read.data.window.to },
  };
  const put = await api.PUT('/api/mailings/{id}', { params: { path, header }, body });
  check(put.data?.text === 'Hello!' && put.data.version === read.data.version + 1, 'send back what was read', put.error);
  check(put.data.window?.from === window?.from, 'the window that was sent back', put.data);
  const stale = await api.PUT('/api/mailings/{id}', { params: { path, header }, body });
  check(stale.error?.status === 412, 'an old ETag', stale);
  return path.id;
}

const client = await api.POST('/api/clients', { body: { phone: `${phones}0`, tag: phones, timezone: 'Europe/Moscow' } });
check(client.data?.operator_code === phones.slice(1, 4), 'create a client', client.error);

const ids = [await mailing(null), await mailing({ from: '09:00', to: '21:00' })];

const found = new Set<number>();
for (let cursor: string | undefined = ''; cursor !== undefined; ) {
  const page: { data?: components['schemas']['ListMailing']; error?: unknown } = await api.GET('/api/mailings', {
    params: { query: { limit: 1, cursor } },
  });
  check(page.data, 'list mailings', page.error);
  page.data.items.forEach((m) => found.add(m.id));
  cursor = page.data.next_cursor;
}
for (const id of ids) {
  check(found.has(id), 'the list lacks a mailing', id);
  const gone = await api.DELETE('/api/mailings/{id}', { params: { path: { id } } });
  check(gone.response.status === 204, 'delete a mailing', gone.error);
}

const refused = await api.POST('/api/clients', { body: { phone: `${phones}9`, timezone: 'Mars/Base' } });
check(refused.error?.errors?.[0]?.location === 'body.timezone', 'errors of a 422', refused);

const rows = `phone,tag,timezone\n${phones}1,${phones},UTC\n7,,UTC\n${phones}2,${phones},UTC\n`;
for (const created of [2, 0]) {
  const done = await api.POST('/api/clients/import', {
    body: { file: rows },
    bodySerializer: () => {
      const form = new FormData();
      form.append('file', new Blob([rows], { type: 'text/csv' }), 'clients.csv');
      return form;
    },
  });
  check(done.data?.created === created && done.data.rejected === 1 && done.data.rows[0]?.line === 3, 'import', done);
}
const exported = await api.GET('/api/clients/export', { params: { query: { phone: `${phones}1` } }, parseAs: 'text' });
check(exported.data?.includes(`${phones}1`), 'export', exported);
console.log('passed');
