export type { Backend, CompileOptions, DeviceBuffer, Executable } from "./backend.ts";
export { bucketLength, bucketRows, rowsPerPass, tokensPerPass } from "./buckets.ts";
export { createSessionCache, type SessionCache } from "./compile.ts";
export { countCores, describeMachine, measureGemmRate, type Machine } from "./machine.ts";
export { createCpuBackend, profileOf, type CpuBackendOptions } from "./ort-backend.ts";
export { sumProfileByOp, type ProfileRow } from "./profile.ts";
export { runSelfTest, type SelfTestCase, type SelfTestFailure } from "./self-test.ts";
