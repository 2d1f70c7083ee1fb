import type { overview as en } from '../en/overview.ts';
import type { Message } from '../message.ts';

export const overview: Record<keyof typeof en, Message> = {
};
