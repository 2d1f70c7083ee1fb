// The export of a mailing's messages.
import { api, type Counts, type Mailing, type Status } from '../../api/client.ts';
import { t } from '../../i18n/index.ts';
import { ExportDialog, exportPage } from '../../ui/export.tsx';
import { statusName } from '../../ui/status.tsx';

const pageSize = 2_000;

// ExportMessages exports all messages of the mailing, or those of one status.
export function ExportMessages({ m, counts, status, close }: { m: Mailing; counts: Counts; status: Status | undefined; close: () => void }) {
  const total = status ? counts[status] : counts.total;
  return (
    <ExportDialog
      title={t('mailing.export')}
      about={status ? t('mailing.export.some', { status: statusName(status) }) : t('mailing.export.all')}
      file={`mailing-${m.id}-${status ?? 'messages'}.csv`}
      label={t('mailing.export.reading')}
      total={total}
      state={(rows) => t('mailing.export.of', { done: rows, total: Math.max(total, rows) })}
      done={(rows) => t('mailing.export.done', { n: rows })}
      read={(cursor, signal) => {
        const query = { limit: pageSize, ...(status ? { status } : {}), ...(cursor ? { cursor } : { bom: true }) };
        return exportPage(api.GET('/api/mailings/{id}/messages/export', { params: { path: { id: m.id }, query }, parseAs: 'arrayBuffer', signal }));
      }}
      close={close}
    />
  );
}
