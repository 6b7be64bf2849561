/** Preact, its hooks and htm, as all other files use them. */
import { Fragment, h, render } from "./vendor/preact.js";
import htm from "./vendor/htm.js";

export { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from "./vendor/hooks.js";
export { Fragment, render };

/** Markup as a tagged template: html`<p>${text}</p>`. Values are always escaped. */
export const html = htm.bind(h);
