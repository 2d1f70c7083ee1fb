import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bars, reasonOf, type Reason } from './reasons.ts';

test('each code of the sender has a reason', () => {
  const codes: Record<string, Reason> = {
    http_400: 'rejected', http_422: 'rejected', http_401: 'access', http_403: 'access', http_404: 'request', http_302: 'request',
    http_503: 'unavailable', http_408: 'unavailable', http_425: 'unavailable', http_429: 'throttled', http_500: 'server', http_502: 'server',
    http_202: 'answer', http_101: 'answer', http_999: 'answer', code_7: 'answer', 'code_-1': 'answer', no_code: 'answer',
    timeout: 'timeout', cut: 'broken', dns: 'connect', sender_lost: 'lost', poison: 'poison', '': 'none', something_new: 'other', http_4000: 'other',
  };
  for (const [code, reason] of Object.entries(codes)) assert.equal(reasonOf(code), reason, code);
});

test('bars are ordered by their number', () => {
  assert.deepEqual(bars(['b', 'a', 'b', 'c']), [
    { code: 'b', n: 2, part: 0.5 }, { code: 'a', n: 1, part: 0.25 }, { code: 'c', n: 1, part: 0.25 },
  ]);
  assert.deepEqual(bars([]), []);
});
