// A switch between the versions of this documentation: versions.json lies beside their folders (tools/site.py).
// Where there is none, as in a build of one version alone, nothing is shown.
document.addEventListener("DOMContentLoaded", async () => {
  const label = document.querySelector(".pacer-versions");
  if (!label) return;
  const root = new URL(document.documentElement.dataset.content_root || "./", location.href);
  let versions;
  try {
    const answer = await fetch(new URL("../versions.json", root));
    if (!answer.ok) return;
    versions = await answer.json();
  } catch {
    return;
  }
  const here = root.pathname.split("/").filter(Boolean).pop();
  const select = label.querySelector("select");
  for (const one of versions) {
    select.add(new Option(one.title, one.folder, false, one.folder === here));
  }
  select.addEventListener("change", async () => {
    const other = new URL(`../${select.value}/`, root);
    const same = new URL(location.pathname.slice(root.pathname.length), other);
    let there = false;
    try {
      there = (await fetch(same, { method: "HEAD" })).ok;
    } catch {
      // then its first page
    }
    location.assign(there ? same : other);
  });
  label.hidden = false;
});
