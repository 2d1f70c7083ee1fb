import type { Message } from '../message.ts';

export const queues = {
} satisfies Record<string, Message>;
