// Light or dark: as the system has it, unless the person has chosen.
import { effect, signal } from '@preact/signals';

export type Theme = 'system' | 'light' | 'dark';

const stored = 'postrider.theme';
const chosen = localStorage.getItem(stored);

export const theme = signal<Theme>(chosen === 'light' || chosen === 'dark' ? chosen : 'system');

effect(() => {
  if (theme.value === 'system') delete document.documentElement.dataset['theme'];
  else document.documentElement.dataset['theme'] = theme.value;
});

export function chooseTheme(to: Theme) {
  theme.value = to;
  localStorage.setItem(stored, to);
}
