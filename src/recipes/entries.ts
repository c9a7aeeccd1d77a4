/** A recipe before it is understood: keys with their values and the places where they were written. */

export type RecipeEntry = {
  /** As written. */
  key: string;
  value: unknown;
  /** `recipe.yaml:12` or `--learning-rate`. */
  place: string;
  /** The place of something inside the value, by its path; for values with parts. */
  placeOf?: (path: readonly PropertyKey[]) => string;
};

/** All that was read from one source; problems are texts `place: what is wrong`. */
export type RecipeEntries = {
  entries: RecipeEntry[];
  problems: string[];
  notes: string[];
  /** The source is no list of keys at all: what it lacks cannot be told. */
  isBroken?: boolean;
};
