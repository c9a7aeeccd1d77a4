import { useEffect, useRef, useState } from "preact/hooks";

type Renderer = (text: string) => DocumentFragment;
let loading: Promise<Renderer> | undefined;
let loaded: Renderer | undefined;

/**
 * Markdown of anybody, also of a model: sanitised, without pictures from elsewhere, links open by themselves in a new tab.
 * Until the renderer is there (first use only), and where it fails, the text is shown as it is.
 */
export function Markdown({ text, class: extra }: { text: string; class?: string }) {
  const ref = useRef<HTMLDivElement>(null);
  const [render, setRender] = useState<Renderer | undefined>(() => loaded);
  useEffect(() => {
    if (render !== undefined) return;
    loading ??= import("./render-markdown.ts").then(({ renderMarkdown }) => (loaded = renderMarkdown));
    loading.then(
      (renderer) => setRender(() => renderer),
      () => {},
    );
  }, []);
  useEffect(() => {
    if (render !== undefined) ref.current?.replaceChildren(render(text));
  }, [render, text]);
  const name = extra === undefined ? "markdown" : `markdown ${extra}`;
  // Two elements with keys of their own: what is inside the second is not Preact's.
  if (render === undefined) {
    return (
      <div class={`${name} markdown-plain`} key="plain">
        {text}
      </div>
    );
  }
  return <div class={name} key="rendered" ref={ref} />;
}
