// The dialog that exports clients: it begins at once, shows how far it is, and saves the
// file.
import { useEffect, useRef, useState } from 'preact/hooks';
import { api, call } from '../../api/client.ts';
import { t } from '../../i18n/index.ts';
import { Button, errorText, Notice } from '../../ui/basic.tsx';
import { Dialog } from '../../ui/dialog.tsx';
import { Progress } from '../../ui/progress.tsx';
import { toast } from '../../ui/toast.tsx';
import { countClients, set, type Filters } from './data.ts';
import { cursorOf, Export } from './exporting.ts';
import { download } from './files.ts';

const pageSize = 2_000;

export function ExportDialog({ filters, close }: { filters: Filters; close: () => void }) {
  const [rows, setRows] = useState(0);
  const [total, setTotal] = useState<number | undefined>();
  const [error, setError] = useState<unknown>();
  const stop = useRef(new AbortController());
  const job = useRef<Export>();
  const run = async () => {
    const { signal } = stop.current;
    setError(undefined);
    const e = (job.current ??= new Export((cursor) => readPage(filters, cursor, signal)));
    try {
      await e.run(() => setRows(e.rows));
      download('clients.csv', e.texts);
      toast(t('export.done', { n: e.rows }));
      close();
    } catch (failure) {
      if (!signal.aborted) setError(failure);
    }
  };
  useEffect(() => {
    const { signal } = (stop.current = new AbortController());
    // A phone has at most one client; the number is only for the bar.
    if (!filters.phone) countClients(filters, signal).then(setTotal, () => {});
    void run();
    return () => stop.current.abort();
  }, []);
  return (
    <Dialog
      title={t('export.title')}
      close={close}
      footer={
        <>
          <Button onClick={close}>{t('export.stop')}</Button>
          {error !== undefined && <Button kind="primary" icon="retry" onClick={() => void run()}>{t('action.try_again')}</Button>}
        </>
      }
    >
      <p>{t(Object.keys(set(filters)).length ? 'export.some' : 'export.all')}</p>
      <Progress part={total ? Math.min(1, rows / total) : undefined} label={t('export.reading')} />
      <p class="muted" role="status">{total && total >= rows ? t('export.of', { done: rows, total }) : t('export.progress', { n: rows })}</p>
      {error !== undefined && <Notice kind="error">{errorText(error)}</Notice>}
    </Dialog>
  );
}

async function readPage(filters: Filters, cursor: string, signal: AbortSignal) {
  const query = { ...set(filters), limit: pageSize, ...(cursor ? { cursor } : {}) };
  let link: string | null = null;
  const { data } = await call(api.GET('/api/clients/export', { params: { query }, parseAs: 'text', signal }).then((r) => {
    link = r.response.headers.get('Link');
    return r;
  }));
  return { text: data as string, next: cursorOf(link) };
}
