/** What a text answers, wherever it says so. */
import { hasBox, lastBoxed } from './boxed.ts';

const thoughtEnd = '</think>';
const says = /(?:\banswer\s*(?:is\b\s*[:：]?|[:：=])|答案\s*(?:是|为|[:：]))/gi;

/**
 * The answer in a completion: its last `\boxed{…}`; else the last `<answer>…</answer>`; else what follows the last
 * `</think>`, and there what follows "the answer is" or "Answer:" on its line. null where a box or thought was opened
 * and not closed. Also used on the data's answers, which some sets keep in a box or in `<answer>` tags.
 */
export function givenAnswer(text: string): string | null {
  if (hasBox(text)) return lastBoxed(text);
  const tagged = lastTagged(text);
  if (tagged !== null) return tagged;
  const thought = text.lastIndexOf(thoughtEnd);
  if (thought < 0 && text.includes('<think>')) return null;
  const after = thought < 0 ? text : text.slice(thought + thoughtEnd.length);
  let start = -1;
  for (const match of after.matchAll(says)) start = match.index + match[0].length;
  if (start < 0) return after.trim();
  // "**Answer:** 5" leaves Markdown's stars.
  const rest = after.slice(start).replace(/^[\s*]+/, '');
  return rest.split('\n', 1)[0].trim();
}

function lastTagged(text: string): string | null {
  const end = text.lastIndexOf('</answer>');
  const start = end < 0 ? -1 : text.lastIndexOf('<answer>', end);
  return start < 0 ? null : text.slice(start + '<answer>'.length, end).trim();
}
