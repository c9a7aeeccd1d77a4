/** How far answers are from a reference model. */
import type { Tokenizer } from "../tokenizer/index.ts";
import type { EvaluatedPrompt, EvaluationOptions, Written } from "./evaluation-options.ts";
import type { SideReport } from "./evaluation-report.ts";
import { bootstrapInterval, mean } from "./interval.ts";
import { computePerplexity } from "./perplexity.ts";
import { sameVocabulary, withWriter, type AskedPrompt, type WriterSource } from "./writer.ts";

/** KL(model ‖ reference) from the samples themselves, and the answers' perplexity under the reference. */
export async function measureDivergence(
  reference: WriterSource,
  written: readonly Written[],
  prompts: readonly EvaluatedPrompt[],
  { backend, batchSize, onProgress }: EvaluationOptions,
): Promise<Partial<SideReport>[]> {
  return withWriter(reference, backend, batchSize, async (writer) => {
    const reports: Partial<SideReport>[] = [];
    for (const [i, { source, answers, tokenizer, settings }] of written.entries()) {
      onProgress?.(`${reference.name}: reads the answers of ${source.name}`, i, written.length);
      const same = sameVocabulary(tokenizer, writer.tokenizer);
      const rows = answers.map(({ promptIds, ids, text }, row) =>
        same ? { ids: [...promptIds, ...ids], from: promptIds.length } : encodeAnew(writer.tokenizer, prompts[row].prompt, text),
      );
      const sums = await writer.logprobs(rows);
      const { temperature, topK, topP, minP, repetitionPenalty } = settings;
      const isPlain = temperature === 1 && topK === 0 && topP === 1 && minP === 0 && repetitionPenalty === 1;
      const ratios = same && isPlain ? answers.map(({ logprob }, row) => logprob - sums[row]) : undefined;
      reports.push({
        perplexity: computePerplexity(rows.map(({ ids, from }, row) => ({ logprobSum: sums[row], tokens: ids.length - from }))),
        kl: ratios === undefined ? null : mean(ratios),
        kl_interval: ratios === undefined ? null : bootstrapInterval(ratios, mean),
      });
    }
    return reports;
  });
}

/** As the reference's own tokenizer reads prompt and answer. */
function encodeAnew(tokenizer: Tokenizer, prompt: AskedPrompt, text: string): { ids: number[]; from: number } {
  if (typeof prompt === "string") {
    const [alone, whole] = [tokenizer.encode(prompt), tokenizer.encode(prompt + text)];
    let from = 0;
    while (from < alone.length && alone[from] === whole[from]) from++;
    return { ids: whole, from: Math.max(1, from) };
  }
  const before = tokenizer.encodeChat(prompt, { addGenerationPrompt: true });
  return { ids: [...before, ...tokenizer.encode(text, { addSpecialTokens: false })], from: before.length };
}
