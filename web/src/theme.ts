// Light or dark: as the system has it, unless the person has chosen.
import { computed, effect, signal } from '@preact/signals';

export type Theme = 'system' | 'light' | 'dark';

const stored = 'postrider.theme';
const chosen = localStorage.getItem(stored);

export const theme = signal<Theme>(chosen === 'light' || chosen === 'dark' ? chosen : 'system');

const query = matchMedia('(prefers-color-scheme: dark)');
const systemIsDark = signal(query.matches);
query.addEventListener('change', () => (systemIsDark.value = query.matches));

// scheme is how the page is shown now.
export const scheme = computed(() => (theme.value === 'system' ? (systemIsDark.value ? 'dark' : 'light') : theme.value));

effect(() => {
  document.documentElement.dataset['theme'] = scheme.value;
});

export function chooseTheme(to: Theme) {
  theme.value = to;
  localStorage.setItem(stored, to);
}
