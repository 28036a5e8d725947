// Maps become regions here, so that a picture in many pieces does not hold up the page.

import { Regions, cutRuns } from "./regions.js";
import { decodeRuns } from "./runs.js";

addEventListener("message", ({ data: { id, buffer, segments } }) => {
  try {
    const runs = cutRuns(decodeRuns(buffer, { wide: segments }));
    const count = segments ? runs.values.reduce((most, n) => Math.max(most, n + 1), 0) : 0;
    const regions = new Regions(runs, segments ? { number: runs.values.slice(), count } : {});
    const moved = [...Object.values(regions), ...Object.values(runs)].filter(ArrayBuffer.isView).map((array) => array.buffer);
    postMessage({ id, regions: { ...regions } }, [...new Set(moved)]);
  } catch (error) {
    postMessage({ id, problem: String(error.message ?? error) });
  }
});
