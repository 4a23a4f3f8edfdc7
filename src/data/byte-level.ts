/** Byte-level tokens (GPT-2's): each character of a token stands for a byte, so a token can hold part of a character. */

/** Whether a tokenizer.json's decoder, or one of a sequence, is ByteLevel. */
export function hasByteLevel(decoder: unknown): boolean {
  const { type, decoders } = (decoder ?? {}) as { type?: unknown; decoders?: unknown };
  return type === 'ByteLevel' || (Array.isArray(decoders) && decoders.some(hasByteLevel));
}

/** Bytes that stand for themselves: the printable ones of Latin-1; the others are shifted behind it, in order. */
const isPrintable = (byte: number) =>
  (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || (byte >= 0xae && byte <= 0xff);

const byteOf = new Map<string, number>();
for (let byte = 0, shifted = 0x100; byte < 0x100; byte++)
  byteOf.set(String.fromCharCode(isPrintable(byte) ? byte : shifted++), byte);

/** How many bytes a character takes that begins with this one. */
const lengthOf = (byte: number) => (byte < 0xc0 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4);

/** What a byte-level token says, bytes that are no whole character as \xF0; null where it is none (special tokens). */
export function byteLevelText(token: string): string | null {
  const bytes: number[] = [];
  for (const character of token) {
    const byte = byteOf.get(character);
    if (byte === undefined) return null;
    bytes.push(byte);
  }
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  let text = '';
  for (let i = 0; i < bytes.length; ) {
    const length = lengthOf(bytes[i]);
    try {
      text += decoder.decode(Uint8Array.from(bytes.slice(i, i + length)));
      i += length;
    } catch {
      text += `\\x${bytes[i].toString(16).toUpperCase().padStart(2, '0')}`;
      i++;
    }
  }
  return text;
}
