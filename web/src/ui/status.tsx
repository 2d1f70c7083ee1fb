// Statuses of messages and mailings: one icon, one colour and one word each. The colour
// is never the only sign.
import type { Counts, MailingStatus, Message, Status } from '../api/client.ts';
import { count, share } from '../format.ts';
import { t, type Key } from '../i18n/index.ts';
import { Icon, type IconName } from './icons.tsx';

// statuses is the order of bars and legends: from done to open.
export const statuses: Status[] = ['sent', 'failed', 'uncertain', 'expired', 'cancelled', 'skipped', 'retrying', 'queued', 'deferred'];

// terminal are the statuses that a message leaves only by a retry.
export const terminal: Status[] = ['sent', 'failed', 'uncertain', 'expired', 'cancelled', 'skipped'];

// MessageStatus also has the status of a message that a sender holds at this moment. It
// is in no count.
export type MessageStatus = Message['status'];

const icons: Record<MessageStatus, IconName> = {
  sent: 'check', failed: 'cancel', uncertain: 'question', expired: 'clock', cancelled: 'minus', skipped: 'skip',
  retrying: 'retry', queued: 'dot', deferred: 'moon', sending: 'send',
};

const mailingIcons: Record<MailingStatus, IconName> = {
  scheduled: 'clock', running: 'resume', paused: 'pause', completed: 'check', cancelled: 'cancel',
};

export function statusName(s: MessageStatus): string {
  return t(`status.${s}` as Key);
}

export function mailingStatusName(s: MailingStatus): string {
  return t(`mailing.status.${s}` as Key);
}

export function StatusBadge({ status }: { status: MessageStatus }) {
  return (
    <span class={`badge s-${status}`} title={t(`status.${status}.about` as Key)}>
      <Icon name={icons[status]} />
      {statusName(status)}
    </span>
  );
}

export function MailingBadge({ status }: { status: MailingStatus }) {
  return (
    <span class={`badge m-${status}`}>
      <Icon name={mailingIcons[status]} />
      {mailingStatusName(status)}
    </span>
  );
}

// StackedBar shows the parts of counts as one bar. Screen readers get the numbers.
export function StackedBar({ counts, thin = false }: { counts: Counts; thin?: boolean }) {
  const parts = statuses.filter((s) => counts[s] > 0);
  const text = parts.map((s) => `${statusName(s)} ${count(counts[s])}`).join(', ');
  return (
    <div class={`stacked${thin ? ' thin' : ''}`} role="img" aria-label={text || t('counts.none')}>
      {parts.map((s) => (
        <span key={s} class={`part s-${s}`} style={{ flexGrow: counts[s] }} title={`${statusName(s)}: ${count(counts[s])} (${share(counts[s] / counts.total)})`} />
      ))}
    </div>
  );
}

// Legend lists counts by status. With a selection its entries are buttons that filter.
export function Legend({ counts, chosen, choose }: { counts: Counts; chosen?: Status | undefined; choose?: (s: Status | undefined) => void }) {
  return (
    <ul class="legend">
      {statuses.map((s) => {
        const inner = (
          <>
            <span class={`swatch s-${s}`}>
              <Icon name={icons[s]} />
            </span>
            <span class="legend-name">{statusName(s)}</span>
            <span class="legend-count">{count(counts[s])}</span>
          </>
        );
        return (
          <li key={s} class={counts[s] === 0 ? 'none' : ''}>
            {choose ? (
              <button type="button" aria-pressed={chosen === s} disabled={counts[s] === 0 && chosen !== s} onClick={() => choose(chosen === s ? undefined : s)}>
                {inner}
              </button>
            ) : (
              <span class="legend-entry">{inner}</span>
            )}
          </li>
        );
      })}
    </ul>
  );
}
