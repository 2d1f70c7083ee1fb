// Tries dead letters again, in as many requests as it takes.
import { api, call, type Schemas } from '../../api/client.ts';
import { t } from '../../i18n/index.ts';

type Redriven = Schemas['Redriven'];

// most is how many requests one press of the button makes at most. Each handles some
// hundred letters.
const most = 200;

export async function redriveAll(): Promise<Redriven> {
  const all: Redriven = { redriven: 0, stale: 0, kept: 0, more: true };
  for (let n = 0; n < most && all.more; n++) {
    const { data } = await call(api.POST('/api/queues/dead-letters/redrive', {}));
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
