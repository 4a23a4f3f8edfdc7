/** Files that a visitor dropped or picked: a model, or a dataset, told apart by what is in them. */
import { type PickedFile, pickedBlobs } from '../../import/picked-files.ts';
import type { Core } from '../core.ts';
import { isGoing } from '../state.ts';
import { text } from '../text.ts';

const t = text.data.files;

type Kind = 'model' | 'dataset';

const ofModels = /(^|\/)config\.json$|\.(safetensors|bin|pt|pth|ckpt|pkl|pickle)$/i;

/** What the files are, and the name that says so. */
export async function whatIs(files: readonly PickedFile[]): Promise<{ kind: Kind; because: string }> {
  const { names } = await pickedBlobs(files);
  const sign = names.find((name) => ofModels.test(name));
  return sign === undefined
    ? { kind: 'dataset', because: t.noModelAmong }
    : { kind: 'model', because: t.isAmong(sign) };
}

export class FilesIn {
  constructor(
    private readonly core: Core,
    private readonly loadModel: (files: PickedFile[]) => Promise<void>,
    /** The form's dataset changed. */
    private readonly choose: (dataset: string | undefined) => Promise<void>,
  ) {}

  /** `kind`: what the visitor said it is; otherwise it is looked into. */
  async take(files: PickedFile[], kind?: Kind): Promise<void> {
    if (files.length === 0) return;
    await this.core.guarded(async () => {
      if (isGoing(this.core.state)) throw new Error(t.stopFirst);
      const name = files.length === 1 ? files[0].path : t.many(files.length);
      this.core.set({ reading: t.lookingInto(name), taken: undefined, error: undefined });
      try {
        const found = kind === undefined ? await whatIs(files) : { kind, because: undefined };
        const taken = found.because && t.taken(name, found.kind, found.because);
        this.core.set({ reading: t.reading(name, found.kind), ...(taken && { taken }) });
        if (found.kind === 'model') await this.loadModel(files);
        else await this.offer(files);
      } finally {
        this.core.set({ reading: undefined });
      }
    });
  }

  /** The good rows of the dataset on offer are what the next run trains on. */
  async accept(): Promise<void> {
    const { offered, datasets } = this.core.state;
    if (!offered) return;
    this.core.set({ offered: undefined, datasets: [...datasets, offered] });
    await this.choose(offered.id);
  }

  async decline(): Promise<void> {
    const { offered } = this.core.state;
    if (!offered) return;
    this.core.set({ offered: undefined, taken: undefined });
    await this.core.guarded(() => this.core.service.removeDataset(offered.id));
  }

  /** Takes a dataset out of this browser; where it was chosen, the built-in task is again. */
  async remove(id: string): Promise<void> {
    const { datasets, form } = this.core.state;
    this.core.set({ datasets: datasets.filter((one) => one.id !== id) });
    if (form.dataset === id) await this.choose(undefined);
    await this.core.guarded(() => this.core.service.removeDataset(id));
  }

  private async offer(files: PickedFile[]): Promise<void> {
    const { view, warning } = await this.core.service.importDataset(files);
    const { warnings } = this.core.state;
    this.core.set({ offered: view, ...(warning && { warnings: [...warnings, warning] }) });
  }
}
