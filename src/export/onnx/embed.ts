/** onnx/embed_tokens.onnx: input_ids [batch, length] i64 → inputs_embeds [batch, length, hidden]. */
import type { VlmConfig } from '../../policy/config.ts';
import { embeddingName } from '../../policy/parameters.ts';
import type { OnnxModel } from './model.ts';

export function embedTokens(m: OnnxModel, { text }: VlmConfig): void {
  const ids = m.input('input_ids', 'i64', ['batch_size', 'sequence_length']);
  const rows = m.b.node('Gather', [m.weight(embeddingName), ids], { axis: 0 });
  m.output('inputs_embeds', rows, ['batch_size', 'sequence_length', text.hiddenSize]);
}
