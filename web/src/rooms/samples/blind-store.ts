import { signal } from "@preact/signals";
import type { BlindResult } from "../../../../src/server/ui/samples/protocol.ts";
import { api } from "../../api.ts";
import { showError } from "../../components/toast.tsx";

export const blindResults = signal<readonly BlindResult[] | undefined>(undefined);

export async function loadBlind(): Promise<void> {
  try {
    blindResults.value = await api.get<BlindResult[]>("/samples/blind");
  } catch (error) {
    showError(error);
  }
}
