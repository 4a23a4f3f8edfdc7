/**
 * A walk over one Thrift struct (compact protocol) as Parquet's footer and page headers have it, before the reader of
 * hyparquet allocates by the sizes in it: every length fits into the bytes that follow, and nesting is shallow.
 */
import { UserError } from '../errors.ts';

const deepest = 16;

class Walker {
  readonly view: DataView;
  readonly end: number;
  offset: number;

  constructor(view: DataView, offset: number, end: number) {
    this.view = view;
    this.offset = offset;
    this.end = end;
  }

  fail(what: string): never {
    throw new UserError(`its metadata are damaged at byte ${this.offset}: ${what}`);
  }

  byte(): number {
    if (this.offset >= this.end) this.fail('they end too early');
    return this.view.getUint8(this.offset++);
  }

  skip(count: number): void {
    if (count > this.end - this.offset)
      this.fail(`${count} bytes are claimed, ${this.end - this.offset} follow`);
    this.offset += count;
  }

  /** An unsigned LEB128 number of at most `bytes` bytes; exact below 2^53. */
  varint(bytes: number): number {
    let value = 0;
    for (let i = 0; i < bytes; i++) {
      const byte = this.byte();
      value += (byte & 0x7f) * 2 ** (7 * i);
      if (byte < 0x80) return value;
    }
    return this.fail('a number is too long');
  }

  element(type: number, depth: number, inList: boolean): void {
    switch (type) {
      case 1:
      case 2:
        if (inList) this.skip(1);
        return;
      case 3:
        this.skip(1);
        return;
      case 4:
      case 5:
        this.varint(5);
        return;
      case 6:
        this.varint(10);
        return;
      case 7:
        this.skip(8);
        return;
      case 8:
        this.skip(this.varint(5));
        return;
      case 9: {
        const head = this.byte();
        const size = head >> 4 === 15 ? this.varint(5) : head >> 4;
        // An element takes a byte or more.
        if (size > this.end - this.offset) this.fail(`a list claims ${size} entries`);
        for (let i = 0; i < size; i++) this.element(head & 15, depth + 1, true);
        return;
      }
      case 12:
        this.struct(depth + 1);
        return;
      default:
        this.fail(`type ${type} has no place in Parquet`);
    }
  }

  struct(depth: number): void {
    if (depth > deepest) this.fail(`they are nested more than ${deepest} deep`);
    for (let head = this.byte(); (head & 15) !== 0; head = this.byte()) {
      if (head >> 4 === 0) this.varint(5);
      this.element(head & 15, depth, false);
    }
  }
}

/** Walks the struct at `offset` and returns where it ends. Throws UserError where it does not fit before `end`. */
export function checkThrift(view: DataView, offset: number, end = view.byteLength): number {
  const walker = new Walker(view, offset, end);
  walker.struct(0);
  return walker.offset;
}
