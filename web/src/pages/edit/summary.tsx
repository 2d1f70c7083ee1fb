// What will happen, in a few lines: beside the form, and to confirm.
import type { ComponentChildren } from 'preact';
import { moment, zone as readerZone } from '../../format.ts';
import { t } from '../../i18n/index.ts';
import { Time } from '../../ui/basic.tsx';
import { Icon } from '../../ui/icons.tsx';
import { now } from '../../ui/now.ts';
import { audienceText, Recipients, type Audience } from './audience.tsx';
import { unreached } from './delivery.tsx';
import { endOf, startOf, type Draft } from './draft.ts';
import type { Form } from './form.ts';
import { countSMS } from './sms.ts';

// Facts are whom, how many, when and how. left is the number of messages that are not
// sent yet, for a mailing that has started: its audience is decided.
export function Facts({ form, audience, left }: { form: Form; audience: Audience; left: number | undefined }) {
  const d = form.draft.value;
  const sms = countSMS(d.text);
  const started = form.locked.value.includes('start_at');
  const recipients = started ? left : audience.recipients.value;
  return (
    <dl class="summary">
      <Fact name={t(started ? 'edit.not_sent_yet' : 'edit.to')}>
        {started ? <strong class="recipients">{left === undefined ? '…' : t('counts.messages', { n: left })}</strong> : <Recipients audience={audience} />}
        <span class="muted">{audienceText(d)}</span>
      </Fact>
      <Fact name={t('edit.sms')}>
        <span>{d.text === '' ? '—' : recipients === undefined ? '…' : t('counts.segments', { n: recipients * sms.segments })}</span>
        {d.text !== '' && <span class="muted">{t('edit.sms.each', { n: sms.segments, encoding: sms.encoding })}</span>}
      </Fact>
      <Fact name={t('edit.starts')}>
        {d.startNow ? <span>{t('edit.start.now.fact')}</span> : <Instant d={d} at={startOf(d, now.value.getTime())} />}
      </Fact>
      <Fact name={t('edit.ends')}>
        <Instant d={d} at={endOf(d)} />
      </Fact>
      <Fact name={t('edit.hours')}>
        <span>{d.windowed ? `${d.window.from}–${d.window.to}` : t('edit.hours.any')}</span>
        {d.windowed && <span class="muted">{t('edit.hours.theirs')}</span>}
      </Fact>
      <Fact name={t('edit.if_unknown')}>
        <span>{t(d.onUncertain === 'resend' ? 'edit.resend' : 'edit.stop')}</span>
      </Fact>
    </dl>
  );
}

function Fact({ name, children }: { name: string; children: ComponentChildren }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function Instant({ d, at }: { d: Draft; at: number | undefined }) {
  if (at === undefined) return <span>—</span>;
  return (
    <>
      <span>{moment(new Date(at), d.zone)}</span>
      <span class="muted">
        {d.zone !== readerZone && `${d.zone.replaceAll('_', ' ')} · `}
        <Time at={new Date(at)} />
      </span>
    </>
  );
}

// Warnings are what a person should know before a mailing goes out. None of them forbids it.
export function Warnings({ form, audience }: { form: Form; audience: Audience }) {
  const d = form.draft.value;
  const started = form.locked.value.includes('start_at');
  const start = startOf(d, now.value.getTime());
  const none = unreached(d, now.value.getTime());
  const all = [
    !started && audience.recipients.value === 0 && t('edit.no_recipients'),
    !started && !d.startNow && start !== undefined && start <= now.value.getTime() && t('edit.start_past'),
    none.length > 0 && t('edit.too_late.short', { places: none.join(', ') }),
  ].filter((x) => x !== false);
  if (all.length === 0) return null;
  return (
    <ul class="warnings">
      {all.map((text) => (
        <li key={text}>
          <Icon name="warning" />
          {text}
        </li>
      ))}
    </ul>
  );
}
