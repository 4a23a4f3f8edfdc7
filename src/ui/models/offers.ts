/** The models that the page offers by name. What they need is planned from their configuration, without a download. */
import type { KnownModel, ModelChoice } from '../../worker/model-protocol.ts';

export interface Offer {
  readonly id: 'papo-nano' | KnownModel;
  readonly name: string;
  readonly choice: ModelChoice;
  readonly parameters: number;
  readonly downloadBytes: number;
  readonly license: string;
  /** Its page on the Hub. */
  readonly address?: string;
}

const hub = (id: KnownModel, name: string, parameters: number): Offer => ({
  id,
  name: `HuggingFaceTB/${name}`,
  choice: { kind: 'hub', id: `HuggingFaceTB/${name}` },
  parameters,
  // bfloat16; tokenizer and settings are four megabytes.
  downloadBytes: 2 * parameters + 4e6,
  license: 'apache-2.0',
  address: `https://huggingface.co/HuggingFaceTB/${name}`,
});

export const builtInUrl = () => new URL('models/papo-nano/', document.baseURI).href;

export const offers = (): readonly Offer[] => [
  {
    id: 'papo-nano',
    name: 'papo-nano',
    choice: { kind: 'built-in', url: builtInUrl() },
    parameters: 1_025_280,
    downloadBytes: 2_066_436,
    license: 'apache-2.0',
  },
  hub('smolvlm-256m', 'SmolVLM-256M-Instruct', 256_484_928),
  hub('smolvlm-500m', 'SmolVLM-500M-Instruct', 507_482_304),
];
