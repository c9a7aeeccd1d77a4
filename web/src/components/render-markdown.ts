/** Markdown → elements, through marked and DOMPurify. Loaded with the first text that needs it. */
import createDOMPurify from "dompurify";
import { Marked } from "marked";

const markdown = new Marked({ gfm: true, breaks: true, async: false });
const purify = createDOMPurify(window);

/** Only what Markdown itself makes; no forms, no styles, no ids or classes that could take on the page's looks. */
const allowed = {
  ALLOWED_TAGS: [
    ..."p br hr h1 h2 h3 h4 h5 h6 blockquote pre code em strong del s u sub sup kbd mark".split(" "),
    ..."ul ol li table thead tbody tr th td a span div details summary".split(" "),
  ],
  ALLOWED_ATTR: ["href", "title", "start", "align", "colspan", "rowspan"],
  ALLOWED_URI_REGEXP: /^(?:https?|mailto):/i,
  ALLOW_DATA_ATTR: false,
  ALLOW_ARIA_ATTR: false,
  RETURN_DOM_FRAGMENT: true as const,
};

purify.addHook("afterSanitizeAttributes", (node) => {
  if (node.nodeName !== "A") return;
  node.setAttribute("target", "_blank");
  node.setAttribute("rel", "noopener noreferrer nofollow");
});

// Pictures would tell their server that the text was read: what is left of them is their description.
markdown.use({
  renderer: {
    image: ({ text, href }) => `<em>[${escapeText(text === "" ? "picture" : `picture: ${text}`)}] ${escapeText(href)}</em>`,
    // A text's own HTML is shown as the text that it is: a label is about what the model wrote.
    html: ({ text }) => escapeText(text),
  },
});

export function renderMarkdown(text: string): DocumentFragment {
  const fragment = purify.sanitize(markdown.parse(text) as string, allowed);
  for (const block of fragment.querySelectorAll("pre, table")) block.setAttribute("tabindex", "0");
  return fragment;
}

function escapeText(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}
