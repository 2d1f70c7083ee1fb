// The time of the page, which moves on every second while the tab is visible.
import { signal } from '@preact/signals';

export const now = signal(new Date());

setInterval(() => {
  if (!document.hidden) now.value = new Date();
}, 1000);
