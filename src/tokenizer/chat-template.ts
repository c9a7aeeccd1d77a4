import { Template } from "@huggingface/jinja";
import { SparError } from "../internal/errors.ts";

/** One turn; templates may read more keys (`tool_calls`, `reasoning_content` …). */
export type ChatMessage = { role: string; content?: unknown; [key: string]: unknown };

export type ChatTemplateOptions = {
  /** Ends with what opens the assistant's turn. */
  addGenerationPrompt?: boolean;
  /** Ends inside the last message, so that the model goes on with it. */
  continueFinalMessage?: boolean;
  tools?: readonly unknown[];
  documents?: readonly unknown[];
  /** Which template, where the tokenizer has several; absent: `tool_use` with tools, else `default`. */
  template?: string;
  /** More variables for the template (`enable_thinking` …), TRL's chat_template_kwargs. */
  variables?: { [name: string]: unknown };
};

/** Text and the character ranges [start, end) that the assistant wrote. */
export type RenderedChat = { text: string; assistantSpans: [start: number, end: number][] };

export type ChatTemplate = {
  render(messages: readonly ChatMessage[], options?: ChatTemplateOptions): string;
  renderWithSpans(messages: readonly ChatMessage[], options?: ChatTemplateOptions): RenderedChat;
};

const GENERATION_TAG = /\{%(-?)\s*(end)?generation\s*(-?)%\}/g;
// Plane-16 private-use characters: no text that people write holds them; checked all the same.
const OPEN = "\u{10fff0}";
const CLOSE = "\u{10fff1}";

/** @param named special tokens by name, which templates read as variables */
export function createChatTemplate(templates: { [name: string]: string }, named: { [name: string]: string }): ChatTemplate {
  const compiled = new Map<string, Template>();

  const compile = (source: string): Template => {
    let template = compiled.get(source);
    if (!template) {
      // The library does not know {% generation %}. The tag becomes an output between two ifs, so that it trims the
      // white space around it exactly as a block tag does.
      const rewritten = source.replace(
        GENERATION_TAG,
        (_, left: string, end: string | undefined, right: string) =>
          `{%${left} if true %}{{ ${end ? "spar_close" : "spar_open"} }}{% endif ${right}%}`,
      );
      template = wrapErrors("Parsing", () => new Template(rewritten));
      compiled.set(source, template);
    }
    return template;
  };

  const choose = (options: ChatTemplateOptions): string => {
    const name = options.template ?? (options.tools && templates.tool_use !== undefined ? "tool_use" : "default");
    const source = templates[name];
    if (source !== undefined) return source;
    const names = Object.keys(templates);
    throw new SparError(
      "tokenizer/no-chat-template",
      `Rendering messages: the tokenizer has no chat template${names.length ? ` "${name}" (it has ${names.join(", ")})` : ""}.`,
      {
        hint: "Use a chat or instruct version of the model, or add a chat_template.jinja to its folder.",
      },
    );
  };

  const renderRaw = (messages: readonly ChatMessage[], options: ChatTemplateOptions, marks: boolean): string => {
    const template = compile(choose(options));
    const variables = {
      ...named,
      ...options.variables,
      messages,
      tools: options.tools ?? null,
      documents: options.documents ?? null,
      add_generation_prompt: options.addGenerationPrompt ?? false,
      spar_open: marks ? OPEN : "",
      spar_close: marks ? CLOSE : "",
    };
    return wrapErrors("Rendering", () => template.render(variables));
  };

  const render = (messages: readonly ChatMessage[], options: ChatTemplateOptions = {}): string => {
    if (!options.continueFinalMessage) return renderRaw(messages, options, false);
    const final = messages.at(-1)?.content;
    if (options.addGenerationPrompt || typeof final !== "string")
      throw new SparError(
        "tokenizer/chat-template",
        "Rendering messages: continuing the final message needs a last message with text, and no generation prompt.",
      );
    const text = renderRaw(messages, options, false);
    const at = text.lastIndexOf(final.trim());
    if (at < 0)
      throw new SparError(
        "tokenizer/chat-template",
        "Rendering messages: the final message cannot be continued, as the template does not show its text.",
      );
    // A template that trims contents has dropped the final spaces; they are dropped here too.
    return text.slice(0, text.startsWith(final.trimStart(), at) ? at + final.trimStart().length : at + final.trim().length);
  };

  const renderWithSpans = (messages: readonly ChatMessage[], options: ChatTemplateOptions = {}): RenderedChat => {
    const text = render(messages, options);
    if (new RegExp(GENERATION_TAG.source).test(choose(options))) return readMarks(text, renderRaw(messages, options, true));
    return {
      text,
      assistantSpans: findSpansByPrefix(text, messages, named.eos_token, (part, more) => render(part, { ...options, ...more })),
    };
  };

  return { render, renderWithSpans };
}

function readMarks(text: string, marked: string): RenderedChat {
  const assistantSpans: [number, number][] = [];
  let [plain, start] = ["", 0];
  for (const piece of marked.split(/([\u{10fff0}\u{10fff1}])/u)) {
    if (piece === OPEN) start = plain.length;
    else if (piece === CLOSE) assistantSpans.push([start, plain.length]);
    else plain += piece;
  }
  // With continueFinalMessage the text ends earlier.
  if (!plain.startsWith(text))
    throw new SparError(
      "tokenizer/chat-template",
      "Rendering messages: the messages hold characters U+10FFF0 or U+10FFF1, which spar uses as marks; remove them.",
    );
  const clip = (at: number) => Math.min(at, text.length);
  return { text, assistantSpans: assistantSpans.map(([start, end]) => [clip(start), clip(end)]) };
}

/**
 * For templates without {% generation %}: an assistant's turn is what it adds to the messages before it with their
 * generation prompt. Right only if earlier text does not change when messages are added, which is checked.
 */
function findSpansByPrefix(
  text: string,
  messages: readonly ChatMessage[],
  eosToken: string | undefined,
  render: (part: readonly ChatMessage[], options: { addGenerationPrompt: boolean }) => string,
): [number, number][] {
  const spans: [number, number][] = [];
  for (const [i, { role }] of messages.entries()) {
    if (role !== "assistant") continue;
    const before = i === 0 ? "" : render(messages.slice(0, i), { addGenerationPrompt: true });
    const after = i === messages.length - 1 ? text : render(messages.slice(0, i + 1), { addGenerationPrompt: false });
    if (!after.startsWith(before) || !text.startsWith(after))
      throw new SparError(
        "tokenizer/chat-template",
        `Finding what the assistant wrote: the chat template renders message ${i + 1} differently when others follow, so its part of the text cannot be told.`,
        {
          hint: "Mark the assistant's text in the template with {% generation %} … {% endgeneration %}, or train on prompt-completion rows.",
        },
      );
    let end = after.length;
    // The line break that templates put after the end token is not the assistant's.
    if (eosToken !== undefined && after.trimEnd().endsWith(eosToken)) end = after.trimEnd().length;
    spans.push([before.length, end]);
  }
  return spans;
}

function wrapErrors<T>(operation: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    throw new SparError(
      "tokenizer/chat-template",
      `${operation} the chat template: ${cause instanceof Error ? cause.message : String(cause)}`,
      {
        hint: "Templates may refuse certain roles or orders of messages; the message above is the template's own.",
        cause,
      },
    );
  }
}
