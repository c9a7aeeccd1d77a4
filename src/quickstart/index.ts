export {
  embeddedModel,
  runQuickstart,
  type QuickstartOptions,
  type QuickstartResult,
  type StageName,
  type StageResult,
} from "./quickstart.ts";
export { judgeReport, listFigures, type QuickstartReport, type SideReport, type Verdict } from "./report.ts";
