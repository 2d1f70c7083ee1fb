// Pager leads through the pages of a list. Its links change the address of the page, so
// the browser's Back works, too.
import { count } from '../format.ts';
import { t } from '../i18n/index.ts';
import { Icon } from './icons.tsx';

export function Pager({ page, size, shown, total, more, to }: {
  page: number;
  // size is the number of entries of a full page, shown those of this one.
  size: number;
  shown: number;
  // total is the number of all entries, undefined if it is not known.
  total?: number | undefined;
  more: boolean;
  to: (page: number) => string;
}) {
  const first = (page - 1) * size + 1;
  const last = first + shown - 1;
  const all = more ? Math.max(total ?? 0, last) : last;
  if (page === 1 && !more) return null;
  return (
    <nav class="list-foot" aria-label={t('pager.label')}>
      <Step to={page > 1 ? to(page - 1) : ''} name={t('pager.before')} icon="left" />
      <span>{shown === 0 ? t('list.end') : all > last || !more ? t('pager.range', { first, last, total: all }) : t('pager.open', { first: count(first), last: count(last) })}</span>
      <Step to={more ? to(page + 1) : ''} name={t('pager.after')} icon="right" />
    </nav>
  );
}

function Step({ to, name, icon }: { to: string; name: string; icon: 'left' | 'right' }) {
  const inner = [icon === 'left' && <Icon key="l" name="left" />, <span key="t">{name}</span>, icon === 'right' && <Icon key="r" name="right" />];
  return to ? <a class="button" href={to}>{inner}</a> : <button class="button" type="button" disabled>{inner}</button>;
}
