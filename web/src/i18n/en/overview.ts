import type { Message } from '../message.ts';

export const overview = {
} satisfies Record<string, Message>;
