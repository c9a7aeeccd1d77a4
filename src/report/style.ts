/** The page's looks. Before is grey, after is the accent; everything else is ink on paper. */
export const styleSheet = `
:root{--paper:#f7f7f5;--card:#fff;--ink:#1b1d22;--soft:#5d636e;--faint:#8b919c;--rule:#e4e4e0;--accent:#0d7a5f;--accent-soft:#0d7a5f1f;--before:#9aa1ad;--before-soft:#9aa1ad3d;--up:#0d7a5f;--up-soft:#0d7a5f17;--down:#b3402f;--down-soft:#b3402f14;--p0:#c9cdd4;--p1:#e0a93f;--p2:#0d7a5f;--p3:#5b8def}
@media(prefers-color-scheme:dark){:root{--paper:#111317;--card:#191c22;--ink:#eceef1;--soft:#a6adb9;--faint:#7b8290;--rule:#2a2e37;--accent:#3fc79d;--accent-soft:#3fc79d26;--before:#7f8796;--before-soft:#7f879640;--up:#3fc79d;--up-soft:#3fc79d1c;--down:#ee8473;--down-soft:#ee84731c;--p0:#565d6b;--p1:#d9a441;--p2:#3fc79d;--p3:#78a3f5}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",sans-serif;font-variant-numeric:tabular-nums}
main{max-width:1080px;margin:0 auto;padding:56px 28px 40px}
p,h1,h2,figure,ol,ul{margin:0;padding:0}
.eyebrow{display:flex;flex-wrap:wrap;gap:0 10px;align-items:baseline;color:var(--soft);font-size:14px}
.eyebrow b{color:var(--accent);letter-spacing:.02em}
.eyebrow span::before{content:"·";margin-right:10px;color:var(--faint)}
h1{font-size:clamp(27px,4.3vw,42px);line-height:1.16;letter-spacing:-.022em;font-weight:680;margin:12px 0 16px;max-width:21em;text-wrap:balance}
h2{font-size:21px;letter-spacing:-.012em;font-weight:660;margin:0 0 14px}
section{margin-top:52px}
.lead{color:var(--soft);max-width:46em;margin-bottom:18px;text-wrap:pretty}
header .lead{margin:0}
.card,.tile{background:var(--card);border:1px solid var(--rule);border-radius:14px;padding:18px 20px}
.tiles{display:grid;grid-template-columns:repeat(4,1fr);gap:14px;margin-top:32px}
.tile{display:flex;flex-direction:column}
.tile .label{font-size:13px;color:var(--soft);line-height:1.35}
.tile .value{font-size:38px;font-weight:680;letter-spacing:-.03em;line-height:1.1;margin:12px 0 7px}
.tile:first-child .value{color:var(--accent)}
.tile small{font-size:15px;font-weight:500;letter-spacing:0;color:var(--soft);margin-left:5px}
.tile .note{font-size:13px;color:var(--faint);line-height:1.4}
.pair{display:grid;grid-template-columns:1fr 1fr;gap:14px;margin-bottom:14px}
.curves{display:grid;grid-template-columns:repeat(3,1fr);gap:14px}
figcaption{font-size:13px;color:var(--faint);margin-bottom:12px;line-height:1.4}
figcaption b{display:block;color:var(--ink);font-weight:620;font-size:15px}
.key{float:right;white-space:nowrap}
.key i,.legend i{display:inline-block;width:10px;height:10px;border-radius:3px;margin:0 6px 0 12px}
.key .before{background:var(--before)}.key .after{background:var(--accent)}
svg{display:block;width:100%;height:auto;overflow:visible}
svg text{font-family:inherit;font-size:11.5px;fill:var(--faint)}
svg .label{fill:var(--soft);font-size:13px}svg .value{fill:var(--ink);font-size:14px;font-weight:640}
.grid{stroke:var(--rule)}.axis{stroke:var(--rule)}
.line,.raw,.ridge{fill:none;stroke-linejoin:round;stroke-linecap:round}
.line{stroke:var(--accent);stroke-width:2.2}.raw{stroke:var(--accent);stroke-width:1;opacity:.32}
.area{fill:var(--accent-soft);opacity:.6}.end{fill:var(--accent);stroke:var(--card);stroke-width:2}.hit{fill:transparent}
.hit:hover{fill:var(--accent)}
.hill.before{fill:var(--before-soft)}.hill.after{fill:var(--accent-soft)}
.ridge{stroke-width:2}.ridge.before{stroke:var(--before)}.ridge.after{stroke:var(--accent)}
.bar.before{fill:var(--before)}.bar.after{fill:var(--accent)}.whisker{stroke:var(--ink);stroke-width:1.5}
.table{padding:4px 20px}
table{width:100%;border-collapse:collapse;font-size:15px}
th,td{text-align:right;padding:12px 0 12px 18px;border-top:1px solid var(--rule);white-space:nowrap;vertical-align:top}
thead th{border:0;font-size:13px;font-weight:500;color:var(--faint)}
th:first-child{text-align:left;padding-left:0;font-weight:560;white-space:normal}
thead th:first-child{font-weight:500}
th small{display:block;font-weight:400;color:var(--faint);font-size:13px;line-height:1.4}
td:last-child{font-weight:640}
.wide{overflow-x:auto}
.many table{min-width:640px}
.even td{font-weight:500}.even td:last-child{font-weight:500}
.sides td:last-child{font-weight:400}.sides td:nth-child(2){font-weight:640}
.samples{list-style:none;display:grid;gap:12px}
.samples li{display:grid;grid-template-columns:1fr 1fr;background:var(--card);border:1px solid var(--rule);border-radius:14px;overflow:hidden}
.text{padding:16px 20px 14px;display:flex;flex-direction:column;gap:12px;justify-content:space-between;overflow-wrap:anywhere}
.text.after{border-left:1px solid var(--rule)}
.text p:first-child{font:17px/1.5 "Iowan Old Style",Charter,"Source Serif 4",Georgia,"Times New Roman",serif}
.text.before p:first-child{color:var(--soft)}
.prompt{color:var(--faint)}
.samples .asked .question{grid-column:1/-1;padding:12px 20px;border-bottom:1px solid var(--rule);color:var(--soft);font-size:14px;white-space:pre-wrap;overflow-wrap:anywhere}
.samples .single{grid-template-columns:1fr}
.asked .text p:first-child{white-space:pre-wrap}.asked .text.before p:first-child{color:var(--ink)}
.marks{display:flex;flex-wrap:wrap;gap:6px;font-size:12px;align-items:center}
.side{color:var(--faint);margin-right:4px}
.mark{padding:2px 9px;border-radius:99px;border:1px solid var(--rule);color:var(--soft)}
.mark.up{color:var(--up);background:var(--up-soft);border-color:transparent}.mark.down{color:var(--down);background:var(--down-soft);border-color:transparent}
.time{display:flex;gap:3px;height:14px}
.part{border-radius:4px;flex-basis:0;min-width:4px}
.p0{background:var(--p0)}.p1{background:var(--p1)}.p2{background:var(--p2)}.p3{background:var(--p3)}
.legend{list-style:none;display:flex;flex-wrap:wrap;gap:6px 22px;margin-top:14px;font-size:14px;color:var(--soft)}
.legend i{margin-left:0}.legend b{color:var(--ink);font-weight:620;margin-left:7px}
.prose{display:grid;grid-template-columns:repeat(3,1fr);gap:14px 28px;margin-top:20px;font-size:15px;color:var(--soft)}
.prose b{color:var(--ink);display:block;font-weight:620}
footer{margin-top:56px;padding-top:18px;border-top:1px solid var(--rule);font-size:13px;color:var(--faint)}
@media(max-width:900px){.tiles,.curves{grid-template-columns:1fr 1fr}.prose{grid-template-columns:1fr}}
@media(max-width:640px){main{padding:32px 16px 28px}section{margin-top:40px}.tiles{gap:10px}.pair,.curves,.samples li{grid-template-columns:1fr}.tile,.card{padding:14px 15px}.tile .value{font-size:31px}.table{padding:2px 15px}.text{padding:14px 15px 12px}.text.after{border-left:0;border-top:1px solid var(--rule)}th small{display:none}table{font-size:14px}th,td{padding:10px 0 10px 12px;white-space:normal}td{white-space:nowrap}.wide td{white-space:normal}}
@media print{body{background:#fff}.samples li,.card{break-inside:avoid}}
`;
