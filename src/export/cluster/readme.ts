/** README.md of the download: what is in it, how it is started, and what was translated to what. */
import { code, plain, table } from '../markdown.ts';
import { roundedWeights } from '../model-card.ts';
import type { ClusterRewards } from './rewards.ts';
import type { Translated, Translation, Untranslated } from './translation.ts';

export interface ReadmeFacts {
  readonly name: string;
  readonly translation: Translation;
  readonly trainRows: number;
  readonly heldOutRows: number;
  readonly rewards: ClusterRewards;
  /** config.json's model_type. */
  readonly modelType: string;
  /** Whether an adapter was merged into the model. */
  readonly isMerged: boolean;
  /** Whether an instruction is put behind each question. */
  readonly hasPrompt: boolean;
  /** Whether frozen weights went through float16 on their way here. */
  readonly isRounded: boolean;
}

export function clusterReadme(facts: ReadmeFacts): string {
  const { translated, untranslated } = facts.translation;
  const sections = [
    `# ${plain(facts.name)}: on to a cluster`,
    [
      'A run of papo-web, made ready for the code of PAPO’s authors (EasyR1/verl on Ray), which trains full models on',
      'data-centre GPUs.',
    ].join('\n'),
    table(['file', 'what it is'], files(facts)),
    '## Start',
    [
      '```sh',
      'git clone https://github.com/MikeWangWZHL/PAPO && git -C PAPO checkout fb63bf4533b78da5a2bb17bc812375dcb620887d',
      'cd PAPO && bash scripts/install.sh && cd ..   # in an environment of its own, as its README says',
      'PAPO_DIR=$PWD/PAPO N_GPUS=2 bash start.sh',
      '```',
    ].join('\n'),
    notes(facts)
      .map((note) => `- ${note}`)
      .join('\n'),
    '## Translated settings',
    table(
      ['setting here', 'key there', 'value', ''],
      translated.filter(({ from }) => from.length > 0).map(pair),
    ),
    '## Settings without a counterpart there',
    table(['setting here', 'what happens there'], lacks(untranslated)),
    '## Keys without a counterpart here',
    table(['key there', 'value', 'why'], translated.filter(({ from }) => from.length === 0).map(chosen)),
    'Every other key keeps that code’s own default.',
  ];
  return `${sections.join('\n\n')}\n`;
}

const show = (value: unknown) => code(JSON.stringify(value));
const pair = ({ from, key, value, note }: Translated) => [
  from.map(code).join(', '),
  code(key),
  show(value),
  plain(note),
];
const chosen = ({ key, value, note }: Translated) => [code(key), show(value), plain(note)];

/** Settings with the same words in one row. */
function lacks(untranslated: readonly Untranslated[]): string[][] {
  const names = new Map<string, string[]>();
  for (const { name, note } of untranslated) names.set(note, [...(names.get(note) ?? []), code(name)]);
  return Array.from(names, ([note, some]) => [some.join(', '), plain(note)]);
}

function files(facts: ReadmeFacts): string[][] {
  return [
    ['`model/`', facts.isMerged ? 'the model, its adapter merged in' : 'the trained model'],
    ['`data/train/`', `${facts.trainRows} rows as Parquet: ${columns}`],
    ['`data/val/`', `${facts.heldOutRows} held-out rows`],
    ['`papo.yaml`', 'the settings, for `verl.trainer.main`'],
    ['`reward.py`', `the rewards: ${Object.keys(facts.rewards.weights).map(code).join(', ')}`],
    ...(facts.hasPrompt ? [['`format_prompt.jinja`', 'the instruction behind each question']] : []),
    ['`start.sh`', 'starts it'],
  ];
}

const columns = '`problem` (with the mark `<image>`), `answer`, `images` (PNG, as the trainer saw them)';

function notes(facts: ReadmeFacts): string[] {
  const { weights, replaced, left } = facts.rewards;
  const counted = Object.keys(weights).map(code).join(', ');
  const own = left.map(code).join(', ');
  return [
    ...replaced.map(
      ({ name, by }) =>
        `${code(name)} is not in \`reward.py\`: ${code(by)}, the authors’ own, stands in its place. It takes fewer spellings of a right answer.`,
    ),
    ...(left.length > 0
      ? [
          `**${own}: not in \`reward.py\`.** It is code of your own in JavaScript; write it there in Python and name it in \`worker.reward.reward_function_kwargs\` of \`papo.yaml\`. Until then ${counted} alone counts.`,
        ]
      : []),
    `That code was written for Qwen2.5-VL. For ${code(facts.modelType)} its packed attention has no case, so \`padding_free\` is off; its rollouts need a vLLM that knows this model (SmolVLM: vllm-project/vllm#16017).`,
    'Its requirements do not say which omegaconf: 2.3 takes its configuration classes, 2.4 does not (`pip install "omegaconf<2.4"`).',
    'All GPUs of a run share an update: its completions must divide by their number, and what each has by the micro-batch.',
    ...(facts.isRounded ? [plain(roundedWeights)] : []),
    'This has been checked against that code’s configuration classes, not run on its GPUs.',
  ];
}
