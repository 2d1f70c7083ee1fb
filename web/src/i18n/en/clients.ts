import type { Message } from '../message.ts';

export const clients = {
} satisfies Record<string, Message>;
