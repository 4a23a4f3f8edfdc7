/** CRC-32 as zip, PNG and zlib have it (IEEE 802.3: polynomial 0x04C11DB7, reflected), sliced by 8 (Kounavis, Berry). */

const tables = makeTables();

/** [8][256]: tables[k][b] is the remainder of byte b followed by k zero bytes. */
function makeTables(): Int32Array {
  const all = new Int32Array(8 * 256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
    all[byte] = crc;
  }
  for (let i = 256; i < all.length; i++) all[i] = (all[i - 256] >>> 8) ^ all[all[i - 256] & 255];
  return all;
}

function bytewise(bytes: Uint8Array, begin: number, end: number, crc: number): number {
  for (let i = begin; i < end; i++) crc = (crc >>> 8) ^ tables[(crc ^ bytes[i]) & 255];
  return crc;
}

/** The checksum of `bytes`, 0 … 2³² − 1. `before` is the checksum of what went before: a value in pieces adds up. */
export function crc32(bytes: Uint8Array, before = 0): number {
  const t = tables;
  if (bytes.length < 16) return ~bytewise(bytes, 0, bytes.length, ~before) >>> 0;
  const head = -bytes.byteOffset & 3;
  const words = new Int32Array(bytes.buffer, bytes.byteOffset + head, ((bytes.length - head) >>> 3) * 2);
  let crc = bytewise(bytes, 0, head, ~before);
  // Words are little-endian, as every platform that JavaScript runs on has them.
  for (let i = 0; i < words.length; i += 2) {
    const a = crc ^ words[i];
    const b = words[i + 1];
    crc =
      t[1792 + (a & 255)] ^
      t[1536 + ((a >>> 8) & 255)] ^
      t[1280 + ((a >>> 16) & 255)] ^
      t[1024 + (a >>> 24)] ^
      t[768 + (b & 255)] ^
      t[512 + ((b >>> 8) & 255)] ^
      t[256 + ((b >>> 16) & 255)] ^
      t[b >>> 24];
  }
  return ~bytewise(bytes, head + words.byteLength, bytes.length, crc) >>> 0;
}
