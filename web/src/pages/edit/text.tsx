// The text of a mailing, with its size as SMS while it is typed.
import { t } from '../../i18n/index.ts';
import { count } from '../../format.ts';
import { Button, Field, Panel } from '../../ui/basic.tsx';
import { Icon } from '../../ui/icons.tsx';
import { maxText } from './draft.ts';
import type { Form } from './form.ts';
import { characters, countSMS, foreign, plainer, type SMS } from './sms.ts';

export function TextPanel({ form }: { form: Form }) {
  const { text } = form.draft.value;
  const sms = countSMS(text);
  const length = characters(text);
  return (
    <Panel title={t('edit.message')}>
      <Field label={t('edit.text')} errors={form.errors('text')}>
        {(ids) => (
          <textarea
            {...ids}
            data-field="text"
            class="message-text"
            rows={4}
            value={text}
            disabled={form.locked.value.includes('text')}
            onInput={(e) => form.set({ text: e.currentTarget.value }, 'text')}
            onBlur={() => form.show('text')}
          />
        )}
      </Field>
      <div class="meter">
        <Gauge sms={sms} />
        <span class="meter-sms">
          <strong aria-live="polite">{t('counts.segments', { n: sms.segments })}</strong>
          <span class="muted">{t('edit.left', { n: sms.left })}</span>
        </span>
        <span class="muted" title={t(sms.encoding === 'GSM-7' ? 'edit.gsm.about' : 'edit.ucs.about')}>
          {sms.encoding}
        </span>
        <span class={length > maxText ? 'over' : 'muted'}>{t('edit.characters', { n: length, max: maxText })}</span>
      </div>
      <Advice form={form} text={text} sms={sms} />
    </Panel>
  );
}

// The most messages that are drawn one by one.
const drawn = 12;

// Gauge draws the messages that a text takes, the last one as full as it is.
function Gauge({ sms }: { sms: SMS }) {
  if (sms.segments > drawn) return null;
  const single = sms.encoding === 'GSM-7' ? 160 : 70;
  const size = sms.segments === 1 ? single : sms.encoding === 'GSM-7' ? 153 : 67;
  return (
    <span class="gauge" aria-hidden="true">
      {Array.from({ length: sms.segments }, (_, i) => (
        <span key={i}>
          <span style={{ width: `${i < sms.segments - 1 ? 100 : 100 - (100 * sms.left) / size}%` }} />
        </span>
      ))}
    </span>
  );
}

// Advice says which characters make a text longer than it has to be, if they are few: a
// Russian text needs UCS-2 in any case.
function Advice({ form, text, sms }: { form: Form; text: string; sms: SMS }) {
  if (sms.encoding === 'GSM-7') return null;
  const plain = plainer(text);
  const odd = foreign(text);
  const few = odd.length <= 8 && [...text].filter((c) => odd.includes(c)).length * 4 <= characters(text);
  if (!plain && (!few || sms.segments === 1)) return null;
  return (
    <div class="advice" role="status">
      <Icon name="info" />
      <p>
        {few ? t('edit.foreign', { list: odd.map(visible).join(' ') }) : t('edit.typographic')}{' '}
        {plain && t('edit.plainer', { now: count(sms.segments), then: t('counts.segments', { n: countSMS(plain).segments }) })}
      </p>
      {plain && <Button onClick={() => form.set({ text: plain }, 'text')}>{t('edit.make_plain')}</Button>}
    </div>
  );
}

// visible names characters that cannot be seen.
function visible(c: string): string {
  return /[\s\p{Cf}\p{Cc}]/u.test(c) ? `U+${c.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')}` : c;
}
