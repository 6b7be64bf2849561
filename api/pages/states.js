/** States of a job. */

/** It has ended; an extension of its budget makes it go on. */
export const OVER = new Set(["succeeded", "failed", "cancelled"]);
