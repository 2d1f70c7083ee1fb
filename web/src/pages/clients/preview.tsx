// How a file is read, and what of it is imported, before anything is sent.
import { useEffect, useMemo, useState } from 'preact/hooks';
import { useFacets } from '../../api/facets.ts';
import { zone } from '../../format.ts';
import { t } from '../../i18n/index.ts';
import { Button, Field, Notice, Panel } from '../../ui/basic.tsx';
import { Combo } from '../../ui/combo.tsx';
import { Progress } from '../../ui/progress.tsx';
import { validZone } from '../../zone.ts';
import { assign, fields, guess, rewritten, visible, type Field as Name, type Mapping } from './columns.ts';
import { zoneOffers } from './data.ts';
import { encodings, type Encoding } from './encoding.ts';
import { chunksOf } from '../../files.ts';
import type { Chosen } from './import.tsx';
import { sampleOf, separators, shapeOf, survey, type Sample, type Shape, type Survey } from './reader.ts';
import { begin } from './running.ts';

const encodingNames: Record<Encoding, string> = {
  'utf-8': 'UTF-8', 'utf-16le': 'UTF-16 LE', 'utf-16be': 'UTF-16 BE', 'windows-1251': 'Windows-1251', 'koi8-r': 'KOI8-R', 'ibm866': 'CP866 (DOS)',
};
const separatorNames = { ',': 'comma', ';': 'semicolon', '\t': 'tab', '|': 'bar' } as const;

type Source = 'bom' | 'guessed' | 'chosen' | 'late';

export function Preview({ chosen, other, unreadable }: { chosen: Chosen; other: () => void; unreadable: () => void }) {
  const { file, start, complete, found } = chosen;
  const [shape, setShape] = useState(() => shapeOf(start, found.encoding));
  const [source, setSource] = useState<Source>(found.bom ? 'bom' : 'guessed');
  const sample = useMemo(() => sampleOf(start, shape, complete), [shape]);
  const guessed = useMemo(() => guess(sample.header, sample.rows.map((r) => r.cells)), [sample]);
  const [changed, setChanged] = useState<Mapping | undefined>();
  const mapping = changed?.length === guessed.length ? changed : guessed;
  const [empty, setEmpty] = useState({ tag: '', timezone: '' });
  const [rewrite, setRewrite] = useState(false);
  const read = (next: Shape, from: Source) => {
    setShape(next);
    setSource(from);
    setChanged(undefined);
  };
  const looked = useSurvey(chosen, shape, mapping, unreadable);
  // Bytes that are not valid UTF-8 may come late in a file.
  const late = looked.survey?.wrongEncoding === true && source === 'guessed';
  useEffect(() => {
    if (late) read({ ...shapeOf(start, 'windows-1251'), header: shape.header }, 'late');
  }, [late]);
  const ready = looked.survey && !late && mapping.includes('phone') && zoneFits(empty.timezone);
  const names = mapping.map((_, i) => nameOf(sample, i));
  const submit = (e: Event) => {
    e.preventDefault();
    if (!ready || !looked.survey) return;
    const header = mapping.map((field, i) => sample.header?.[i] || field || `column_${i + 1}`);
    begin({ file, rows: looked.survey.rows, shape, header, plan: { mapping, width: mapping.length, rewrite, empty: { tag: empty.tag.trim(), timezone: empty.timezone.trim() } } });
  };
  return (
    <form class="stack wide" onSubmit={submit}>
      <Panel title={file.name} actions={<Button kind="quiet" onClick={other}>{t('import.other')}</Button>}>
        <div class="fields">
          <Field label={t('import.encoding')} hint={t(`import.encoding.${source}`)}>
            {(ids) => (
              <select {...ids} value={shape.encoding} onChange={(e) => read({ ...shape, encoding: e.currentTarget.value as Encoding }, 'chosen')}>
                {encodings.map((x) => <option key={x} value={x}>{encodingNames[x]}</option>)}
              </select>
            )}
          </Field>
          <Field label={t('import.separator')}>
            {(ids) => (
              <select {...ids} value={shape.separator} onChange={(e) => read({ ...shape, separator: e.currentTarget.value }, source)}>
                {separators.map((s) => <option key={s} value={s}>{t(`import.separator.${separatorNames[s]}`)}</option>)}
                {!separators.some((s) => s === shape.separator) && <option value={shape.separator}>{shape.separator}</option>}
              </select>
            )}
          </Field>
        </div>
        <label class="check">
          <input type="checkbox" checked={shape.header} onChange={(e) => read({ ...shape, header: e.currentTarget.checked }, source)} />
          {t('import.header')}
        </label>
      </Panel>
      <Columns sample={sample} mapping={mapping} names={names} change={(i, field) => setChanged(assign(mapping, i, field))} />
      {!mapping.includes('phone') && <Notice kind="error" title={t('import.no_phone')}>{t('import.no_phone.about')}</Notice>}
      {looked.survey && mapping.includes('phone') && <Findings found={looked.survey} zoned={empty.timezone.trim() !== ''} setZone={() => setEmpty({ ...empty, timezone: zone })} rewrite={rewrite} setRewrite={setRewrite} />}
      <Values empty={empty} change={setEmpty} />
      <div class="finish">
        {looked.survey ? <span /> : <div class="grow"><p class="muted">{t('import.counting')}</p><Progress part={looked.part} label={t('import.counting')} /></div>}
        <Button kind="primary" type="submit" icon="upload" disabled={!ready}>{looked.survey ? t('import.start', { n: looked.survey.rows }) : t('clients.import')}</Button>
      </div>
    </form>
  );
}

function zoneFits(name: string): boolean {
  return name.trim() === '' || validZone(name.trim());
}

// nameOf returns the name of a column, or its number where the file has no name.
function nameOf(sample: Sample, i: number): string {
  return sample.header?.[i] || t('import.column', { n: i + 1 });
}

// useSurvey looks through the whole file, again after each change of how it is read.
function useSurvey({ file }: Chosen, shape: Shape, mapping: Mapping, unreadable: () => void): { survey: Survey | undefined; part: number } {
  const [state, setState] = useState<{ survey: Survey | undefined; part: number }>({ survey: undefined, part: 0 });
  const phone = mapping.indexOf('phone');
  const timezone = mapping.indexOf('timezone');
  useEffect(() => {
    let over = false;
    setState({ survey: undefined, part: 0 });
    survey(chunksOf(file), shape, { phone, timezone }, (_, bytes) => {
      if (over) throw new DOMException('', 'AbortError');
      setState({ survey: undefined, part: bytes / file.size });
    }).then(
      (found) => !over && setState({ survey: found, part: 1 }),
      () => !over && unreadable(),
    );
    return () => {
      over = true;
    };
  }, [file, shape, phone, timezone]);
  return state;
}

function Columns({ sample, mapping, names, change }: { sample: Sample; mapping: Mapping; names: string[]; change: (column: number, field: Name | undefined) => void }) {
  return (
    <Panel flush title={t('import.preview')}>
      <p class="inset muted">{t('import.preview.about')}</p>
      <div class="table-wrap" tabIndex={0} role="region" aria-label={t('import.preview.table')}>
        <table class="preview">
          <thead>
            <tr>
              <th scope="col" class="number">{t('import.line')}</th>
              {mapping.map((field, i) => (
                <th key={i} scope="col" class={field ? '' : 'unused'}>
                  <span class="column-name" title={names[i]}>{names[i]}</span>
                  <select aria-label={t('import.column.is', { name: names[i]! })} value={field ?? ''} onChange={(e) => change(i, (e.currentTarget.value || undefined) as Name | undefined)}>
                    <option value="">{t('import.column.none')}</option>
                    {fields.map((f) => <option key={f} value={f}>{t(`field.${f}`)}</option>)}
                  </select>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {sample.rows.slice(0, 8).map((r) => (
              <tr key={r.line}>
                <td class="number muted">{r.line}</td>
                {mapping.map((field, i) => <td key={i} class={field ? 'clip' : 'clip unused'}>{r.cells[i]}</td>)}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Panel>
  );
}

// Values are for cells that are empty, and for columns that the file does not have.
function Values({ empty, change }: { empty: { tag: string; timezone: string }; change: (e: { tag: string; timezone: string }) => void }) {
  const [zones] = useState(zoneOffers);
  const tags = useFacets(empty.tag).tags.map((value) => ({ value }));
  return (
    <Panel title={t('import.values')}>
      <div class="fields">
        <Field label={t('import.empty.timezone')} optional hint={t('import.empty.timezone.hint')} errors={zoneFits(empty.timezone) ? [] : [t('import.zone.wrong')]}>
          {(ids) => <Combo clear ids={ids} label={t('import.empty.timezone')} value={empty.timezone} offered={zones} change={(timezone) => change({ ...empty, timezone })} />}
        </Field>
        <Field label={t('import.empty.tag')} optional hint={t('import.empty.tag.hint')}>
          {(ids) => <Combo clear ids={ids} label={t('import.empty.tag')} value={empty.tag} offered={tags} change={(tag) => change({ ...empty, tag })} />}
        </Field>
      </div>
    </Panel>
  );
}

// Findings are what the whole file will run into, with what helps.
function Findings({ found, zoned, setZone, rewrite, setRewrite }: { found: Survey; zoned: boolean; setZone: () => void; rewrite: boolean; setRewrite: (on: boolean) => void }) {
  const { rewritable, wrong } = found.phones;
  return (
    <>
      {rewritable > 0 && (
        <Notice kind={rewrite ? 'info' : 'warning'} title={t('import.rewrite', { n: rewritable, example: visible(found.example ?? '') })}>
          <p>{t('import.rewrite.about')}</p>
          <label class="check">
            <input type="checkbox" checked={rewrite} onChange={(e) => setRewrite(e.currentTarget.checked)} />
            {t('import.rewrite.do', { phone: rewritten(found.example ?? '') })}
          </label>
        </Notice>
      )}
      {wrong > 0 && <Notice kind="warning" title={t('import.wrong', { n: wrong })}>{t('import.wrong.about')}</Notice>}
      {found.withoutZone > 0 && !zoned && (
        <Notice kind="warning" title={t('import.without_zone', { n: found.withoutZone })} actions={<Button onClick={setZone}>{t('import.without_zone.use', { zone })}</Button>}>
          {t('import.without_zone.about')}
        </Notice>
      )}
    </>
  );
}
