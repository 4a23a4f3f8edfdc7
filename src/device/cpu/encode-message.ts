/**
 * Protobuf encoding of plain objects by reflection. protobufjs's own encoder is generated JavaScript, which the page's
 * Content-Security-Policy forbids (no eval).
 */
import protobuf from 'protobufjs';

const LENGTH_DELIMITED = 2;

/**
 * The bytes of `value` as a message of this type: fields by name, Uint8Array for bytes, numbers for enums. Throws
 * where `value` has a field that the type lacks.
 */
export function encodeMessage(type: protobuf.Type, value: object): Uint8Array {
  const writer = protobuf.Writer.create();
  write(writer, type, value);
  return writer.finish();
}

function write(writer: protobuf.Writer, type: protobuf.Type, value: object): void {
  const entries = Object.entries(value).filter(([, v]) => v !== undefined && v !== null);
  const fields = entries.map(([name, v]) => {
    const field = type.fields[name];
    if (!field || field.map) throw new Error(`${type.name} has no field "${name}" that can be written`);
    return { field: field.resolve(), value: v as unknown };
  });
  // Written in the order of field numbers, as the specification asks.
  fields.sort((a, b) => a.field.id - b.field.id);
  for (const { field, value: v } of fields) {
    if (!field.repeated) writeOne(writer, field, v);
    else if (field.packed && scalarOf(field) in protobuf.types.packed) {
      const values = v as ArrayLike<unknown>;
      if (!values.length) continue;
      writer.uint32((field.id << 3) | LENGTH_DELIMITED).fork();
      for (let i = 0; i < values.length; i++) writeScalar(writer, field, values[i]);
      writer.ldelim();
    } else for (const one of v as Iterable<unknown>) writeOne(writer, field, one);
  }
}

function writeOne(writer: protobuf.Writer, field: protobuf.Field, value: unknown): void {
  if (field.resolvedType instanceof protobuf.Type) {
    writer.uint32((field.id << 3) | LENGTH_DELIMITED).fork();
    write(writer, field.resolvedType, value as object);
    writer.ldelim();
    return;
  }
  writer.uint32((field.id << 3) | protobuf.types.basic[scalarOf(field)]);
  writeScalar(writer, field, value);
}

/** An enum is an int32. */
const scalarOf = (field: protobuf.Field) =>
  (field.resolvedType ? 'int32' : field.type) as keyof typeof protobuf.types.basic;

function writeScalar(writer: protobuf.Writer, field: protobuf.Field, value: unknown): void {
  const scalar = scalarOf(field);
  // Each scalar type has a method of its name, for a value of its kind.
  const put = writer[scalar as 'bytes'] as (this: protobuf.Writer, value: unknown) => void;
  put.call(writer, typeof value === 'bigint' ? String(value) : value);
}
