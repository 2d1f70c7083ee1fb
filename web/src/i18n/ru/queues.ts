import type { queues as en } from '../en/queues.ts';
import type { Message } from '../message.ts';

export const queues: Record<keyof typeof en, Message> = {
};
