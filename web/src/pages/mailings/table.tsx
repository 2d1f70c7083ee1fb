// The table of mailings: a row leads to its mailing.
import type { CountedMailing, Mailing } from '../../api/client.ts';
import { isAdmin } from '../../api/connection.ts';
import { progress } from '../../counts.ts';
import { count, relative, share } from '../../format.ts';
import { t } from '../../i18n/index.ts';
import { go, link } from '../../router.ts';
import { Time } from '../../ui/basic.tsx';
import { Menu } from '../../ui/menu.tsx';
import { now } from '../../ui/now.ts';
import { arrows } from '../../ui/rows.ts';
import { MailingBadge, StackedBar } from '../../ui/status.tsx';
import { actionsOf } from './actions.tsx';
import { audience } from './describe.ts';
import { title } from './rules.ts';

export function Table({ mailings, old, changed }: { mailings: CountedMailing[]; old: boolean; changed: (m: Mailing | null, id: number) => void }) {
  const admin = isAdmin();
  return (
    <div class={`table-wrap${old ? ' old' : ''}`} aria-busy={old}>
      <table class="cards mailings" onKeyDown={arrows}>
        <thead>
          <tr>
            <th scope="col">{t('mailings.text')}</th>
            <th scope="col">{t('mailings.status')}</th>
            <th scope="col">{t('mailings.progress')}</th>
            <th scope="col" class="number sent-cell">{t('status.sent')}</th>
            <th scope="col" class="number">{t('status.failed')}</th>
            <th scope="col">{t('mailings.time')}</th>
            {admin && <th scope="col"><span class="visually-hidden">{t('mailings.actions')}</span></th>}
          </tr>
        </thead>
        <tbody>
          {mailings.map((m) => <Row key={m.id} m={m} admin={admin} changed={(x) => changed(x, m.id)} />)}
        </tbody>
      </table>
    </div>
  );
}

// follow opens a mailing by a click anywhere in its row, but not at the end of a
// selection, and not by a click on a control.
function follow(e: MouseEvent, to: string) {
  if ((e.target as HTMLElement).closest('a, button, [role=menu]') || getSelection()?.toString()) return;
  if (e.ctrlKey || e.metaKey) open(to, '_blank', 'noopener');
  else go(to);
}

function Row({ m, admin, changed }: { m: CountedMailing; admin: boolean; changed: (m: Mailing | null) => void }) {
  const to = link(`mailings/${m.id}`);
  const name = title(m.text, 100);
  return (
    <tr class="linked" onClick={(e) => follow(e, to)}>
      <td class="head clip main-cell">
        <a href={to} data-row>{name}</a>
        <small>#{m.id} · {audience(m.filter)}</small>
      </td>
      <td data-label={t('mailings.status')}><MailingBadge status={m.status} /></td>
      <td data-label={t('mailings.progress')} class="progress-cell"><Progress m={m} /></td>
      <td data-label={t('status.sent')} class={`number sent-cell${m.counts.sent === 0 ? ' none' : ''}`}><Count n={m.counts.sent} /></td>
      <td data-label={t('status.failed')} class={`number${m.counts.failed + m.counts.uncertain === 0 ? ' none' : ''}`}>
        <div>
          <Count n={m.counts.failed} bad />
          {m.counts.uncertain > 0 && <small title={t('status.uncertain.about')}>{t('mailings.uncertain', { n: m.counts.uncertain })}</small>}
        </div>
      </td>
      <td data-label={t('mailings.time')}>
        <div class="when">
          <When label={t('mailings.start')} at={m.start_at} />
          <When label={t('mailings.end')} before={t('mailings.until')} at={m.end_at} />
        </div>
      </td>
      {admin && (
        <td class="actions-cell">
          <Menu label={t('actions.for', { name: title(m.text, 40) })} items={actionsOf(m, m.counts, changed)} />
        </td>
      )}
    </tr>
  );
}

function Progress({ m }: { m: CountedMailing }) {
  const part = progress(m.counts);
  if (part === null) return <span class="muted">{m.status === 'running' ? t('mailing.expanding') : t('mailings.not_started')}</span>;
  return (
    <div class="row-progress">
      <StackedBar counts={m.counts} thin />
      <small>{t('mailings.share', { share: share(part), total: m.counts.total })}</small>
    </div>
  );
}

function Count({ n, bad = false }: { n: number; bad?: boolean }) {
  return <span class={n === 0 ? 'muted' : bad ? 'bad' : ''}>{n === 0 ? '–' : count(n)}</span>;
}

function When({ label, before, at }: { label: string; before?: string; at: string }) {
  return (
    <div>
      <span class="visually-hidden">{label} </span>
      {before && <span aria-hidden="true">{before} </span>}
      <Time at={at} as="brief" /> <small>{relative(at, now.value)}</small>
    </div>
  );
}
