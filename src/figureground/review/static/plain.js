// What every page has: the list of keys, the button to leave, and digits that lead to the screens.
import { api, complain } from "./api.js";
import { onKeys } from "./keys.js";

document.getElementById("leave")?.addEventListener("click", async () => {
  try {
    await api("POST", "/leave");
    location.href = "/enter";
  } catch (error) {
    complain(error);
  }
});

const links = [...document.querySelectorAll(".screens a")];
onKeys(Object.fromEntries(links.map((link, place) => [String(place + 1), () => link.click()])));
