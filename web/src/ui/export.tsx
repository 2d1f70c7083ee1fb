// The dialog that saves a list as a file: it begins at once, shows how far it is, and goes
// on after an error where it stopped.
import { useEffect, useRef, useState } from 'preact/hooks';
import { call } from '../api/client.ts';
import { cursorOf, Export, type ExportPage } from '../exporting.ts';
import { download } from '../files.ts';
import { t } from '../i18n/index.ts';
import { Button, errorText, Notice } from './basic.tsx';
import { Dialog } from './dialog.tsx';
import { Progress } from './progress.tsx';
import { toast } from './toast.tsx';

export function ExportDialog({ title, about, file, label, read, total, state, done, close }: {
  title: string;
  about: string;
  // file is the name of the file.
  file: string;
  // label names the bar.
  label: string;
  read: (cursor: string, signal: AbortSignal) => Promise<ExportPage>;
  // total is the number of rows, undefined if it is not known.
  total: number | undefined;
  // state says how many rows are read, done that all of them are.
  state: (rows: number) => string;
  done: (rows: number) => string;
  close: () => void;
}) {
  const [rows, setRows] = useState(0);
  const [error, setError] = useState<unknown>();
  const stop = useRef(new AbortController());
  const job = useRef<Export | undefined>(undefined);
  const run = async () => {
    const { signal } = stop.current;
    setError(undefined);
    const e = (job.current ??= new Export((cursor) => read(cursor, signal)));
    try {
      await e.run(() => setRows(e.rows));
      download(file, e.texts);
      toast(done(e.rows));
      close();
    } catch (failure) {
      if (!signal.aborted) setError(failure);
    }
  };
  useEffect(() => {
    stop.current = new AbortController();
    void run();
    return () => stop.current.abort();
  }, []);
  return (
    <Dialog
      title={title}
      close={close}
      footer={
        <>
          <Button autofocus onClick={close}>{t('export.stop')}</Button>
          {error !== undefined && <Button kind="primary" icon="retry" onClick={() => void run()}>{t('action.try_again')}</Button>}
        </>
      }
    >
      <p>{about}</p>
      <Progress part={total ? Math.min(1, rows / total) : undefined} label={label} />
      <p class="muted" role="status">{state(rows)}</p>
      {error !== undefined && <Notice kind="error">{errorText(error)}</Notice>}
    </Dialog>
  );
}

// exportPage returns one page of an export: its text, and the cursor in its Link header.
// It keeps a byte order mark, which Response.text would remove.
export async function exportPage(request: Promise<{ data?: ArrayBuffer; error?: unknown; response: Response }>): Promise<ExportPage> {
  const { data } = await call(request);
  return { text: new TextDecoder('utf-8', { ignoreBOM: true }).decode(data), next: cursorOf((await request).response.headers.get('Link')) };
}
