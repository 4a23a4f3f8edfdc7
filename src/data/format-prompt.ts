/** The instruction that is put behind each question: setting format_prompt. */
import type { Dataset, Row } from './dataset.ts';

export type FormatPrompt = 'none' | 'papo';

/**
 * The authors' words, to the letter: examples/format_prompt/math_perception.jinja of github.com/MikeWangWZHL/PAPO at
 * fb63bf4533b78da5a2bb17bc812375dcb620887d, which is `{{ content | trim }}`, an empty line, and this. They add no system
 * message.
 */
export const papoInstruction =
  'You first think through the reasoning process as an internal monologue, enclosed within <think> </think> tags. Then, provide your final answer enclosed within \\boxed{}.';

/** The user's text that the chat template gets. */
export function formatPrompt(question: string, format: FormatPrompt): string {
  return format === 'none' ? question : `${question.trim()}\n\n${papoInstruction}`;
}

/** The same rows, with what `format` adds to their prompts: rewards and logs see what the model sees. */
export function withFormatPrompt(data: Dataset, format: FormatPrompt): Dataset {
  if (format === 'none') return data;
  const added = (row: Row): Row => ({ ...row, prompt: formatPrompt(row.prompt, format) });
  return {
    name: data.name,
    size: data.size,
    ...(data.epochSize !== undefined && { epochSize: data.epochSize }),
    row: async (index) => added(await data.row(index)),
  };
}
