// The page that imports clients: choose a file, see how it is read, watch the import.
import { signal } from '@preact/signals';
import { useEffect, useRef, useState } from 'preact/hooks';
import { isAdmin } from '../../api/connection.ts';
import { t, type Key } from '../../i18n/index.ts';
import { link } from '../../router.ts';
import { Button, Empty, Notice, Page } from '../../ui/basic.tsx';
import { Icon } from '../../ui/icons.tsx';
import { detect, foreign, type Found } from './encoding.ts';
import { download, startOf } from '../../files.ts';
import { Preview } from './preview.tsx';
import { Watch } from './progress.tsx';
import { sampleOf, shapeOf } from './reader.ts';
import { current } from './running.ts';

export interface Chosen {
  file: File;
  // start is the beginning of the file; complete is whether it is all of it.
  start: Uint8Array;
  complete: boolean;
  found: Found;
}

interface Refused {
  name: string;
  why: 'workbook' | 'binary' | 'empty' | 'unreadable';
}

// chosen stays while other pages are shown.
const chosen = signal<Chosen | undefined>();
const refused = signal<Refused | undefined>();

// take looks at the beginning of a file, and shows how it is read or why it cannot be.
async function take(file: File) {
  chosen.value = undefined;
  refused.value = undefined;
  const refuse = (why: Refused['why']) => (refused.value = { name: file.name, why });
  let start;
  try {
    start = await startOf(file);
  } catch {
    return refuse('unreadable');
  }
  const kind = foreign(start.bytes);
  if (kind) return refuse(kind);
  const found = detect(start.bytes);
  if (sampleOf(start.bytes, shapeOf(start.bytes, found.encoding), start.complete, 1).rows.length === 0) return refuse('empty');
  chosen.value = { file, start: start.bytes, complete: start.complete, found };
}

export function Import() {
  const running = current.value;
  const c = chosen.value;
  const again = () => {
    current.value = undefined;
    chosen.value = undefined;
  };
  return (
    <Page title={t('import.title')} back={{ to: link('clients'), text: t('page.clients') }} about={running ? undefined : t('import.about')}>
      {!isAdmin() && !running && <Empty icon="upload" title={t('import.admins')}>{t('import.admins.about')}</Empty>}
      {running && <Watch r={running} again={again} />}
      {isAdmin() && !running && !c && <Drop />}
      {isAdmin() && !running && c && (
        <Preview
          key={`${c.file.name} ${c.file.size} ${c.file.lastModified}`}
          chosen={c}
          other={() => (chosen.value = undefined)}
          unreadable={() => {
            chosen.value = undefined;
            refused.value = { name: c.file.name, why: 'unreadable' };
          }}
        />
      )}
    </Page>
  );
}

const example = 'phone,operator_code,tag,timezone\n79001234567,900,vip,Europe/Moscow\n79137654321,,friends,Asia/Novosibirsk\n';

function Drop() {
  const input = useRef<HTMLInputElement>(null);
  const [over, setOver] = useState(false);
  const why = refused.value;
  useEffect(() => {
    // A file that misses the field must not replace the page.
    const drag = (e: DragEvent) => {
      if (!e.dataTransfer?.types.includes('Files')) return;
      e.preventDefault();
      setOver(e.type === 'dragover');
      const file = e.type === 'drop' && e.dataTransfer.files[0];
      if (file) void take(file);
    };
    const kinds = ['dragover', 'dragleave', 'drop'] as const;
    kinds.forEach((k) => addEventListener(k, drag));
    return () => kinds.forEach((k) => removeEventListener(k, drag));
  }, []);
  return (
    <>
      {why && <Notice kind="error" title={t(`import.fault.${why.why}` as Key)}>{t(`import.fault.${why.why}.about` as Key, { name: why.name })}</Notice>}
      <div class={`drop${over ? ' over' : ''}`}>
        <Icon name="upload" width="28" height="28" />
        <h2>{t('import.drop')}</h2>
        <p>{t('import.drop.about')}</p>
        <div class="actions">
          <Button kind="primary" onClick={() => input.current?.click()}>{t('import.choose')}</Button>
          <Button kind="quiet" icon="download" onClick={() => download('clients-example.csv', ['\ufeff', example])}>{t('import.example')}</Button>
        </div>
        <input
          ref={input}
          type="file"
          hidden
          aria-label={t('import.choose')}
          accept=".csv,.tsv,.txt,text/csv,text/plain,text/tab-separated-values,application/vnd.ms-excel"
          onChange={(e) => {
            const file = e.currentTarget.files?.[0];
            e.currentTarget.value = ''; // so that the same file can be chosen again
            if (file) void take(file);
          }}
        />
      </div>
    </>
  );
}
