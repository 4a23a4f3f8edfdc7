/** What every store of runs must do: one list of cases that IndexedDB and folders both go through. */
import { afterEach, describe, expect, test } from 'vitest';
import { UserError } from '../src/errors.ts';
import type {
  Checkpoint,
  CheckpointTensor,
  LogRow,
  RunInfo,
  RunReader,
  RunStore,
  TensorData,
} from '../src/store/run-store.ts';

export interface TestStore {
  readonly store: RunStore;
  /** Closes the store, and opens the same run again. */
  reopen(): Promise<RunStore>;
  /** Flips one bit of a committed tensor behind the store's back. */
  damage(step: number, tensor: string): Promise<void>;
  /** Cuts off a committed tensor's last byte, or the end of the file it is in. */
  shorten(step: number, tensor: string): Promise<void>;
  /** Whether nothing is kept but what is committed. */
  leftovers(): Promise<string[]>;
}

export const runInfo: RunInfo = {
  name: 'count shapes',
  createdAt: 1_700_000_000_000,
  settings: { learning_rate: 1e-6, nested: { list: [1, null, 'ü'] } },
  origin: { preset: 'nano' },
  state: 'running',
  step: 0,
  bestStep: null,
  bestMetric: null,
};

export function bitsOf(data: TensorData): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

/** NaNs with payloads, −0, denormals and what else a careless copy changes. */
function awkwardFloats(): Float32Array {
  const bits = [0x7fc00001, 0xffc12345, 0x7f800001, 0x80000000, 1, 0x807fffff, 0x7f800000, 0xff7fffff, 0];
  return new Float32Array(Uint32Array.from(bits).buffer);
}

/** Views into larger buffers, at odd places, among others. */
export function awkwardCheckpoint(step: number): Checkpoint {
  const floats = awkwardFloats();
  const shared = new Float32Array(new SharedArrayBuffer(16)).fill(step);
  const bytes = Uint8Array.from({ length: 300 }, (_, i) => i).subarray(3, 259);
  const large = Float32Array.from({ length: 1_200_000 }, (_, i) => Math.fround(Math.sin(i) + step));
  const tensors = new Map<string, CheckpointTensor>([
    ['weights/a.weight', { shape: [3, 3], data: floats }],
    ['weights/large', { shape: [1000, 1200], data: large }],
    ['weights/scalar', { shape: [], data: Float32Array.of(-0) }],
    ['optimizer/m.a.weight', { shape: [2, 2], data: floats.subarray(1, 5) }],
    ['optimizer/v.a.weight', { shape: [4], data: shared }],
    ['generation/ids', { shape: [4], data: Int32Array.of(-1, 2 ** 31 - 1, -(2 ** 31), step) }],
    ['generation/images', { shape: [16, 16], data: bytes }],
    ['generation/empty', { shape: [0, 5], data: new Float32Array(0) }],
  ]);
  return { step, state: { step, random: [1, 2, 0.1 + 0.2], text: 'a\n"ü🙂', best: null, nan: NaN }, tensors };
}

function smallCheckpoint(step: number, value: number): Checkpoint {
  const data = Float32Array.of(value, value + 1, value + 2);
  return {
    step,
    state: { value },
    tensors: new Map([
      ['weights/a', { shape: [3], data }],
      ['weights/b', { shape: [3, 1], data: data.slice() }],
      ['optimizer/m.a', { shape: [3], data: data.slice() }],
    ]),
  };
}

export async function expectCheckpoint(store: RunReader, expected: Checkpoint): Promise<void> {
  const found = await store.openCheckpoint(expected.step);
  expect(found.step).toBe(expected.step);
  expect(found.state).toEqual(expected.state);
  expect(new Set(found.tensors.keys())).toEqual(new Set(expected.tensors.keys()));
  let bytes = 0;
  for (const [name, { shape, data }] of expected.tensors) {
    expect(found.tensors.get(name)).toEqual({ shape, bytes: data.byteLength });
    const read = await found.read(name);
    expect(read.shape).toEqual(shape);
    expect(read.data.constructor, name).toBe(data.constructor);
    expect(Buffer.compare(bitsOf(read.data), bitsOf(data)), name).toBe(0);
    bytes += data.byteLength;
  }
  expect(found.bytes).toBe(bytes);
}

function row(step: number, kind: LogRow['kind'] = 'step', text = `completion ${step}`): LogRow {
  const completion = {
    prompt: 'how many?',
    completion: text,
    rewards: { exact: 1, length: null },
    advantage: 0.5,
  };
  return {
    step,
    kind,
    metrics: { loss: step / 3 },
    completions: [{ ...completion, extra: { answer: 'NaN' } }],
  };
}

export function runStoreCases(kind: string, make: () => Promise<TestStore>): void {
  describe(`${kind}: what every store of runs does`, () => {
    let closing: TestStore[] = [];
    async function start(): Promise<TestStore> {
      const made = await make();
      closing.push(made);
      return made;
    }
    afterEach(async () => {
      for (const { reopen } of closing) await (await reopen()).close();
      closing = [];
    });

    test('gives back float32, int32 and uint8 tensors bit for bit, and the state', async () => {
      const made = await start();
      const checkpoint = awkwardCheckpoint(7);
      await made.store.saveCheckpoint(checkpoint);
      await expectCheckpoint(made.store, checkpoint);
      await expectCheckpoint(await made.reopen(), checkpoint);
      expect(await made.leftovers()).toEqual([]);
    });

    test('lists checkpoints by step, and says when each was saved', async () => {
      const { store } = await start();
      const before = Date.now();
      for (const step of [10, 2, 100, 9]) await store.saveCheckpoint(smallCheckpoint(step, step));
      const listed = await store.checkpoints();
      expect(listed.map(({ step, bytes }) => [step, bytes])).toEqual([2, 9, 10, 100].map((s) => [s, 36]));
      for (const { savedAt } of listed) {
        expect(savedAt).toBeGreaterThanOrEqual(before);
        expect(savedAt).toBeLessThanOrEqual(Date.now());
      }
    });

    test('replaces a checkpoint of the same step, and keeps nothing of the old one', async () => {
      const made = await start();
      await made.store.saveCheckpoint(smallCheckpoint(5, 1));
      const { tensors } = smallCheckpoint(5, 2);
      const next = { step: 5, state: { value: 2 }, tensors: new Map([...tensors].slice(1)) };
      await made.store.saveCheckpoint(next);
      expect(await made.store.checkpoints()).toHaveLength(1);
      await expectCheckpoint(made.store, next);
      expect(await made.leftovers()).toEqual([]);
    });

    test('deletes a checkpoint and leaves the others; one that is not there is no error', async () => {
      const made = await start();
      for (const step of [1, 2, 12]) await made.store.saveCheckpoint(smallCheckpoint(step, step));
      await made.store.deleteCheckpoint(2);
      await made.store.deleteCheckpoint(3);
      const store = await made.reopen();
      expect((await store.checkpoints()).map(({ step }) => step)).toEqual([1, 12]);
      await expectCheckpoint(store, smallCheckpoint(12, 12));
      await expect(store.openCheckpoint(2)).rejects.toThrow(/no checkpoint of step 2/);
      await expect(store.openCheckpoint(2)).rejects.toThrow(UserError);
      expect(await made.leftovers()).toEqual([]);
    });

    test('a flipped bit or a missing byte is told with the tensor and the run; others can be read', async () => {
      for (const harm of ['damage', 'shorten'] as const) {
        const made = await start();
        const checkpoint = smallCheckpoint(4, 1);
        await made.store.saveCheckpoint(checkpoint);
        await made[harm](4, 'weights/b');
        const store = await made.reopen();
        const read = async () => (await store.openCheckpoint(4)).read('weights/b');
        await expect(read()).rejects.toThrow(UserError);
        await expect(read()).rejects.toThrow(/tensor "(weights\/)?b"/);
        await expect(read()).rejects.toThrow(/step 4|checkpoint-4/);
        if (harm === 'damage') {
          const found = await store.openCheckpoint(4);
          expect((await found.read('weights/a')).data).toEqual(checkpoint.tensors.get('weights/a')!.data);
          expect((await found.read('optimizer/m.a')).data).toEqual(Float32Array.of(1, 2, 3));
        }
      }
    });

    test('a tensor that is not there, and data that do not fill their shape, are errors', async () => {
      const { store } = await start();
      await store.saveCheckpoint(smallCheckpoint(1, 1));
      const found = await store.openCheckpoint(1);
      await expect(found.read('weights/c')).rejects.toThrow(/no tensor "weights\/c"/);
      const tensors = new Map([['weights/a', { shape: [2, 2], data: new Float32Array(3) }]]);
      await expect(store.saveCheckpoint({ step: 1, state: {}, tensors })).rejects.toThrow(/"weights\/a"/);
      await expectCheckpoint(store, smallCheckpoint(1, 1));
    });

    test('keeps the info', async () => {
      const made = await start();
      await made.store.writeInfo(runInfo);
      const changed: RunInfo = {
        ...runInfo,
        name: 'renamed',
        state: 'failed',
        bestStep: 3,
        bestMetric: -Infinity,
      };
      await made.store.writeInfo(changed);
      expect(await made.store.info()).toEqual(changed);
      expect(await (await made.reopen()).info()).toEqual(changed);
    });

    test('appends to the log in order, special numbers included', async () => {
      const made = await start();
      expect(await made.store.readLog()).toEqual([]);
      const special: LogRow = {
        ...row(3),
        metrics: { loss: NaN, grad_norm: Infinity, kl: -Infinity, zero: -0 },
      };
      await made.store.appendLog([row(1), row(2)]);
      await made.store.appendLog([]);
      await made.store.appendLog([row(2, 'evaluation', 'line\nbreak\u2028"')]);
      const store = await made.reopen();
      await store.appendLog([special]);
      for (let step = 4; step < 15; step++) await store.appendLog([row(step)]);
      const log = await store.readLog();
      expect(log.map(({ step, kind }) => `${step} ${kind}`).slice(0, 4)).toEqual([
        '1 step',
        '2 step',
        '2 evaluation',
        '3 step',
      ]);
      expect(log.slice(4).map(({ step }) => step)).toEqual([4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14]);
      expect(log[2]).toEqual(row(2, 'evaluation', 'line\nbreak\u2028"'));
      expect(log[3]).toEqual(special);
    });

    test('drops rows behind a step, inside a batch too, and goes on from there', async () => {
      const made = await start();
      await made.store.appendLog([row(1), row(2)]);
      await made.store.appendLog([row(3), row(3, 'evaluation'), row(4)]);
      await made.store.appendLog([row(5), row(6)]);
      await made.store.truncateLog(3);
      await made.store.appendLog([row(4, 'step', 'again')]);
      const log = await (await made.reopen()).readLog();
      expect(log).toEqual([row(1), row(2), row(3), row(3, 'evaluation'), row(4, 'step', 'again')]);
      await expect(made.store.appendLog([row(9)])).rejects.toThrow(/closed/);
    });

    test('keeps rollouts by step, in place of others, and drops those behind a step', async () => {
      const made = await start();
      expect(await made.store.rollouts()).toEqual([]);
      const file = (step: number) => Uint8Array.from({ length: 5 + step }, (_, i) => i * step);
      // Not in the order of texts; and a view into a larger buffer, which is not to be kept.
      for (const step of [2, 9, 10]) await made.store.keepRollout(step, file(step), []);
      await made.store.keepRollout(11, new Uint8Array(2 ** 20).subarray(7, 10), []);
      await made.store.keepRollout(12, file(12), [9, 11, 100]);
      expect(await made.store.rollouts()).toEqual([
        { step: 2, bytes: 7 },
        { step: 10, bytes: 15 },
        { step: 12, bytes: 17 },
      ]);
      const store = await made.reopen();
      expect(await store.readRollout(10)).toEqual(expect.objectContaining({ length: 15 }));
      expect(Array.from(await store.readRollout(10))).toEqual(Array.from(file(10)));
      await store.keepRollout(10, file(20), []);
      expect(Array.from(await store.readRollout(10))).toEqual(Array.from(file(20)));
      await store.truncateLog(10);
      expect((await store.rollouts()).map(({ step }) => step)).toEqual([2, 10]);
      await expect(store.readRollout(12)).rejects.toThrow(/no rollout of step 12/);
      await expect(store.readRollout(12)).rejects.toThrow(UserError);
      await expect(made.store.keepRollout(3, file(3), [])).rejects.toThrow(/closed/);
      expect(await made.leftovers()).toEqual([]);
    });

    test('says what room there is, or that it does not know', async () => {
      const { store } = await start();
      const space = await store.space();
      if (space === null) return;
      expect(space.used).toBeGreaterThanOrEqual(0);
      expect(space.free).toBeGreaterThanOrEqual(0);
    });

    test('has one writer at a time', async () => {
      const made = await start();
      await made.store.close();
      await made.store.close();
      await expect(made.store.writeInfo(runInfo)).rejects.toThrow(/closed/);
      await expect(made.store.saveCheckpoint(smallCheckpoint(1, 1))).rejects.toThrow(/closed/);
      const again = await made.reopen();
      await again.saveCheckpoint(smallCheckpoint(1, 1));
    });
  });
}
