// The form to add or change a client.
import { useId, useRef, useState } from 'preact/hooks';
import { api, ApiError, call, type Client } from '../../api/client.ts';
import { loadFacets, useFacets } from '../../api/facets.ts';
import { zone } from '../../format.ts';
import { t } from '../../i18n/index.ts';
import { said } from '../../i18n/said.ts';
import { link } from '../../router.ts';
import { Button, errorText, Field, Notice } from '../../ui/basic.tsx';
import { Combo } from '../../ui/combo.tsx';
import { Dialog } from '../../ui/dialog.tsx';
import { toast } from '../../ui/toast.tsx';
import { fields, isPhone, rewritten, type Field as Name } from './columns.ts';
import { clockIn, zoneOffers } from './data.ts';

type Draft = Record<Name, string>;

// lastZone is the zone of the client that was added last: the next one often has it, too.
let lastZone = zone;

// ClientDialog changes a client, or adds one if there is none. saved is called afterwards.
export function ClientDialog({ client, close, saved }: { client: Client | undefined; close: () => void; saved: (c: Client) => void }) {
  const start: Draft = client
    ? { ...client, operator_code: isDerived(client) ? '' : client.operator_code }
    : { phone: '', operator_code: '', tag: '', timezone: lastZone };
  const [draft, setDraft] = useState(start);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const [zones] = useState(zoneOffers);
  const key = useRef(randomKey());
  const form = useId();
  const tags = useFacets(draft.tag === start.tag ? '' : draft.tag).tags.map((value) => ({ value }));
  const change = (part: Partial<Draft>) => {
    setDraft({ ...draft, ...part });
    setError(undefined);
    key.current = randomKey();
  };
  const problem = error instanceof ApiError ? error.problem : undefined;
  const taken = error instanceof ApiError && error.status === 409;
  const at = (name: Name) => [
    ...(problem?.errors ?? []).filter((e) => e.location === `body.${name}`).map((e) => said(e.message)),
    ...(taken && name === 'phone' ? [t('client.taken')] : []),
  ];
  const placed = fields.some((name) => at(name).length > 0);
  const submit = async (e: Event) => {
    e.preventDefault();
    setBusy(true);
    setError(undefined);
    try {
      const result = await save(client, draft, key.current);
      lastZone = result?.timezone ?? lastZone;
      toast(result ? t(client ? 'client.saved' : 'client.added', { phone: result.phone }) : t('client.unchanged'));
      close();
      if (result) saved(result);
      void loadFacets();
    } catch (failure) {
      setError(failure);
      setBusy(false);
      requestAnimationFrame(() => document.querySelector<HTMLElement>(`[id="${form}"] [aria-invalid=true]`)?.focus());
    }
  };
  const phone = draft.phone.trim();
  const better = rewritten(phone);
  const derived = isPhone(phone) ? phone.slice(1, 4) : '';
  const clock = clockIn(draft.timezone.trim());
  return (
    <Dialog
      title={client ? t('client.edit', { phone: client.phone }) : t('client.add')}
      close={close}
      locked={busy}
      footer={
        <>
          <Button onClick={close} disabled={busy}>{t('action.cancel')}</Button>
          <Button kind="primary" type="submit" form={form} busy={busy}>{client ? t('action.save') : t('clients.add')}</Button>
        </>
      }
    >
      <form id={form} class="stack" noValidate onSubmit={(e) => void submit(e)}>
        <Field label={t('field.phone')} hint={better !== phone && isPhone(better) ? <button type="button" class="linklike" onClick={() => change({ phone: better })}>{t('client.phone.rewrite', { phone: better })}</button> : t('client.phone.hint')} errors={at('phone')}>
          {(ids) => <input {...ids} type="tel" inputMode="tel" autocomplete="off" autofocus value={draft.phone} onInput={(e) => change({ phone: e.currentTarget.value })} />}
        </Field>
        {taken && <p><a href={link('clients', { phone })} onClick={close}>{t('client.taken.show')}</a></p>}
        <Field label={t('field.operator_code')} optional hint={derived ? t('client.operator.hint', { code: derived }) : t('client.operator.hint.empty')} errors={at('operator_code')}>
          {(ids) => <input {...ids} inputMode="numeric" autocomplete="off" placeholder={derived} value={draft.operator_code} onInput={(e) => change({ operator_code: e.currentTarget.value })} />}
        </Field>
        <Field label={t('field.tag')} optional hint={t('client.tag.hint')} errors={at('tag')}>
          {(ids) => <Combo ids={ids} label={t('field.tag')} value={draft.tag} offered={tags} change={(tag) => change({ tag })} />}
        </Field>
        <Field label={t('field.timezone')} hint={clock ? `${t('client.zone.hint')} ${t('client.zone.now', { time: clock })}` : t('client.zone.hint')} errors={at('timezone')}>
          {(ids) => <Combo ids={ids} label={t('field.timezone')} value={draft.timezone} offered={zones} change={(timezone) => change({ timezone })} />}
        </Field>
        {error !== undefined && !placed && <Notice kind="error">{errorText(error)}</Notice>}
      </form>
    </Dialog>
  );
}

// randomKey returns a new idempotency key.
function randomKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, '0')).join('');
}

// isDerived reports whether the operator code of a client is that of its phone. The API
// then keeps the two together, so the form shows it as a default.
export function isDerived(c: Client): boolean {
  return c.operator_code === c.phone.slice(1, 4);
}

// save sends what the form has. Of a client it sends the changes only, so that it does
// not undo those of others; without changes it returns nothing.
async function save(client: Client | undefined, draft: Draft, key: string): Promise<Client | undefined> {
  const body = {
    phone: draft.phone.trim(),
    operator_code: draft.operator_code.trim() || null,
    tag: draft.tag.trim(),
    timezone: draft.timezone.trim(),
  };
  if (!client) {
    const { data } = await call(api.POST('/api/clients', { body, params: { header: { 'Idempotency-Key': key } } }));
    return data;
  }
  const before = { ...client, operator_code: isDerived(client) ? null : client.operator_code };
  const changes = Object.fromEntries(Object.entries(body).filter(([name, value]) => value !== before[name as Name]));
  if (Object.keys(changes).length === 0) return undefined;
  const { data } = await call(api.PATCH('/api/clients/{id}', { params: { path: { id: client.id } }, body: changes }));
  return data;
}
