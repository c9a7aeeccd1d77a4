import { isDeepStrictEqual } from "node:util";

import type { Content, Message } from "./example.ts";
import { RowProblem } from "./read-values.ts";

/**
 * Splits a preference pair whose two sides begin with the same prompt, by TRL's rule (`extract_prompt`): the
 * prompt is what both have in common; in text a space before the difference goes to the completions, and
 * one side that begins the other keeps at least its last character (or message). Sides joined again are unchanged.
 */
export function splitSharedPrompt(chosen: Content, rejected: Content): { prompt: Content; chosen: Content; rejected: Content } {
  if (chosen.length === 0 || rejected.length === 0) throw new RowProblem(`column ${chosen.length === 0 ? "chosen" : "rejected"} is empty`);
  if (typeof chosen === "string" && typeof rejected === "string") {
    const at = findTextSplit(chosen, rejected);
    return { prompt: chosen.slice(0, at), chosen: chosen.slice(at), rejected: rejected.slice(at) };
  }
  if (typeof chosen === "string" || typeof rejected === "string") {
    throw new RowProblem("expected chosen and rejected both as text or both as messages");
  }
  const at = findMessageSplit(chosen, rejected);
  return { prompt: chosen.slice(0, at), chosen: chosen.slice(at), rejected: rejected.slice(at) };
}

function findTextSplit(chosen: string, rejected: string): number {
  const shorter = Math.min(chosen.length, rejected.length);
  let at = 0;
  while (at < shorter && chosen.charCodeAt(at) === rejected.charCodeAt(at)) at++;
  if (at === shorter) at = startOfCharacter(chosen, shorter - 1);
  else {
    at = startOfCharacter(chosen, startOfCharacter(rejected, at));
    if (at > 0 && chosen[at - 1] === " ") at--;
  }
  return at;
}

/** Steps back where `at` lies between the two halves of a character beyond U+FFFF. */
function startOfCharacter(text: string, at: number): number {
  const code = text.charCodeAt(at);
  const before = text.charCodeAt(at - 1);
  return code >= 0xdc00 && code <= 0xdfff && before >= 0xd800 && before <= 0xdbff ? at - 1 : at;
}

function findMessageSplit(chosen: readonly Message[], rejected: readonly Message[]): number {
  const shorter = Math.min(chosen.length, rejected.length);
  for (let at = 0; at < shorter; at++) if (!isDeepStrictEqual(chosen[at], rejected[at])) return at;
  return shorter - 1;
}

const TURN = /\n\nHuman:|\n\nAssistant:/;

/** Whether a text is a dialogue as HH-RLHF writes them. */
export function isHumanAssistantDialogue(text: unknown): boolean {
  return typeof text === "string" && /^\s*Human:/.test(text) && TURN.test(text) && text.includes("\n\nAssistant:");
}

/** An HH-RLHF dialogue up to and including its last "\n\nAssistant:", and what follows. */
export function splitDialogue(text: string): { prompt: string; completion: string } {
  const marker = "\n\nAssistant:";
  const at = text.lastIndexOf(marker);
  if (at < 0) throw new RowProblem('found no "\\n\\nAssistant:" turn in the dialogue');
  return { prompt: text.slice(0, at + marker.length), completion: text.slice(at + marker.length) };
}
