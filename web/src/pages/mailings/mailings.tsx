// The list of mailings.
import { useRef } from 'preact/hooks';
import { api, call, type CountedMailing, type Mailing, type MailingStatus, type Schemas } from '../../api/client.ts';
import { isAdmin } from '../../api/connection.ts';
import { useKept, useLive } from '../../api/live.ts';
import { open } from '../../counts.ts';
import { count, zone } from '../../format.ts';
import { t, type Key } from '../../i18n/index.ts';
import { gather, pageNumber, trail } from '../../paging.ts';
import { link, place } from '../../router.ts';
import { Empty, Failed, LinkButton, Page, Panel, Skeleton } from '../../ui/basic.tsx';
import { now } from '../../ui/now.ts';
import { Pager } from '../../ui/pager.tsx';
import { useTop } from '../../ui/rows.ts';
import { mailingStatusName } from '../../ui/status.tsx';
import { moving } from './rules.ts';
import { Table } from './table.tsx';

const size = 50;
const filters: MailingStatus[] = ['scheduled', 'running', 'paused', 'completed', 'cancelled'];

type ByStatus = Schemas['MailingsByStatus'];

interface Listed {
  mailings: CountedMailing[];
  byStatus: ByStatus;
  more: boolean;
}

// read returns one page of mailings. The API's sums cover only the mailings that match
// the status, so the numbers beside the filters are a read of their own.
async function read(status: MailingStatus | undefined, page: number, signal: AbortSignal): Promise<{ data: Listed }> {
  const statistics = async (query: { limit: number; cursor?: string; status?: MailingStatus }) =>
    (await call(api.GET('/api/mailings/fullinfo', { params: { query }, signal }))).data;
  const pages = trail(`mailings ${status}`);
  let byStatus: ByStatus | undefined;
  const [part, all] = await Promise.all([
    gather<CountedMailing>(size, pages.at(page) ?? '', async (cursor, limit) => {
      const answer = await statistics({ limit, ...(cursor ? { cursor } : {}), ...(status ? { status } : {}) });
      if (!status) byStatus = answer.mailings_by_status;
      return { items: answer.mailings, next: answer.next_cursor ?? '' };
    }),
    status ? statistics({ limit: 1 }) : undefined,
  ]);
  pages.leave(page, part.next);
  return { data: { mailings: part.items, byStatus: (all?.mailings_by_status ?? byStatus)!, more: part.next !== '' } };
}

export function Mailings() {
  const { query } = place.value;
  const wanted = query.get('status');
  const status = filters.find((s) => s === wanted);
  const asked = pageNumber(query.get('page'));
  // A page whose beginning is not known, for example after a reload, is the first one.
  const page = trail(`mailings ${status}`).at(asked) === undefined ? 1 : asked;
  const live = useLive((signal) => read(status, page, signal), (d) => d.mailings.some((m) => moving(m, open(m.counts), now.peek())), [status, page]);
  const { value: d, old } = useKept(live.data.value);
  const top = useRef<HTMLDivElement>(null);
  useTop(top, page);
  const error = live.error.value;
  const changed = (m: Mailing | null, id: number) => {
    const data = live.data.peek();
    if (data) {
      const mailings = data.mailings.flatMap((x) => (x.id !== id ? [x] : m ? [{ ...x, ...m }] : []));
      live.data.value = { ...data, mailings };
    }
    live.reload();
  };
  const create = isAdmin() && <LinkButton kind="primary" icon="plus" to={link('mailings/new')}>{t('mailings.new')}</LinkButton>;
  return (
    <Page title={t('page.mailings')} about={t('mailings.zone', { zone })} actions={create}>
      <div ref={top} class="anchor">
        <Filters status={status} byStatus={d?.byStatus} />
      </div>
      <Panel flush>
        {!d && error === undefined && <Skeleton lines={10} />}
        {(!d || old) && error !== undefined && <Failed error={error} retry={live.reload} />}
        {d && d.mailings.length === 0 && <None status={status} />}
        {d && d.mailings.length > 0 && <Table mailings={d.mailings} old={old} changed={changed} />}
        {d && <Pager page={page} size={size} shown={d.mailings.length} total={status ? d.byStatus[status] : sum(d.byStatus)} more={d.more} to={(p) => link('mailings', { status, page: p > 1 ? p : undefined })} />}
      </Panel>
    </Page>
  );
}

function sum(n: ByStatus): number {
  return filters.reduce((all, s) => all + n[s], 0);
}

function Filters({ status, byStatus }: { status: MailingStatus | undefined; byStatus: ByStatus | undefined }) {
  return (
    <nav class="segments" aria-label={t('mailings.filter')}>
      {[undefined, ...filters].map((s) => (
        <a key={s} href={link('mailings', { status: s })} aria-current={status === s ? 'true' : undefined}>
          {t(`mailings.filter.${s ?? 'all'}` as Key)}
          {byStatus && <span class="segment-count">{count(s ? byStatus[s] : sum(byStatus))}</span>}
        </a>
      ))}
    </nav>
  );
}

function None({ status }: { status: MailingStatus | undefined }) {
  if (status) {
    return (
      <Empty icon="mailings" title={t('mailings.none.status')} action={<LinkButton to={link('mailings')}>{t('mailings.show_all')}</LinkButton>}>
        {t('mailings.none.status.about', { status: mailingStatusName(status) })}
      </Empty>
    );
  }
  return (
    <Empty icon="mailings" title={t('mailings.none')} action={isAdmin() && <LinkButton kind="primary" icon="plus" to={link('mailings/new')}>{t('mailings.new')}</LinkButton>}>
      {t('mailings.none.about')}
    </Empty>
  );
}
