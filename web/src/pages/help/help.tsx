// The help: statuses, keys, and the way to the API's documentation.
import type { MailingStatus } from '../../api/client.ts';
import { isAdmin } from '../../api/connection.ts';
import { zone } from '../../format.ts';
import { t, type Key } from '../../i18n/index.ts';
import { Page, Panel } from '../../ui/basic.tsx';
import { MailingBadge, StatusBadge, statuses, terminal } from '../../ui/status.tsx';
import { pages } from '../index.tsx';

const mailingStatuses: MailingStatus[] = ['scheduled', 'running', 'paused', 'completed', 'cancelled'];

export function Help() {
  return (
    <Page title={t('page.help')} about={t('help.zone', { zone })}>
      <div class="columns">
        <Panel title={t('help.messages')}>
          <p class="muted">{t('help.messages.about')}</p>
          <dl class="facts">
            {statuses.map((s) => [
              <dt key={s}><StatusBadge status={s} /></dt>,
              <dd key={`${s}-about`}>{t(`status.${s}.about`)} <small>({t(terminal.includes(s) ? 'help.final' : 'help.open')})</small></dd>,
            ])}
          </dl>
        </Panel>
        <Panel title={t('help.mailings')}>
          <dl class="facts">
            {mailingStatuses.map((s) => [
              <dt key={s}><MailingBadge status={s} /></dt>,
              <dd key={`${s}-about`}>{t(`help.mailing.${s}`)}</dd>,
            ])}
          </dl>
        </Panel>
        <Keys />
        <Panel title={t('help.more')}>
          <ul class="links">
            <li><a href="docs/">{t('help.docs')}</a> <span class="muted">{t('help.api')}</span></li>
            <li><a href="licences.txt">{t('help.licences')}</a></li>
          </ul>
        </Panel>
      </div>
    </Page>
  );
}

function Keys() {
  const single: [string, Key][] = [['/', 'help.key.search'], ['?', 'help.key.help'], ['Esc', 'help.key.close']];
  if (isAdmin()) single.unshift(['n', 'help.key.new']);
  return (
    <Panel title={t('help.keys')}>
      <p class="muted">{t('help.keys.about')}</p>
      <dl class="facts keys">
        {pages.map((p) => [
          <dt key={p.path}><kbd>g</kbd> <small>{t('help.key.then')}</small> <kbd>{p.shortcut}</kbd></dt>,
          <dd key={`${p.path}-about`}>{t(p.name)}</dd>,
        ])}
        {single.map(([key, name]) => [<dt key={key}><kbd>{key}</kbd></dt>, <dd key={`${key}-about`}>{t(name)}</dd>])}
      </dl>
    </Panel>
  );
}
