import { clients } from './ru/clients.ts';
import { common } from './ru/common.ts';
import { edit } from './ru/edit.ts';
import { help } from './ru/help.ts';
import { mailings } from './ru/mailings.ts';
import { overview } from './ru/overview.ts';
import { queues } from './ru/queues.ts';

export const ru = { ...common, ...overview, ...mailings, ...clients, ...queues, ...help, ...edit };
