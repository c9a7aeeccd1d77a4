/** Everything spar throws on purpose. `code` is stable (`area/reason`); the CLI prints message and hint. */
export class SparError extends Error {
  readonly code: string;
  readonly hint: string | undefined;

  constructor(code: string, message: string, options: { hint?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "SparError";
    this.code = code;
    this.hint = options.hint;
  }
}

/** Wrong command line: exit code 2. */
export class UsageError extends SparError {
  constructor(message: string, options: { hint?: string; cause?: unknown } = {}) {
    super("usage/invalid", message, options);
    this.name = "UsageError";
  }
}

/** A run that was asked to stop and has saved: exit code 130. */
export class InterruptedError extends SparError {
  constructor(message: string, options: { hint?: string; cause?: unknown } = {}) {
    super("run/interrupted", message, options);
    this.name = "InterruptedError";
  }
}

/** What records keep of whatever was thrown. */
export function describeError(error: unknown): { code: string; message: string } {
  return {
    code: error instanceof SparError ? error.code : "internal/bug",
    message: error instanceof Error ? error.message : String(error),
  };
}

/** Runs what knows a file by its name alone, and puts the path into its errors. */
export function namePath<T>(name: string, path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof SparError) || error.message.includes(path)) throw error;
    const options = { cause: error, ...(error.hint === undefined ? {} : { hint: error.hint }) };
    throw new SparError(
      error.code,
      error.message.replace(name, () => path),
      options,
    );
  }
}

/** A broken promise inside spar itself: exit code 70. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`spar bug: ${message}`);
}
