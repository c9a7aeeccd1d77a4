/** Parses JSON lines into columns of numbers. Rows of one file have much the same keys in the same order: the next key is guessed, and compared as bytes. */

/** Stands where a row lacks a key; JSON has no infinite numbers, so that no value looks like it. */
export const absent = -Infinity;

export interface RowParser {
  readonly rows: number;
  readonly keys: readonly string[];
  readonly bytes: number;
  column(key: string): Float64Array | undefined;
  describe(key: string): { count: number; last: number | null };
  /** `bytes[0, end)` is whole lines. A line that is not an object is passed over. */
  parse(bytes: Uint8Array, end: number): void;
}

interface Column {
  readonly key: string;
  /** `"key":` as UTF-8. */
  readonly label: Uint8Array;
  values: Float64Array;
  count: number;
  last: number;
}

const powers = Float64Array.from({ length: 309 }, (_, i) => Number(`1e${i}`));
/** Beyond this a further decimal digit might not be held exactly. */
const mantissaLimit = 2 ** 53 / 10 - 1;

const [quote, comma, minus, dot, zero, nine, colon] = [34, 44, 45, 46, 48, 57, 58];
const [openBracket, backslash, closeBracket, openBrace, closeBrace] = [91, 92, 93, 123, 125];

export function createRowParser(): RowParser {
  const byKey = new Map<string, Column>();
  const order: Column[] = [];
  let rows = 0;
  let capacity = 1024;

  // Where the parser stands; outside the functions, so that none of them makes an object.
  let bytes: Uint8Array = new Uint8Array(0);
  let at = 0;
  let limit = 0;

  function grow(): void {
    capacity *= 2;
    for (const column of order) {
      const values = new Float64Array(capacity).fill(absent, rows);
      values.set(column.values);
      column.values = values;
    }
  }

  function enter(key: string): Column {
    const known = byKey.get(key);
    if (known !== undefined) return known;
    const column: Column = {
      key,
      label: new TextEncoder().encode(`${JSON.stringify(key)}:`),
      values: new Float64Array(capacity).fill(absent),
      count: 0,
      last: NaN,
    };
    byKey.set(key, column);
    order.push(column);
    return column;
  }

  const skipBlanks = (): void => {
    while (at < limit && (bytes[at] === 32 || bytes[at] === 9 || bytes[at] === 13)) at++;
  };

  /** At a quote; goes behind the closing one. False: none in this line. */
  function skipText(): boolean {
    for (at++; at < limit; at++) {
      const byte = bytes[at];
      if (byte === backslash) at++;
      else if (byte === quote) {
        at++;
        return true;
      }
    }
    return false;
  }

  /** At a brace or bracket; goes behind its end. */
  function skipNested(): boolean {
    let depth = 0;
    while (at < limit) {
      const byte = bytes[at];
      if (byte === quote) {
        if (!skipText()) return false;
        continue;
      }
      if (byte === openBrace || byte === openBracket) depth++;
      else if (byte === closeBrace || byte === closeBracket) depth--;
      at++;
      if (depth === 0) return true;
    }
    return false;
  }

  /** To 15 digits: the last bits may differ from those of JSON.parse. */
  function readNumber(): number {
    const source = bytes;
    const end = limit;
    let i = at;
    const isNegative = source[i] === minus;
    if (isNegative) i++;
    const start = i;
    let mantissa = 0;
    let exponent = 0;
    let dotAt = -1;
    for (; i < end; i++) {
      const digit = source[i] - zero;
      if (digit >= 0 && digit <= 9) {
        if (mantissa < mantissaLimit) mantissa = mantissa * 10 + digit;
        else exponent++;
      } else if (digit === dot - zero && dotAt < 0) dotAt = i;
      else break;
    }
    if (dotAt >= 0) exponent -= i - dotAt - 1;
    const isEmpty = i === start;
    if (i < end && (source[i] === 101 || source[i] === 69)) {
      i++;
      const isSmall = source[i] === minus;
      if (isSmall || source[i] === 43) i++;
      let given = 0;
      for (; i < end && source[i] >= zero && source[i] <= nine; i++) given = Math.min(9999, given * 10 + (source[i] - zero));
      exponent += isSmall ? -given : given;
    }
    at = i;
    if (isEmpty) return NaN;
    let value = mantissa;
    if (exponent > 0) value = exponent > 308 ? Infinity : mantissa * powers[exponent];
    else if (exponent < -308) value = exponent < -330 ? 0 : mantissa / 1e308 / powers[Math.min(308, -exponent - 308)];
    else if (exponent < 0) value = mantissa / powers[-exponent];
    if (value === Infinity) return NaN;
    return isNegative ? -value : value;
  }

  /** At `{`. True: a whole object ended at the end of the line. */
  function readRow(): boolean {
    at++;
    let guess = 0;
    skipBlanks();
    if (bytes[at] === closeBrace) at++;
    else {
      for (;;) {
        skipBlanks();
        if (at >= limit || bytes[at] !== quote) return false;
        let column: Column | undefined;
        if (guess < order.length) {
          const { label } = order[guess];
          const source = bytes;
          const from = at;
          const { length } = label;
          let i = 1;
          while (i < length && source[from + i] === label[i]) i++;
          if (i === length) {
            column = order[guess];
            at = from + i;
          }
        }
        if (column === undefined) {
          const start = at;
          if (!skipText()) return false;
          const key = readKey(start);
          if (key === undefined) return false;
          skipBlanks();
          if (bytes[at] !== colon) return false;
          at++;
          column = byKey.get(key);
          if (column === undefined) {
            // A column begins with its first number: other keys are passed over.
            skipBlanks();
            const first = bytes[at];
            if (first === minus || (first >= zero && first <= nine) || first === 110 || key === "time") column = enter(key);
          }
          guess = column === undefined ? guess : order.indexOf(column);
        }
        guess++;
        skipBlanks();
        const byte = bytes[at];
        if (byte === minus || (byte >= zero && byte <= nine)) {
          const value = readNumber();
          if (column !== undefined) column.values[rows] = value;
        } else if (byte === quote) {
          const start = at;
          if (!skipText()) return false;
          // Times are written in ISO 8601.
          if (column?.key === "time") column.values[rows] = Date.parse(readKey(start) ?? "");
        } else if (byte === openBrace || byte === openBracket) {
          if (!skipNested()) return false;
        } else {
          // null, true, false
          if (byte === 110 && column !== undefined) column.values[rows] = NaN;
          const start = at;
          while (at < limit && bytes[at] >= 97 && bytes[at] <= 122) at++;
          if (at === start) return false;
        }
        skipBlanks();
        if (bytes[at] === comma) {
          at++;
          continue;
        }
        if (bytes[at] !== closeBrace) return false;
        at++;
        break;
      }
    }
    skipBlanks();
    return at === limit;
  }

  /** The text whose opening quote is at `start`, and behind whose closing quote the parser stands. */
  function readKey(start: number): string | undefined {
    const text = Buffer.from(bytes.buffer, bytes.byteOffset + start, at - start).toString("utf8");
    if (!text.includes("\\")) return text.slice(1, -1);
    try {
      return JSON.parse(text) as string;
    } catch {
      return undefined;
    }
  }

  return {
    get rows() {
      return rows;
    },
    get keys() {
      return order.filter(({ count }) => count > 0).map(({ key }) => key);
    },
    get bytes() {
      return order.length * capacity * 8;
    },
    column: (key) => byKey.get(key)?.values.subarray(0, rows),
    describe(key) {
      const column = byKey.get(key);
      return { count: column?.count ?? 0, last: column === undefined || !Number.isFinite(column.last) ? null : column.last };
    },
    parse(source, end) {
      bytes = source;
      at = 0;
      while (at < end) {
        let lineEnd = source.indexOf(10, at);
        if (lineEnd < 0 || lineEnd > end) lineEnd = end;
        limit = lineEnd;
        skipBlanks();
        if (rows === capacity) grow();
        if (bytes[at] === openBrace && readRow()) {
          for (const column of order) {
            const value = column.values[rows];
            if (value === absent) continue;
            column.count++;
            column.last = value;
          }
          rows++;
        } else for (const column of order) column.values[rows] = absent;
        at = lineEnd + 1;
      }
      bytes = new Uint8Array(0);
    },
  };
}
