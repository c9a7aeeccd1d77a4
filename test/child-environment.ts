/** The environment of programs that tests start: this process's, and half of the cores. */
export const childEnvironment: NodeJS.ProcessEnv = {
  ...process.env,
  NODE_OPTIONS: `${process.env["NODE_OPTIONS"] ?? ""} --import ${new URL("./half-the-cores.mjs", import.meta.url).href}`.trim(),
};
