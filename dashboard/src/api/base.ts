// Where the dashboard is mounted. Nothing that is built knows it: it is found from where the script came from
// (`BASE/assets/main-HASH.js`), so that it works at any path and behind any proxy.

function findBase(): URL {
  // Vite's dev server serves sources as they are (`/src/api/base.ts`); what is built stands in `assets/`.
  if (import.meta.env.DEV) return new URL("/", location.href);
  return new URL(/* @vite-ignore */ "../", import.meta.url);
}

/** The URL of the dashboard's root, with a slash at its end. */
export const base: URL = findBase();

/** The URL of the API's root, with a slash at its end. */
export const apiBase: URL = (() => {
  const said = document.querySelector<HTMLMetaElement>('meta[name="vastflow-api"]')?.content ?? "./api/v1";
  // The service wrote it as it wrote the paths of the files: as seen from the page that was asked for.
  return new URL(said.endsWith("/") ? said : `${said}/`, import.meta.env.DEV ? base : document.baseURI);
})();
