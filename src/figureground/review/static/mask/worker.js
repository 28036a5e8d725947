// Maps become regions here, and votes are counted, so that a picture in many pieces does not hold up the page.

import { Regions, cutRuns } from "./regions.js";
import { decodeRuns } from "./runs.js";
import { votes } from "./votes.js";

// One map of bytes, superpixels where `segments`; or `maps`, the row runs of several models, for the votes on them.
addEventListener("message", ({ data: { id, buffer, segments, maps, background } }) => {
  try {
    const found = maps ? votes(maps, background).map((runs) => new Regions(runs)) : [regionsOf(buffer, segments)];
    const moved = found.flatMap((regions) => [...Object.values(regions), ...Object.values(regions.runs)]).filter(ArrayBuffer.isView);
    postMessage({ id, found: found.map((regions) => ({ ...regions })) }, [...new Set(moved.map((array) => array.buffer))]);
  } catch (error) {
    postMessage({ id, problem: String(error.message ?? error) });
  }
});

function regionsOf(buffer, segments) {
  const runs = cutRuns(decodeRuns(buffer, { wide: segments }));
  const count = segments ? runs.values.reduce((most, n) => Math.max(most, n + 1), 0) : 0;
  return new Regions(runs, segments ? { number: runs.values.slice(), count } : {});
}
