import type { clients as en } from '../en/clients.ts';
import type { Message } from '../message.ts';

export const clients: Record<keyof typeof en, Message> = {
};
