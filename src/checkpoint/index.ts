export { removeAsides, writeFileAtomic, writeFolderAtomic, writeIntoFolder } from "./atomic-write.ts";
export {
  findNewestCheckpoint,
  listBrokenCheckpoints,
  listCheckpoints,
  readCheckpointStep,
  retireLaterCheckpoints,
  rotateCheckpoints,
  writeCheckpoint,
  type Checkpoint,
} from "./checkpoint-folder.ts";
export type { DType, StorageDType } from "./dtype.ts";
export { explainFileError } from "./file-error.ts";
export { openSafetensors, writeSafetensors, type TensorToWrite, type WeightSource } from "./safetensors.ts";
export { openWeights, saveWeights } from "./sharded.ts";
export { loadTrainingState, saveTrainingState, type JsonValue, type LoadedTrainingState, type TrainingState } from "./training-state.ts";
