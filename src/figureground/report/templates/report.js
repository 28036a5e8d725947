"use strict";
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];

  // A link to a section of a prediction that is not shown chooses that prediction first.
  const follow = () => {
    const target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const panel = target && target.closest(".panel");
    const tab = panel && document.getElementById(panel.id.replace("panel", "tab"));
    if (tab && !tab.checked) { tab.checked = true; target.scrollIntoView(); }
  };
  addEventListener("hashchange", follow);
  follow();

  // Contact sheets: sort and filter.
  const number = (text) => (text === "" ? -Infinity : Number(text));
  const orders = {
    flipped: (a, b) => number(b.dataset.flipped) - number(a.dataset.flipped),
    risk: (a, b) => number(b.dataset.risk) - number(a.dataset.risk) || 0,
    group: (a, b) => a.dataset.group.localeCompare(b.dataset.group),
    id: (a, b) => a.dataset.id.localeCompare(b.dataset.id, undefined, { numeric: true }),
  };
  for (const sheet of all(".sheet")) {
    const list = sheet.querySelector(".cards");
    const cards = all(".card", list);
    const sort = sheet.querySelector('[data-control="sort"]');
    const filter = sheet.querySelector('[data-control="filter"]');
    const update = () => {
      const byRank = (a, b) => a.dataset.rank - b.dataset.rank;
      list.append(...[...cards].sort((a, b) => orders[sort.value](a, b) || byRank(a, b)));
      for (const card of cards) card.hidden = Boolean(filter && filter.value && card.dataset.group !== filter.value);
      sheet.querySelector(".shown").textContent = `${cards.filter((card) => !card.hidden).length} of ${cards.length} shown`;
    };
    sheet.querySelector(".controls").hidden = false;
    sort.addEventListener("change", update);
    if (filter) filter.addEventListener("change", update);
  }

  // Flip matrices: one tab stop, arrow keys inside, and the cell in words below.
  const steps = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
  for (const grid of all(".matrix")) {
    const rows = all("tbody tr", grid).map((row) => all("td", row));
    const readout = grid.closest(".scroll").parentElement.querySelector(".readout");
    const say = (cell) => { readout.textContent = cell ? `${cell.title}.` : readout.dataset.hint; };
    readout.hidden = false;
    let [row, column] = [0, 0];
    const go = (r, c) => {
      rows[row][column].tabIndex = -1;
      row = Math.max(0, Math.min(rows.length - 1, r));
      column = Math.max(0, Math.min(rows[row].length - 1, c));
      rows[row][column].tabIndex = 0;
      rows[row][column].focus();
    };
    grid.addEventListener("keydown", (event) => {
      if (event.key in steps) go(row + steps[event.key][0], column + steps[event.key][1]);
      else if (event.key === "Home") go(row, 0);
      else if (event.key === "End") go(row, rows[row].length - 1);
      else return;
      event.preventDefault();
    });
    grid.addEventListener("focusin", (event) => {
      const r = rows.findIndex((cells) => cells.includes(event.target));
      if (r >= 0) {
        rows[row][column].tabIndex = -1;
        [row, column] = [r, rows[r].indexOf(event.target)];
        event.target.tabIndex = 0;
        say(event.target);
      }
    });
    grid.addEventListener("mouseover", (event) => say(event.target.closest("td")));
    grid.addEventListener("mouseleave", () => say(grid.contains(document.activeElement) ? document.activeElement : null));
  }
})();
