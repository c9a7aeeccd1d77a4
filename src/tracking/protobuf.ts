/** Protocol Buffers' wire format, as much as event files and transaction logs need. */

export function encodeVarint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(Math.trunc(value)));
  while (rest > 127n) {
    bytes.push(Number(rest & 127n) | 128);
    rest >>= 7n;
  }
  bytes.push(Number(rest));
  return Buffer.from(bytes);
}

const key = (field: number, wireType: number): Buffer => encodeVarint((field << 3) | wireType);

/** Bytes, or a message. */
export function bytesField(field: number, bytes: Uint8Array): Buffer {
  return Buffer.concat([key(field, 2), encodeVarint(bytes.length), bytes]);
}

export function textField(field: number, text: string): Buffer {
  return bytesField(field, Buffer.from(text, "utf8"));
}

/** Integers, enumerations and booleans. */
export function integerField(field: number, value: number): Buffer {
  return Buffer.concat([key(field, 0), encodeVarint(value)]);
}

export function doubleField(field: number, value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(value);
  return Buffer.concat([key(field, 1), bytes]);
}

export function floatField(field: number, value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeFloatLE(value);
  return Buffer.concat([key(field, 5), bytes]);
}

export type WireField = { field: number; value: number | Buffer };

/**
 * The fields of a message in their order; nested messages stay bytes, fixed-width numbers are passed over.
 * @throws RangeError where the bytes are not a message.
 */
export function decodeFields(bytes: Buffer): WireField[] {
  const fields: WireField[] = [];
  let at = 0;
  const readVarint = (): number => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = bytes[at++];
      if (byte === undefined) throw new RangeError("protobuf: the message ends inside a number");
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const tag = readVarint();
    const field = Math.floor(tag / 8);
    switch (tag % 8) {
      case 0:
        fields.push({ field, value: readVarint() });
        break;
      case 1:
        at += 8;
        break;
      case 2: {
        const length = readVarint();
        if (at + length > bytes.length) throw new RangeError("protobuf: the message ends inside a field");
        fields.push({ field, value: bytes.subarray(at, at + length) });
        at += length;
        break;
      }
      case 5:
        at += 4;
        break;
      default:
        throw new RangeError(`protobuf: unknown wire type ${tag % 8}`);
    }
  }
  return fields;
}
