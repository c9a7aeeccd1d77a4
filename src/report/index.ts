export { renderCurve, renderDistributions, renderShares, type Curve, type Point } from "./charts.ts";
export { escapeCell, escapeHtml, formatInterval, formatShare, formatSigned } from "./format.ts";
export { renderPage, renderTiles, type Tile } from "./page.ts";
