/** What stands in single rows of data files: read again from the files, so that an import need not keep bad rows. */
import { show } from '../store/json.ts';
import { readRows } from './dataset.ts';
import { folderOf, type NamedBlobs } from './named-blobs.ts';
import { readImage } from './row.ts';

export interface RowPlace {
  readonly file: string;
  /** From 1, as the file's reader counts. */
  readonly row: number;
}

export interface RowContent {
  /** Columns by name, their values as texts of bounded length. */
  readonly fields: readonly { readonly name: string; readonly text: string }[];
  /** How the row begins, where it is no record. */
  readonly text?: string;
  /** The encoded image, where one is found. */
  readonly openImage?: () => Promise<Blob>;
}

const longestText = 400;
const shorten = (text: string) => (text.length > longestText ? `${text.slice(0, longestText)}…` : text);

/** The rows at these places, in their order; undefined for a place where there is none. */
export async function readRowsAt(
  blobs: NamedBlobs,
  places: readonly RowPlace[],
): Promise<(RowContent | undefined)[]> {
  const listed = new Set(blobs.names);
  const names = { has: (name: string) => blobs.has?.(name) ?? listed.has(name) };
  const found = new Map<string, RowContent>();
  for (const file of new Set(places.map((place) => place.file))) {
    const wanted = new Set(places.filter((place) => place.file === file).map(({ row }) => row));
    const last = Math.max(...wanted);
    for await (const { row, record, text } of readRows(blobs, file)) {
      if (wanted.has(row)) {
        const image = record && readImage(record, { blobs, names, folder: folderOf(file) });
        found.set(`${row} ${file}`, {
          fields: Object.entries(record ?? {}).map(([name, value]) => ({
            name,
            text: typeof value === 'string' ? shorten(value) : show(value, longestText),
          })),
          ...(text !== undefined && { text: shorten(text) }),
          ...(image && 'value' in image && { openImage: image.value.open }),
        });
      }
      if (row >= last) break;
    }
  }
  return places.map(({ file, row }) => found.get(`${row} ${file}`));
}
