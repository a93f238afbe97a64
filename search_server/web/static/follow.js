// A job that a page started, watched until it ends.

import { get } from "./api.js";
import { hasEnded } from "./job.js";

const PERIOD_MS = 1500;

/** Call `show` with a job's resource again and again until the job has ended; returns the last one. */
export async function follow(path, show) {
  for (;;) {
    const work = await get(path);
    show(work);
    if (hasEnded(work.job)) return work;
    await new Promise((done) => { setTimeout(done, PERIOD_MS); });
  }
}
