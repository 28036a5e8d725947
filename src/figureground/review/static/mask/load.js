// A picture with all that belongs to it, fetched once and in good time.

import { Offline, bytes, insist, mapPath, picturePath } from "../api.js";
import { Regions } from "./regions.js";

export class Loader {
  // `known`: the project's facts; `background`: the place of ground; `offline(error)` hears when the server does not answer and it is tried
  // again.
  constructor(known, background, offline) {
    Object.assign(this, { known, background, offline });
    this.worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
    this.asked = new Map();
    this.bundles = new Map();
    this.worker.addEventListener("message", ({ data }) => {
      const { resolve, reject } = this.asked.get(data.id);
      this.asked.delete(data.id);
      if (data.problem) reject(new Error(data.problem));
      else resolve(data.found.map((each) => Object.assign(Object.create(Regions.prototype), each)));
    });
  }

  // The picture's bitmaps, every model's regions (null where a model has no map) and the votes; asked for again, the same promise. Two are
  // kept.
  bundle(place) {
    let found = this.bundles.get(place);
    if (!found) {
      found = this.#load(place);
      this.bundles.set(place, found);
      found.catch(() => this.bundles.delete(place));
      for (const old of [...this.bundles.keys()].slice(0, -2)) this.bundles.delete(old);
    }
    return found;
  }

  // Superpixels of a picture as regions.
  async segments(place) {
    const [found] = await this.#worked({ buffer: await this.#bytes(`/api/superpixels/${place}?v=${this.known.digest.slice(0, 8)}`), segments: true });
    return found;
  }

  async #load(place) {
    const models = [...Array(this.known.models).keys()];
    const picture = this.#picture(place), maps = await Promise.all(models.map((model) => this.#map(place, model)));
    const votes = await this.#worked({ maps: maps.filter(Boolean).map(({ runs }) => runs), background: this.background });
    return { place, levels: await picture, maps, votes };
  }

  async #map(place, model) {
    try {
      return (await this.#worked({ buffer: await this.#bytes(mapPath(this.known, place, model)), segments: false }))[0];
    } catch (error) {
      if (error.status === 404 || error.status === 422) return null;
      throw error;
    }
  }

  // Bitmaps at full, half, quarter ... size; empty where the picture cannot be shown.
  async #picture(place) {
    const options = { imageOrientation: "none" };
    let bitmap;
    try {
      bitmap = await createImageBitmap(new Blob([await this.#bytes(picturePath(this.known, place))]), options);
    } catch (error) {
      if (error instanceof Offline || error.name === "AbortError") throw error;
      return [];
    }
    const levels = [bitmap];
    for (let { width, height } = bitmap; Math.max(width, height) > 1024; ) {
      [width, height] = [Math.ceil(width / 2), Math.ceil(height / 2)];
      levels.push(await createImageBitmap(levels.at(-1), { resizeWidth: width, resizeHeight: height, resizeQuality: "medium" }));
    }
    return levels;
  }

  #bytes(path) { return insist(() => bytes(path), { offline: this.offline }); }

  #worked(given) {
    const id = crypto.getRandomValues(new Uint32Array(2)).join("-");
    return new Promise((resolve, reject) => {
      this.asked.set(id, { resolve, reject });
      this.worker.postMessage({ id, ...given }, given.buffer ? [given.buffer] : []);
    });
  }
}
