// The client of the JSON API. The pages use nothing else. Its types are generated from
// the API's description (schema.ts).
import createClient from 'openapi-fetch';
import type { components, paths } from './schema.ts';

export type Schemas = components['schemas'];
export type Mailing = Schemas['Mailing'];
export type CountedMailing = Schemas['CountedMailing'];
export type Counts = Schemas['Counts'];
export type Client = Schemas['DirectoryClient'];
export type Message = Schemas['Message'];
export type Problem = Schemas['Problem'];
export type Status = keyof Omit<Counts, 'total'>;
export type MailingStatus = Mailing['status'];

// base is the address of the API's root, which is also the folder of this page.
const base = new URL('.', document.baseURI).href.replace(/\/$/, '');

export const api = createClient<paths>({ baseUrl: base, credentials: 'same-origin', cache: 'no-store' });

// ApiError is an answer that is not a success. problem is the answer's document; its
// detail and errors are written for people.
export class ApiError extends Error {
  readonly status: number;
  readonly problem: Problem | undefined;
  constructor(status: number, problem: Problem | undefined) {
    super(problem?.detail ?? `HTTP ${status}`);
    this.status = status;
    this.problem = problem;
  }
}

// Unreachable means that no answer came: the network or the service is down.
export class Unreachable extends Error {}

export interface Answer<T> {
  data: T;
}

// call waits for an answer of [api]. It throws an ApiError for an answer that is not a
// success, and Unreachable if there is none. The watcher of [onOutcome] sees both.
export async function call<T>(request: Promise<{ data?: T; error?: unknown; response: Response }>): Promise<Answer<T>> {
  let result;
  try {
    result = await request;
  } catch (e) {
    if (e instanceof DOMException && e.name === 'AbortError') throw e;
    const failure = new Unreachable(String(e));
    watch(failure);
    throw failure;
  }
  const { response } = result;
  if (!response.ok) {
    const failure = new ApiError(response.status, problemOf(result.error));
    watch(failure);
    throw failure;
  }
  watch(null);
  return { data: result.data as T };
}

function problemOf(error: unknown): Problem | undefined {
  return typeof error === 'object' && error !== null && 'status' in error ? (error as Problem) : undefined;
}

type Watcher = (failure: ApiError | Unreachable | null) => void;

let watch: Watcher = () => {};

// onOutcome lets w see the outcome of every call; null is a success.
export function onOutcome(w: Watcher) {
  watch = w;
}

// isAway reports whether an answer means that the service is not there, and not
// that the request is wrong.
export function isAway(failure: unknown): boolean {
  return failure instanceof Unreachable || (failure instanceof ApiError && failure.status >= 500);
}
