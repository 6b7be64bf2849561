/** The frame of all pages, and which page an address shows. */
import { html, render, useEffect, useState } from "./lib.js";
import { JobPage } from "./pages/job.js";
import { Jobs } from "./pages/jobs.js";
import { TrialPage } from "./pages/trial.js";
import { Problem, useLoaded } from "./parts.js";
import { route } from "./route.js";

/** @import { Route } from "./route.js" */

/** Pages that most visits do not need are fetched when they are opened. */
const LATER = {
  new: async () => (await import("./pages/new.js")).NewJob,
  datasets: async () => (await import("./pages/datasets.js")).Datasets,
  compare: async () => (await import("./pages/compare.js")).Compare,
  result: async () => (await import("./pages/result.js")).Result,
};

/** @param {{name: keyof typeof LATER} & Record<string, unknown>} props */
function Later({ name, ...props }) {
  // Within an object: a function that is a state would be called.
  const { value, error } = useLoaded(async () => ({ Part: await LATER[name]() }), [name]);
  if (value) return html`<${value.Part} ...${props} />`;
  return error ? html`<div class="pad"><${Problem} error=${error} /></div>` : html`<p class="quiet pad">Loads…</p>`;
}

/** @param {{at: Route}} props */
function Page({ at }) {
  switch (at.page) {
    case "jobs":
      return html`<${Jobs} />`;
    case "new":
      return html`<${Later} key="new" name="new" dataset=${at.name} />`;
    case "datasets":
      return html`<${Later} key="datasets" name="datasets" chosen=${at.name} />`;
    case "job":
      return html`<${JobPage} key=${at.id} id=${at.id} />`;
    case "trial":
      return html`<${TrialPage} key=${`${at.id}/${at.number}`} id=${at.id} number=${at.number} />`;
    case "compare":
      return html`<${Later} key=${at.ids.join()} name="compare" ids=${at.ids} />`;
    case "result":
      return html`<${Later} key=${at.id} name="result" id=${at.id} />`;
    default:
      return html`<div class="empty"><h1>No such page</h1><p><a href="#/jobs">All jobs</a></p></div>`;
  }
}

function ThemeSwitch() {
  const [theme, setTheme] = useState(document.documentElement.dataset.theme ?? "system");
  const choose = (/** @type {Event} */ event) => {
    const value = /** @type {HTMLSelectElement} */ (event.currentTarget).value;
    if (value === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = value;
    try {
      localStorage.setItem("theme", value);
    } catch {
      // storage is switched off: the choice holds until the page is closed
    }
    setTheme(value);
    dispatchEvent(new Event("themechange"));
  };
  return html`<label class="theme"><span class="hidden">Colours</span>
    <select value=${theme} onChange=${choose}>
      ${[["system", "system"], ["light", "light"], ["dark", "dark"]].map(([value, text]) =>
        html`<option value=${value} selected=${value === theme}>${text}</option>`)}
    </select></label>`;
}

function App() {
  const [at, setAt] = useState(route(location.hash));
  useEffect(() => {
    const changed = () => {
      setAt(route(location.hash));
      scrollTo(0, 0);
      document.getElementById("main")?.focus({ preventScroll: true });
    };
    addEventListener("hashchange", changed);
    return () => removeEventListener("hashchange", changed);
  }, []);
  const links = [["jobs", "Jobs"], ["new", "New job"], ["datasets", "Data sets"]];
  return html`
    <a class="skip" href="#main" onClick=${skip}>To the content</a>
    <header class="top">
      <a class="brand" href="#/jobs"><img src="/pages/icon.svg" alt="" width="18" height="18" /> archsmith</a>
      <nav aria-label="Pages">
        ${links.map(([page, text]) => html`<a href=${`#/${page}`} aria-current=${at.page === page ? "page" : undefined}>${text}</a>`)}
      </nav>
      <${ThemeSwitch} />
    </header>
    <main id="main" tabindex="-1"><${Page} at=${at} /></main>`;
}

/** The address tells the page, so this link moves the focus only. @param {Event} event */
function skip(event) {
  event.preventDefault();
  document.getElementById("main")?.focus();
}

const place = /** @type {HTMLElement} */ (document.getElementById("app"));
place.replaceChildren();
render(html`<${App} />`, place);
