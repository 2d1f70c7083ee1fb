// The clocks of time zones: what they show at an instant, and the instant at which they
// show a time. Instants are milliseconds since 1970 in UTC.

const minute = 60_000;
const day = 86_400_000;

const formats = new Map<string, Intl.DateTimeFormat>();

function format(zone: string): Intl.DateTimeFormat {
  let f = formats.get(zone);
  if (!f) {
    f = new Intl.DateTimeFormat('en-US', {
      timeZone: zone, hourCycle: 'h23', year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric', minute: 'numeric', second: 'numeric',
    });
    formats.set(zone, f);
  }
  return f;
}

// offset returns how far the clocks of a zone are ahead of UTC at an instant, in
// milliseconds.
export function offset(zone: string, at: number): number {
  const part: Record<string, number> = {};
  for (const p of format(zone).formatToParts(at)) part[p.type] = Number(p.value);
  const shown = Date.UTC(part['year']!, part['month']! - 1, part['day']!, part['hour']!, part['minute']!, part['second']!);
  return shown - Math.floor(at / 1000) * 1000;
}

// toLocal returns what clocks of a zone show at an instant, as the value of a
// datetime-local field: "2026-03-29T02:30".
export function toLocal(zone: string, at: number): string {
  return new Date(at + offset(zone, at)).toISOString().slice(0, 16);
}

// faceAt returns the milliseconds since 00:00 on the clock's face.
export function faceAt(zone: string, at: number): number {
  return (((at + offset(zone, at)) % day) + day) % day;
}

export interface Found {
  at: number;
  // gap: no clock shows this time, because clocks go forward over it; at is as much later
  // as they go forward. overlap: clocks show it twice, because they go back; at is the
  // first time or the second.
  kind: 'once' | 'gap' | 'overlap';
}

// toInstant returns the instant at which clocks of a zone show a local time. Where they
// show it twice, later chooses the second time. It returns nothing for a text that is not
// a local time.
export function toInstant(zone: string, local: string, later = false): Found | undefined {
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?$/.test(local)) return undefined;
  const face = Date.parse(`${local}Z`);
  if (Number.isNaN(face) || !new Date(face).toISOString().startsWith(local.slice(0, 16))) return undefined;
  const before = offset(zone, face - day);
  const fits = [face - before, face - offset(zone, face + day)].filter((at) => at + offset(zone, at) === face);
  const [first, last] = [Math.min(...fits), Math.max(...fits)];
  if (fits.length === 0) return { at: face - before, kind: 'gap' };
  return first === last ? { at: first, kind: 'once' } : { at: later ? last : first, kind: 'overlap' };
}

// offsetText writes an offset as "UTC+3" or "UTC−9:30".
export function offsetText(zone: string, at: number): string {
  const minutes = Math.round(offset(zone, at) / minute);
  if (minutes === 0) return 'UTC';
  const [hours, rest] = [Math.floor(Math.abs(minutes) / 60), Math.abs(minutes) % 60];
  return `UTC${minutes < 0 ? '−' : '+'}${hours}${rest ? `:${String(rest).padStart(2, '0')}` : ''}`;
}

// zoneNames returns all zones that the browser knows, with UTC and the reader's own.
export function zoneNames(own: string): string[] {
  return [...new Set([...Intl.supportedValuesOf('timeZone'), 'UTC', own])].sort();
}

// validZone reports whether the browser knows a zone.
export function validZone(zone: string): boolean {
  try {
    format(zone);
    return true;
  } catch {
    return false;
  }
}

// byRegion groups zones by what stands before the first slash: people look for the city.
// Zones without a region come last.
export function byRegion(zones: string[]): { region: string; zones: string[] }[] {
  const groups = new Map<string, string[]>();
  for (const z of zones) {
    const region = z.includes('/') ? z.slice(0, z.indexOf('/')) : '';
    groups.set(region, [...(groups.get(region) ?? []), z]);
  }
  const all = Array.from(groups, ([region, zones]) => ({ region, zones }));
  return [...all.filter((g) => g.region), ...all.filter((g) => !g.region)];
}
