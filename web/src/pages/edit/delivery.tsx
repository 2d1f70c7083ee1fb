// The hours of a mailing on the clocks of its clients, and what to do with a message
// whose outcome is unknown.
import { zone as readerZone, moment } from '../../format.ts';
import { t, type Key } from '../../i18n/index.ts';
import { Button, Field, Panel } from '../../ui/basic.tsx';
import { Icon } from '../../ui/icons.tsx';
import { now } from '../../ui/now.ts';
import { Locked } from './audience.tsx';
import { endOf, startOf, windowOf, type Draft, type OnUncertain } from './draft.ts';
import type { Form } from './form.ts';
import { bars, clockTime, firstDelivery, opening, shifted } from './window.ts';
import { faceAt, toLocal } from '../../zone.ts';

// cities are examples of zones, from west to east, with the names of their catalogue.
export const cities: { zone: string; name: Key; inside: Key }[] = [
  { zone: 'Europe/Kaliningrad', name: 'city.kaliningrad', inside: 'city.in.kaliningrad' },
  { zone: 'Europe/Moscow', name: 'city.moscow', inside: 'city.in.moscow' },
  { zone: 'Asia/Yekaterinburg', name: 'city.yekaterinburg', inside: 'city.in.yekaterinburg' },
  { zone: 'Asia/Novosibirsk', name: 'city.novosibirsk', inside: 'city.in.novosibirsk' },
  { zone: 'Asia/Vladivostok', name: 'city.vladivostok', inside: 'city.in.vladivostok' },
  { zone: 'Asia/Kamchatka', name: 'city.kamchatka', inside: 'city.in.kamchatka' },
];

const hour = 3_600_000;
const example = cities[4]!;

export function DeliveryPanel({ form }: { form: Form }) {
  const d = form.draft.value;
  const set = (window: Partial<Draft['window']>) => form.set({ window: { ...d.window, ...window } }, 'window');
  const mode = (windowed: boolean) => form.set({ windowed }, 'window');
  const off = form.locked.value.includes('window');
  return (
    <Panel title={t('edit.delivery')}>
      <Field group label={t('edit.hours')} errors={form.errors('window')} hint={hoursText(d)}>
        {(ids) => (
          <div class="hours">
            <span class="segments">
              <button type="button" aria-pressed={!d.windowed} disabled={off} onClick={() => mode(false)}>{t('edit.hours.any')}</button>
              <button type="button" data-field={d.windowed ? undefined : 'window'} aria-pressed={d.windowed} disabled={off} onClick={() => mode(true)}>{t('edit.hours.only')}</button>
            </span>
            {d.windowed && (
              <span class="from-to">
                <input type="time" aria-invalid={ids['aria-invalid']} data-field="window" aria-label={t('edit.hours.from')} value={d.window.from} disabled={off} onInput={(e) => set({ from: e.currentTarget.value })} onBlur={() => form.show('window')} />
                <span aria-hidden="true">–</span>
                <input type="time" aria-invalid={ids['aria-invalid']} aria-label={t('edit.hours.to')} value={d.window.to} disabled={off} onInput={(e) => set({ to: e.currentTarget.value })} onBlur={() => form.show('window')} />
              </span>
            )}
          </div>
        )}
      </Field>
      {d.windowed && form.errors('window').length === 0 && <Zones d={d} />}
      <TooLate d={d} />
      {!off && <Night form={form} />}
      <Uncertain form={form} />
    </Panel>
  );
}

// hoursText says what the hours mean, with an example.
export function hoursText(d: Draft): string {
  const { from, to } = d.window;
  if (!d.windowed) return t('edit.hours.any.about');
  const [a, b] = [clockTime(from), clockTime(to)];
  if (a === undefined || b === undefined || a === b) return t('edit.hours.only.about');
  const at = startOf(d, now.value.getTime()) ?? now.value.getTime();
  const opens = opening(d.window, example.zone, at) ?? at;
  const said = t(a < b ? 'edit.hours.day' : 'edit.hours.night', { from, to });
  if (example.zone === readerZone) return said;
  return `${said} ${t('edit.hours.example', { place: t(example.inside), from, yours: shifted(from, example.zone, readerZone, opens) })}`;
}

// Zones draws the hours of clients in several zones on the reader's clock.
function Zones({ d }: { d: Draft }) {
  const at = startOf(d, now.value.getTime()) ?? now.value.getTime();
  if (clockTime(d.window.from) === undefined || clockTime(d.window.to) === undefined) return null;
  return (
    <div class="zones">
      <p class="zones-head">
        <span>{t('edit.zones.client')}</span>
        <span class="axis" aria-hidden="true">{['00', '06', '12', '18', '24'].map((h) => <span key={h}>{h}</span>)}</span>
        <span class="number">{t('edit.zones.yours')}</span>
      </p>
      <ul>
        {cities.map((c) => {
          const yours = { from: shifted(d.window.from, c.zone, readerZone, at), to: shifted(d.window.to, c.zone, readerZone, at) };
          return (
            <li key={c.zone}>
              <span>{t(c.name)}</span>
              <span class="day" aria-hidden="true">
                {bars(yours).map(([a, b]) => <span key={a} style={{ left: `${100 * a}%`, width: `${100 * (b - a)}%` }} />)}
              </span>
              <span class="number">{yours.from}–{yours.to}</span>
            </li>
          );
        })}
      </ul>
    </div>
  );
}

// unreached returns the cities whose hours do not come before the mailing ends.
export function unreached(d: Draft, at: number): string[] {
  const [start, end] = [startOf(d, at), endOf(d)];
  if (start === undefined || end === undefined || end <= start || !d.windowed) return [];
  return cities.filter((c) => firstDelivery(c.zone, Math.max(start, at), end, windowOf(d)) === undefined).map((c) => t(c.name));
}

function TooLate({ d }: { d: Draft }) {
  const none = unreached(d, now.value.getTime());
  if (none.length === 0) return null;
  return (
    <div class="advice warn" role="status">
      <Icon name="warning" />
      <p>{t('edit.too_late', { places: none.join(', '), end: moment(new Date(endOf(d)!)) })}</p>
    </div>
  );
}

// Night warns if a mailing without hours reaches clients at night.
function Night({ form }: { form: Form }) {
  const d = form.draft.value;
  const start = startOf(d, now.value.getTime());
  if (d.windowed || start === undefined || form.locked.value.includes('start_at')) return null;
  // The city that is deepest in its night: 03:00 is the middle of it.
  const awake = (c: (typeof cities)[number]) => Math.abs(((faceAt(c.zone, start) + 9 * hour) % (24 * hour)) - 12 * hour);
  const asleep = cities.reduce((a, b) => (awake(b) < awake(a) ? b : a));
  if (awake(asleep) >= 5 * hour) return null;
  const there = toLocal(asleep.zone, start).slice(11);
  return (
    <div class="advice" role="status">
      <Icon name="moon" />
      <p>{t('edit.at_night', { time: there, place: t(asleep.inside) })}</p>
      <Button onClick={() => form.set({ windowed: true, window: { from: '09:00', to: '21:00' } }, 'window')}>{t('edit.only_by_day')}</Button>
    </div>
  );
}

const ways: { value: OnUncertain; name: Key; about: Key }[] = [
  { value: 'resend', name: 'edit.resend', about: 'edit.resend.about' },
  { value: 'stop', name: 'edit.stop', about: 'edit.stop.about' },
];

function Uncertain({ form }: { form: Form }) {
  const locked = form.locked.value.includes('on_uncertain');
  const { onUncertain } = form.draft.value;
  return (
    <fieldset class="uncertain" disabled={locked}>
      <legend>{t('edit.uncertain')}</legend>
      <p class="hint">{t('edit.uncertain.about')} {locked && <Locked />}</p>
      <div class="fields">
        {ways.map((w) => (
          <label key={w.value} class="option">
            <input type="radio" name="on_uncertain" data-field={w.value === onUncertain ? 'on_uncertain' : undefined} checked={w.value === onUncertain} onChange={() => form.set({ onUncertain: w.value }, 'on_uncertain')} />
            <span>
              <strong>{t(w.name)}</strong>
              <small>{t(w.about)}</small>
            </span>
          </label>
        ))}
      </div>
      {form.errors('on_uncertain').map((e) => <p key={e} class="refused" role="alert">{e}</p>)}
    </fieldset>
  );
}
