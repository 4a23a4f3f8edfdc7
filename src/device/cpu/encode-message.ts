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
    return { field, kind: kindOf(type, field), value: v as unknown };
  });
  // Written in the order of field numbers, as the specification asks.
  fields.sort((a, b) => a.field.id - b.field.id);
  for (const { field, kind, value: v } of fields) {
    if (!field.repeated) writeOne(writer, field, kind, v);
    else if (field.getOption('packed') && typeof kind === 'string') {
      const values = v as ArrayLike<unknown>;
      if (!values.length) continue;
      writer.uint32((field.id << 3) | LENGTH_DELIMITED).fork();
      for (let i = 0; i < values.length; i++) writeScalar(writer, kind, values[i]);
      writer.ldelim();
    } else for (const one of v as Iterable<unknown>) writeOne(writer, field, kind, one);
  }
}

type Scalar = keyof typeof protobuf.types.basic;

/** A message's type, or the scalar that a field holds; an enum is an int32. Field.resolve would generate code. */
function kindOf(type: protobuf.Type, field: protobuf.Field): protobuf.Type | Scalar {
  if (field.type in protobuf.types.basic) return field.type as Scalar;
  const found = type.lookupTypeOrEnum(field.type) as protobuf.Type | protobuf.Enum;
  return found instanceof protobuf.Type ? found : 'int32';
}

function writeOne(
  writer: protobuf.Writer,
  field: protobuf.Field,
  kind: protobuf.Type | Scalar,
  value: unknown,
): void {
  if (typeof kind === 'string') {
    writer.uint32((field.id << 3) | protobuf.types.basic[kind]);
    writeScalar(writer, kind, value);
  } else {
    writer.uint32((field.id << 3) | LENGTH_DELIMITED).fork();
    write(writer, kind, value as object);
    writer.ldelim();
  }
}

function writeScalar(writer: protobuf.Writer, scalar: Scalar, value: unknown): void {
  // Each scalar type has a method of its name, for a value of its kind.
  const put = writer[scalar as 'bytes'] as (this: protobuf.Writer, value: unknown) => void;
  put.call(writer, typeof value === 'bigint' ? String(value) : value);
}
