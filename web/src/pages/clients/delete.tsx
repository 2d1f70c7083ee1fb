import type { Client } from '../../api/client.ts';
import { t } from '../../i18n/index.ts';
import { ask } from '../../ui/dialog.tsx';
import { toast } from '../../ui/toast.tsx';
import { deleteClient } from './data.ts';

// askDelete deletes a client if the person agrees, and then calls done.
export function askDelete(c: Client, done: () => void) {
  ask({
    title: t('client.delete', { phone: c.phone }),
    text: <p>{t('client.delete.about')}</p>,
    action: t('client.delete.act'),
    kind: 'danger',
    run: async () => {
      await deleteClient(c);
      toast(t('client.deleted', { phone: c.phone }));
      done();
    },
  });
}
