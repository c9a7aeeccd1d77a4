/**
 * Stages of a method that goes on for hours: each reads files and settings and writes files. A stage whose inputs are the same as
 * when it was done is not done again, so that a run that was killed goes on where it was, and a file that somebody edits by hand is
 * taken up by what comes after it. What was done is recorded in the folder's stages.json.
 */
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rename, rm } from "node:fs/promises";
import { dirname, join, relative, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { writeFileAtomic } from "../checkpoint/index.ts";
import { InterruptedError } from "../internal/errors.ts";
import type { TrainingContext } from "../trainers/configs.ts";
import { hashContent, hashValue } from "./content-hash.ts";

export interface Stage {
  /** Unique in its folder. */
  readonly name: string;
  readonly folder: string;
  /** Everything but files that decides what comes out; as JSON. */
  readonly settings: unknown;
  /** Files and model folders that decide what comes out; where a model is named by its hub id, its folder. */
  readonly reads: readonly string[];
  /** Files and model folders that it makes, by their names in `folder`. */
  readonly writes: readonly string[];
  /** `resume`: an earlier try with the same inputs was cut short, and may have left parts. One that is stopped throws: what returns is done. */
  run(options: { readonly resume: boolean }): Promise<void>;
}

export interface StageTime {
  readonly seconds: number;
  /** The largest resident set of the process seen while it ran, in MB. */
  readonly memory: number;
}

export interface StageRunner {
  /** The time that the stage took when it was done, now or earlier. */
  run(stage: Stage): Promise<StageTime>;
}

export type StageContext = Pick<TrainingContext, "tracker" | "signal" | "readControl">;

const recordFile = "stages.json";

interface StageRecord {
  /** Of settings and of the content of all that is read. */
  readonly inputs: string;
  readonly done: boolean;
  /** Content of each output when the stage was done, or when an edited one was taken up. */
  readonly outputs?: { readonly [name: string]: string };
  /** Those of the outputs that somebody edited, and that were taken up. */
  readonly edited?: readonly string[];
  readonly seconds?: number;
  readonly memory?: number;
}

type Records = { [stage: string]: StageRecord };

/** `root`: the run's folder, for messages. Throws InterruptedError between stages where the signal is aborted or the control file says stop. */
export function createStageRunner({
  root,
  context: { tracker, signal, readControl },
  onStart,
}: {
  readonly root: string;
  readonly context: StageContext;
  /** Called before a stage is done, and not where it is found done. */
  readonly onStart?: () => void;
}): StageRunner {
  return {
    async run(stage) {
      checkSignal(signal, root);
      for (let asked = readControl?.(); asked === "pause" || asked === "stop"; asked = readControl?.()) {
        if (asked === "stop") throw interrupted(root);
        await sleep(500);
        checkSignal(signal, root);
      }
      await mkdir(stage.folder, { recursive: true });
      const path = join(stage.folder, recordFile);
      const shown = `${relative(root, stage.folder) || "."}/${stage.name}`;
      const inputs = await hashInputs(stage);
      const earlier = (await readRecords(path))[stage.name];
      const present = stage.writes.every((name) => existsSync(join(stage.folder, name)));
      const fresh = earlier?.done === true && present ? await findEdited(stage, earlier) : [];
      const edited = [...new Set([...(earlier?.done === true && present ? (earlier.edited ?? []) : []), ...fresh])];

      if (present && (earlier === undefined || (earlier.done && earlier.inputs === inputs))) {
        // Without a record the files were put there by somebody: they are what the stage would have made.
        const taken = earlier === undefined ? stage.writes : fresh;
        // From here on the edited file is what the stage made: a run that has taken it up is finished when it ends.
        if (earlier !== undefined && fresh.length > 0)
          await writeRecord(path, stage.name, { ...earlier, outputs: await hashOutputs(stage), edited });
        if (taken.length > 0)
          tracker.event({ code: "stage/edited", message: `${shown}: ${taken.join(", ")} taken as it was put there`, files: [...taken] });
        else tracker.event({ code: "stage/kept", message: `${shown}: nothing that it reads has changed` });
        return { seconds: earlier?.seconds ?? 0, memory: earlier?.memory ?? 0 };
      }

      for (const name of edited) {
        await rm(join(stage.folder, `${name}.edited`), { recursive: true, force: true });
        await rename(join(stage.folder, name), join(stage.folder, `${name}.edited`));
        const message = `${shown}: its inputs changed, so ${name} is made anew; what was edited by hand is in ${name}.edited`;
        tracker.event({ code: "stage/edited-set-aside", level: "warning", message });
      }
      const resume = earlier?.inputs === inputs && !earlier.done;
      if (!resume) {
        for (const name of stage.writes) {
          await rm(join(stage.folder, name), { recursive: true, force: true });
          await rm(join(stage.folder, `${name}.part`), { force: true });
        }
      }
      await writeRecord(path, stage.name, { inputs, done: false });
      onStart?.();
      tracker.event({ code: "stage/started", message: shown, resumed: resume });
      const watch = watchMemory();
      try {
        await stage.run({ resume });
      } catch (error) {
        // Whatever a stage throws when it is stopped, what was done so far is kept.
        if (signal.aborted) checkSignal(signal, root);
        throw error;
      } finally {
        watch.stop();
      }
      const time = { seconds: round(watch.seconds()), memory: Math.round(watch.peak() / 1e6) };
      await writeRecord(path, stage.name, { inputs, done: true, outputs: await hashOutputs(stage), ...time });
      tracker.event({ code: "stage/finished", message: `${shown}: ${time.seconds.toFixed(1)} s`, ...time });
      // Only now: a stage that was asked to stop too late to hear it is done, and is not to be done twice.
      checkSignal(signal, root);
      return time;
    },
  };
}

/** Whether a finished run's folder still holds what its stages made: undefined, or the first file that somebody changed or removed. */
export async function findStaleFile(root: string): Promise<string | undefined> {
  const folders = (await readdir(root, { withFileTypes: true })).filter((entry) => entry.isDirectory()).map(({ name }) => join(root, name));
  for (const folder of folders.sort()) {
    const records = await readRecords(join(folder, recordFile));
    for (const { done, outputs = {} } of Object.values(records)) {
      if (!done) return folder;
      for (const [name, hash] of Object.entries(outputs)) {
        const path = join(folder, name);
        if (((await hashContent(path)) ?? "") !== hash) return path;
      }
    }
  }
  return undefined;
}

async function hashInputs({ settings, reads }: Stage): Promise<string> {
  const contents = await Promise.all(reads.map(async (path) => (await hashContent(path)) ?? `nothing at ${resolve(path)}`));
  return hashValue([settings, contents]);
}

async function hashOutputs({ folder, writes }: Stage): Promise<{ [name: string]: string }> {
  return Object.fromEntries(await Promise.all(writes.map(async (name) => [name, (await hashContent(join(folder, name))) ?? ""] as const)));
}

async function findEdited({ folder, writes }: Stage, { outputs = {} }: StageRecord): Promise<string[]> {
  const edited: string[] = [];
  for (const name of writes) if ((await hashContent(join(folder, name))) !== outputs[name]) edited.push(name);
  return edited;
}

async function readRecords(path: string): Promise<Records> {
  try {
    const records: unknown = JSON.parse(await readFile(path, "utf8"));
    return typeof records === "object" && records !== null ? (records as Records) : {};
  } catch {
    return {};
  }
}

async function writeRecord(path: string, stage: string, record: StageRecord): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFileAtomic(path, `${JSON.stringify({ ...(await readRecords(path)), [stage]: record }, undefined, 2)}\n`);
}

function checkSignal(signal: AbortSignal, root: string): void {
  if (signal.aborted) throw interrupted(root);
}

function interrupted(root: string): InterruptedError {
  return new InterruptedError(`Stopped; what was done so far is in ${root}.`, { hint: "The same command with --resume goes on." });
}

function watchMemory(): { stop(): void; seconds(): number; peak(): number } {
  const started = performance.now();
  let ended: number | undefined;
  let peak = process.memoryUsage.rss();
  const timer = setInterval(() => (peak = Math.max(peak, process.memoryUsage.rss())), 200);
  timer.unref();
  return {
    stop() {
      clearInterval(timer);
      peak = Math.max(peak, process.memoryUsage.rss());
      ended = performance.now();
    },
    seconds: () => ((ended ?? performance.now()) - started) / 1000,
    peak: () => peak,
  };
}

const round = (value: number): number => Number(value.toFixed(2));
