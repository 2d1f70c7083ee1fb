// The form to create or edit a mailing.
import { useEffect, useRef, useState } from 'preact/hooks';
import type { Mailing } from '../../api/client.ts';
import { zone } from '../../format.ts';
import { t } from '../../i18n/index.ts';
import { go, link } from '../../router.ts';
import { Button, Notice, Page } from '../../ui/basic.tsx';
import { toast } from '../../ui/toast.tsx';
import { ask } from '../../ui/dialog.tsx';
import { AudiencePanel, useAudience } from './audience.tsx';
import { compare, quiet } from './conflict.ts';
import { DeliveryPanel } from './delivery.tsx';
import { draftOf, lockedIn, valuesIn, valuesOf, type Field } from './draft.ts';
import { openForm, type Form } from './form.ts';
import { Review } from './review.tsx';
import { change, Conflict, create } from './save.ts';
import { Facts, Warnings } from './summary.tsx';
import { TestPanel } from './testpanel.tsx';
import { TextPanel } from './text.tsx';
import { TimePanel } from './time.tsx';
import { Versions } from './versions.tsx';

const apple = /Mac|iPhone|iPad/.test(navigator.userAgent);

// Editor is the page. latest is the newest version of the mailing that is edited; left is
// the number of its messages that are not sent yet.
export function Editor({ form, latest, left }: { form: Form; latest?: Mailing; left?: number }) {
  const [asked, setAsked] = useState<'review' | 'versions' | undefined>();
  const [theirs, setTheirs] = useState<Mailing | undefined>();
  const root = useRef<HTMLDivElement>(null);
  const base = form.base.value;
  const audience = useAudience(form.draft.value, !form.locked.value.includes('tags'));

  const show = (field: Field) => {
    // The field may be drawn only after this: an error can open it.
    setTimeout(() => {
      const place = root.current?.querySelector<HTMLElement>(`[data-field=${field}]`);
      (place?.querySelector('input') ?? place)?.focus();
    });
  };
  const review = () => {
    // A value that is still typed becomes a chosen one when its field loses the focus.
    const at = document.activeElement;
    if (at instanceof HTMLElement && at.closest('.choices')) at.blur();
    const wrong = form.check();
    form.failure.value = undefined;
    if (wrong) show(wrong);
    else setAsked('review');
  };
  const save = async () => {
    try {
      if (base) done(form, await change(form));
      else await createNow(form);
    } catch (e) {
      if (e instanceof Conflict) {
        setTheirs(e.theirs);
        setAsked('versions');
        return;
      }
      const field = form.refuse(e);
      if (!field) throw e;
      setAsked(undefined);
      show(field);
    }
  };
  useEffect(() => follow(form, latest), [latest?.version]);
  const moved = base && latest && latest.version > base.version;
  const title = base ? t('edit.title.edit', { id: String(base.id) }) : t('edit.title.new');
  return (
    <Page title={title} back={base ? { to: link(`mailings/${base.id}`), text: t('edit.back', { id: String(base.id) }) } : { to: link('mailings'), text: t('page.mailings') }}>
      {form.restored.value === 'reload' && (
        <Notice kind="info" actions={<Button onClick={() => discard(form)}>{t('edit.start_over')}</Button>}>{t('edit.restored')}</Notice>
      )}
      {form.restored.value === 'earlier' && <Notice kind="warning" title={t('edit.earlier')}>{t('edit.earlier.about')}</Notice>}
      {moved && (
        <Notice kind="warning" title={t('edit.moved')} actions={<Button onClick={() => { setTheirs(latest); setAsked('versions'); }}>{t('edit.compare')}</Button>}>
          {t('edit.moved.about', { version: latest.version })}
        </Notice>
      )}
      {form.locked.value.length > 0 && <Notice kind="info">{left === undefined ? t('edit.running') : t('edit.running.left', { n: left })}</Notice>}
      <div class="edit" ref={root} onKeyDown={(e) => {
        if (e.key !== 'Enter' || !(e.ctrlKey || e.metaKey)) return;
        e.preventDefault();
        review();
      }}>
        <form id="mailing" class="edit-form" noValidate onSubmit={(e) => { e.preventDefault(); review(); }}>
          <TextPanel form={form} />
          <AudiencePanel form={form} audience={audience} />
          <TimePanel form={form} />
          <DeliveryPanel form={form} />
        </form>
        <aside class="edit-side" aria-label={t('edit.summary')}>
          <section class="panel">
            <h2>{t('edit.summary')}</h2>
            <Facts form={form} audience={audience} left={left} />
            <Warnings form={form} audience={audience} />
            {form.failure.value && asked !== 'review' && <Notice kind="error" title={t(base ? 'edit.not_saved' : 'edit.not_created')}>{form.failure.value}</Notice>}
            <div class="edit-actions">
              <Button kind="primary" type="submit" form="mailing" disabled={base !== null && !form.changed.value} title={apple ? '⌘ Enter' : 'Ctrl+Enter'}>
                {t(base ? 'edit.review_changes' : 'edit.review_mailing')}
              </Button>
              {form.changed.value && <Button kind="quiet" onClick={() => discard(form)}>{t('edit.discard')}</Button>}
            </div>
            {base && !form.changed.value && <p class="muted">{t('edit.unchanged')}</p>}
          </section>
          <TestPanel form={form} saved={latest ?? base} />
        </aside>
      </div>
      {asked === 'review' && <Review form={form} audience={audience} left={left} run={save} close={() => setAsked(undefined)} />}
      {asked === 'versions' && theirs && <Versions key={theirs.version} form={form} theirs={theirs} save={() => save().catch(() => {})} close={() => setAsked((now) => (now === 'versions' ? undefined : now))} />}
    </Page>
  );
}

// follow goes on with a newer version of the mailing without a question, where nothing
// has to be chosen.
function follow(form: Form, latest: Mailing | undefined) {
  const base = form.base.value;
  if (!base || !latest || latest.version <= base.version) return;
  if (!form.changed.value) form.rebase(latest, valuesOf(latest));
  else {
    const mine = valuesIn(form.draft.value, Date.now());
    if (quiet(compare(valuesOf(base), mine, valuesOf(latest), lockedIn(latest.status)))) form.base.value = latest;
  }
}

function done(form: Form, m: Mailing) {
  form.close(true);
  toast(t('edit.saved', { id: String(m.id) }));
  go(link(`mailings/${m.id}`));
}

// createNow creates the mailing. If an earlier try has created it with other values, the
// person goes on by editing it.
async function createNow(form: Form) {
  const { mailing, earlier } = await create(form);
  const mine = valuesIn(form.draft.value, Date.now());
  form.close(true);
  if (!earlier) {
    toast(t('edit.created', { id: String(mailing.id) }));
    go(link(`mailings/${mailing.id}`));
    return;
  }
  const address = `mailings/${mailing.id}/edit`;
  const next = openForm(address, mailing, draftOf(mine, zone));
  next.restored.value = 'earlier';
  next.close(false);
  go(link(address));
}

function discard(form: Form) {
  ask({
    title: t('edit.discard.title'),
    text: t(form.base.value ? 'edit.discard.changes' : 'edit.discard.draft', { n: form.draft.value.text.length }),
    action: t('edit.discard'),
    kind: 'danger',
    run: async () => form.discard(),
  });
}

