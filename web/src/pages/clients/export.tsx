// The export of clients.
import { useEffect, useState } from 'preact/hooks';
import { api } from '../../api/client.ts';
import { t } from '../../i18n/index.ts';
import { ExportDialog, exportPage } from '../../ui/export.tsx';
import { countClients, set, type Filters } from './data.ts';

const pageSize = 2_000;

export function ExportClients({ filters, close }: { filters: Filters; close: () => void }) {
  const [total, setTotal] = useState<number | undefined>();
  useEffect(() => {
    const stop = new AbortController();
    // A phone has at most one client; the number is only for the bar.
    if (!filters.phone) countClients(filters, stop.signal).then(setTotal, () => {});
    return () => stop.abort();
  }, []);
  return (
    <ExportDialog
      title={t('export.title')}
      about={t(Object.keys(set(filters)).length ? 'export.some' : 'export.all')}
      file="clients.csv"
      label={t('export.reading')}
      total={total}
      state={(rows) => (total && total >= rows ? t('export.of', { done: rows, total }) : t('export.progress', { n: rows }))}
      done={(rows) => t('export.done', { n: rows })}
      read={(cursor, signal) => {
        const query = { ...set(filters), limit: pageSize, ...(cursor ? { cursor } : { bom: true }) };
        return exportPage(api.GET('/api/clients/export', { params: { query }, parseAs: 'arrayBuffer', signal }));
      }}
      close={close}
    />
  );
}
