// A review that ends by itself: open pages ask whether it has, and say so before the server is gone.
import { api } from "./api.js";

const EVERY_MS = 1000;
const dialog = document.getElementById("ended");

async function look() {
  const found = await api("GET", "/api/ending").catch(() => null); // a connection that drops has words of its own
  if (!found?.ended) { setTimeout(look, EVERY_MS * (found ? 1 : 4)); return; }
  for (const other of document.querySelectorAll("dialog[open]")) other.close();
  dialog.showModal();
}

dialog.addEventListener("cancel", (event) => event.preventDefault());
look();
