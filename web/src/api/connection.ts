// Whether the API answers, and who the caller is.
import { signal } from '@preact/signals';
import { api, ApiError, call, forget, isAway, onOutcome } from './client.ts';

export interface Session {
  name: string;
  role: 'admin' | 'viewer';
}

// session is undefined until it is known, and null for a person who is not signed in.
export const session = signal<Session | null | undefined>(undefined);

// awaySince is when the API stopped to answer, null while it answers.
export const awaySince = signal<Date | null>(null);

// lastAnswer is when the last good answer came.
export const lastAnswer = signal<Date | null>(null);

onOutcome((failure) => {
  if (failure === null) {
    lastAnswer.value = new Date();
    if (awaySince.value) awaySince.value = null;
  } else if (isAway(failure)) {
    awaySince.value ??= new Date();
  } else if (failure instanceof ApiError && failure.status === 401) {
    // The key was revoked or the session has ended. What the person has typed stays in
    // the page's memory: the sign-in form covers the page and does not replace it.
    session.value = null;
  }
});

export function isAdmin(): boolean {
  return session.value?.role === 'admin';
}

export async function loadSession() {
  try {
    session.value = (await call(api.GET('/api/session'))).data as Session;
  } catch (e) {
    if (e instanceof ApiError && e.status === 401) session.value = null;
  }
}

export async function signIn(key: string) {
  session.value = (await call(api.POST('/api/session', { body: { key } }))).data as Session;
}

export async function signOut() {
  await call(api.DELETE('/api/session'));
  forget();
  session.value = null;
}
