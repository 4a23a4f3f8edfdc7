/** Loads a model of the fake Hub into the browser's disk from a worker, where files are written in place. */
import { cachedModels, deleteCachedModel, openModel } from '../../src/models/open-model.ts';
import { convertTensor } from '../../src/store/convert-tensor.ts';
import { firstDifference, modelOf, someTensors } from '../model-files.ts';
import { FakeModelHub, fetchFrom } from '../model-hub.ts';

export interface WorkerTask {
  /** The weights come to a halt after so many bytes: the test ends the worker then. */
  readonly stallAt?: number;
  /** Aborted by its signal after so many bytes. */
  readonly abortAt?: number;
  readonly delete?: boolean;
}

export interface WorkerAnswer {
  readonly downloads: string[];
  readonly error?: string;
  readonly notices: string[];
  readonly wrong?: string[];
  readonly models?: { name: string; bytes: number; totalBytes: number; isWhole: boolean }[];
}

/** 40 MB: two parts. */
export const bigModel = () => modelOf(someTensors(400_000, 25));

self.onmessage = async ({ data: task }: MessageEvent<WorkerTask>) => {
  const hub = new FakeModelHub();
  const key = `hub:tiny/SmolVLM@${hub.commit('tiny/SmolVLM', bigModel())}`;
  const abort = new AbortController();
  const notices: string[] = [];
  const followed = fetchFrom(hub);
  const post = (answer: Omit<WorkerAnswer, 'downloads' | 'notices'>) =>
    self.postMessage({ downloads: hub.downloads, notices, ...answer } satisfies WorkerAnswer);
  try {
    const model = await openModel(
      { kind: 'hub', id: 'tiny/SmolVLM' },
      {
        hubUrl: hub.hubUrl,
        fetch: async (input, init) => {
          const response = await followed(input, init);
          if (task.stallAt === undefined || !String(input).includes('model.safetensors')) return response;
          const reader = response.body!.getReader();
          let left = task.stallAt;
          const body = new ReadableStream<Uint8Array>({
            async pull(controller) {
              const { value } = await reader.read();
              if (left <= 0) {
                self.postMessage({
                  downloads: hub.downloads,
                  notices,
                  error: 'stalled',
                } satisfies WorkerAnswer);
                await new Promise(() => {});
              }
              left -= value!.byteLength;
              controller.enqueue(value!);
            },
          });
          return new Response(body, { status: response.status, headers: response.headers });
        },
        signal: abort.signal,
        onNotice: (sentence) => notices.push(sentence),
        onProgress: (p) =>
          task.abortAt !== undefined && p.loadedBytes > task.abortAt && abort.abort(new Error('enough')),
      },
    );
    const wrong: string[] = [];
    for (const [name, source] of model.tensors)
      if (firstDifference(name, convertTensor(await source.read(), source.dtype, 'f32')) !== -1)
        wrong.push(name);
    if (task.delete) await deleteCachedModel(key);
    const models = (await cachedModels()).map(({ name, bytes, totalBytes, isWhole }) => ({
      name,
      bytes,
      totalBytes,
      isWhole,
    }));
    post({ wrong, models });
  } catch (error) {
    post({ error: (error as Error).message });
  }
};
