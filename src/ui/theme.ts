/** Light or dark: as the system has it, or as the visitor chose. */
import { Store } from './store.ts';

export const THEMES = ['system', 'light', 'dark'] as const;
export type Theme = (typeof THEMES)[number];

const key = 'papo-web theme';
const systemDark = window.matchMedia('(prefers-color-scheme: dark)');

/** `isDark`: what is drawn now; canvases are drawn anew when it changes. */
export const theme = new Store<{ chosen: Theme; isDark: boolean }>({ chosen: 'system', isDark: false });

export function chooseTheme(chosen: Theme): void {
  try {
    localStorage.setItem(key, chosen);
  } catch {
    // Storage is denied: the choice lasts as long as the page.
  }
  apply(chosen);
}

export function openTheme(): void {
  let kept: string | null = null;
  try {
    kept = localStorage.getItem(key);
  } catch {
    // Storage is denied.
  }
  apply(THEMES.find((one) => one === kept) ?? 'system');
  systemDark.addEventListener('change', () => apply(theme.snapshot().chosen));
}

function apply(chosen: Theme): void {
  const isDark = chosen === 'dark' || (chosen === 'system' && systemDark.matches);
  // The style sheet says what each colour is in either.
  document.documentElement.dataset.theme = isDark ? 'dark' : 'light';
  theme.set({ chosen, isDark });
}
