export { checkRecipe, type CheckRecipeOptions, type RecipeCheck } from "./check-recipe.ts";
export { examineMachine, type MachineReport } from "./examine-machine.ts";
export { formatFinding, type Finding } from "./finding.ts";
export type { Forecast } from "./forecast.ts";
export { inferMethods } from "./infer-method.ts";
