/** Typed reading of config.json with errors that name the key. */
import { SparError } from "../internal/errors.ts";
import type { RawConfig } from "./architecture.ts";

function wrong(key: string, expected: string, got: unknown): SparError {
  return new SparError(
    "model/config-invalid",
    `config.json: "${key}" should be ${expected}, got ${got === undefined ? "nothing" : JSON.stringify(got)}`,
  );
}

export interface ConfigReader {
  /** A positive integer. */
  size(key: string, fallback?: number): number;
  /** A positive integer that divides the positive integer `whole`. */
  divisor(key: string, whole: number, fallback?: number): number;
  number(key: string, fallback: number): number;
  flag(key: string, fallback: boolean): boolean;
  text(key: string, fallback: string): string;
}

/** `null` counts as absent, as Hugging Face writes it. */
export function readConfig(raw: RawConfig): ConfigReader {
  const size = (key: string, fallback?: number): number => {
    const value = raw[key] ?? fallback;
    if (typeof value !== "number" || !Number.isInteger(value) || value <= 0) throw wrong(key, "a positive integer", value);
    return value;
  };
  return {
    size,
    divisor(key, whole, fallback) {
      const value = size(key, fallback);
      if (whole % value !== 0) throw wrong(key, `a divisor of ${whole}`, value);
      return value;
    },
    number(key, fallback) {
      const value = raw[key] ?? fallback;
      if (typeof value !== "number" || !Number.isFinite(value)) throw wrong(key, "a number", value);
      return value;
    },
    flag(key, fallback) {
      const value = raw[key] ?? fallback;
      if (typeof value !== "boolean") throw wrong(key, "true or false", value);
      return value;
    },
    text(key, fallback) {
      const value = raw[key] ?? fallback;
      if (typeof value !== "string") throw wrong(key, "a text", value);
      return value;
    },
  };
}
