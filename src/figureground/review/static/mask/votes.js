// What the maps of several models say together, found on runs. The same rules as `votes` in review/regions.py.

const VOID = 255;

// Row runs of two maps: foreground where more than half of the maps see some, and where any does; each under the class that most of them
// name there, the lowest place of equals. Void is no vote. Of fewer than two maps there are none.
export function votes(maps, background) {
  if (maps.length < 2) return [];
  const { height, width } = maps[0], room = maps.reduce((sum, each) => sum + each.x0.length, 0);
  const found = [maps.length / 2, 0].map((share) => ({ share, n: 0, first: new Uint32Array(height + 1), x0: new Uint16Array(room), values: new Uint8Array(room) }));
  const at = new Uint32Array(maps.length), count = counter(maps, at, background);
  for (let y = 0; y < height; y += 1) {
    maps.forEach(({ first }, k) => { at[k] = first[y]; });
    for (const each of found) each.first[y] = each.n;
    for (let x = 0; x < width; ) {
      const { seen, name } = count();
      for (const each of found) put(each, y, x, seen > each.share ? name : background);
      x = advance(maps, at, y, width);
    }
  }
  return found.map(({ n, first, x0, values }) => {
    first[height] = n;
    return { height, width, first, x0: x0.slice(0, n), values: values.slice(0, n) };
  });
}

// Counts the current run of each map: how many see foreground, and what most of those name.
function counter(maps, at, background) {
  const counts = new Uint16Array(256);
  return () => {
    let seen = 0, most = 0, name = background;
    for (let k = 0; k < maps.length; k += 1) {
      const value = maps[k].values[at[k]];
      if (value === background || value === VOID) continue;
      seen += 1;
      const n = (counts[value] += 1);
      if (n > most || (n === most && value < name)) { most = n; name = value; }
    }
    for (let k = 0; k < maps.length; k += 1) counts[maps[k].values[at[k]]] = 0;
    return { seen, name };
  };
}

// Where the first of the current runs ends; all that end there move on.
function advance(maps, at, y, width) {
  const endOf = ({ first, x0 }, k) => (at[k] + 1 < first[y + 1] ? x0[at[k] + 1] : width);
  let end = width;
  for (let k = 0; k < maps.length; k += 1) end = Math.min(end, endOf(maps[k], k));
  for (let k = 0; k < maps.length; k += 1) if (endOf(maps[k], k) === end) at[k] += 1;
  return end;
}

function put(found, y, x, value) {
  if (found.n > found.first[y] && found.values[found.n - 1] === value) return;
  found.x0[found.n] = x;
  found.values[found.n] = value;
  found.n += 1;
}
