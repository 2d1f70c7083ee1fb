import type { help as en } from '../en/help.ts';
import type { Message } from '../message.ts';

export const help: Record<keyof typeof en, Message> = {
};
