import type { Message } from '../message.ts';

export const help = {
} satisfies Record<string, Message>;
