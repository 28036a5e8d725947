// Label maps and label layers as runs: the bytes of the server, dense pixels, and boxes of them. A layer is uint8 class places, 255 = void.

// The map of `GET /api/maps`, `/api/masks` and `/api/superpixels`: uint32 height, width, n, then n lengths, then n values of one byte
// (`wide` = four bytes, for segment numbers). Bytes that do not add up raise a RangeError.
export function decodeRuns(buffer, { wide = false } = {}) {
  const size = wide ? 4 : 1;
  if (buffer.byteLength < 12) throw new RangeError("a map of fewer than 12 bytes");
  const view = new DataView(buffer);
  const [height, width, count] = [0, 4, 8].map((at) => view.getUint32(at, true));
  if (buffer.byteLength !== 12 + count * (4 + size)) throw new RangeError(`a map of ${count} runs in ${buffer.byteLength} bytes`);
  const lengths = new Uint32Array(count);
  let area = 0;
  for (let i = 0; i < count; i += 1) area += lengths[i] = view.getUint32(12 + 4 * i, true);
  if (area !== height * width) throw new RangeError(`runs of ${area} pixels for a map of ${height} x ${width}`);
  const start = 12 + 4 * count;
  const values = wide ? new Uint32Array(count) : new Uint8Array(buffer.slice(start));
  if (wide) for (let i = 0; i < count; i += 1) values[i] = view.getUint32(start + 4 * i, true);
  return { height, width, lengths, values };
}

// The dense map: uint8 or uint32, row-major.
export function fillRuns({ height, width, lengths, values }) {
  const pixels = new values.constructor(height * width);
  for (let i = 0, at = 0; i < lengths.length; i += 1) pixels.fill(values[i], at, (at += lengths[i]));
  return pixels;
}

// One box of dense pixels of a given `stride` as the server takes it: {x, y, width, height, values, lengths}.
export function packBox(pixels, stride, { x, y, width, height }) {
  const values = [], lengths = [];
  let last = -1;
  for (let row = y; row < y + height; row += 1) {
    const start = row * stride + x, end = start + width;
    for (let at = start; at < end; ) {
      const value = pixels[at], from = at;
      do at += 1; while (at < end && pixels[at] === value);
      if (value === last) lengths[lengths.length - 1] += at - from;
      else { values.push(last = value); lengths.push(at - from); }
    }
  }
  return { x, y, width, height, values, lengths };
}

// The dense pixels of a packed box.
export function unpackBox({ width, height, values, lengths }) {
  return fillRuns({ height, width, lengths, values: Uint8Array.from(values) });
}
