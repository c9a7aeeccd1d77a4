/** The labeling configuration of a project: what Label Studio shows to people, and the names that its results carry. */

import type { SideNames } from "../../data/index.ts";
import type { LabelMode } from "../label-settings.ts";

export interface StudioConfigOptions {
  /** Ratings go from 1 to this; default 5. */
  readonly ratingMax?: number | undefined;
}

const choices = `  <Choices name="verdict" toName="prompt" choice="single" showInline="true" required="false">
    <Choice value="tie" hotkey="t"/>
    <Choice value="both_bad" hotkey="b"/>
  </Choices>`;

const allBad = `  <Choices name="verdict" toName="prompt" choice="single" showInline="true" required="false">
    <Choice value="both_bad" hotkey="b"/>
  </Choices>`;

const comment = `  <TextArea name="comment" toName="prompt" placeholder="Why? (optional)" rows="2" maxSubmissions="1" required="false"/>`;

// Label Studio's own class was .lsf-object until 2024 and is .ls-object since: neither is relied upon.
const style = `  <Style>
    .spar-prompt { padding: 12px 16px; border-left: 3px solid #617ada; margin-bottom: 16px; white-space: pre-wrap; }
    .spar-answers { display: flex; gap: 16px; align-items: stretch; }
    .spar-answer { flex: 1; min-width: 0; padding: 12px 16px; border: 1px solid #c5c9d6; border-radius: 6px; white-space: pre-wrap; }
    .spar-list { padding: 12px 16px; border: 1px solid #c5c9d6; border-radius: 6px; margin-bottom: 12px; white-space: pre-wrap; }
    .spar-lines { white-space: pre-wrap; margin-bottom: 12px; }
  </Style>`;

/**
 * XML for Label Studio's "Labeling interface". Pairwise has neither ties nor skips of its own: `Choices` hold the ties, and what
 * is skipped is an annotation that was cancelled. Names of controls are no contract: results are found by their type.
 */
export function renderStudioConfig(mode: LabelMode, { ratingMax = 5 }: StudioConfigOptions = {}): string {
  const prompt = `  <View className="spar-prompt"><Text name="prompt" value="$prompt"/></View>`;
  const parts: { readonly [M in LabelMode]: readonly string[] } = {
    pair: [
      `  <Header value="Which answer is better? Click it. For neither: t tie, b both bad."/>`,
      prompt,
      `  <Pairwise name="comparison" toName="answer1,answer2" selectionStyle="border: 2px solid #2f9e5b; background-color: #e9f8ef;"/>`,
      `  <View className="spar-answers">`,
      `    <View className="spar-answer"><Text name="answer1" value="$answer1"/></View>`,
      `    <View className="spar-answer"><Text name="answer2" value="$answer2"/></View>`,
      `  </View>`,
      choices,
      comment,
    ],
    ranking: [
      `  <Header value="Put the answers in order, the best first."/>`,
      prompt,
      `  <View className="spar-lines">`,
      `    <List name="answers" value="$items" title="Best first"/>`,
      `    <Ranker name="ranking" toName="answers"/>`,
      `  </View>`,
      allBad,
      comment,
    ],
    rating: [
      `  <Header value="How good is each answer?"/>`,
      prompt,
      `  <Repeater on="$items" indexFlag="{{idx}}">`,
      `    <View className="spar-list">`,
      `      <Text name="answer_{{idx}}" value="$items[{{idx}}].body"/>`,
      `      <Rating name="rating_{{idx}}" toName="answer_{{idx}}" maxRating="${ratingMax}"/>`,
      `    </View>`,
      `  </Repeater>`,
      comment,
    ],
  };
  return ["<View>", style, ...parts[mode], "</View>", ""].join("\n");
}

/**
 * Names that `value.selected` may hold: `left` and `right`, as every Label Studio writes them (1.23.2's Pairwise knows no other values);
 * those of `leftChoiceValue` and `rightChoiceValue`, which some configurations set; and the names of the two objects. Left is the first object
 * of `toName`, whichever column of the data it shows.
 */
export function readSideNames(config: string | undefined): SideNames {
  const tag = config === undefined ? undefined : /<Pairwise\b([^>]*)>/i.exec(config)?.[1];
  const attribute = (name: string): string | undefined => {
    const match = new RegExp(`\\b${name}\\s*=\\s*(?:"([^"]*)"|'([^']*)')`, "i").exec(tag ?? "");
    const value = match?.[1] ?? match?.[2];
    return value === undefined ? undefined : decodeEntities(value).trim();
  };
  const objects = (attribute("toName") ?? "").split(",").map((name) => name.trim());
  const names = (side: string, own: string | undefined, object: string | undefined): string[] => [
    ...new Set([side, own, object].filter((name): name is string => name !== undefined && name !== "")),
  ];
  const [left, right] = [findShownColumn(config, objects[0]), findShownColumn(config, objects[1])];
  return {
    left: names("left", attribute("leftChoiceValue"), objects[0]),
    right: names("right", attribute("rightChoiceValue"), objects[1]),
    ...(left === undefined || right === undefined ? {} : { columns: [left, right] }),
  };
}

/** The column of the data that the object of that name shows: `answer1` of `<Text name="a" value="$answer1"/>`. */
function findShownColumn(config: string | undefined, object: string | undefined): string | undefined {
  for (const [, attributes = ""] of config?.matchAll(/<\w+\b([^>]*)>/g) ?? []) {
    if (object === undefined || /\bname\s*=\s*["']([^"']*)["']/.exec(attributes)?.[1] !== object) continue;
    const column = /\bvalue\s*=\s*["']\$([A-Za-z_]\w*)["']/.exec(attributes)?.[1];
    if (column !== undefined) return column;
  }
  return undefined;
}

/** Undefined where the configuration has none of the three controls. */
export function findStudioMode(config: string): LabelMode | undefined {
  if (/<Pairwise\b/i.test(config)) return "pair";
  if (/<Ranker\b/i.test(config)) return "ranking";
  if (/<Rating\b/i.test(config)) return "rating";
  return undefined;
}

/** The largest number of its stars. */
export function readRatingMax(config: string): number | undefined {
  const max = Number(/<Rating\b[^>]*\bmaxRating\s*=\s*["'](\d+)["']/i.exec(config)?.[1] ?? NaN);
  if (max > 1) return max;
  return /<Rating\b/i.test(config) ? 5 : undefined;
}

/** The keys of a task's data that the configuration shows; Label Studio refuses tasks that lack one. */
export function listShownKeys(config: string): string[] {
  const keys = [...config.matchAll(/(?:value|on)\s*=\s*["']\$([A-Za-z_]\w*)/g)].map((match) => match[1] ?? "");
  return [...new Set(keys)];
}

function decodeEntities(text: string): string {
  const named: { readonly [entity: string]: string } = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };
  return text.replaceAll(/&(\w+);/g, (whole, name: string) => named[name] ?? whole);
}
