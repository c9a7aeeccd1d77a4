/** VADER, a lexicon and rules for the sentiment of English (Hutto & Gilbert 2014). */

/** Loads the lexicon; the function gives the compound score of a text, −1 (negative) to 1 (positive). */
export async function loadVader(): Promise<(text: string) => number> {
  const { default: vader } = (await import("vader-sentiment")) as unknown as { default: typeof import("vader-sentiment") };
  return (text) => vader.SentimentIntensityAnalyzer.polarity_scores(text).compound;
}
