// The keyboard: "/" to the search, j and k through rows, Enter opens, x chooses, n older, p pauses, ? says so.
const typing = (target) => target.closest("input:not([type=checkbox]), select, textarea, [contenteditable]");

function rows() {
  return [...document.querySelectorAll("[data-row]")];
}

function go(step) {
  const all = rows();
  if (!all.length) return;
  const here = all.findIndex((row) => row.contains(document.activeElement));
  const next = all[Math.min(Math.max(here + step, 0), all.length - 1)];
  for (const row of all) row.classList.toggle("here", row === next);
  const link = next.querySelector("a.open");
  link.focus({ preventScroll: true });
  next.scrollIntoView({ block: "nearest" });
}

export function keys() {
  const dialog = document.getElementById("keys");
  const button = document.querySelector("[data-keys]");
  button.hidden = false;
  button.addEventListener("click", () => dialog.showModal());
  const does = {
    "/": () => document.querySelector("[data-search]")?.focus(),
    j: () => go(1),
    k: () => go(-1),
    x: () => document.activeElement.closest("[data-row]")?.querySelector("input[type=checkbox]")?.click(),
    n: () => document.querySelector("a[rel=next]")?.click(),
    p: () => document.querySelector("[data-live-toggle]")?.click(),
    "?": () => dialog.showModal(),
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target) || dialog.open) return;
    const doing = does[event.key];
    if (!doing) return;
    event.preventDefault();
    doing();
  });
}
