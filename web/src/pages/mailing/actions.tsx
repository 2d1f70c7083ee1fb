// The buttons at the head of a mailing's page.
import { useState } from 'preact/hooks';
import type { Counts, Mailing } from '../../api/client.ts';
import { isAdmin } from '../../api/connection.ts';
import { t } from '../../i18n/index.ts';
import { link } from '../../router.ts';
import { Button, LinkButton } from '../../ui/basic.tsx';
import { Menu } from '../../ui/menu.tsx';
import { now } from '../../ui/now.ts';
import { actionsOf, pause, resume, type Changed } from '../mailings/actions.tsx';
import { editable, pausable, resumable, title } from '../mailings/rules.ts';
import type { Dialog } from './mailing.tsx';

export function Actions({ m, counts, changed, show }: { m: Mailing; counts: Counts; changed: Changed; show: (d: Dialog) => void }) {
  const [busy, setBusy] = useState(false);
  if (!isAdmin()) return counts.total > 0 && <Button icon="download" onClick={() => show('all')}>{t('mailing.export')}</Button>;
  const once = async (act: Promise<void>) => {
    setBusy(true);
    await act;
    setBusy(false);
  };
  // The acts that have a button of their own are not in the menu, too.
  const buttons = new Set([t('mailing.pause'), t('mailing.resume'), t('action.edit')]);
  const items = actionsOf(m, counts, changed).filter((item) => !buttons.has(item.text));
  if (counts.total > 0) items.unshift({ text: t('mailing.export'), icon: 'download', run: () => show('all') });
  return (
    <>
      {pausable(m) && <Button icon="pause" busy={busy} onClick={() => void once(pause(m, changed))}>{t('mailing.pause')}</Button>}
      {resumable(m, now.value) && <Button kind="primary" icon="resume" busy={busy} onClick={() => void once(resume(m, changed))}>{t('mailing.resume')}</Button>}
      {editable(m) && <LinkButton icon="edit" to={link(`mailings/${m.id}/edit`)}>{t('action.edit')}</LinkButton>}
      <Button icon="send" onClick={() => show('test')}>{t('mailing.test')}</Button>
      <Menu label={t('actions.for', { name: title(m.text, 40) })} items={items} />
    </>
  );
}
