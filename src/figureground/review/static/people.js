// The screen People: somebody new, another role, a new token, an end.
import "./plain.js";
import { api, complain, say } from "./api.js";
import { onKeys } from "./keys.js";

const at = (id) => document.getElementById(id);
const problem = at("problem");

function showToken(name, token) {
  at("token-name").textContent = name;
  at("token-text").textContent = token;
  const { elsewhere } = at("token").dataset; // who sits at the server has come by an address that is nobody else's
  const here = ["localhost", "127.0.0.1", "[::1]"].includes(location.hostname);
  at("token-link").textContent = `${here && elsewhere ? elsewhere : `${location.origin}/`}enter#${token}`;
  at("token").hidden = false;
  at("token").focus();
}

async function guarded(call) {
  problem.textContent = "";
  try {
    await call();
  } catch (error) {
    problem.textContent = error.message;
    complain(error);
  }
}

/** Asks before something that cannot be taken back. */
function sure(title, words) {
  at("sure-title").textContent = title;
  at("sure-words").textContent = words;
  at("sure").returnValue = "no";
  at("sure").showModal();
  return new Promise((done) => at("sure").addEventListener("close", () => done(at("sure").returnValue === "yes"), { once: true }));
}

async function copy(id) {
  try {
    await navigator.clipboard.writeText(at(id).textContent);
    say("Copied.", { seconds: 3 });
  } catch {
    getSelection().selectAllChildren(at(id)); // no clipboard without https: it is marked, to be copied by hand
    say("Marked: copy it with Ctrl+C.", { seconds: 5 });
  }
}

at("add").addEventListener("submit", (event) => {
  event.preventDefault();
  const form = event.target;
  guarded(async () => {
    const added = await api("POST", "/api/people", { name: form.name.value.trim(), role: form.role.value });
    showToken(added.name, added.token);
    form.reset();
  });
});
for (const button of document.querySelectorAll("[data-token]")) button.addEventListener("click", () => guarded(async () => {
  const { name, token } = button.dataset;
  if (!(await sure(`A new token for ${name}?`, "The old one, and what was opened with it, ends."))) return;
  showToken(name, (await api("POST", `/api/people/${token}/token`)).token);
}));
for (const button of document.querySelectorAll("[data-revoke]")) button.addEventListener("click", () => guarded(async () => {
  const { name, revoke } = button.dataset;
  if (!(await sure(`Revoke ${name}?`, "The right to enter ends at once. What was done stays."))) return;
  await api("POST", `/api/people/${revoke}/revoke`);
  location.reload();
}));
for (const choice of document.querySelectorAll("[data-role]")) choice.addEventListener("change", () => guarded(async () => {
  const { name, person, role } = choice.dataset;
  const wanted = choice.value;
  choice.value = role; // until it is done
  if (!(await sure(`${name}: ${wanted} instead of ${role}?`, "It holds at once. What was done stays."))) return;
  await api("POST", `/api/people/${person}/role`, { role: wanted });
  choice.value = choice.dataset.role = wanted;
  say(`${name} is ${wanted} now.`, { seconds: 5 });
}));
at("copy").addEventListener("click", () => copy("token-text"));
at("copy-link").addEventListener("click", () => copy("token-link"));
at("close").addEventListener("click", () => location.reload());
onKeys({ n: () => at("name").focus() });
