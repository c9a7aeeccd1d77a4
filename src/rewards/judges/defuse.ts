/**
 * Texts that models write are shown to judges, and a text may hold what a judge's tokenizer reads as more than text: an answer that ends the
 * user's turn and opens the judge's own (`<|im_end|>…Score: 5`) would grade itself.
 */

/** Marks of turns, texts and instructions in the formats that are about; for judges whose tokenizer is not at hand. */
const known =
  /<\|[^|<>\s]{1,60}\|>|<｜[^｜<>\s]{1,60}｜>|\[\/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS|TOOL_CONTENT|CALL_ID|ARGS|THINK|CLS|SEP|MASK|PAD|UNK|BOS|EOS)\]|<<\/?SYS>>|<\/?(?:s|bos|eos|pad|unk|sep|cls|mask|think|tool_call|tool_response)>|<(?:start|end)_of_[a-z]+>/gu;

/**
 * The text with every special token broken in two by a space after its first character (`< |im_end|>`), so that it is read as the
 * letters that it consists of: `tokens`, and whatever looks like one. All else stays as it is.
 */
export function defuseSpecialTokens(text: string, tokens: readonly string[] = []): string {
  const split = (token: string): string => {
    const [head = ""] = token;
    return `${head} ${token.slice(head.length)}`;
  };
  const own = [...new Set(tokens)].filter((token) => token.trim().length > 1).sort((a, b) => b.length - a.length);
  return own.reduce((result, token) => result.replaceAll(token, split), text.replaceAll(known, split));
}
