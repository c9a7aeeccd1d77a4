import { connection } from "../connection.ts";

/** Says that the server is gone, or that it does not know this browser; goes by itself when it is back. */
export function ConnectionBanner() {
  const state = connection.value;
  if (state === "here") return null;
  return (
    <div class="banner" role="alert">
      <span class="banner-dot" aria-hidden="true" />
      {state === "gone" ? (
        <span>
          <strong>The server does not answer.</strong> Is spar still running? This page goes on by itself when it is back.
        </span>
      ) : (
        <span>
          <strong>The server was started anew.</strong> Open the address that it printed; this page goes on then.
        </span>
      )}
    </div>
  );
}
