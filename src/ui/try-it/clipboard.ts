/** Pictures from the clipboard and from what is dropped. */
import { text } from '../text.ts';

/** The first picture of a paste or a drop. */
export function pictureIn(transfer: DataTransfer | null): File | undefined {
  return [...(transfer?.files ?? [])].find(({ type }) => type.startsWith('image/'));
}

/** The clipboard's picture, where the browser lets the page look. Throws an Error in words. */
export async function readClipboard(): Promise<Blob> {
  const t = text.tryIt.errors;
  const { clipboard } = navigator as Partial<Navigator>;
  if (!clipboard?.read) throw new Error(t.noClipboard);
  const items = await clipboard.read().catch((error: unknown) => {
    const isDenied = error instanceof DOMException && error.name === 'NotAllowedError';
    throw new Error(isDenied ? t.clipboardDenied : t.clipboardEmpty);
  });
  for (const item of items) {
    const type = item.types.find((one) => one.startsWith('image/'));
    if (type !== undefined) return item.getType(type);
  }
  throw new Error(t.clipboardEmpty);
}
