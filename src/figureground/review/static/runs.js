// Label maps as they travel: row-major runs behind a small head.

/** Pixels of a label map: { height, width, pixels: Uint8Array }. */
export function decodeRuns(buffer) {
  const view = new DataView(buffer);
  const [height, width, n] = [0, 4, 8].map((at) => view.getUint32(at, true));
  const values = new Uint8Array(buffer, 12 + 4 * n, n);
  const pixels = new Uint8Array(height * width);
  for (let run = 0, at = 0; run < n; run++) {
    const end = at + view.getUint32(12 + 4 * run, true);
    pixels.fill(values[run], at, end);
    at = end;
  }
  return { height, width, pixels };
}
