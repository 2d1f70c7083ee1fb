import type { mailings as en } from '../en/mailings.ts';
import type { Message } from '../message.ts';

export const mailings: Record<keyof typeof en, Message> = {
};
