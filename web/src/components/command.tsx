import { useState } from "preact/hooks";
import { IconButton } from "./button.tsx";

/** A line for the terminal, with a button that copies it. */
export function Command({ text }: { text: string }) {
  const [isCopied, setCopied] = useState(false);
  const copy = async (): Promise<void> => {
    await navigator.clipboard.writeText(text);
    setCopied(true);
    setTimeout(() => setCopied(false), 1500);
  };
  return (
    <div class="command">
      <code>{text}</code>
      <IconButton
        icon={isCopied ? "check" : "copy"}
        label={isCopied ? "Copied" : "Copy"}
        size="small"
        tip="left"
        onClick={() => void copy()}
      />
    </div>
  );
}
