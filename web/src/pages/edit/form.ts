// The state of the form: the draft, what is wrong with it, and what it is based on.
import { computed, effect, signal, type ReadonlySignal, type Signal } from '@preact/signals';
import { ApiError, type Mailing } from '../../api/client.ts';
import { errorText } from '../../ui/basic.tsx';
import { t } from '../../i18n/index.ts';
import { zone as readerZone } from '../../format.ts';
import { changedFields, check, draftOf, fieldAt, fields, lockedIn, valuesIn, valuesOf, type Draft, type Field, type Problems, type Values } from './draft.ts';
import { forget, keep, keptAt, newKey, type Attempt, type Kept } from './kept.ts';

export interface Form {
  address: string;
  draft: Signal<Draft>;
  // base is the version of the mailing that is edited, null for a new one.
  base: Signal<Mailing | null>;
  // restored is set while the draft is one that an earlier load of the page has left, or
  // that a try to create the mailing has left.
  restored: Signal<'reload' | 'earlier' | undefined>;
  key: string;
  attempts: Attempt[];
  changed: ReadonlySignal<boolean>;
  locked: ReadonlySignal<Field[]>;
  // failure is what the person must know about the last try to save.
  failure: Signal<string | undefined>;
  set: (change: Partial<Draft>, field?: Field) => void;
  // typed is what stands in a field for several values and is not one of them yet.
  typed: Signal<Partial<Record<Field, string>>>;
  // show shows the problems of a field from now on.
  show: (field: Field) => void;
  // check shows all problems, and returns the first field that has one.
  check: () => Field | undefined;
  // errors returns the sentences about a field.
  errors: (field: Field) => string[];
  // refuse shows the answer to a request that failed. It returns the first field that
  // the answer is about.
  refuse: (error: unknown) => Field | undefined;
  // rebase goes on with another version of the mailing, and with these values.
  rebase: (to: Mailing, values: Values) => void;
  // save stores the draft for a reload.
  save: () => void;
  // discard goes back to the start.
  discard: () => void;
  // close ends the form; done also forgets the draft.
  close: (done: boolean) => void;
}

// openForm returns the form at an address, with the draft that was left there, or with
// first.
export function openForm(address: string, base: Mailing | null, first: Draft): Form {
  const left = keptAt(address);
  const draft = signal<Draft>(left?.draft ?? first);
  const from = signal<Mailing | null>(left?.base ?? base);
  const restored = signal<'reload' | 'earlier' | undefined>(left && (left.earlier ? 'earlier' : 'reload'));
  const shown = signal<Field[]>([]);
  const refused = signal<Partial<Record<Field, string[]>>>({});
  const failure = signal<string | undefined>(undefined);
  const untouched = JSON.stringify(first);
  const changed = computed(() => {
    const b = from.value;
    return b ? changedFields(valuesOf(b), valuesIn(draft.value, Date.now())).length > 0 : JSON.stringify(draft.value) !== untouched;
  });
  const typed = signal<Partial<Record<Field, string>>>({});
  const problems = (): Problems => {
    const found = check(draft.value, Date.now(), from.value ? valuesOf(from.value) : undefined);
    for (const f of fields) if (typed.value[f]?.trim()) found[f] ??= ['edit.problem.untaken', { text: typed.value[f]!.trim() }];
    return found;
  };

  const form: Form = {
    address, draft, base: from, restored, changed, failure, typed,
    key: left?.key ?? newKey(),
    attempts: left?.attempts ?? [],
    locked: computed(() => (from.value ? lockedIn(from.value.status) : [])),
    set(change, field) {
      draft.value = { ...draft.value, ...change };
      if (field && refused.value[field]) refused.value = { ...refused.value, [field]: undefined };
    },
    show(field) {
      if (!shown.value.includes(field)) shown.value = [...shown.value, field];
    },
    check() {
      shown.value = fields;
      const found = problems();
      return fields.find((f) => found[f]);
    },
    errors(field) {
      const own = shown.value.includes(field) ? problems()[field] : undefined;
      return [...(own ? [t(...own)] : []), ...(refused.value[field] ?? [])];
    },
    refuse(error) {
      const found: Partial<Record<Field, string[]>> = {};
      const others: string[] = [];
      for (const e of (error instanceof ApiError && error.problem?.errors) || []) {
        const field = fieldAt(e.location);
        if (field) found[field] = [...(found[field] ?? []), e.message];
        else others.push(`${e.location}: ${e.message}`);
      }
      refused.value = found;
      // A session that has ended says so itself.
      const signedOut = error instanceof ApiError && error.status === 401;
      failure.value = signedOut ? undefined : [errorText(error), ...others].join(' ');
      return fields.find((f) => found[f]);
    },
    rebase(to, values) {
      from.value = to;
      draft.value = { ...draftOf(values, draft.value.zone), window: values.window ?? draft.value.window };
      failure.value = undefined;
    },
    save() {
      if (changed.value || form.attempts.length > 0) keep(address, { draft: draft.value, base: from.value, key: form.key, attempts: form.attempts, earlier: restored.value === 'earlier' } satisfies Kept);
      else forget(address);
    },
    discard() {
      from.value = base;
      draft.value = base ? draftOf(valuesOf(base), readerZone) : first;
      [shown.value, refused.value, failure.value, restored.value] = [[], {}, undefined, undefined];
      [form.key, form.attempts] = [newKey(), []];
    },
    close(done) {
      stop();
      if (done) forget(address);
    },
  };
  const stop = effect(() => form.save());
  return form;
}
