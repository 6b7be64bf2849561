// The remembered theme, set before anything is painted. Loaded as a plain script: a module would run too late.
"use strict";
(() => {
  try {
    const kept = localStorage.getItem("theme");
    if (kept === "light" || kept === "dark") document.documentElement.dataset.theme = kept;
  } catch {
    // storage is switched off: the system's theme is used
  }
})();
