export { runQuickstart, type QuickstartResult } from "./quickstart.ts";
export { runSelfPlayQuickstart, type SelfPlayResult } from "./self-play.ts";
export { embeddedModel, type QuickstartOptions, type StageName, type StageResult } from "./stages.ts";
export { judgeReport, listFigures, type QuickstartReport, type SideReport, type Verdict } from "./report.ts";
