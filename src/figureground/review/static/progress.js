// The screen Progress: the numbers come with the page; here are the exports.
import "./plain.js";
import { answer, api, complain, say } from "./api.js";
import { onKeys } from "./keys.js";

const at = (id) => document.getElementById(id);

async function write() {
  if (at("export").disabled) return;
  at("export").disabled = true;
  at("exported").textContent = "Writing ...";
  try {
    const found = await api("POST", "/api/export");
    at("exported").textContent = `Written to ${found.where}`;
  } catch (error) {
    at("exported").textContent = "";
    complain(error);
  } finally {
    at("export").disabled = false;
  }
}

/** Fetches a file, so that what the server refuses is said here and not on a page of its own. */
async function take(event) {
  event.preventDefault();
  const link = event.currentTarget;
  say("Getting it ready ...");
  try {
    const found = await answer(`/api/export/${link.dataset.kind}?which=${at("which").value}`);
    const name = /filename="([^"]+)"/.exec(found.headers.get("content-disposition") ?? "")?.[1] ?? link.dataset.kind;
    const url = URL.createObjectURL(await found.blob());
    Object.assign(document.createElement("a"), { href: url, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
    say(`${name} is downloaded.`, { seconds: 4 });
  } catch (error) {
    complain(error);
  }
}

at("export")?.addEventListener("click", write);
for (const link of document.querySelectorAll("[data-kind]")) link.addEventListener("click", take);
onKeys({ r: () => location.reload(), ...(at("export") ? { e: write } : {}) });
