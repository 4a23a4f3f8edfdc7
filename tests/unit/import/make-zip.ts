/** Zips for tests, byte by byte, so that every field can lie. */
import { crc32, deflateRawSync } from 'node:zlib';

export interface ZipPart {
  readonly name: string;
  readonly data: Uint8Array | string;
  readonly method?: 0 | 8;
  /** What the directory and the local header say instead of the truth. */
  readonly claim?: {
    readonly size?: number;
    readonly packed?: number;
    readonly crc?: number;
    readonly flags?: number;
    readonly method?: number;
    /** Of the local header; for quoted overlaps. */
    readonly offset?: number;
    readonly attributes?: number;
  };
}

export const bytesOf = (text: string) => new Uint8Array(new TextEncoder().encode(text));

export function joined(pieces: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    out.set(piece, at);
    at += piece.length;
  }
  return out;
}

function fields(...values: [bytes: 2 | 4, value: number][]): Uint8Array {
  const view = new DataView(new ArrayBuffer(values.reduce((sum, [bytes]) => sum + bytes, 0)));
  let at = 0;
  for (const [bytes, value] of values) {
    if (bytes === 2) view.setUint16(at, value, true);
    else view.setUint32(at, value >>> 0, true);
    at += bytes;
  }
  return new Uint8Array(view.buffer);
}

export function makeZip(parts: readonly ZipPart[], count = parts.length): Uint8Array<ArrayBuffer> {
  const local: Uint8Array[] = [];
  const central: Uint8Array[] = [];
  let offset = 0;
  for (const { name, data, method = 8, claim = {} } of parts) {
    const plain = typeof data === 'string' ? bytesOf(data) : data;
    const packed = method === 8 ? deflateRawSync(plain) : plain;
    const raw = bytesOf(name);
    const common: [2 | 4, number][] = [
      [2, 20],
      [2, claim.flags ?? 0x800],
      [2, claim.method ?? method],
      [4, 0x5a210000],
      [4, claim.crc ?? crc32(plain)],
      [4, claim.packed ?? packed.length],
      [4, claim.size ?? plain.length],
      [2, raw.length],
      [2, 0],
    ];
    const head = joined([fields([4, 0x04034b50], ...common), raw]);
    local.push(head, packed);
    const rest = fields([2, 0], [2, 0], [2, 0], [4, claim.attributes ?? 0], [4, claim.offset ?? offset]);
    const madeBy = claim.attributes === undefined ? 20 : 0x0314;
    central.push(fields([4, 0x02014b50], [2, madeBy], ...common), rest, raw);
    offset += head.length + packed.length;
  }
  const directory = joined(central);
  const end = fields(
    [4, 0x06054b50],
    [2, 0],
    [2, 0],
    [2, count],
    [2, count],
    [4, directory.length],
    [4, offset],
    [2, 0],
  );
  return joined([...local, directory, end]);
}
