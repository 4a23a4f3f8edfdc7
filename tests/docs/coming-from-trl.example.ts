// The TypeScript of docs/coming-from-trl.md, piece by piece: a test compares the two.
import {
  PAPOConfig,
  PAPOTrainer,
  type RewardFunction,
  type Row,
  rowsDataset,
  type TrainerCallback,
} from '../../src/index.node.ts';

const args = new PAPOConfig({
  output_dir: 'runs/counting',
  learning_rate: 3e-4,
  num_generations: 8,
  per_device_train_batch_size: 128,
  max_completion_length: 14,
  mask_ratio: 0.6,
  perception_loss_weight: 0.005,
  max_steps: 80,
  save_steps: 20,
});
const trainer = new PAPOTrainer({
  model: 'public/models/papo-nano',
  reward_funcs: 'boxed_answer',
  args,
  train_dataset: 'counting',
});
await trainer.train();
await trainer.save_model('runs/counting/model');

await trainer.train({ resume_from_checkpoint: true });
await trainer.train({ resume_from_checkpoint: 'checkpoint-40' });

const short_and_right: RewardFunction = ({ completions, answer }) =>
  completions.map((completion, i) => {
    const right = completion.includes(String(answer[i]));
    return right && completion.length < 40 ? 1 : 0;
  });

const image = { width: 64, height: 64, data: new Uint8Array(64 * 64 * 3) };
const rows: Row[] = [{ id: 'first', prompt: 'How many?', image, answer: '3', columns: { source: 'camera' } }];
const own = new PAPOTrainer({
  model: 'public/models/papo-nano',
  reward_funcs: [short_and_right, 'format'],
  args: { max_steps: 10, num_generations: 4, per_device_train_batch_size: 8 },
  train_dataset: rowsDataset(rows),
  eval_dataset: null,
});

const stopWhenGood: TrainerCallback = {
  on_step_end(_args, state, control) {
    if (state.best_metric !== null && state.best_metric > 0.9) control.should_training_stop = true;
  },
  on_log(_args, state, _control, { logs }) {
    console.log(state.global_step, logs?.reward, logs?.perception_kl);
  },
};
own.add_callback(stopWhenGood);

const metrics = await trainer.evaluate();
console.log(metrics.eval_accuracy, metrics.eval_reward);

const { url } = await trainer.push_to_hub({
  repo_id: 'somebody/papo-nano-counting',
  token: process.env.HF_TOKEN ?? '',
  commit_message: 'End of training',
  revision: 'main',
  private: true,
});
console.log(url);

await own.dispose();
await trainer.dispose();
