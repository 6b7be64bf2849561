/** The plan of a job as a bar of phases, with how far the job is. */
import { html } from "../lib.js";
import { duration, moment } from "../format.js";
import { OVER } from "../states.js";

/** @import { JobDetail, Plan } from "../types.js" */

/** Which part of the plan a phase belongs to, where their names differ. @type {Record<string, string>} */
const PART = { prepare: "plan", simple_models: "plan", proxies: "search", compress: "bundle" };

/** @param {Plan} plan @returns {{name: string, phase: string, seconds: number}[]} parts of the plan that take time */
export function parts(plan) {
  return [
    { name: "start", phase: "plan", seconds: plan.start_s },
    { name: "search", phase: "search", seconds: plan.seconds - plan.bundle_s - plan.winner_s - plan.turns_s - plan.arm_s - plan.start_s },
    { name: "random arm", phase: "random_arm", seconds: plan.arm_s },
    { name: "final trainings", phase: "finalists", seconds: plan.winner_s + plan.turns_s },
    { name: "report and bundle", phase: "bundle", seconds: plan.bundle_s },
  ].filter((part) => part.seconds > 0);
}

/** When the bundle is due, in milliseconds; null where that is not known. @param {JobDetail} job @param {number} now */
export function due(job, now) {
  if (job.state !== "running" || !job.plan) return null;
  return now + job.progress.seconds_left * 1000;
}

/** @param {{job: JobDetail, now: number}} props */
export function PlanBar({ job, now }) {
  const plan = job.plan;
  if (!plan) return null;
  const all = parts(plan);
  const total = all.reduce((sum, part) => sum + part.seconds, 0);
  const over = OVER.has(job.state);
  const done = job.state === "succeeded" ? 1 : Math.min(1, job.progress.seconds_used / total);
  let x = 0;
  const marks = all.map((part) => {
    const from = x;
    x += (part.seconds / total) * 1000;
    return { ...part, from, wide: (part.seconds / total) * 1000, now: !over && part.phase === (PART[job.phase] ?? job.phase) };
  });
  const at = due(job, now);
  return html`<figure class="plan">
    <figcaption>Plan: ${duration(plan.seconds)} in all, ${duration(job.progress.seconds_used)} used${at === null ? "" : `, bundle due at ${moment(at, new Date(now))}`}</figcaption>
    <svg viewBox="0 0 1000 14" preserveAspectRatio="none" class="bar" role="img"
      aria-label=${`${Math.round(done * 100)} percent of the planned time is used`}>
      ${marks.map((part) => html`<rect class=${`part ${part.now ? "part-now" : ""}`} x=${part.from + 1} y="0" width=${Math.max(1, part.wide - 2)} height="14" />`)}
      <rect class="done" x="0" y="0" width=${done * 1000} height="14" />
    </svg>
    <ol class="plan-parts">
      ${marks.map((part) => html`<li class=${part.now ? "part-now" : ""} aria-current=${part.now ? "step" : undefined}>
        ${part.name} <span class="quiet">${duration(part.seconds)}</span></li>`)}
    </ol>
  </figure>`;
}
