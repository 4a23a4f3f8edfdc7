/**
 * A run's settings in the words of the authors' code (EasyR1/verl on Ray; MikeWangWZHL/PAPO at fb63bf4). Keys, and what
 * that code does with them, are from verl/trainer/config.py, verl/workers/*\/config.py, verl/trainer/ray_trainer.py,
 * core_algos.py and verl/workers/actor/dp_actor.py there; tests/fixtures/papo-config-fields.json lists the keys.
 */
import type { ResolvedConfig } from '../../papo/config.ts';
import { type BatchSizes, batchSizes, wholeEpochs } from './batch-sizes.ts';
import { Translation } from './translation.ts';

export interface ClusterFacts {
  /** Rows of the training data. */
  readonly trainRows: number;
  /** max_position_embeddings of the text model. */
  readonly maxPositions: number;
  /** Weights of the built-in rewards by name. */
  readonly rewardWeights: Readonly<Record<string, number>>;
  /** What the run is called there. */
  readonly name: string;
}

/** In the download. */
export const promptFile = 'format_prompt.jinja';
/** A bound that nothing reaches, where their code has no way to switch a bound off. */
const never = 1e9;
/** The authors' own limit. */
const longestPrompt = 4096;

/** Keys for what our settings say, for what they do not say, and our settings that have no key. */
export function translateSettings(settings: ResolvedConfig, facts: ClusterFacts): Translation {
  const t = new Translation();
  const sizes = batchSizes(settings, facts.trainRows);
  dataKeys(t, settings, facts, sizes);
  policyKeys(t, settings);
  perceptionKeys(t, settings);
  actorKeys(t, settings, sizes);
  rolloutKeys(t, settings, facts);
  trainerKeys(t, settings, facts, sizes);
  withoutCounterpart(t, settings);
  return t;
}

function dataKeys(t: Translation, s: ResolvedConfig, facts: ClusterFacts, sizes: BatchSizes): void {
  const room = Math.max(1, facts.maxPositions - s.max_completion_length);
  t.choose('data.train_files', 'data/train', 'the data of this download; start.sh makes the path absolute');
  t.choose('data.val_files', 'data/val', 'the held-out rows of this download');
  t.choose('data.prompt_key', 'problem', 'the column’s name');
  t.choose('data.answer_key', 'answer', 'the column’s name');
  t.choose('data.image_key', 'images', 'the column’s name');
  t.choose(
    'data.max_prompt_length',
    Math.min(longestPrompt, room),
    'the authors’ 4096, or what the model’s positions leave',
  );
  t.put('data.max_response_length', s.max_completion_length, 'max_completion_length');
  t.put(
    'data.rollout_batch_size',
    sizes.rollout,
    ['generation_batch_size', 'steps_per_generation', 'per_device_train_batch_size', 'num_generations'],
    ['in prompts; ours counts completions', ...sizes.notes].join('; '),
  );
  t.choose('data.val_batch_size', -1, 'all held-out rows at once');
  t.put(
    'data.format_prompt',
    s.format_prompt === 'papo' ? promptFile : null,
    'format_prompt',
    s.format_prompt === 'papo' ? 'the authors’ math_perception.jinja' : '',
  );
  t.put('data.shuffle', s.shuffle_dataset, 'shuffle_dataset');
  t.put('data.seed', s.seed, 'seed', 'its generators are others, so prompts come in another order');
  t.choose('data.min_pixels', null, 'the model’s own processor sizes images');
  t.choose('data.max_pixels', null, 'the model’s own processor sizes images');
}

function policyKeys(t: Translation, s: ResolvedConfig): void {
  const filters = s.dynamic_sampling;
  t.put('algorithm.adv_estimator', filters ? 'dapo' : 'grpo', 'dynamic_sampling', 'both compute the same');
  t.put('algorithm.disable_kl', s.beta === 0, 'beta', 'no reference model where beta is 0');
  t.put('algorithm.use_kl_loss', s.beta > 0, 'beta', 'in the loss, as here');
  t.choose('algorithm.kl_penalty', 'low_var_kl', 'k3, as here; log-ratios are clamped there');
  t.put('algorithm.kl_coef', s.beta, 'beta');
  t.put('algorithm.online_filtering', filters, 'dynamic_sampling');
  t.choose(
    'algorithm.filter_key',
    'accuracy',
    'as in the authors’ scripts; ours drops groups whose rewards are all alike',
  );
  t.choose('algorithm.filter_low', 0.01, 'as in the authors’ scripts: some of the group are right');
  t.choose('algorithm.filter_high', 0.99, 'as in the authors’ scripts: not all of the group are right');
  const bySequence = s.objective === 'authors' ? s.loss_avg_mode === 'seq' : s.loss_type === 'grpo';
  t.put(
    'algorithm.loss_avg_mode',
    bySequence ? 'seq' : 'token',
    ['loss_type', 'loss_avg_mode'],
    bySequence ? '' : 'over the tokens of a micro-batch there; with objective paper, of an update here',
  );
  t.put('algorithm.use_sft_loss', s.sft_loss_coef > 0, 'sft_loss_coef');
  t.put('algorithm.sft_loss_coef', s.sft_loss_coef, 'sft_loss_coef');
}

const estimators: Record<ResolvedConfig['perception_kl'], string> = {
  k3: 'low_var_kl',
  k1: 'kl',
  k2: 'mse',
  exact: 'low_var_kl',
  k3_paper_literal: 'low_var_kl',
};

function perceptionKeys(t: Translation, s: ResolvedConfig): void {
  const gamma = s.perception_loss_weight;
  const anneals = s.kl_prcp_annealing_ratio !== null;
  t.put(
    'algorithm.use_kl_prcp',
    gamma > 0 || s.der_loss_weight2 > 0,
    ['perception_loss_weight', 'der_loss_weight2'],
    'the masked view is computed where one of them is above 0',
  );
  t.choose('algorithm.contrastive_type', 'augmented', 'masks drawn anew at every rollout');
  t.put(
    'algorithm.kl_prcp_penalty',
    estimators[s.perception_kl],
    'perception_kl',
    estimators[s.perception_kl] === 'low_var_kl' && s.perception_kl !== 'k3'
      ? `there is no ${s.perception_kl}; k3 on the sampled token in its place`
      : '',
  );
  t.put('algorithm.kl_prcp_coef', gamma, 'perception_loss_weight', 'γ');
  t.put('algorithm.kl_prcp_schedule', anneals ? 'annealing' : 'fixed', 'kl_prcp_annealing_ratio');
  if (anneals)
    t.put(
      'algorithm.kl_prcp_schedule_args',
      {
        start_value: s.kl_prcp_annealing_start ?? gamma,
        end_value: s.kl_prcp_annealing_end,
        annealing_ratio: s.kl_prcp_annealing_ratio,
      },
      ['kl_prcp_annealing_start', 'kl_prcp_annealing_end', 'kl_prcp_annealing_ratio'],
    );
  else t.lack(['kl_prcp_annealing_start', 'kl_prcp_annealing_end'], 'γ is not annealed');
  t.choose('algorithm.kl_prcp_apply_mode', 'all', 'right and wrong completions alike, as here');
  t.put(
    'algorithm.aug_config',
    { patch_size: s.mask_patch_size, black_prob: s.mask_ratio },
    ['mask_patch_size', 'mask_ratio', 'mask_type'],
    s.mask_type === 'patch_black'
      ? ''
      : `${s.mask_type} masks do not exist there: black patches in their place`,
  );
  t.put('algorithm.use_kl_prcp_clipping', s.perception_kl_clip !== null, 'perception_kl_clip');
  if (s.perception_kl_clip !== null)
    t.put('algorithm.kl_prcp_clipping', s.perception_kl_clip, 'perception_kl_clip');
  t.put('algorithm.use_kl_prcp_token_level_mask', s.perception_top_p !== null, 'perception_top_p');
  if (s.perception_top_p !== null)
    t.put('algorithm.kl_prcp_token_level_mask_top_p', s.perception_top_p, 'perception_top_p');
  t.put('algorithm.use_ori_entropy_loss', s.der_loss_weight1 > 0, 'der_loss_weight1');
  t.put('algorithm.ori_entropy_loss_coef', s.der_loss_weight1, 'der_loss_weight1', 'η1; sampled there');
  t.put('algorithm.use_aug_entropy_loss', s.der_loss_weight2 > 0, 'der_loss_weight2');
  t.put(
    'algorithm.aug_entropy_loss_coef',
    s.der_loss_weight2,
    'der_loss_weight2',
    'η2; sampled there, and without a gradient: see detach_masked_branch',
  );
}

function actorKeys(t: Translation, s: ResolvedConfig, sizes: BatchSizes): void {
  t.put(
    'worker.actor.global_batch_size',
    sizes.update,
    ['per_device_train_batch_size', 'gradient_accumulation_steps', 'num_generations'],
    'in prompts; its code multiplies by rollout.n',
  );
  const micro = 'completions of a pass on one GPU; with more GPUs it must divide what each has of an update';
  t.put(
    'worker.actor.micro_batch_size_per_device_for_update',
    sizes.micro,
    'per_device_train_batch_size',
    micro,
  );
  t.choose('worker.actor.micro_batch_size_per_device_for_experience', sizes.micro, 'the same');
  t.put(
    'worker.actor.max_grad_norm',
    s.max_grad_norm === 0 ? never : s.max_grad_norm,
    'max_grad_norm',
    s.max_grad_norm === 0 ? 'it cannot be switched off there: a bound that nothing reaches' : '',
  );
  t.put('worker.actor.clip_ratio_low', s.epsilon, 'epsilon');
  t.put('worker.actor.clip_ratio_high', s.epsilon_high, 'epsilon_high');
  t.put(
    'worker.actor.clip_ratio_dual',
    s.dual_clip ?? s.delta ?? never,
    ['dual_clip', 'delta'],
    s.dual_clip !== null
      ? ''
      : s.delta !== null
        ? 'delta bounds the same: the ratio of a negative advantage'
        : 'it cannot be switched off there: a bound that nothing reaches',
  );
  t.put('worker.actor.ppo_epochs', s.num_iterations, 'num_iterations');
  t.choose(
    'worker.actor.padding_free',
    false,
    'its packed attention refuses this model’s type (apply_ulysses_patch)',
  );
  t.choose('worker.actor.ulysses_size', 1, 'needs the packed attention');
  t.choose('worker.actor.model.model_path', 'model', 'the merged model of this download');
  t.put(
    'worker.actor.model.enable_gradient_checkpointing',
    s.gradient_checkpointing ?? true,
    'gradient_checkpointing',
  );
  t.choose('worker.actor.model.trust_remote_code', false, 'the model is transformers’ own');
  t.put(
    'worker.actor.model.freeze_vision_tower',
    s.freeze_vision_tower,
    'freeze_vision_tower',
    s.freeze_vision_tower
      ? 'it looks for a module called “visual”; this model’s is “vision_model”, so the tower is trained all the same unless fsdp_workers.py is changed'
      : '',
  );
  t.put('worker.actor.optim.lr', s.learning_rate, 'learning_rate');
  t.put('worker.actor.optim.betas', [s.adam_beta1, s.adam_beta2], ['adam_beta1', 'adam_beta2']);
  t.put('worker.actor.optim.weight_decay', s.weight_decay, 'weight_decay');
  t.put('worker.actor.optim.strategy', 'adamw', 'optim', 'float32 moments, as here');
  warmupKeys(t, s, sizes);
  t.choose('worker.actor.fsdp.torch_dtype', 'fp32', 'weights trained in float32, as here; bf16 saves memory');
  t.choose('worker.actor.offload.offload_params', false, 'the model is small');
  t.choose('worker.actor.offload.offload_optimizer', false, 'the model is small');
  t.choose('worker.ref.fsdp.torch_dtype', 'fp32', 'as the actor');
}

function warmupKeys(t: Translation, s: ResolvedConfig, sizes: BatchSizes): void {
  const shape =
    s.lr_scheduler_type === 'linear' || s.lr_scheduler_type === 'cosine'
      ? `only a constant rate after the warm-up exists there: it does not fall as ${s.lr_scheduler_type} does`
      : '';
  const from = ['warmup_steps', 'lr_scheduler_type'] as const;
  if (s.lr_scheduler_type !== 'constant' && s.warmup_steps > 0 && s.warmup_steps < 1) {
    t.put('worker.actor.optim.lr_warmup_ratio', s.warmup_steps, from, shape);
    return;
  }
  const steps =
    s.lr_scheduler_type === 'constant' ? 0 : Math.ceil(Math.trunc(s.warmup_steps) / sizes.updatesPerRollout);
  const counted = steps > 0 ? 'in rollouts; ours counts updates' : '';
  t.put(
    'worker.actor.optim.lr_warmup_steps',
    steps,
    from,
    [counted, shape].filter((note) => note !== '').join('; '),
  );
}

function rolloutKeys(t: Translation, s: ResolvedConfig, facts: ClusterFacts): void {
  const tokens = Math.min(longestPrompt, Math.max(1, facts.maxPositions - s.max_completion_length));
  t.put('worker.rollout.n', s.num_generations, 'num_generations');
  t.put(
    'worker.rollout.temperature',
    s.temperature,
    'temperature',
    'divides the logits of the loss too, as here',
  );
  t.put('worker.rollout.top_p', s.top_p, 'top_p');
  t.put(
    'worker.rollout.top_k',
    s.top_k === 0 ? -1 : s.top_k,
    'top_k',
    s.top_k === 0 ? '−1 is off there' : '',
  );
  t.put('worker.rollout.seed', s.seed, 'seed');
  t.choose('worker.rollout.limit_images', 1, 'one image a prompt');
  t.choose('worker.rollout.tensor_parallel_size', 1, 'the model fits one GPU');
  t.choose(
    'worker.rollout.max_num_batched_tokens',
    Math.max(8192, tokens + s.max_completion_length),
    'at least a prompt and its response',
  );
  t.choose(
    'worker.rollout.val_override_config',
    { temperature: s.temperature, n: 1 },
    'one answer a question',
  );
  t.choose('worker.reward.reward_type', 'batch', 'reward.py takes a batch');
  t.choose('worker.reward.reward_function', 'reward.py:compute_score', 'the run’s rewards in Python');
  t.put(
    'worker.reward.reward_function_kwargs',
    facts.rewardWeights,
    'reward_weights',
    'the rewards by name, with their weights',
  );
}

function trainerKeys(t: Translation, s: ResolvedConfig, facts: ClusterFacts, sizes: BatchSizes): void {
  /** Updates, or a share of all of them, as rollouts. */
  const rollouts = (steps: number) =>
    Math.max(1, steps < 1 ? Math.round(steps * sizes.rollouts) : Math.ceil(steps / sizes.updatesPerRollout));
  const epochs = wholeEpochs(s.num_train_epochs);
  t.put(
    'trainer.total_epochs',
    epochs,
    'num_train_epochs',
    epochs === s.num_train_epochs ? '' : 'whole ones only',
  );
  t.put(
    'trainer.max_steps',
    s.max_steps === -1 ? null : sizes.rollouts,
    'max_steps',
    s.max_steps === -1 ? 'the epochs decide' : `in rollouts, of ${sizes.updatesPerRollout} updates each`,
  );
  t.choose('trainer.project_name', 'papo-web', 'where its logs go');
  t.put('trainer.experiment_name', facts.name, 'run_name');
  t.choose('trainer.logger', ['console'], 'no account needed; add wandb or tensorboard');
  t.choose('trainer.nnodes', 1, 'start.sh takes N_NODES');
  t.choose('trainer.n_gpus_per_node', 1, 'start.sh takes N_GPUS');
  t.put(
    'trainer.max_try_make_batch',
    s.max_resample_attempts + 1,
    'max_resample_attempts',
    'the first draw counts there; then it stops with an error, where ours takes what it has',
  );
  t.put('trainer.val_freq', s.eval_steps === null ? -1 : rollouts(s.eval_steps), 'eval_steps', 'in rollouts');
  t.put('trainer.val_before_train', s.eval_steps !== null, 'eval_steps');
  t.put(
    'trainer.save_freq',
    s.save_strategy === 'steps'
      ? rollouts(s.save_steps)
      : s.save_strategy === 'no'
        ? -1
        : perEpoch(sizes, epochs),
    ['save_strategy', 'save_steps'],
    'in rollouts',
  );
  t.put('trainer.save_limit', s.save_total_limit ?? -1, 'save_total_limit');
  t.put('trainer.save_model_only', s.save_only_model, 'save_only_model');
}

const perEpoch = (sizes: BatchSizes, epochs: number) => Math.max(1, Math.floor(sizes.rollouts / epochs));

function withoutCounterpart(t: Translation, s: ResolvedConfig): void {
  t.lack(
    ['objective'],
    s.objective === 'authors'
      ? 'the objective is theirs'
      : `that code has its own objective: the loss is not that of “${s.objective}” number for number`,
  );
  t.lack(
    ['entropy_estimator'],
    s.entropy_estimator === 'sampled'
      ? 'theirs is sampled too'
      : 'entropies are −log p of the sampled token there',
  );
  t.lack(
    ['detach_masked_branch'],
    s.detach_masked_branch
      ? 'the same there: RECOMPUTE_AUG_LOG_PROBS is False'
      : 'the constant RECOMPUTE_AUG_LOG_PROBS in verl/workers/actor/dp_actor.py, False; set it to True for a gradient through the masked view, without which η2 does nothing',
  );
  t.lack(['entropy_coef'], 'belongs to objective trl');
  t.lack(
    ['importance_sampling_level'],
    s.importance_sampling_level === 'token' ? 'a ratio a token, as there' : 'a ratio a token there',
  );
  t.lack(
    ['top_entropy_quantile'],
    s.top_entropy_quantile === 1 ? 'all tokens, as there' : 'all tokens are in the policy term there',
  );
  t.lack(
    ['mask_truncated_completions'],
    s.mask_truncated_completions
      ? 'truncated completions are in the loss there'
      : 'they are in the loss, as there',
  );
  t.lack(
    ['multi_objective_aggregation'],
    'reward.py sums the weighted rewards; its code then normalises the sum',
  );
  t.lack(
    ['scale_rewards'],
    s.scale_rewards === 'group' ? 'by the group, as there' : 'always by the group’s standard deviation there',
  );
  t.lack(['advantage_epsilon'], `always 1e-6 there; ${s.advantage_epsilon} here`);
  t.lack(['min_p'], s.min_p === null ? 'off, as there' : 'its rollout has none: sampling is wider there');
  t.lack(['pad_to_multiple_of'], 'a matter of this device’s shapes');
  t.lack(['adam_epsilon'], `always 1e-8 there; ${s.adam_epsilon} here`);
  t.lack(
    ['use_peft', 'lora_r', 'lora_alpha', 'lora_target_modules', 'lora_towers', 'use_rslora'],
    s.use_peft
      ? 'it trains all weights; the adapter is merged into the model that it starts from, and the reference policy is that merged model'
      : 'no adapter was trained',
  );
  t.lack(['output_dir', 'resume_from_checkpoint'], 'places of this machine');
  t.lack(['logging_strategy', 'logging_steps', 'logging_first_step'], 'it logs every rollout');
  t.lack(
    ['log_completions', 'num_completions_to_print'],
    'trainer.val_generations_to_log shows held-out ones',
  );
  t.lack(['max_skipped_updates'], 'it leaves out an update without a finite gradient, and goes on');
  t.lack(['reward_timeout'], 'reward.py is not timed');
  t.lack(['num_eval_samples'], 'all rows of data/val are asked, and those are as many');
  t.lack(['disable_dropout', 'remove_unused_columns'], 'they do nothing here');
}
