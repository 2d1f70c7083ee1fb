// Who gets a mailing: operator codes and tags, and the exact number of clients.
import { signal, type Signal } from '@preact/signals';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { api, call, type Schemas } from '../../api/client.ts';
import { session } from '../../api/connection.ts';
import { either } from '../../format.ts';
import { t } from '../../i18n/index.ts';
import { Button, errorText, Field, Panel } from '../../ui/basic.tsx';
import { Choices } from '../../ui/choices.tsx';
import { Icon } from '../../ui/icons.tsx';
import { maxChoices, maxTag, type Draft, type Field as FieldName } from './draft.ts';
import type { Form } from './form.ts';
import { characters } from './sms.ts';

export interface Audience {
  // recipients is the last number that is known. It stays while the next one is counted,
  // and goes if that fails: it would be the number of another filter.
  recipients: Signal<number | undefined>;
  counting: Signal<boolean>;
  // error is why the clients could not be counted last.
  error: Signal<unknown>;
  // again counts at once.
  again: () => void;
}

// pause is how long nothing may change before the clients are counted, in milliseconds.
const pause = 400;

// useAudience counts the clients that a filter chooses, shortly after each change. A
// count that is out of date is cancelled.
export function useAudience(d: Pick<Draft, 'operatorCodes' | 'tags'>, on: boolean): Audience {
  const a = useMemo(() => ({ recipients: signal<number | undefined>(undefined), counting: signal(on), error: signal<unknown>(undefined) }), []);
  const [round, setRound] = useState(0);
  const last = useRef(0);
  const filter = { operator_codes: d.operatorCodes, tags: d.tags };
  const signedIn = session.value !== null;
  useEffect(() => {
    if (!on || !signedIn) return;
    const stop = new AbortController();
    [a.counting.value, a.error.value] = [true, undefined];
    const timer = setTimeout(async () => {
      try {
        const { data } = await call(api.POST('/api/mailings/preview', { body: { filter }, signal: stop.signal }));
        [a.recipients.value, a.error.value, a.counting.value] = [data.recipients, undefined, false];
      } catch (e) {
        if (!stop.signal.aborted) [a.error.value, a.recipients.value, a.counting.value] = [e, undefined, false];
      }
    }, round !== last.current || a.recipients.peek() === undefined ? 0 : pause);
    last.current = round;
    return () => {
      clearTimeout(timer);
      stop.abort();
    };
  }, [JSON.stringify(filter), on, signedIn, round]);
  return { ...a, again: () => setRound((n) => n + 1) };
}

// useFacets reads the tags and codes that occur. search reads the tags that begin with a
// text, where there are too many to list.
function useFacets(): { facets: Schemas['Facets'] | undefined; search: (typed: string) => void } {
  const [facets, setFacets] = useState<Schemas['Facets']>();
  const [prefix, setPrefix] = useState('');
  const whole = facets !== undefined && !facets.more_tags && prefix === '';
  useEffect(() => {
    const stop = new AbortController();
    const timer = setTimeout(async () => {
      try {
        const query = prefix ? { prefix } : {};
        const { data } = await call(api.GET('/api/clients/facets', { params: { query }, signal: stop.signal }));
        setFacets((before) => (prefix && before ? { ...data, more_tags: true, tags: [...new Set([...before.tags, ...data.tags])] } : data));
      } catch {
        // Then nothing is offered, and values can be typed.
      }
    }, prefix ? 250 : 0);
    return () => {
      clearTimeout(timer);
      stop.abort();
    };
  }, [prefix]);
  return { facets, search: (typed) => !whole && facets?.more_tags && setPrefix(typed.trim().slice(0, maxTag)) };
}

export function AudiencePanel({ form, audience }: { form: Form; audience: Audience }) {
  const { facets, search } = useFacets();
  const { operatorCodes, tags } = form.draft.value;
  const locked = form.locked.value.includes('tags');
  const validCode = (v: string) => (!/^\d{3}$/.test(v) ? t('edit.problem.code') : full(operatorCodes));
  const validTag = (v: string) => (characters(v) > maxTag ? t('edit.problem.long_tag', { n: maxTag }) : full(tags));
  const typing = (field: FieldName, text: string) => (form.typed.value = { ...form.typed.value, [field]: text });
  const unknown = facets && !facets.more_tags ? tags.filter((x) => !facets.tags.includes(x)) : [];
  const unknownCodes = facets ? operatorCodes.filter((x) => !facets.operator_codes.includes(x)) : [];
  return (
    <Panel title={t('edit.recipients')}>
      <div class="fields">
        <Field label={t('edit.tags')} optional={!locked} hint={locked ? <Locked /> : t('edit.tags.hint')} errors={form.errors('tags')}>
          {(ids) => (
            <div data-field="tags">
              <Choices ids={ids} label={t('edit.tags')} values={tags} offered={facets?.tags ?? []} disabled={locked} valid={validTag} typing={(text) => { typing('tags', text); search(text); }}
                placeholder={t('edit.any_tag')} change={(v) => form.set({ tags: v }, 'tags')} />
            </div>
          )}
        </Field>
        <Field label={t('edit.codes')} optional={!locked} hint={locked ? <Locked /> : t('edit.codes.hint')} errors={form.errors('operator_codes')}>
          {(ids) => (
            <div data-field="operator_codes">
              <Choices ids={ids} label={t('edit.codes')} values={operatorCodes} offered={facets?.operator_codes ?? []} disabled={locked} valid={validCode} typing={(text) => typing('operator_codes', text)}
                placeholder={t('edit.any_code')} change={(v) => form.set({ operatorCodes: v }, 'operator_codes')} />
            </div>
          )}
        </Field>
      </div>
      {!locked && (unknown.length > 0 || unknownCodes.length > 0) && (
        <div class="advice" role="status">
          <Icon name="info" />
          <p>
            {unknown.length > 0 && t('edit.unknown_tags', { n: unknown.length, list: either(unknown) })}{' '}
            {unknownCodes.length > 0 && t('edit.unknown_codes', { n: unknownCodes.length, list: either(unknownCodes) })}
          </p>
        </div>
      )}
      <p class="reach">
        {!locked && <Recipients audience={audience} live />}
        <span class="muted">{audienceText(form.draft.value)}</span>
      </p>
      {audience.error.value !== undefined && !locked && (
        <div class="advice" role="alert">
          <Icon name="warning" />
          <p>{t('edit.not_counted')} {errorText(audience.error.value)}</p>
          <Button icon="retry" onClick={audience.again}>{t('action.try_again')}</Button>
        </div>
      )}
    </Panel>
  );
}

function full(values: string[]): string | undefined {
  return values.length >= maxChoices ? t('edit.problem.many', { n: maxChoices }) : undefined;
}

// Locked says why a field cannot be changed.
export function Locked() {
  return (
    <span class="locked">
      <Icon name="lock" />
      {t('edit.locked')}
    </span>
  );
}

// Recipients shows the number. While the next one is counted the last one stays, dimmed.
// Screen readers read new numbers aloud at the one place that is live.
export function Recipients({ audience, live = false }: { audience: Audience; live?: boolean }) {
  const n = audience.recipients.value;
  return (
    <strong class={`recipients${audience.counting.value ? ' old' : ''}`} aria-live={live ? 'polite' : 'off'} aria-busy={audience.counting.value}>
      {audience.error.value !== undefined ? '—' : n === undefined ? t('edit.counting') : t('counts.recipients', { n })}
      {audience.counting.value && n !== undefined && <span class="spinner" aria-hidden="true" />}
    </strong>
  );
}

// audienceText says in words whom a filter chooses.
export function audienceText(d: Pick<Draft, 'operatorCodes' | 'tags'>): string {
  const codes = d.operatorCodes.length > 0 && listed(d.operatorCodes);
  const tags = d.tags.length > 0 && listed(d.tags.map((x) => t('edit.quoted', { text: x })));
  if (codes && tags) return t('edit.audience.both', { codes, tags });
  if (codes) return t('edit.audience.codes', { codes });
  if (tags) return t('edit.audience.tags', { tags });
  return t('edit.audience.all');
}

function listed(texts: string[]): string {
  return texts.length > 6 ? either([...texts.slice(0, 5), t('edit.others', { n: texts.length - 5 })]) : either(texts);
}
