// Creating and changing a mailing, so that a repeated click, a lost answer or another
// person's change does no harm.
import { api, ApiError, call, isAway, type Mailing, type Schemas } from '../../api/client.ts';
import { bodyOf, changedFields, patchOf, valuesIn, valuesOf } from './draft.ts';
import type { Form } from './form.ts';

// create creates the mailing of a draft. All tries have the same idempotency key. So if
// an answer was lost and the draft is unchanged, the same mailing comes back. If it was
// changed in between, earlier is true: the mailing is as an earlier try has made it.
export async function create(form: Form): Promise<{ mailing: Mailing; earlier: boolean }> {
  const asked = JSON.stringify(form.draft.value);
  let attempt = form.attempts.find((a) => a.draft === asked);
  if (!attempt) {
    attempt = { draft: asked, body: bodyOf(valuesIn(form.draft.value, Date.now())) };
    form.attempts = [...form.attempts, attempt];
    form.save();
  }
  try {
    return { mailing: await post(form.key, attempt.body), earlier: false };
  } catch (e) {
    if (!isOtherRequest(e)) {
      // A refusal is certain: nothing was created by this try.
      if (!isAway(e)) form.attempts = form.attempts.filter((a) => a !== attempt);
      throw e;
    }
    for (const before of form.attempts) {
      if (before === attempt) continue;
      try {
        return { mailing: await post(form.key, before.body), earlier: true };
      } catch (again) {
        if (!isOtherRequest(again)) throw again;
      }
    }
    throw e;
  }
}

async function post(key: string, body: Schemas['MailingBody']): Promise<Mailing> {
  return (await call(api.POST('/api/mailings', { params: { header: { 'Idempotency-Key': key } }, body }))).data;
}

// isOtherRequest reports whether the service knows the idempotency key from a request
// with another body, which it has carried out.
function isOtherRequest(e: unknown): boolean {
  return e instanceof ApiError && e.status === 422 && (e.problem?.errors ?? []).some((f) => f.location === 'header.Idempotency-Key');
}

// Conflict says that another person has changed the mailing since it was read.
export class Conflict extends Error {
  readonly theirs: Mailing;
  constructor(theirs: Mailing) {
    super('the mailing has changed');
    this.theirs = theirs;
  }
}

// change sends what the person has changed, if the mailing is still the version that was
// read.
export async function change(form: Form): Promise<Mailing> {
  const base = form.base.value!;
  const mine = valuesIn(form.draft.value, Date.now());
  const params = { path: { id: base.id }, header: { 'If-Match': `"${base.version}"` } };
  try {
    return (await call(api.PATCH('/api/mailings/{id}', { params, body: patchOf(valuesOf(base), mine) }))).data;
  } catch (e) {
    if (!(e instanceof ApiError) || e.status !== 412) throw e;
    const theirs = (await call(api.GET('/api/mailings/{id}', { params: { path: { id: base.id } } }))).data;
    // If it has all of my values, an earlier try has arrived and its answer was lost.
    if (changedFields(valuesOf(theirs), mine).length === 0) return theirs;
    throw new Conflict(theirs);
  }
}
