// What needs a person, each with the way to it.
import { t } from '../../i18n/index.ts';
import { clock } from '../../format.ts';
import { link } from '../../router.ts';
import { LinkButton, Notice } from '../../ui/basic.tsx';
import type { Facts } from './overview.tsx';

export function Attention({ d }: { d: Facts }) {
  // Dead letters are also left of messages that were tried again since.
  const { failed } = d.all.totals;
  const paused = d.paused.mailings.filter((m) => m.paused_by === 'rejections');
  const down = d.queues.provider.down_since;
  return (
    <>
      {down && <Notice kind="error" title={t('overview.provider_down', { time: clock(down) })} actions={<Look to={link('queues')} />}>{t('overview.provider_down.about')}</Notice>}
      {paused.map((m) => (
        <Notice key={m.id} kind="warning" title={t('overview.paused_itself', { text: short(m.text) })} actions={<Look to={link(`mailings/${m.id}`)} />}>
          {t('overview.paused_itself.about')}
        </Notice>
      ))}
      {failed > 0 && <Notice kind="warning" title={t('overview.dead_letters', { n: failed })} actions={<Look to={link('queues')} />}>{t('overview.dead_letters.about')}</Notice>}
      {d.all.totals.uncertain > 0 && (
        <Notice kind="warning" title={t('overview.uncertain', { n: d.all.totals.uncertain })} actions={<Look to={link('mailings')} />}>
          {t('overview.uncertain.about')}
        </Notice>
      )}
    </>
  );
}

function Look({ to }: { to: string }) {
  return <LinkButton to={to}>{t('overview.look')}</LinkButton>;
}

function short(text: string): string {
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}
