// What the codes of failed attempts mean. The codes are those of internal/provider and
// internal/mailing; several have one text.

export type Reason =
  | 'rejected' | 'bad_message' | 'unavailable' | 'server' | 'access' | 'request' | 'throttled' | 'connect' | 'answer' | 'broken' | 'timeout' | 'lost' | 'poison' | 'none' | 'other';

const words: Record<string, Reason> = {
  '': 'none',
  bad_message: 'bad_message',
  dns: 'connect', refused: 'connect', connect_timeout: 'connect', tls: 'connect', unreachable: 'connect', closed: 'connect', no_connection: 'connect', too_late: 'connect',
  no_code: 'answer', bad_answer: 'answer', too_large: 'answer', unsolicited: 'answer',
  cut: 'broken', reset: 'broken', cancelled: 'broken',
  timeout: 'timeout',
  no_token: 'access',
  sender_lost: 'lost', panic: 'lost', not_tried: 'lost',
  poison: 'poison',
};

// reasonOf returns the reason that a code stands for.
export function reasonOf(code: string): Reason {
  const http = /^http_(\d{3})$/.exec(code);
  if (http) return byStatus(Number(http[1]));
  if (/^code_-?\d+$/.test(code)) return 'answer';
  return words[code] ?? 'other';
}

function byStatus(status: number): Reason {
  switch (status) {
    case 400: case 422: return 'rejected';
    case 401: case 403: return 'access';
    case 408: case 425: case 503: return 'unavailable';
    case 429: return 'throttled';
  }
  if (status >= 500 && status < 600) return 'server';
  return status >= 300 && status < 500 ? 'request' : 'answer';
}

export interface Bar {
  code: string;
  n: number;
  // part is the share of all, between 0 and 1.
  part: number;
}

// bars counts codes, the most frequent first.
export function bars(codes: string[]): Bar[] {
  const counts = new Map<string, number>();
  for (const code of codes) counts.set(code, (counts.get(code) ?? 0) + 1);
  return [...counts].map(([code, n]) => ({ code, n, part: n / codes.length })).sort((a, b) => b.n - a.n || a.code.localeCompare(b.code));
}
