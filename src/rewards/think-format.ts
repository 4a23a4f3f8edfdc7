/** The form `<think>…</think> … \boxed{…}`: as the authors of PAPO test it, and more strictly. */
import { lastBoxed } from './boxed.ts';

const open = '<think>';
const close = '</think>';

/**
 * format_reward of the authors (examples/reward_function/math.py at fb63bf4): the whole text matches
 * `<think>.*</think>.*\\boxed\{.*\}.*` with a dot for every character. By searches, so in linear time.
 */
export function hasPapoFormat(text: string): boolean {
  if (!text.startsWith(open)) return false;
  const thought = text.indexOf(close, open.length);
  const box = thought < 0 ? -1 : text.indexOf('\\boxed{', thought + close.length);
  return box >= 0 && text.indexOf('}', box + '\\boxed{'.length) >= 0;
}

/**
 * One `<think>` with something in it, closed once, and behind it one box, closed and not empty; no box in the thought.
 * The authors' form without what earns it for nothing: `<think></think>\boxed{}`.
 */
export function hasThinkFormat(text: string): boolean {
  const trimmed = text.trim();
  if (!trimmed.startsWith(open) || trimmed.indexOf(open, 1) >= 0) return false;
  const end = trimmed.indexOf(close);
  if (end < 0 || trimmed.indexOf(close, end + 1) >= 0) return false;
  const answer = trimmed.slice(end + close.length);
  if (trimmed.slice(open.length, end).trim() === '' || trimmed.slice(0, end).includes('\\boxed'))
    return false;
  return answer.split('\\boxed').length === 2 && Boolean(lastBoxed(answer));
}
