// Signing in: by the form, or by a link that carries the token behind `#`, which browsers do not send to servers.
import { api } from "./api.js";

const form = document.getElementById("enter");
const problem = document.getElementById("problem");

async function enter(token) {
  problem.textContent = "";
  try {
    await api("POST", "/enter", { token });
    location.href = "/";
  } catch (error) {
    problem.textContent = error.message;
    form.token.select();
  }
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  enter(form.token.value);
});
form.token.focus();
const given = decodeURIComponent(location.hash.slice(1));
if (given) {
  history.replaceState(null, "", location.pathname);
  enter(given);
}
