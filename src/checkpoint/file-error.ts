import { SparError } from "../internal/errors.ts";

const REASONS: { [code: string]: { code: string; reason: string; hint: string } } = {
  ENOSPC: {
    code: "file/disk-full",
    reason: "the disk is full",
    hint: "Free some space, or choose an output_dir on another disk; nothing that was saved before is lost.",
  },
  EDQUOT: {
    code: "file/disk-full",
    reason: "the disk quota is used up",
    hint: "Free some space, or choose an output_dir on another disk; nothing that was saved before is lost.",
  },
  EACCES: { code: "file/no-permission", reason: "permission denied", hint: "Choose a folder you may use, or change its permissions." },
  EPERM: {
    code: "file/no-permission",
    reason: "the operation is not permitted",
    hint: "Choose a folder you may use, or change its permissions.",
  },
  EROFS: { code: "file/read-only", reason: "the file system is read-only", hint: "Choose an output_dir on a writable disk." },
  ENOENT: { code: "file/not-found", reason: "no such file or folder", hint: "Check the path." },
  ENOTDIR: { code: "file/not-a-folder", reason: "a part of the path is a file, not a folder", hint: "Check the path." },
  EEXIST: { code: "file/exists", reason: "something else is in the way", hint: "Check the path; a file may be where a folder is needed." },
  EISDIR: { code: "file/is-a-folder", reason: "this is a folder, a file was expected", hint: "Check the path." },
  EMFILE: { code: "file/too-many-open", reason: "too many files are open", hint: "Raise the limit (ulimit -n)." },
  EIO: { code: "file/io", reason: "the disk reported an input/output error", hint: "Check the disk." },
};

/** Turns an operating system's error into one that says what was tried and what to do; other errors pass unchanged. */
export function explainFileError(error: unknown, operation: string, path: string): unknown {
  if (error instanceof SparError) return error;
  const errno = error instanceof Error && "code" in error ? String(error.code) : "";
  const known = REASONS[errno];
  if (!known) return error;
  return new SparError(known.code, `${operation[0]!.toUpperCase()}${operation.slice(1)} ${path}: ${known.reason} (${errno}).`, {
    hint: known.hint,
    cause: error,
  });
}
