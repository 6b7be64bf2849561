/** What charts share: their width, the colours of the theme, a canvas at the screen's resolution. */
import { useEffect, useRef, useState } from "../lib.js";

/** The width of an element in whole pixels. @returns {[{current: any}, number]} */
export function useWidth() {
  const place = useRef(/** @type {HTMLElement | null} */ (null));
  const [width, setWidth] = useState(0);
  useEffect(() => {
    const element = place.current;
    if (!element) return undefined;
    const seen = new ResizeObserver(() => setWidth(Math.floor(element.clientWidth)));
    seen.observe(element);
    setWidth(Math.floor(element.clientWidth));
    return () => seen.disconnect();
  }, []);
  return [place, width];
}

/** A number that changes with the theme: whatever paints on a canvas paints again. */
export function useTheme() {
  const [version, setVersion] = useState(0);
  useEffect(() => {
    const changed = () => setVersion((old) => old + 1);
    const system = matchMedia("(prefers-color-scheme: dark)");
    system.addEventListener("change", changed);
    addEventListener("themechange", changed);
    return () => {
      system.removeEventListener("change", changed);
      removeEventListener("themechange", changed);
    };
  }, []);
  return version;
}

/** The colour behind a variable of the style sheet, as a canvas takes it. @param {string} name such as "accent" */
export function colour(name) {
  const probe = document.createElement("span");
  probe.style.color = `var(--${name})`;
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

/**
 * A clean canvas of that size. null where the browser has none.
 *
 * @param {HTMLCanvasElement | null} canvas @param {number} width @param {number} height
 */
export function clean(canvas, width, height) {
  const pen = canvas?.getContext("2d");
  if (!canvas || !pen || width <= 0) return null;
  const dense = Math.min(devicePixelRatio || 1, 2);
  canvas.width = Math.round(width * dense);
  canvas.height = Math.round(height * dense);
  pen.setTransform(dense, 0, 0, dense, 0, 0);
  pen.clearRect(0, 0, width, height);
  return pen;
}
