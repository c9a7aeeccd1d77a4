/** Models that the rooms work with: loaded when they are asked for, and a few kept in memory. */
import { totalmem } from "node:os";
import { createLiveGenerator, createScorer, loadSettings, type GenerationSettings, type Scorer } from "../../generation/index.ts";
import { resolveModel } from "../../hub/index.ts";
import { countParameters, freeModel, loadModel, type LanguageModel } from "../../models/index.ts";
import { createCpuBackend, type Backend } from "../../runtime/index.ts";
import { loadTokenizer, type Tokenizer } from "../../tokenizer/index.ts";
import { createCompletionService, type CompletionService } from "../completion-service.ts";
import type { ModelEntry, ModelKind } from "./chat/protocol.ts";
import { findModels, refreshModel, type FoundModel, type ModelPlaces } from "./find-models.ts";
import { RequestError } from "./ui-error.ts";

interface Loaded {
  readonly entry: FoundModel;
  readonly tokenizer: Tokenizer;
  readonly maxPositions: number;
  readonly parameters: number;
}

export interface TalkingModel extends Loaded {
  readonly kind: "language";
  readonly settings: GenerationSettings;
  readonly service: CompletionService;
}

export interface ScoringModel extends Loaded {
  readonly kind: "score";
  readonly scorer: Scorer;
}

export interface UseOptions {
  /** Ends the wait for a place in memory. */
  readonly signal?: AbortSignal | undefined;
  /** The model is not in memory yet. */
  readonly onLoading?: (() => void) | undefined;
}

export interface ModelPool {
  /** Looks anew at each call. */
  list(): Promise<ModelEntry[]>;
  /**
   * Hands the model to `body`; it stays in memory at least until that is done. Throws RequestError `ui/no-model` for an id that the list
   * does not have, `ui/wrong-model` for one of the other kind, and what loading throws. `body` must not ask the pool for a second one.
   */
  useLanguage<T>(id: string, body: (model: TalkingModel) => Promise<T>, options?: UseOptions): Promise<T>;
  useScore<T>(id: string, body: (model: ScoringModel) => Promise<T>, options?: UseOptions): Promise<T>;
  /** Ends what is running, and gives the memory back. */
  close(): Promise<void>;
}

interface Slot {
  readonly id: string;
  /** About what it takes of the memory. */
  readonly bytes: number;
  /** Of the files that were loaded: a run that goes on writes newer ones. */
  readonly version: string | null;
  users: number;
  lastUse: number;
  readonly loading: Promise<OpenedModel>;
}

interface OpenedModel {
  readonly model: TalkingModel | ScoringModel;
  /** Ends what it is doing. */
  stop(): Promise<void>;
  /** Once nobody uses it any more. */
  free(): void;
}

export interface ModelPoolOptions {
  /** Models in memory. */
  readonly most?: number;
  /** Bytes beyond which one that nobody uses goes before another is loaded; default half of the machine's. */
  readonly mostBytes?: number;
}

/** @param places looked through at each `list` */
export function createModelPool(places: ModelPlaces, { most = 3, mostBytes = totalmem() / 2 }: ModelPoolOptions = {}): ModelPool {
  const slots: Slot[] = [];
  let found = new Map<string, FoundModel>();
  let backend: Backend | undefined;
  let waiting: (() => void)[] = [];
  let clock = 0;
  let isClosed = false;

  const look = async (): Promise<ReadonlyMap<string, FoundModel>> => {
    found = new Map((await findModels(places)).map((model) => [model.id, model]));
    return found;
  };
  const wake = (): void => {
    const all = waiting;
    waiting = [];
    for (const resume of all) resume();
  };
  const waitForPlace = (signal: AbortSignal | undefined): Promise<void> =>
    new Promise((resolve, reject) => {
      const leave = (): void => {
        waiting = waiting.filter((other) => other !== resume);
        reject(signal?.reason as Error);
      };
      const resume = (): void => {
        signal?.removeEventListener("abort", leave);
        resolve();
      };
      if (signal?.aborted === true) return leave();
      signal?.addEventListener("abort", leave);
      waiting.push(resume);
    });
  const drop = async (slot: Slot): Promise<void> => {
    const index = slots.indexOf(slot);
    if (index !== -1) slots.splice(index, 1);
    const opened = await slot.loading.catch(() => undefined);
    await opened?.stop();
    // Memory that a computation still writes to is not to be given back.
    while (slot.users > 0) await waitForPlace(undefined);
    opened?.free();
  };

  /** A slot that counts one user more; the caller gives it back. */
  const enter = async (entry: FoundModel, { signal, onLoading }: UseOptions): Promise<Slot> => {
    for (;;) {
      if (isClosed) throw new RequestError(503, "ui/closing", "the server is closing");
      const known = slots.find(({ id }) => id === entry.id);
      if (known !== undefined && (known.version === entry.modified || known.users > 0)) {
        known.users++;
        return known;
      }
      const idle = slots.filter(({ users }) => users === 0).sort((a, b) => a.lastUse - b.lastUse);
      if (known !== undefined) await drop(known);
      else if (idle.length > 0 && estimateBytes(entry) + slots.reduce((sum, { bytes }) => sum + bytes, 0) > mostBytes) await drop(idle[0]);
      else if (slots.length < most) {
        onLoading?.();
        backend ??= createCpuBackend();
        const loading = load(entry, backend);
        const slot: Slot = { id: entry.id, bytes: estimateBytes(entry), version: entry.modified, users: 1, lastUse: 0, loading };
        slots.push(slot);
        return slot;
      } else if (idle.length > 0) await drop(idle[0]);
      else await waitForPlace(signal);
    }
  };

  const use = async <T>(
    id: string,
    kind: ModelKind,
    body: (model: TalkingModel | ScoringModel) => Promise<T>,
    options: UseOptions,
  ): Promise<T> => {
    const known = found.get(id);
    const entry = (known === undefined ? undefined : await refreshModel(known)) ?? (await look()).get(id);
    if (entry === undefined) throw new RequestError(404, "ui/no-model", "there is no such model any more", { hint: "Reload the page." });
    const slot = await enter(entry, options);
    try {
      const { model } = await slot.loading.catch((error: unknown) => {
        // Whoever comes next tries again.
        if (slots.includes(slot)) slots.splice(slots.indexOf(slot), 1);
        throw error;
      });
      if (model.kind !== kind) {
        const [is, wanted] = kind === "score" ? ["a language model", "a reward model"] : ["a reward model", "a language model"];
        throw new RequestError(400, "ui/wrong-model", `${entry.name} is ${is}; expected ${wanted}`);
      }
      return await body(model);
    } finally {
      slot.users--;
      slot.lastUse = ++clock;
      wake();
    }
  };

  return {
    async list() {
      const found = await findModels(places);
      return found.map((model) =>
        describeEntry(
          model,
          slots.some(({ id }) => id === model.id),
        ),
      );
    },
    useLanguage: (id, body, options = {}) => use(id, "language", (model) => body(model as TalkingModel), options),
    useScore: (id, body, options = {}) => use(id, "score", (model) => body(model as ScoringModel), options),
    async close() {
      isClosed = true;
      wake();
      await Promise.all(slots.slice().map(drop));
      backend?.close();
      backend = undefined;
    },
  };
}

/** Weights are computed with in 32 bits, and most files have 16. */
function estimateBytes({ bytes }: FoundModel): number {
  return 2 * bytes;
}

/** Without the path: pages know models by their ids. */
function describeEntry({ id, name, kind, origin, architecture, method, step, modified }: FoundModel, isLoaded: boolean): ModelEntry {
  return { id, name, kind, origin, architecture, method, step, modified, isLoaded };
}

async function load(entry: FoundModel, backend: Backend): Promise<OpenedModel> {
  const folder = entry.modified === null ? await resolveModel(entry.path) : entry.path;
  const tokenizer = await loadTokenizer(folder);
  const model = await loadModel(folder, backend);
  try {
    return await openLoaded(entry, folder, tokenizer, model, backend);
  } catch (error) {
    freeModel(model);
    throw error;
  }
}

async function openLoaded(
  entry: FoundModel,
  folder: string,
  tokenizer: Tokenizer,
  model: LanguageModel,
  backend: Backend,
): Promise<OpenedModel> {
  const { maxPositions, raw } = model.config;
  const loaded = { entry, tokenizer, maxPositions, parameters: countParameters(model) };
  if (model.head === "score") {
    const scorer = createScorer(model, backend);
    return {
      model: { ...loaded, kind: "score", scorer },
      stop: async () => {},
      free() {
        scorer.release();
        freeModel(model);
      },
    };
  }
  const settings = await loadSettings({}, folder, raw, tokenizer);
  const generator = createLiveGenerator(model, backend, { tokenizer });
  const service = createCompletionService(
    { id: entry.id, tokenizer, generator, settings, maxPositions },
    { maxWaiting: 1024, timeout: 3600 },
  );
  return {
    model: { ...loaded, kind: "language", settings, service },
    stop: () => generator.close(),
    free: () => freeModel(model),
  };
}
