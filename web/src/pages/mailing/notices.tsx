// What a person should know about a mailing before they look at its numbers.
import { open } from '../../counts.ts';
import { relative, share } from '../../format.ts';
import { t } from '../../i18n/index.ts';
import { isAdmin } from '../../api/connection.ts';
import { Button, Notice } from '../../ui/basic.tsx';
import { now } from '../../ui/now.ts';
import { closed } from '../mailings/rules.ts';
import type { Info } from './mailing.tsx';

export function Notices({ info, resume }: { info: Info; resume: () => Promise<void> }) {
  const { mailing: m, counts, rejected_share: rejected } = info;
  const waiting = open(counts);
  if (m.status === 'cancelled' && waiting > 0) return <Notice kind="info">{t('mailing.cancelled.counting', { n: waiting })}</Notice>;
  if (m.status !== 'paused') return null;
  const end = relative(m.end_at, now.value);
  const itself = m.paused_by === 'rejections';
  const over = closed(m, now.value);
  return (
    <Notice
      kind={itself ? 'error' : 'warning'}
      title={itself ? t('mailing.paused.itself', { share: share(rejected ?? 0.5) }) : t('mailing.paused.person')}
      actions={itself && !over && isAdmin() && <Button icon="resume" onClick={() => void resume()}>{t('mailing.resume.anyway')}</Button>}
    >
      {itself && <p>{t('mailing.paused.itself.about')}</p>}
      <p>{over ? t('mailing.paused.over') : waiting > 0 ? t('mailing.paused.waiting', { n: waiting, end }) : t('mailing.paused.end', { end })}</p>
    </Notice>
  );
}
