/** Hands a file to the browser's downloads. */

/** Browsers read it after the click, and say nothing when they are done. */
const keepMs = 60_000;

export function save(blob: Blob, name: string): void {
  const url = URL.createObjectURL(blob);
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), keepMs);
}
