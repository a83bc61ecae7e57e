// What every page does with a little script: colours, keys, menus. Each page works without it.
import { keys } from "./keys.js";
import { list } from "./list.js";

function colours() {
  const form = document.querySelector("[data-theme-switch]");
  form?.addEventListener("change", () => {
    const chosen = form.elements.theme.value;
    if (chosen) document.documentElement.dataset.theme = chosen;
    else delete document.documentElement.dataset.theme;
    // Kept by the server, in a cookie of the path that it has; the page stays where it is.
    fetch(form.action, { method: "POST", body: new FormData(form), redirect: "manual" });
  });
}

function menus() {
  const open = () => document.querySelectorAll("details.menu[open]");
  document.addEventListener("click", (event) => {
    for (const menu of open()) if (!menu.contains(event.target)) menu.open = false;
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const menu of open()) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
  });
}

function copies() {
  for (const button of document.querySelectorAll("[data-copy]")) {
    if (!navigator.clipboard) continue; // only on https and loopback
    button.hidden = false;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(button.dataset.copy);
      const word = button.querySelector("[data-word]");
      const before = word.textContent;
      word.textContent = button.dataset.done;
      setTimeout(() => { word.textContent = before; }, 1500);
    });
  }
}

colours();
menus();
copies();
keys();
list();
