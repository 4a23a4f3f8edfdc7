/**
 * The reward of PAPO's authors: compute_score of examples/reward_function/math.py (github.com/MikeWangWZHL/PAPO at
 * fb63bf4533b78da5a2bb17bc812375dcb620887d).
 */
import { gradeAnswer } from './mathruler.ts';
import { hasPapoFormat } from './think-format.ts';

export interface PapoScore {
  readonly overall: number;
  readonly format: number;
  readonly accuracy: number;
}

/** format_weight of the authors. */
const formatWeight = 0.1;

/** The authors' format_reward, white space around `<`, `>` and `/` left out as in their compute_score. */
export const papoFormat = (completion: string): number => (hasPapoFormat(withoutSpaces(completion)) ? 1 : 0);

/** 0.9 × accuracy + 0.1 × format. */
export function papoScore(completion: string, answer: string): PapoScore {
  const response = withoutSpaces(completion);
  const format = hasPapoFormat(response) ? 1 : 0;
  const accuracy = gradeAnswer(papoBoxed(response), answer) ? 1 : 0;
  return { overall: (1 - formatWeight) * accuracy + formatWeight * format, format, accuracy };
}

/** White space around `<`, `>` and `/` goes: re.sub(r"\s*(<|>|/)\s*", r"\1", …), by pieces and so in linear time. */
function withoutSpaces(text: string): string {
  const parts = text.split(/([<>/])/);
  const last = parts.length - 1;
  return parts
    .map((part, i) => {
      if (i % 2 === 1) return part;
      const left = i > 0 ? part.trimStart() : part;
      return i < last ? left.trimEnd() : left;
    })
    .join('');
}

/** mathruler's extract_boxed_content: what the last `\boxed{` holds, braces counted, escaped ones too; else "None". */
export function papoBoxed(text: string): string {
  const mark = '\\boxed{';
  const at = text.lastIndexOf(mark);
  if (at < 0) return 'None';
  const start = at + mark.length;
  let depth = 0;
  for (let i = start; i < text.length; i++) {
    if (text[i] === '{') depth++;
    else if (text[i] === '}' && --depth === -1) return text.slice(start, i).trim();
  }
  return 'None';
}
