// The list of all pages.
import type { FunctionComponent } from 'preact';
import type { Key } from '../i18n/index.ts';
import { t } from '../i18n/index.ts';
import { link } from '../router.ts';
import { Empty, LinkButton, Page } from '../ui/basic.tsx';
import type { IconName } from '../ui/icons.tsx';
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

// pageOf returns the page at an address.
export function pageOf(path: string[]): { View: FunctionComponent } {
  const [first = '', second, third, ...rest] = path;
  const id = /^\d+$/;
  if (rest.length > 0) return { View: Missing };
  if (first === 'mailings' && second === 'new' && !third) return { View: NewMailing };
  if (first === 'mailings' && id.test(second ?? '') && third === 'edit') return { View: EditMailing };
  return { View: Missing };
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
