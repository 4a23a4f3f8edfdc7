// The model card (README.md): what was trained on what, how well it does, with which settings, and how to open it.
// Front matter and sections are those of TRL's card (trl/trainer/base_trainer.py, create_model_card).
import type { JsonValue } from '../store/json.ts';
import { code, plain, repositoryId, table, yaml } from './markdown.ts';

/** A share of right answers, or a mean, with its standard error. */
export interface Measured {
  readonly value: number;
  readonly error: number | null;
}

export interface HeldOutResult {
  /** "accuracy", "accuracy on add", … */
  readonly metric: string;
  readonly isShare: boolean;
  readonly before: Measured | null;
  readonly after: Measured | null;
  readonly questions: number;
}

export interface CardFacts {
  readonly model_name: string;
  /** The model that training began from: its name, or its id on the Hub. */
  readonly base_model: string | null;
  /** The folder holds a LoRA adapter for base_model instead of a model; the revision of the base, null: its main one. */
  readonly adapter?: { readonly revision: string | null };
  /** The folder holds ONNX files for transformers.js, and no weights for Python. */
  readonly isForTransformersJs?: boolean;
  /** Frozen weights went through float16 on their way here. */
  readonly isRounded?: boolean;
  /** Names or Hub ids. */
  readonly datasets: readonly string[];
  readonly tags?: readonly string[];
  /** What the data are, in a sentence: the task, the number of rows. */
  readonly data?: string;
  readonly rewards: readonly string[];
  /** Updates done. */
  readonly steps: number;
  readonly device?: string;
  readonly seconds?: number;
  /** The run's own words, as text. */
  readonly notes?: string;
  /** The curve's file beside the card. */
  readonly curve: string | null;
  readonly heldOut: readonly HeldOutResult[];
  /** Every setting, as configToJson gives it. */
  readonly settings: Readonly<Record<string, JsonValue>>;
  readonly defaults: Readonly<Record<string, JsonValue>>;
  /** Name → version, of this project and what it stands on. */
  readonly versions: Readonly<Record<string, string>>;
}

const papoCitation = `@article{wang2025perception,
  title   = {Perception-Aware Policy Optimization for Multimodal Reasoning},
  author  = {Wang, Zhenhailong and Guo, Xuehang and Stoica, Sofia and Xu, Haiyang and Wang, Hongru and Ha, Hyeonjeong
             and Chen, Xiusi and Chen, Yangyi and Yan, Ming and Huang, Fei and Ji, Heng},
  journal = {arXiv preprint arXiv:2507.06448},
  year    = {2025}
}`;

const trlCitation = `@software{vonwerra2020trl,
  title   = {{TRL: Transformers Reinforcement Learning}},
  author  = {von Werra, Leandro and Belkada, Younes and Tunstall, Lewis and Beeching, Edward and Thrush, Tristan and
             Lambert, Nathan and Huang, Shengyi and Rasul, Kashif and Gallouédec, Quentin},
  license = {Apache-2.0},
  url     = {https://github.com/huggingface/trl},
  year    = {2020}
}`;

/** A bfloat16 of 2⁻¹⁷ and more is a float16 too, up to 65,504, which nothing here passes. */
export const roundedWeights =
  'Weights that were not trained were held in float16: those smaller than 2⁻¹⁷ are the base model’s only to within 2⁻²⁵.';

const sameJson = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b);

function measured(m: Measured | null, isShare: boolean): string {
  if (!m || !Number.isFinite(m.value)) return '–';
  const show = (x: number) => (isShare ? (100 * x).toFixed(1) : x.toPrecision(3));
  const error = m.error !== null && Number.isFinite(m.error) ? ` ± ${show(m.error)}` : '';
  return `${show(m.value)}${error}${isShare ? ' %' : ''}`;
}

/** As the Hub calls them. */
const library = ({ adapter, isForTransformersJs }: CardFacts) =>
  adapter ? 'peft' : isForTransformersJs ? 'transformers.js' : 'transformers';

function frontMatter(facts: CardFacts): string {
  const ids = facts.datasets.filter(repositoryId);
  const base = facts.base_model !== null && repositoryId(facts.base_model) ? facts.base_model : null;
  // PEFT's own, by which the Hub finds the adapters of a model.
  const ofAdapter = facts.adapter ? [...(base === null ? [] : [`base_model:adapter:${base}`]), 'lora'] : [];
  return [
    '---',
    `library_name: ${library(facts)}`,
    'pipeline_tag: image-text-to-text',
    `model_name: ${yaml(facts.model_name)}`,
    // The Hub refuses a card whose base_model or datasets are no ids.
    ...(base === null ? [] : [`base_model: ${yaml(base)}`]),
    ...(ids.length > 0 ? ['datasets:', ...ids.map((id) => `- ${yaml(id)}`)] : []),
    'tags:',
    ...new Set(
      ['generated_from_trainer', 'papo', 'trl', 'papo-web', ...ofAdapter, ...(facts.tags ?? [])].map(
        (tag) => `- ${yaml(tag)}`,
      ),
    ),
    '---',
  ].join('\n');
}

function results({ heldOut, steps }: CardFacts): string {
  if (heldOut.length === 0) return 'Nothing was measured on held-out questions.';
  const rows = heldOut.map(({ metric, isShare, before, after, questions }) => [
    plain(metric),
    measured(before, isShare),
    measured(after, isShare),
    String(questions),
  ]);
  const head = ['held out', 'before training', `after ${steps} updates`, 'questions'];
  return `${table(head, rows)}\n\n± one standard error over questions.`;
}

function settingsTables({ settings, defaults }: CardFacts): string {
  const names = Object.keys(settings);
  const changed = names.filter((name) => !sameJson(settings[name], defaults[name]));
  const show = (value: JsonValue | undefined) => code(value === undefined ? '–' : JSON.stringify(value));
  const differing =
    changed.length === 0
      ? 'Every setting has its default.'
      : table(
          ['setting', 'value', 'default'],
          changed.map((name) => [code(name), show(settings[name]), show(defaults[name])]),
        );
  const all = table(
    ['setting', 'value'],
    names.map((name) => [code(name), show(settings[name])]),
  );
  return `${differing}\n\n<details>\n<summary>All ${names.length} settings</summary>\n\n${all}\n\n</details>`;
}

function procedure(facts: CardFacts): string {
  const took = facts.seconds === undefined ? '' : ` in ${Math.round(facts.seconds)} s`;
  const where = facts.device === undefined ? '' : ` on ${plain(facts.device)}`;
  return [
    `${facts.steps} updates${took}${where} with PAPO, a method introduced in [Perception-Aware Policy Optimization for`,
    'Multimodal Reasoning](https://arxiv.org/abs/2507.06448), by papo-web, whose settings and metrics have TRL’s names.',
    ...(facts.rewards.length > 0 ? [`Rewards: ${facts.rewards.map(code).join(', ')}.`] : []),
  ].join('\n');
}

/** Loads the model of this folder, or the base with this folder's adapter on it. */
function loading({ adapter, base_model }: CardFacts): { imports: string[]; lines: string[] } {
  const from = 'AutoModelForImageTextToText.from_pretrained';
  if (!adapter) return { imports: [], lines: [`model = ${from}(folder)`] };
  const revision = adapter.revision === null ? '' : `, revision=${yaml(adapter.revision)}`;
  return {
    imports: ['from peft import PeftModel'],
    lines: [
      `base = ${from}(${yaml(base_model ?? 'PATH OF THE BASE MODEL')}${revision})`,
      'model = PeftModel.from_pretrained(base, folder)  # .merge_and_unload() makes it a plain model',
    ],
  };
}

const usage = (facts: CardFacts) => (facts.isForTransformersJs ? usageInJavaScript : usageInPython(facts));

const usageInJavaScript = `\`\`\`js
import { AutoModelForImageTextToText, AutoProcessor, load_image } from '@huggingface/transformers';

const model_id = 'YOUR REPOSITORY, OR THIS FOLDER BELOW env.localModelPath';
const processor = await AutoProcessor.from_pretrained(model_id);
const model = await AutoModelForImageTextToText.from_pretrained(model_id);

const messages = [{ role: 'user', content: [{ type: 'image' }, { type: 'text', text: 'YOUR QUESTION' }] }];
const prompt = processor.apply_chat_template(messages, { add_generation_prompt: true });
const inputs = await processor(prompt, [await load_image('image.png')]);
const output = await model.generate({ ...inputs, max_new_tokens: 64 });
console.log(processor.batch_decode(output.slice(null, [inputs.input_ids.dims.at(-1), null]), { skip_special_tokens: true })[0]);
\`\`\``;

const usageInPython = (facts: CardFacts) => `\`\`\`python
${[...loading(facts).imports, 'from PIL import Image'].join('\n')}
from transformers import AutoModelForImageTextToText, AutoProcessor

folder = "."  # where this card lies
processor = AutoProcessor.from_pretrained(folder)
${loading(facts).lines.join('\n')}

messages = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "YOUR QUESTION"}]}]
prompt = processor.apply_chat_template(messages, add_generation_prompt=True)
inputs = processor(text=prompt, images=[Image.open("image.png").convert("RGB")], return_tensors="pt")
output = model.generate(**inputs, max_new_tokens=64)
print(processor.batch_decode(output[:, inputs["input_ids"].shape[1]:], skip_special_tokens=True)[0])
\`\`\``;

/** The text of README.md. Names and notes are shown as they are; none of them can end its line, cell or quotes. */
export function modelCard(facts: CardFacts): string {
  const from = facts.base_model === null ? 'a vision-language model' : plain(facts.base_model);
  const on = facts.datasets.length > 0 ? ` on ${facts.datasets.map(plain).join(', ')}` : '';
  const sections = [
    frontMatter(facts),
    `# ${plain(facts.model_name)}`,
    facts.adapter
      ? `This is a LoRA adapter for ${from}, trained${on} with PAPO (Perception-Aware Policy Optimization).`
      : `This is ${from}, trained${on} with PAPO (Perception-Aware Policy Optimization).`,
    ...(facts.isRounded ? [roundedWeights] : []),
    ...(facts.data ? [plain(facts.data)] : []),
    ...(facts.notes ? [plain(facts.notes)] : []),
    ...(facts.curve === null ? [] : [`![Training curve](${encodeURI(facts.curve)})`]),
    '## Results',
    results(facts),
    '## Quick start',
    usage(facts),
    '## Training procedure',
    procedure(facts),
    '### Settings that differ from the defaults',
    settingsTables(facts),
    '### Framework versions',
    Object.entries(facts.versions)
      .map(([name, version]) => `- ${plain(name)}: ${plain(version)}`)
      .join('\n'),
    '## Citations',
    'Cite PAPO as:',
    `\`\`\`bibtex\n${papoCitation}\n\`\`\``,
    'The trainer’s settings and metrics follow TRL:',
    `\`\`\`bibtex\n${trlCitation}\n\`\`\``,
  ];
  return `${sections.filter((section) => section !== '').join('\n\n')}\n`;
}
