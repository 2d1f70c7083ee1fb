// The list of all pages.
import type { FunctionComponent } from 'preact';
import type { Key } from '../i18n/index.ts';
import { t } from '../i18n/index.ts';
import { link } from '../router.ts';
import { Import } from './clients/import.tsx';
import { Clients } from './clients/list.tsx';
import { OneClient } from './clients/one.tsx';
import { Help } from './help/help.tsx';
import { Overview } from './overview/overview.tsx';
import { Queues } from './queues/queues.tsx';
import { Empty, LinkButton, Page } from '../ui/basic.tsx';
import type { IconName } from '../ui/icons.tsx';
import { OneMailing } from './mailing/mailing.tsx';
import { Mailings } from './mailings/mailings.tsx';
import { EditMailing, NewMailing } from './edit/index.tsx';

interface Entry {
  path: string;
  name: Key;
  icon: IconName;
  // shortcut is the letter after g that leads here.
  shortcut: string;
}

// pages are the entries of the navigation.
export const pages: Entry[] = [
  { path: '', name: 'page.overview', icon: 'overview', shortcut: 'o' },
  { path: 'mailings', name: 'page.mailings', icon: 'mailings', shortcut: 'm' },
  { path: 'clients', name: 'page.clients', icon: 'clients', shortcut: 'c' },
  { path: 'queues', name: 'page.queues', icon: 'queues', shortcut: 'q' },
  { path: 'help', name: 'page.help', icon: 'help', shortcut: 'h' },
];

// routes leads from addresses to pages; the first match counts.
const routes: [RegExp, FunctionComponent][] = [
  [/^$/, Overview],
  [/^mailings$/, Mailings],
  [/^mailings\/[1-9]\d*$/, OneMailing],
  [/^clients$/, Clients],
  [/^clients\/import$/, Import],
  [/^clients\/[1-9]\d*$/, OneClient],
  [/^mailings\/new$/, NewMailing],
  [/^mailings\/\d+\/edit$/, EditMailing],
  [/^queues$/, Queues],
  [/^help$/, Help],
];

// pageOf returns the page at an address.
export function pageOf(path: string[]): { View: FunctionComponent } {
  const View = routes.find(([pattern]) => pattern.test(path.join('/')))?.[1];
  return { View: View ?? Missing };
}

function Missing() {
  return (
    <Page title={t('page.missing')}>
      <Empty icon="search" title={t('page.missing')} action={<LinkButton to={link('')}>{t('page.overview')}</LinkButton>}>
        {t('page.missing.about')}
      </Empty>
    </Page>
  );
}
