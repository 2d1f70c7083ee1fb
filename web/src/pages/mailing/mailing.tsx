// One mailing: how it goes, what can be done with it, and its messages.
import { useRef, useState } from 'preact/hooks';
import { api, ApiError, call, type Mailing, type Schemas, type Status } from '../../api/client.ts';
import { useLive, type Live } from '../../api/live.ts';
import { open } from '../../counts.ts';
import { zone } from '../../format.ts';
import { t } from '../../i18n/index.ts';
import { go, link, place, replace } from '../../router.ts';
import { Empty, Failed, LinkButton, Page, Panel, Skeleton, Time } from '../../ui/basic.tsx';
import { now } from '../../ui/now.ts';
import { MailingBadge, statuses } from '../../ui/status.tsx';
import { resume } from '../mailings/actions.tsx';
import { moving, retriable, title } from '../mailings/rules.ts';
import { Actions } from './actions.tsx';
import { Chart } from './chart.tsx';
import { ExportMessages } from './export.tsx';
import { Facts, Text } from './facts.tsx';
import { Messages } from './messages.tsx';
import { Notices } from './notices.tsx';
import { Progress } from './progress.tsx';
import { Reasons } from './reasons.tsx';
import { RetryDialog } from './retry.tsx';
import { TestDialog } from './test.tsx';

export type Info = Schemas['Info'];

// Dialog is what is open over the page. "all" exports all messages, "some" those that the
// table shows.
export type Dialog = 'test' | 'all' | 'some' | 'retry';

export function OneMailing() {
  const id = Number(place.value.path[1]);
  const live = useLive(
    (signal) => call(api.GET('/api/mailings/{id}/info', { params: { path: { id }, query: { limit: 0 } }, signal })),
    (d) => moving(d.mailing, open(d.counts), now.peek()),
    [id],
  );
  const info = live.data.value;
  const error = live.error.value;
  // A mailing can be deleted while a person looks at it.
  if (error instanceof ApiError && error.status === 404) return <Gone id={id} />;
  if (!info) return <Loading id={id} error={error} retry={live.reload} />;
  return <Shown live={live} info={info} />;
}

function back() {
  return { to: link('mailings'), text: t('page.mailings') };
}

function Gone({ id }: { id: number }) {
  return (
    <Page title={t('mailing.title', { id: String(id) })} back={back()}>
      <Panel>
        <Empty icon="search" title={t('mailing.gone')} action={<LinkButton to={link('mailings')}>{t('mailings.show_all')}</LinkButton>}>
          {t('mailing.gone.about')}
        </Empty>
      </Panel>
    </Page>
  );
}

function Loading({ id, error, retry }: { id: number; error: unknown; retry: () => void }) {
  return (
    <Page title={t('mailing.title', { id: String(id) })} back={back()}>
      {error !== undefined ? (
        <Failed error={error} retry={retry} />
      ) : (
        <div class="split">
          <div class="stack">
            <Panel><Skeleton lines={6} /></Panel>
            <Panel><Skeleton lines={8} /></Panel>
          </div>
          <div class="stack">
            <Panel><Skeleton lines={3} /></Panel>
            <Panel><Skeleton lines={6} /></Panel>
          </div>
        </div>
      )}
    </Page>
  );
}

function Shown({ live, info }: { live: Live<Info>; info: Info }) {
  const { mailing: m, counts } = info;
  const [dialog, setDialog] = useState<Dialog | undefined>();
  const messages = useRef<HTMLDivElement>(null);
  const wanted = place.value.query.get('status');
  const status = statuses.find((s) => s === wanted);
  const choose = (s: Status | undefined) => {
    replace(link(`mailings/${m.id}`, { status: s }));
    // The table may be out of sight, and the person wants to see what they have chosen.
    const table = messages.current;
    if (s && table && table.getBoundingClientRect().top > innerHeight * 0.7) table.scrollIntoView({ behavior: 'smooth' });
  };
  const changed = (next: Mailing | null) => {
    if (!next) return go(link('mailings'));
    live.data.value = { ...(live.data.peek() ?? info), mailing: next };
    live.reload();
  };
  const close = () => setDialog(undefined);
  const again = retriable(m, counts, now.value);
  const retry = again.failed + again.uncertain > 0 ? () => setDialog('retry') : undefined;
  return (
    <Page title={title(m.text, 64)} back={back()} about={<Line m={m} />} actions={<Actions m={m} counts={counts} changed={changed} show={setDialog} />}>
      <Notices info={info} resume={() => resume(m, changed)} />
      <div class="split">
        <div class="stack">
          <Progress info={info} status={status} choose={choose} retry={retry} />
          {counts.total > 0 && <Chart m={m} done={counts.total - open(counts)} />}
        </div>
        <div class="stack">
          <Text m={m} />
          {counts.failed + counts.uncertain > 0 && <Reasons id={m.id} counts={counts} over={m.status !== 'running'} />}
          <Facts m={m} />
        </div>
      </div>
      {counts.total > 0 && (
        <div ref={messages} class="anchor">
          <Messages m={m} counts={counts} status={status} choose={choose} save={() => setDialog('some')} />
        </div>
      )}
      {dialog === 'test' && <TestDialog m={m} close={close} />}
      {(dialog === 'all' || dialog === 'some') && <ExportMessages m={m} counts={counts} status={dialog === 'some' ? status : undefined} close={close} />}
      {dialog === 'retry' && <RetryDialog m={m} counts={counts} changed={changed} close={close} />}
    </Page>
  );
}

// Line is the status and the times under the title.
function Line({ m }: { m: Mailing }) {
  return (
    <span class="line">
      <MailingBadge status={m.status} />
      <span>#{m.id}</span>
      <span>
        <Time at={m.start_at} as="brief" /> – <Time at={m.end_at} as="brief" />
      </span>
      <span>{zone}</span>
    </span>
  );
}
