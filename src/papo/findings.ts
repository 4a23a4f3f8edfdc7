/** What the paper (arXiv 2507.06448) found about a setting, in a sentence or two, and where it says so. */
import type { SettingName } from './settings.ts';

export interface Finding {
  readonly says: string;
  /** The table, figure or equation; "ablation" is one of the paper's, named by what it varies. */
  readonly source: string;
}

const training = 'the paper’s training settings';

export const FINDINGS: Partial<Record<SettingName, Finding>> = {
  objective: {
    says: 'The public codebases differ from the paper: in TRL’s the two entropies have no gradient and the perception KL is clamped at 0.2; in the authors’ the masked view has no gradient unless it is switched on.',
    source: 'both codebases, read against Eq. 2 and 3',
  },
  perception_loss_weight: {
    says: 'The 3B model gained 1.51 % over GRPO at 0.005, 2.97 % at 0.01 and 4.36 % at 0.02; at 0.04 it collapsed (−28.46 %), with or without the two entropies. The 7B model collapsed at 0.02 without them.',
    source: 'ablation of γ',
  },
  mask_ratio: {
    says: 'The 3B model gained 1.88 % over GRPO at 0.4, 2.97 % at 0.6, 2.02 % at 0.8 and 1.42 % at 1, where training also collapses sooner.',
    source: 'ablation of the mask ratio, γ 0.01',
  },
  mask_type: {
    says: 'Patches at random gained more over GRPO than the most salient ones: 2.97 % against 1.02 % (3B), 3.55 % against 2.55 % (7B).',
    source: 'ablation of the masking strategy, ratio 0.6',
  },
  mask_patch_size: {
    says: 'A grid of 14-pixel patches, each blackened on its own with the probability mask_ratio.',
    source: 'App. G.1',
  },
  der_loss_weight1: {
    says: 'The 7B model came to 59.35 at 0.01 (it collapsed), 61.09 at 0.03 and 61.66 at 0.05, against 58.78 for GRPO. This entropy alone gained 3.50 % over GRPO, both together 4.39 %.',
    source: 'ablations of η and of the regularisers, 7B, γ 0.02',
  },
  der_loss_weight2: {
    says: 'With both entropies the 7B model gained 4.39 % over GRPO; with this one alone it collapsed, as it did with none.',
    source: 'ablation of the regularisers, 7B, γ 0.02',
  },
  perception_kl: {
    says: 'The printed estimator has the inverse ratio and another expectation (χ² − KL); both codebases compute k3, whose expectation is the KL that the text names.',
    source: 'Eq. 2, read against both codebases',
  },
  perception_kl_clip: { says: 'The paper clamps nothing.', source: 'Eq. 2 and 3' },
  entropy_estimator: {
    says: 'The paper writes the log-probability of the sampled token for the entropy.',
    source: 'Eq. 2 and 3',
  },
  detach_masked_branch: {
    says: 'Both views are drawn as a policy that learns, so the masked one has a gradient too.',
    source: 'Fig. 2',
  },
  loss_type: {
    says: 'With grpo PAPO took the 3B model from 47.92 to 49.92 and the 7B from 58.78 to 61.66; with dapo from 52.40 to 55.24 and from 55.01 to 63.16.',
    source: 'Table 1',
  },
  beta: {
    says: '0.01 with grpo, none with dapo. Without it PAPO_G came to 53.15 (3B) and 61.47 (7B), GRPO to 50.18 and 61.30. A larger one guards against collapse less well than the two entropies: 2.40 % over GRPO against 4.39 %.',
    source: 'Table 6 and the ablations of the reference KL',
  },
  epsilon: { says: '0.2 in every run.', source: 'Table 6' },
  epsilon_high: {
    says: '0.3 with grpo, 0.28 with dapo. The share of tokens clipped here climbs early, from about 0.0006 to 0.007, in a run that collapses.',
    source: 'Table 6 and Fig. 11',
  },
  scale_rewards: { says: 'Divided by the standard deviation of the group.', source: 'Eq. 2 and 3' },
  dynamic_sampling: {
    says: 'PAPO_D takes only groups with right and wrong answers in them; PAPO_G takes all.',
    source: 'Eq. 3, App. B',
  },
  max_resample_attempts: { says: 'At most 20.', source: 'App. B' },
  num_generations: { says: '5 in every run.', source: training },
  max_completion_length: { says: 'Up to 2,048 tokens.', source: training },
  temperature: { says: '1 in every run, for training and for measuring.', source: training },
  top_p: { says: '0.99 in every run.', source: training },
  steps_per_generation: {
    says: 'Three updates, of 128 prompts each, from the rollouts of 384 prompts.',
    source: training,
  },
  learning_rate: { says: '1e-6 in every run, for models of 2 to 7 billion parameters.', source: training },
  weight_decay: { says: '0.01 in every run.', source: training },
  max_grad_norm: { says: '1 in every run.', source: training },
  num_train_epochs: { says: '2, over ViRL39K; gains show from about 25 steps on.', source: training },
};
