/** Refuses an instruction that the model cannot read, before anything starts. */
import { formatPrompt, papoInstruction } from '../data/format-prompt.ts';
import { UserError } from '../errors.ts';
import type { ResolvedConfig } from '../papo/config.ts';
import type { Policy } from '../policy/policy.ts';

/** Throws a UserError where the vocabulary has no tokens for the words of `format_prompt`. */
export function checkFormatPrompt(
  policy: Policy,
  { format_prompt }: Pick<ResolvedConfig, 'format_prompt'>,
): void {
  const file = format_prompt === 'none' ? undefined : policy.folder.files.get('tokenizer.json');
  if (!file) return;
  const { model } = JSON.parse(new TextDecoder().decode(file)) as { model?: { unk_token?: unknown } };
  const unknown = model?.unk_token;
  if (typeof unknown !== 'string' || unknown === '') return;
  const id = policy.text.tokenId(unknown);
  if (policy.text.encode(formatPrompt('', format_prompt)).includes(id))
    throw new UserError(
      `format_prompt: this model's vocabulary has no tokens for "${papoInstruction.slice(0, 40)}…"; expected "none", as its tasks have a form of their own, got "${format_prompt}".`,
    );
}
