/**
 * Two courses of the log that look like faults and are none, told once each when they first show:
 * both log-probs fall, and margins grow while accuracy stands.
 */
import type { JsonValue } from "../checkpoint/index.ts";
import type { RunEvent } from "../tracking/index.ts";

/** Means over so many steps are compared, so that a single batch tells nothing. */
const stepsPerWindow = 10;

/** Margins that grew by this share, with accuracies that moved by less than that many points. */
const growth = 0.25;
const still = 0.02;

export interface DPOSigns {
  /** Looks at a step's metrics; the events to tell. */
  watch(step: number, metrics: { readonly [name: string]: number }): RunEvent[];
  state: JsonValue;
}

interface Window {
  readonly chosen: number;
  readonly rejected: number;
  readonly margin: number;
  readonly accuracy: number;
}

interface State {
  told: string[];
  steps: number;
  current: Window;
  last: Window | null;
  beforeLast: Window | null;
}

const nothing: Window = { chosen: 0, rejected: 0, margin: 0, accuracy: 0 };

export function createDPOSigns(beta: number): DPOSigns {
  let state: State = { told: [], steps: 0, current: nothing, last: null, beforeLast: null };
  return {
    watch(step, metrics) {
      const { current } = state;
      state.current = {
        chosen: current.chosen + metrics["rewards/chosen"] / stepsPerWindow,
        rejected: current.rejected + metrics["rewards/rejected"] / stepsPerWindow,
        margin: current.margin + metrics["rewards/margins"] / stepsPerWindow,
        accuracy: current.accuracy + metrics["rewards/accuracies"] / stepsPerWindow,
      };
      if (++state.steps < stepsPerWindow) return [];
      const windows = [state.beforeLast, state.last, state.current] as const;
      state = { told: state.told, steps: 0, current: nothing, last: windows[2], beforeLast: windows[1] };
      const events = [explainFall(windows[2], beta, step), explainMargins(windows, step)].filter(
        (event): event is RunEvent => event !== undefined && !state.told.includes(event.code),
      );
      state.told = [...state.told, ...events.map(({ code }) => code)];
      return events;
    },
    get state() {
      return structuredClone(state) as unknown as JsonValue;
    },
    set state(saved) {
      state = structuredClone(saved) as unknown as State;
    },
  };
}

function explainFall({ chosen, rejected, margin }: Window, beta: number, step: number): RunEvent | undefined {
  if (!(chosen < 0 && rejected < 0 && margin > 0)) return undefined;
  return {
    code: "dpo/both-fall",
    step,
    message:
      `both log-probs fall: over the last ${stepsPerWindow} steps chosen completions stand at ${(chosen / beta).toFixed(1)} and rejected ones at ` +
      `${(rejected / beta).toFixed(1)} nats relative to the reference. That is no fault: the loss asks for their difference only, and what ` +
      "both have in common (length, wording) falls with the rejected ones. If samples get worse, add sft to loss_type, or raise beta (docs/dpo.md)",
  };
}

function explainMargins([first, second, third]: readonly [Window | null, Window | null, Window], step: number): RunEvent | undefined {
  if (first === null || second === null || !(first.margin > 0)) return undefined;
  const grows = second.margin > first.margin && third.margin > Math.max(second.margin, (1 + growth) * first.margin);
  const stands = [second, third].every(({ accuracy }) => Math.abs(accuracy - first.accuracy) < still);
  if (!grows || !stands) return undefined;
  return {
    code: "dpo/margins-grow",
    step,
    message:
      `margins grow (${first.margin.toPrecision(3)} to ${third.margin.toPrecision(3)} over ${3 * stepsPerWindow} steps) while accuracy stands at ` +
      `${third.accuracy.toFixed(2)}. That is no fault: pairs that are in order already are pushed further apart, and no others come over. ` +
      "What counts is eval_rewards/accuracies and samples; if they stand too, stop here, lower learning_rate, or raise beta; ipo bounds margins (docs/dpo.md)",
  };
}
