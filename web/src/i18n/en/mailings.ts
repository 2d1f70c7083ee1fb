import type { Message } from '../message.ts';

export const mailings = {
} satisfies Record<string, Message>;
