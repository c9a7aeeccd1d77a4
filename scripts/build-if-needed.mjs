// Installs and builds what is missing, and nothing else: what quickstart and the tests do first.
import "./node-version.mjs";

void import("./bootstrap.mjs").then(({ finish, prepare }) => finish(() => prepare()));
