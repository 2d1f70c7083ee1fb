import { clients } from './en/clients.ts';
import { common } from './en/common.ts';
import { edit } from './en/edit.ts';
import { help } from './en/help.ts';
import { mailings } from './en/mailings.ts';
import { overview } from './en/overview.ts';
import { queues } from './en/queues.ts';

export const en = { ...common, ...overview, ...mailings, ...clients, ...queues, ...help, ...edit };
