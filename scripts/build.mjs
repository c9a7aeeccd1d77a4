// `npm run build`: src/ into dist/, and a link so that `npx spar` works in the clone.
import "./node-version.mjs";

void import("./bootstrap.mjs").then(({ build, finish }) => finish(() => build()));
