// When a mailing starts and ends, on the clocks of a zone that the person chooses.
import { exact, moment, relative, zone as readerZone } from '../../format.ts';
import { t, type Key } from '../../i18n/index.ts';
import { Field, Panel } from '../../ui/basic.tsx';
import { now } from '../../ui/now.ts';
import { Locked } from './audience.tsx';
import { after, endOf, instantOf, inZone, startOf, type Draft, type Field as FieldName, type Moment } from './draft.ts';
import type { Form } from './form.ts';
import { offsetText, toInstant, toLocal, zoneNames } from './zone.ts';

const hour = 3_600_000;

// lengths are offered for the time from start to end.
const lengths: { key: Key; n: number; length: number }[] = [
  { key: 'edit.hours_later', n: 1, length: hour },
  { key: 'edit.hours_later', n: 8, length: 8 * hour },
  { key: 'edit.days_later', n: 1, length: 24 * hour },
  { key: 'edit.days_later', n: 3, length: 72 * hour },
  { key: 'edit.days_later', n: 7, length: 168 * hour },
];

let names: string[] | undefined;

export function TimePanel({ form }: { form: Form }) {
  const d = form.draft.value;
  const locked = form.locked.value;
  const start = startOf(d, now.value.getTime());
  const all = (names ??= zoneNames(readerZone));
  return (
    <Panel title={t('edit.time')}>
      <div class="times">
        <div class="time-start">
          <Field label={t('edit.start')} errors={form.errors('start_at')} hint={locked.includes('start_at') ? <><Locked /> <Meaning d={d} m={d.start} /></> : d.startNow ? t('edit.start.now.about') : <Meaning d={d} m={d.start} />}>
            {(ids) => (
              <>
                {!locked.includes('start_at') && <StartMode form={form} />}
                {!d.startNow && <LocalTime form={form} name="start_at" value={d.start} ids={ids} change={(start) => form.set({ start }, 'start_at')} />}
                {d.startNow && <input {...ids} data-field="start_at" readOnly value={t('edit.start.now.value')} class="visually-hidden" tabIndex={-1} />}
              </>
            )}
          </Field>
          {!d.startNow && <Changes d={d} m={d.start} change={(start) => form.set({ start }, 'start_at')} />}
        </div>
        <div class="time-end">
          <Field label={t('edit.end')} errors={form.errors('end_at')} hint={<Meaning d={d} m={d.end} />}>
            {(ids) => <LocalTime form={form} name="end_at" value={d.end} ids={ids} change={(end) => form.set({ end }, 'end_at')} />}
          </Field>
          <Changes d={d} m={d.end} change={(end) => form.set({ end }, 'end_at')} />
          {start !== undefined && !locked.includes('end_at') && (
            <p class="lengths" role="group" aria-label={t('edit.end.lengths')}>
              {lengths.map(({ key, n, length }) => (
                <button key={length} type="button" class="pill" aria-pressed={endOf(d) === instantOf(d.zone, after(d.zone, start, length))?.at}
                  onClick={() => form.set({ end: after(d.zone, Math.max(start, locked.includes('start_at') ? now.value.getTime() : start), length) }, 'end_at')}>
                  {t(key, { n })}
                </button>
              ))}
            </p>
          )}
        </div>
        <Field label={t('edit.zone')} hint={d.zone === readerZone ? t('edit.zone.yours') : t('edit.zone.other', { zone: readerZone })}>
          {(ids) => (
            <select {...ids} value={d.zone} disabled={locked.includes('end_at')} onChange={(e) => form.set(inZone(d, e.currentTarget.value))}>
              <optgroup label={t('edit.zone.near')}>
                {[...new Set([readerZone, 'UTC'])].map((z) => <Zone key={z} name={z} at={now.peek().getTime()} />)}
              </optgroup>
              <optgroup label={t('edit.zone.all')}>
                {all.filter((z) => z !== readerZone && z !== 'UTC').map((z) => <option key={z} value={z}>{z.replaceAll('_', ' ')}</option>)}
              </optgroup>
            </select>
          )}
        </Field>
      </div>
    </Panel>
  );
}

function Zone({ name, at }: { name: string; at: number }) {
  const offset = offsetText(name, at);
  return <option value={name}>{name.replaceAll('_', ' ')}{offset === name ? '' : ` · ${offset}`}</option>;
}

function StartMode({ form }: { form: Form }) {
  const d = form.draft.value;
  return (
    <span class="segments" role="group" aria-label={t('edit.start')}>
      <button type="button" aria-pressed={d.startNow} onClick={() => form.set({ startNow: true }, 'start_at')}>{t('edit.start.now')}</button>
      <button type="button" aria-pressed={!d.startNow} onClick={() => form.set({ startNow: false }, 'start_at')}>{t('edit.start.later')}</button>
    </span>
  );
}

function LocalTime({ form, name, value, ids, change }: { form: Form; name: FieldName; value: Moment; ids: { id: string }; change: (m: Moment) => void }) {
  const zone = form.draft.value.zone;
  return (
    <input
      {...ids}
      data-field={name}
      type="datetime-local"
      value={value.local}
      min={toLocal(zone, 0)}
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
    return <p class="clock-change" role="status">{t('edit.gap', { time: m.local.slice(11), zone: d.zone, then: toLocal(d.zone, found.at).slice(11) })}</p>;
  }
  const choice = (later: boolean) => offsetText(d.zone, toInstant(d.zone, m.local, later)!.at);
  return (
    <div class="clock-change" role="status">
      {t('edit.overlap', { time: m.local.slice(11), zone: d.zone })}
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
