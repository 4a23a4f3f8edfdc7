/** Numbers as people read them. */
import { text } from '../text.ts';

const minus = (digits: string) => digits.replace('-', '−');

/** 0.4234 → "42 %". */
export const percent = (share: number, digits = 0) => `${(100 * share).toFixed(digits)} %`;

/** About three significant digits, with an exponent where they would be far from the point. */
export function short(value: number | null | undefined): string {
  if (value === null || value === undefined) return '–';
  if (!Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  if (Number.isInteger(value) && size < 1e6) return minus(String(value));
  if (size < 1e-3 || size >= 1e6) return value.toExponential(1).replaceAll('-', '−');
  if (size >= 100) return minus(value.toFixed(0));
  return minus(value.toFixed(size >= 10 ? 1 : size >= 1 ? 2 : 3));
}

/** "+0.71", "−0.35": the sign is always there. */
export const signed = (value: number) => (value > 0 ? `+${value.toFixed(2)}` : minus(value.toFixed(2)));

/** "45 s", "2 min 5 s", "1 h 3 min". */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const t = text.parts;
  if (whole < 60) return t.seconds(whole);
  if (whole < 3600) return t.minutes(Math.floor(whole / 60), whole % 60);
  return t.hours(Math.floor(whole / 3600), Math.floor((whole % 3600) / 60));
}

/** "1.2 million". */
export function count(value: number): string {
  if (value >= 1e6) return text.parts.million((value / 1e6).toFixed(1));
  return Math.round(value).toLocaleString('en');
}

/** "48.2 MB". */
export function bytes(value: number): string {
  if (value < 1e3) return `${value} B`;
  const [size, unit] = value < 1e6 ? [1e3, 'kB'] : value < 1e9 ? [1e6, 'MB'] : [1e9, 'GB'];
  return `${(value / size).toFixed(value / size >= 100 ? 0 : 1)} ${unit}`;
}

/** "19:25:02" today; "22 Nov, 19:25" on any other day. */
export function when(milliseconds: number): string {
  const date = new Date(milliseconds);
  const isToday = date.toDateString() === new Date().toDateString();
  return isToday
    ? date.toLocaleTimeString('en-GB')
    : date.toLocaleString('en-GB', { day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' });
}
