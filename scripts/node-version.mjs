// Imported first, and only old syntax here: an old Node must get a sentence, not a SyntaxError.
var parts = process.versions.node.split(".").map(Number);
if (parts[0] < 20 || (parts[0] === 20 && parts[1] < 19)) {
  console.error(
    "setup/node-too-old: spar needs Node 20.19 or newer, and this is " + process.versions.node + " (" + process.execPath + ").",
  );
  console.error("Install Node 24 (nodejs.org, nvm install 24, fnm use 24) and run the command again.");
  process.exit(1);
}
