/** A resolved recipe as the YAML that is left in the run's folder. */

import type { Method } from "../trainers/configs.ts";

const secretName = /TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL|API_?KEY/i;

/**
 * Every key with its value. How this one start was asked for (resume, overwrite) is not part of what the run is, and
 * values of secret-looking variables stay out of the folder.
 */
export async function renderRecipe(
  method: Method,
  config: { readonly [key: string]: unknown },
  env: { readonly [name: string]: string },
): Promise<string> {
  const { stringify } = await import("yaml");
  const shownEnv = Object.fromEntries(Object.entries(env).filter(([name]) => !secretName.test(name)));
  const hidden = Object.keys(env).filter((name) => secretName.test(name));
  const content = {
    ...config,
    resume_from_checkpoint: false,
    overwrite_output_dir: false,
    ...(Object.keys(shownEnv).length > 0 ? { env: shownEnv } : {}),
  };
  const head = [`# Every key resolved. The same run again: spar ${method} --config <this file> --output_dir <another folder>`];
  if (hidden.length > 0) head.push(`# Set in the environment, not written here: ${hidden.join(", ")}`);
  // Version 1.1 quotes words such as `no`, which Python's YAML would read as false.
  return `${head.join("\n")}\n${stringify(content, { lineWidth: 0, aliasDuplicateObjects: false, version: "1.1" })}`;
}
