// The list: rows that arrive or change come by server-sent events, as the server draws them.
// Each event's id is the revision up to which the page knows everything; after a lost connection the browser
// says it, and is told what it missed.
const MOST = 300; // rows that stay in the page
const AGAIN = [1000, 2000, 5000, 10000]; // milliseconds until a connection that the browser gave up is made again

export function list() {
  const body = document.querySelector("[data-live]");
  if (body?.dataset.live && "EventSource" in window) new Live(body).open();
  selection();
}

class Live {
  constructor(body) {
    this.body = body;
    this.at = body.dataset.revision; // the revision that the page was drawn at
    this.first = body.dataset.first === "yes"; // whether new rows belong on top of this page
    this.toggle = document.querySelector("[data-live-toggle]");
    this.word = this.toggle.querySelector("[data-word]");
    this.more = document.querySelector("[data-pending]");
    this.waiting = new Map();
    this.paused = false;
    this.failures = 0;
    this.toggle.hidden = false;
    this.toggle.addEventListener("click", () => this.pause(!this.paused));
    this.more?.addEventListener("click", () => { this.pause(false); this.body.querySelector("a.open")?.focus(); });
    addEventListener("pagehide", () => this.source?.close());
    addEventListener("pageshow", (event) => { if (event.persisted) this.open(); });
  }

  open() {
    const url = new URL(this.body.dataset.live, location.href);
    url.searchParams.set("revision", this.at);
    this.source = new EventSource(url);
    this.source.addEventListener("rows", (event) => this.take(event));
    this.source.addEventListener("gone", () => location.reload()); // what the person may see has changed
    this.source.addEventListener("open", () => { this.failures = 0; this.show(); });
    this.source.addEventListener("error", () => {
      this.show("away");
      if (this.source.readyState !== EventSource.CLOSED) return; // the browser tries again by itself
      setTimeout(() => this.open(), AGAIN[Math.min(this.failures++, AGAIN.length - 1)]);
    });
  }

  take(event) {
    if (event.lastEventId) this.at = event.lastEventId;
    const holder = document.createElement("template");
    holder.innerHTML = event.data; // rows, drawn and escaped by the server
    const rows = [...holder.content.querySelectorAll("tr[data-row]")];
    for (const row of rows) {
      if (this.paused && !this.shown(row)) this.waiting.set(row.id, row);
      else this.place(row);
    }
    for (const gone of holder.content.querySelectorAll("tr[data-gone]")) this.remove(gone.dataset.gone);
    this.show();
  }

  remove(id) { // it has changed, and is not what the filter asks for any more
    this.waiting.delete(id);
    const row = document.getElementById(id);
    if (row && !row.contains(document.activeElement)) row.remove();
  }

  shown(row) {
    return document.getElementById(row.id);
  }

  place(row) {
    const before = this.shown(row);
    if (before) {
      if (Number(before.dataset.revision) > Number(row.dataset.revision)) return;
      const box = before.querySelector("input[type=checkbox]");
      const chosen = box?.checked;
      const focused = before.contains(document.activeElement);
      before.replaceWith(row);
      if (chosen) row.querySelector("input[type=checkbox]").checked = true;
      if (focused) row.querySelector("a.open").focus({ preventScroll: true });
      return;
    }
    const rows = this.body.rows;
    if (!this.first) return; // it belongs on another page
    const order = row.dataset.order;
    const next = [...rows].find((one) => one.dataset.order < order);
    if (!next && rows.length >= Number(this.body.dataset.size)) return; // older than what is shown
    row.classList.add("arrived");
    this.body.insertBefore(row, next ?? null);
    document.querySelector("[data-nothing]")?.setAttribute("hidden", "");
    while (rows.length > MOST && !rows[rows.length - 1].querySelector("input:checked")) rows[rows.length - 1].remove();
  }

  pause(paused) {
    this.paused = paused;
    if (!paused) {
      for (const row of this.waiting.values()) this.place(row);
      this.waiting.clear();
    }
    this.show();
  }

  show(state) {
    const now = this.paused ? "paused" : state ?? "on";
    this.toggle.dataset.state = now;
    this.toggle.setAttribute("aria-pressed", String(!this.paused));
    this.word.textContent = this.toggle.dataset[now];
    if (!this.more) return;
    this.more.hidden = !this.waiting.size;
    this.more.textContent = this.more.dataset.word.replace("%", this.waiting.size);
  }
}

function selection() {
  const form = document.querySelector("[data-selection]");
  if (!form) return;
  const all = document.querySelector("[data-all]");
  const count = form.querySelector("[data-count]");
  const boxes = () => [...document.querySelectorAll("[data-row] input[type=checkbox]")];
  const show = () => {
    const chosen = boxes().filter((box) => box.checked).length;
    form.classList.toggle("some", chosen > 0);
    count.textContent = count.dataset.word.replace("%", chosen);
    if (all) { all.checked = chosen > 0 && chosen === boxes().length; all.indeterminate = chosen > 0 && !all.checked; }
  };
  if (all) {
    all.closest("label").hidden = false;
    all.addEventListener("change", () => { for (const box of boxes()) box.checked = all.checked; show(); });
  }
  document.addEventListener("change", (event) => { if (event.target.closest("[data-row]")) show(); });
  show();
}
