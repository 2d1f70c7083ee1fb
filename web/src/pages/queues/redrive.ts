// Tries dead letters again, in as many requests as it takes.
import { api, call, type Schemas } from '../../api/client.ts';
import { t } from '../../i18n/index.ts';

type Redriven = Schemas['Redriven'];

// most is how many requests one press of the button makes at most. Each handles some
// hundred letters. Letters that do not match are hidden for a minute and then come again, so
// requests with a filter must end before.
const most = 200;
const mostFiltered = 6;

// Some says which letters are tried again: one message's, those with a reason, or all.
export interface Some { message_id?: number; reason?: string }

export async function redrive(some: Some = {}): Promise<Redriven> {
  const all: Redriven = { redriven: 0, stale: 0, kept: 0, more: true };
  const limit = Object.keys(some).length > 0 ? mostFiltered : most;
  for (let n = 0; n < limit && all.more; n++) {
    const { data } = await call(api.POST('/api/queues/dead-letters/redrive', { params: { query: some } }));
    all.redriven += data.redriven;
    all.stale += data.stale;
    all.kept += data.kept;
    all.more = data.more;
  }
  return all;
}

// summary says in one line what became of the letters.
export function summary(r: Redriven): string {
  return [
    t('queues.redriven', { n: r.redriven }),
    r.stale > 0 ? t('queues.redriven.stale', { n: r.stale }) : '',
    r.kept > 0 ? t('queues.redriven.kept', { n: r.kept }) : '',
  ].filter(Boolean).join(', ');
}
