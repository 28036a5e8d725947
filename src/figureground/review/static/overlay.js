// A label map as colours over a picture.

export const VOID = 255;
const LIGHT = 0xffeeeeee;

const channels = (colour) => [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));

/** RGBA words of every value of a layer: nothing for the background, dark grey for void. */
export function palette(classes) {
  const words = new Uint32Array(256);
  const bytes = new Uint8Array(words.buffer);
  for (const one of classes) if (!one.background && one.place < VOID) bytes.set([...channels(one.colour), 255], 4 * one.place);
  bytes.set([50, 50, 50, 255], 4 * VOID);
  return words;
}

/** Draws a layer at its own size: colours within, a line in the same colour, darker, where a region ends; void is striped, as no shadow is. */
export function drawLayer(canvas, layer, colours) {
  const { height, width, pixels } = layer;
  canvas.width = width;
  canvas.height = height;
  const image = new ImageData(width, height);
  const out = new Uint32Array(image.data.buffer);
  const stripe = Math.max(2, Math.round(Math.max(height, width) / 120));
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++, at++) {
      const value = pixels[at];
      const colour = value === VOID && Math.floor((x + y) / stripe) & 1 ? LIGHT : colours[value];
      if (colour === 0) continue;
      const inside = x > 0 && x < width - 1 && y > 0 && y < height - 1
        && pixels[at - 1] === value && pixels[at + 1] === value && pixels[at - width] === value && pixels[at + width] === value;
      out[at] = inside ? colour : ((colour >>> 1) & 0x7f7f7f) | 0xff000000;
    }
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
}

/** Pixels of each value in a layer, 256 numbers. */
export function countValues(pixels) {
  const counts = new Array(256).fill(0);
  for (const value of pixels) counts[value]++;
  return counts;
}

/** Fills a list with the classes of a layer, the largest first; a layer that is null says that there is no prediction. */
export function writeLegend(list, layer, classes) {
  const counts = layer ? countValues(layer.pixels) : [];
  const rows = [...classes, { place: VOID, name: "void", colour: "repeating-linear-gradient(135deg, #323232 0 3px, #eee 3px 6px)" }].filter((one) => counts[one.place]).sort((a, b) => counts[b.place] - counts[a.place]);
  list.replaceChildren(...rows.map((one) => {
    const row = document.createElement("li");
    const swatch = document.createElement("span");
    swatch.className = "swatch";
    swatch.style.background = one.background ? "transparent" : one.colour;
    const name = document.createElement("bdi");
    name.textContent = one.name;
    const share = document.createElement("span");
    share.className = "num";
    share.textContent = percent(counts[one.place] / layer.pixels.length);
    row.append(swatch, name, share);
    return row;
  }));
}

/** A share as text. */
export const percent = (share) => (share > 0 && share < 0.01 ? "< 1 %" : `${Math.round(100 * share)} %`);

/** Gives a sheet the largest size at which a picture fits its stage. */
export function fit(sheet, width, height, margin = 16) {
  const stage = sheet.parentElement;
  const place = () => {
    const scale = Math.max(0.01, Math.min((stage.clientWidth - margin) / width, (stage.clientHeight - margin) / height));
    sheet.style.width = `${Math.floor(width * scale)}px`;
    sheet.style.height = `${Math.floor(height * scale)}px`;
  };
  place();
  sheet.watcher?.disconnect();
  sheet.watcher = new ResizeObserver(place);
  sheet.watcher.observe(stage);
}
