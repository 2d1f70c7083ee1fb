// When a mailing starts and ends, on the clocks of a zone that the person chooses.
import { exact, moment, relative, zone as readerZone } from '../../format.ts';
import { t, type Key } from '../../i18n/index.ts';
import { Field, Panel } from '../../ui/basic.tsx';
import { Icon } from '../../ui/icons.tsx';
import { now } from '../../ui/now.ts';
import { Locked } from './audience.tsx';
import { after, instantOf, inZone, startOf, type Draft, type Field as FieldName, type Moment } from './draft.ts';
import type { Form } from './form.ts';
import { byRegion, offsetText, toInstant, toLocal, zoneNames } from '../../zone.ts';

const hour = 3_600_000;

// lengths are offered for the time from start to end.
const lengths: { key: Key; n: number; length: number }[] = [
  { key: 'edit.hours_later', n: 1, length: hour },
  { key: 'edit.days_later', n: 1, length: 24 * hour },
  { key: 'edit.days_later', n: 7, length: 168 * hour },
];

let regions: ReturnType<typeof byRegion> | undefined;

export function TimePanel({ form }: { form: Form }) {
  const d = form.draft.value;
  const locked = form.locked.value;
  const at = now.value.getTime();
  const start = startOf(d, at);
  const fixed = locked.includes('start_at');
  return (
    <Panel title={t('edit.time')} actions={<ZoneChoice form={form} />}>
      <div class="times">
        <Field group label={t('edit.start')} errors={form.errors('start_at')} hint={d.startNow ? t('edit.start.now.about') : <>{fixed && <><Locked /> </>}<Meaning d={d} m={d.start} /></>}>
          {(ids) => (
            <>
              {!fixed && <StartMode form={form} />}
              {!d.startNow && <LocalTime form={form} name="start_at" value={d.start} label={t('edit.start')} invalid={ids['aria-invalid']} change={(start) => form.set({ start }, 'start_at')} />}
              {!d.startNow && <Changes d={d} m={d.start} change={(start) => form.set({ start }, 'start_at')} />}
            </>
          )}
        </Field>
        <Field group label={t('edit.end')} errors={form.errors('end_at')} hint={<Meaning d={d} m={d.end} />}>
          {(ids) => (
            <>
              {start !== undefined && (
                <span class="lengths" role="group" aria-label={t(fixed ? 'edit.end.from_now' : 'edit.end.after_start')} title={t(fixed ? 'edit.end.from_now' : 'edit.end.after_start')}>
                  {lengths.map(({ key, n, length }) => (
                    <button key={length} type="button" class="pill" onClick={() => form.set({ end: after(d.zone, fixed ? at : start, length) }, 'end_at')}>
                      +{t(key, { n })}
                    </button>
                  ))}
                </span>
              )}
              <LocalTime form={form} name="end_at" value={d.end} label={t('edit.end')} invalid={ids['aria-invalid']} change={(end) => form.set({ end }, 'end_at')} />
              <Changes d={d} m={d.end} change={(end) => form.set({ end }, 'end_at')} />
            </>
          )}
        </Field>
      </div>
      {d.zone !== readerZone && <p class="muted">{t('edit.zone.other', { zone: place(d.zone), yours: place(readerZone) })}</p>}
    </Panel>
  );
}

function ZoneChoice({ form }: { form: Form }) {
  const d = form.draft.value;
  const all = (regions ??= byRegion(zoneNames(readerZone)));
  const near = [...new Set([readerZone, 'UTC'])];
  const at = now.peek().getTime();
  return (
    <label class="zone-choice">
      <Icon name="globe" />
      <span class="visually-hidden">{t('edit.zone')}</span>
      <select value={d.zone} onChange={(e) => form.set(inZone(d, e.currentTarget.value))}>
        <optgroup label={t('edit.zone.near')}>
          {near.map((z) => <option key={z} value={z}>{offsetText(z, at) === z ? z : `${place(z)} · ${offsetText(z, at)}`}</option>)}
        </optgroup>
        {all.map(({ region, zones }) => (
          <optgroup key={region} label={region || t('edit.zone.others')}>
            {zones.filter((z) => !near.includes(z)).map((z) => <option key={z} value={z}>{place(z.slice(region ? region.length + 1 : 0))}</option>)}
          </optgroup>
        ))}
      </select>
    </label>
  );
}

// place writes the name of a zone for people.
function place(zone: string): string {
  return zone.replaceAll('_', ' ');
}

function StartMode({ form }: { form: Form }) {
  const d = form.draft.value;
  return (
    <span class="segments">
      <button type="button" aria-pressed={d.startNow} onClick={() => form.set({ startNow: true }, 'start_at')}>{t('edit.start.now')}</button>
      <button type="button" aria-pressed={!d.startNow} onClick={() => form.set({ startNow: false }, 'start_at')}>{t('edit.start.later')}</button>
    </span>
  );
}

function LocalTime({ form, name, value, label, invalid = false, change }: { form: Form; name: FieldName; value: Moment; label: string; invalid?: boolean | undefined; change: (m: Moment) => void }) {
  return (
    <input
      data-field={name}
      type="datetime-local"
      aria-label={label}
      aria-invalid={invalid}
      value={value.local}
      max="9999-12-31T23:59"
      disabled={form.locked.value.includes(name)}
      onInput={(e) => change({ local: e.currentTarget.value, later: false, at: null })}
      onBlur={() => form.show(name)}
    />
  );
}

// Meaning says which instant a moment is: how far away, and what the reader's clock shows.
function Meaning({ d, m }: { d: Draft; m: Moment }) {
  const at = instantOf(d.zone, m)?.at;
  if (at === undefined) return null;
  const date = new Date(at);
  const far = relative(date, now.value);
  const yours = d.zone === readerZone ? '' : t('edit.yours', { time: moment(date) });
  return <time dateTime={date.toISOString()} title={exact(date)}>{`${offsetText(d.zone, at)} · ${far}${yours ? ` · ${yours}` : ''}`}</time>;
}

// Changes says what becomes of a time on a day when clocks change.
function Changes({ d, m, change }: { d: Draft; m: Moment; change: (m: Moment) => void }) {
  const found = instantOf(d.zone, m);
  if (!found || found.kind === 'once') return null;
  if (found.kind === 'gap') {
    return <p class="clock-change" role="status">{t('edit.gap', { time: m.local.slice(11), zone: place(d.zone), then: toLocal(d.zone, found.at).slice(11) })}</p>;
  }
  const choice = (later: boolean) => offsetText(d.zone, toInstant(d.zone, m.local, later)!.at);
  return (
    <div class="clock-change" role="status">
      {t('edit.overlap', { time: m.local.slice(11), zone: place(d.zone) })}
      <span class="segments" role="group" aria-label={t('edit.overlap.label')}>
        {[false, true].map((later) => (
          <button key={String(later)} type="button" aria-pressed={m.later === later} onClick={() => change({ ...m, later, at: null })}>
            {t(later ? 'edit.overlap.second' : 'edit.overlap.first', { offset: choice(later) })}
          </button>
        ))}
      </span>
    </div>
  );
}
