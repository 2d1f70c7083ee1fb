// The directory of clients: search, table, and what can be done with each client.
import { useEffect, useRef, useState } from 'preact/hooks';
import { api, call, type Client } from '../../api/client.ts';
import { isAdmin } from '../../api/connection.ts';
import { useFacets } from '../../api/facets.ts';
import { useKept, useLive } from '../../api/live.ts';
import { t } from '../../i18n/index.ts';
import { gather, pageNumber, trail } from '../../paging.ts';
import { go, link, place, replace } from '../../router.ts';
import { Button, Empty, Failed, IconButton, LinkButton, Notice, Page, Panel, Skeleton } from '../../ui/basic.tsx';
import { Combo } from '../../ui/combo.tsx';
import { Icon } from '../../ui/icons.tsx';
import { Menu } from '../../ui/menu.tsx';
import { Pager } from '../../ui/pager.tsx';
import { isPhone, rewritten } from './columns.ts';
import { set, useNumber, zoneText, type Filters } from './data.ts';
import { askDelete } from './delete.tsx';
import { ClientDialog } from './dialog.tsx';
import { ExportClients } from './export.tsx';
import { current } from './running.ts';

const size = 50; // rows of a page

export function Clients() {
  const query = place.value.query;
  const filters: Filters = { phone: query.get('phone') ?? '', operator_code: query.get('operator_code') ?? '', tag: query.get('tag') ?? '' };
  const page = pageNumber(query.get('page'));
  const used = set(filters);
  const filtered = Object.keys(used).length > 0;
  const pages = trail(`clients?${new URLSearchParams(used as Record<string, string>)}`);
  const at = pages.at(page);
  const list = useLive(
    async (signal) => {
      const found = await gather(size, at ?? '', async (cursor, limit) => {
        const { data } = await call(api.GET('/api/clients', { params: { query: { ...used, limit, ...(cursor ? { cursor } : {}) } }, signal }));
        return { items: data.items, next: data.next_cursor ?? '' };
      });
      pages.leave(page, found.next);
      return { data: found };
    },
    () => false,
    [filters.phone, filters.operator_code, filters.tag, page],
  );
  const number = useNumber(filters);
  const { value: found, old } = useKept(list.data.value);
  const [dialog, setDialog] = useState<'add' | 'export' | Client | undefined>();
  const n = number.data.value;
  const reload = () => {
    list.reload();
    number.reload();
  };
  // A page whose beginning is not known, from a bookmark, becomes the first one.
  if (at === undefined) replace(link('clients', { ...used }));
  const add = isAdmin() && <Button kind="primary" icon="plus" onClick={() => setDialog('add')}>{t('clients.add')}</Button>;
  const none = found?.items.length === 0 && page === 1 && !old;
  return (
    <Page
      title={t('page.clients')}
      about={n !== undefined && !none ? t(filtered ? 'clients.about.some' : 'clients.about', { n }) : undefined}
      actions={
        <>
          {isAdmin() && <LinkButton to={link('clients/import')} icon="upload">{t('clients.import')}</LinkButton>}
          <Button icon="download" disabled={!found || none} onClick={() => setDialog('export')}>{t('clients.export')}</Button>
          {add}
        </>
      }
    >
      <Importing />
      <Panel flush>
        <Search filters={filters} />
        {list.error.value !== undefined && <div class="inset"><Failed error={list.error.value} retry={list.reload} /></div>}
        {!found && list.error.value === undefined && <Skeleton lines={8} />}
        {none && (filtered ? <NoMatch /> : <NoClients add={add} />)}
        {found && found.items.length > 0 && <Table clients={found.items} old={old} edit={setDialog} reload={reload} />}
        {found && <Pager page={page} size={size} shown={found.items.length} total={n} more={found.next !== ''} to={(p) => link('clients', { ...used, page: p > 1 ? p : undefined })} />}
      </Panel>
      {dialog === 'export' && <ExportClients filters={filters} close={() => setDialog(undefined)} />}
      {dialog && dialog !== 'export' && <ClientDialog client={dialog === 'add' ? undefined : dialog} close={() => setDialog(undefined)} saved={reload} />}
    </Page>
  );
}

// Importing leads back to an import that goes on while other pages are shown.
function Importing() {
  const job = current.value;
  if (!job || job.state.value.kind === 'done') return null;
  const stopped = job.state.value.kind === 'stopped' || job.state.value.kind === 'failed';
  return (
    <Notice kind={stopped ? 'warning' : 'info'} actions={<LinkButton to={link('clients/import')}>{t('clients.importing.show')}</LinkButton>}>
      {t(stopped ? 'clients.importing.stopped' : 'clients.importing', { done: job.totals.value.read, total: job.rows })}
    </Notice>
  );
}

function NoMatch() {
  return (
    <Empty icon="search" title={t('clients.no_match')} action={<LinkButton to={link('clients')}>{t('clients.find.clear')}</LinkButton>}>
      {t('clients.no_match.about')}
    </Empty>
  );
}

function NoClients({ add }: { add: preact.ComponentChildren }) {
  if (!isAdmin()) return <Empty icon="clients" title={t('clients.none')}>{t('clients.none.viewer')}</Empty>;
  const actions = (
    <div class="actions">
      <LinkButton to={link('clients/import')} icon="upload">{t('import.title')}</LinkButton>
      {add}
    </div>
  );
  return <Empty icon="clients" title={t('clients.none')} action={actions}>{t('clients.none.about')}</Empty>;
}

// Search has a field for each filter. A filter works as soon as its value is whole.
function Search({ filters }: { filters: Filters }) {
  const [draft, setDraft] = useState(filters);
  const [wrong, setWrong] = useState<string | undefined>();
  const input = useRef<HTMLInputElement>(null);
  const known = useFacets(draft.tag === filters.tag ? '' : draft.tag);
  const shown = JSON.stringify(filters);
  // The fields follow the address, for links and for the browser's Back.
  useEffect(() => {
    setDraft(filters);
    setWrong(undefined);
  }, [shown]);
  const search = (change: Partial<Filters>) => {
    const next = { ...filters, ...change };
    if (JSON.stringify(next) !== shown) go(link('clients', { ...set(next) }));
  };
  const takePhone = (text: string, typing: boolean) => {
    const phone = rewritten(text.trim());
    setWrong(phone && !isPhone(phone) && !typing ? t('clients.find.bad_phone') : undefined);
    if (!phone || isPhone(phone)) search({ phone });
  };
  const takeCode = (code: string) => {
    const good = code === '' || /^\d{3}$/.test(code);
    setWrong(good ? undefined : t('clients.find.bad_code'));
    if (good) search({ operator_code: code });
  };
  const on = Object.values(filters).some(Boolean);
  return (
    <div class="filters" role="search" aria-label={t('clients.find')}>
      <div class={`combo with-icon${draft.phone ? ' clearable' : ''}`}>
        <Icon name="search" />
        <input
          data-search
          ref={input}
          type="text"
          inputMode="tel"
          autocomplete="off"
          aria-label={t('field.phone')}
          placeholder={t('clients.find.phone')}
          value={draft.phone}
          aria-invalid={wrong === t('clients.find.bad_phone')}
          onInput={(e) => { setDraft({ ...draft, phone: e.currentTarget.value }); takePhone(e.currentTarget.value, true); }}
          onKeyDown={(e) => e.key === 'Enter' && takePhone(draft.phone, false)}
          onBlur={() => takePhone(draft.phone, false)}
        />
        {draft.phone && <IconButton label={t('combo.clear', { name: t('field.phone') })} icon="cancel" onMouseDown={(e) => e.preventDefault()} onClick={() => { setDraft({ ...draft, phone: '' }); takePhone('', true); input.current?.focus(); }} />}
      </div>
      <Combo clear label={t('field.operator_code')} inputMode="numeric" placeholder={t('clients.find.operator')} value={draft.operator_code} offered={known.operator_codes.map((value) => ({ value }))} change={(v) => setDraft({ ...draft, operator_code: v })} take={takeCode} />
      <Combo clear label={t('field.tag')} placeholder={t('clients.find.tag')} value={draft.tag} offered={known.tags.map((value) => ({ value }))} change={(v) => setDraft({ ...draft, tag: v })} take={(tag) => search({ tag })} />
      {on && <LinkButton kind="quiet" to={link('clients')}>{t('clients.find.clear')}</LinkButton>}
      {wrong && <p class="refused" role="alert">{wrong}</p>}
    </div>
  );
}

function Table({ clients, old, edit, reload }: { clients: Client[]; old: boolean; edit: (c: Client) => void; reload: () => void }) {
  const admin = isAdmin();
  return (
    <div class="table-wrap">
      <table class={`cards${old ? ' old' : ''}`} aria-label={t('clients.table')} aria-busy={old}>
        <thead>
          <tr>
            <th scope="col">{t('field.phone')}</th>
            <th scope="col">{t('field.operator_code')}</th>
            <th scope="col">{t('field.tag')}</th>
            <th scope="col">{t('field.timezone')}</th>
            {admin && <th scope="col"><span class="visually-hidden">{t('action.edit')}</span></th>}
          </tr>
        </thead>
        <tbody>
          {clients.map((c) => (
            <tr key={c.id}>
              <td class="head"><a class="named phone" href={link(`clients/${c.id}`)}>{c.phone}</a></td>
              <td data-label={t('field.operator_code')}>{c.operator_code}</td>
              <td class="clip" data-label={t('field.tag')}>{c.tag ? <span title={c.tag}>{c.tag}</span> : <span class="muted">{t('clients.no_tag')}</span>}</td>
              <td data-label={t('field.timezone')}><span class="zone">{c.timezone} <small>{zoneText(c.timezone)}</small></span></td>
              {admin && (
                <td class="actions-cell">
                  <Menu
                    label={t('actions.for', { name: c.phone })}
                    items={[
                      { text: t('client.open'), icon: 'right', run: () => go(link(`clients/${c.id}`)) },
                      { text: t('action.edit'), icon: 'edit', run: () => edit(c) },
                      { text: t('action.delete'), icon: 'trash', danger: true, run: () => askDelete(c, reload) },
                    ]}
                  />
                </td>
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
