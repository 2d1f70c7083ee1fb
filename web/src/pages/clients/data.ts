// What the pages of clients read.
import { api, call, type Client, type Answer } from '../../api/client.ts';
import { useLive } from '../../api/live.ts';
import { zone } from '../../format.ts';
import { locale } from '../../i18n/index.ts';
import { now } from '../../ui/now.ts';
import { offsetText, validZone, zoneNames } from '../../zone.ts';

export interface Filters {
  phone: string;
  operator_code: string;
  tag: string;
}

// set returns the filters that have a value: the API refuses empty ones.
export function set(f: Filters): Partial<Filters> {
  return Object.fromEntries(Object.entries(f).filter(([, value]) => value)) as Partial<Filters>;
}

// useNumber returns the exact number of clients that match the filters. It is counted
// once, and again by reload: for many clients it costs. A phone is not counted.
export function useNumber(f: Filters) {
  return useLive<number | undefined>((signal) => number(f, signal), () => false, [f.phone, f.operator_code, f.tag], { once: true });
}

async function number(f: Filters, signal: AbortSignal): Promise<Answer<number | undefined>> {
  if (f.phone) return { data: undefined };
  return { data: await countClients(f, signal) };
}

// countClients returns the number of clients with a tag and an operator code.
export async function countClients(f: Filters, signal: AbortSignal): Promise<number> {
  const filter = { operator_codes: f.operator_code ? [f.operator_code] : [], tags: f.tag ? [f.tag] : [] };
  const { data } = await call(api.POST('/api/mailings/preview', { body: { filter }, signal }));
  return data.recipients;
}

export async function deleteClient(c: Client) {
  await call(api.DELETE('/api/clients/{id}', { params: { path: { id: c.id } } }));
}

// clockIn returns the time of day in a zone now, "" for a zone that the browser does not
// know.
export function clockIn(name: string): string {
  if (!validZone(name)) return '';
  return new Intl.DateTimeFormat(locale.value, { timeStyle: 'short', timeZone: name }).format(now.value);
}

// zoneOffers returns all zones with their distance from UTC.
export function zoneOffers(): { value: string; detail: string }[] {
  const at = Date.now();
  return zoneNames(zone).map((value) => ({ value, detail: offsetText(value, at) }));
}

// zoneText returns a zone's distance from UTC and the time there.
export function zoneText(name: string): string {
  if (!validZone(name)) return '';
  return `${offsetText(name, now.value.getTime())} · ${clockIn(name)}`;
}
