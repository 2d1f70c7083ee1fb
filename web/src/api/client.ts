// The client of the JSON API. The pages use nothing else. Its types are generated from
// the API's description (schema.ts).
import createClient, { type Middleware } from 'openapi-fetch';
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

interface Kept {
  tag: string;
  body: string;
}

// kept holds the last answers by address, oldest first. The oldest ones are dropped: a
// page looks at a few addresses at a time.
const kept = new Map<string, Kept>();
const mostKept = 50;
// asked holds the answer whose ETag a request has sent.
const asked = new WeakMap<Request, Kept>();

// conditional matches the operations that accept If-None-Match.
const conditional = /\/api\/mailings\/(fullinfo|\d+\/info)$/;

// unchanged asks for statistics only if they have changed: it sends the ETag of the last
// answer from the same address, and gives that answer again for a 304.
const unchanged: Middleware = {
  onRequest({ request }) {
    const last = request.method === 'GET' ? kept.get(request.url) : undefined;
    if (last) {
      asked.set(request, last);
      request.headers.set('If-None-Match', last.tag);
    }
    return request;
  },
  async onResponse({ request, response }) {
    const last = asked.get(request);
    if (response.status === 304 && last) {
      return new Response(last.body, { status: 200, headers: { 'Content-Type': 'application/json', ETag: last.tag } });
    }
    const tag = response.headers.get('ETag');
    if (request.method === 'GET' && response.status === 200 && tag && conditional.test(new URL(request.url).pathname)) {
      kept.delete(request.url);
      kept.set(request.url, { tag, body: await response.clone().text() });
      if (kept.size > mostKept) kept.delete(kept.keys().next().value as string);
    }
    return undefined;
  },
};

api.use(unchanged);

// forget drops all answers that were kept. The next person may not see them.
export function forget() {
  kept.clear();
}

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
