export {
  embeddedModel,
  runQuickstart,
  type QuickstartOptions,
  type QuickstartResult,
  type StageName,
  type StageResult,
} from "./quickstart.ts";
export { formatInterval, formatShare, judgeReport, listFigures, type QuickstartReport, type SideReport, type Verdict } from "./report.ts";
