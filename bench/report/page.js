// Comforts only: without this script the page is complete. Nothing is fetched, nothing is stored.
"use strict";
(() => {
  const all = (query, root = document) => [...root.querySelectorAll(query)];

  // A scroll area is a tab stop only where it overflows.
  const stops = () => all(".scroll").forEach((box) => {
    const over = box.scrollWidth > box.clientWidth + 1;
    if (over) {
      box.tabIndex = 0;
      box.setAttribute("role", "group");
      box.setAttribute("aria-label", box.dataset.label);
    } else {
      ["tabindex", "role", "aria-label"].forEach((name) => box.removeAttribute(name));
    }
  });
  stops();
  addEventListener("resize", stops);
  document.addEventListener("toggle", stops, true);

  // Tables sort by a column; rows of real data stay on top.
  const UNITS = { "µs": 1e-6, ms: 1e-3, k: 1e3, M: 1e6, G: 1e9, T: 1e12 };
  const keyOf = (row, column) => {
    const cell = row.cells[column], found = cell && cell.querySelector("data");
    if (found) return Number(found.value);
    const text = (cell ? cell.firstChild ? cell.firstChild.textContent : "" : "").trim();
    const match = text.replace(/,/g, "").replace("−", "-").match(/^[x±]?\s*(-?[\d.]+)\s*(µs|ms|[kMGT])?/);
    return match ? Number(match[1]) * (UNITS[match[2]] || 1) : text.toLowerCase();
  };
  all("table.sortable thead th").forEach((head) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const up = head.getAttribute("aria-sort") !== "ascending", column = head.cellIndex;
      all("th", head.parentNode).forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      all("tbody", head.closest("table")).forEach((body) => {
        const rows = [...body.rows].filter((row) => !row.classList.contains("floor") && row.cells.length > 1);
        const keys = new Map(rows.map((row) => [row, keyOf(row, column)]));
        rows.sort((a, b) => {
          const [x, y] = [keys.get(a), keys.get(b)];
          if (typeof x !== typeof y) return typeof x === "number" ? -1 : 1;
          return (x < y ? -1 : x > y ? 1 : 0) * (up ? 1 : -1);
        });
        body.append(...rows);
      });
    });
  });

  // A number leads to its record; a link opens the folded part that it leads into.
  const open = (target) => {
    for (let place = target; place; place = place.parentElement) if (place.tagName === "DETAILS") place.open = true;
    if (target) target.scrollIntoView({ block: "center" });
  };
  const anchor = (text) => text.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "");
  all("data[data-record]").forEach((found) => {
    const files = found.dataset.record.split(" ");
    found.title = `${files.join(" / ")}: ${found.dataset.key} = ${found.value}`;
    found.addEventListener("click", () => { location.hash = `record-${anchor(files[0])}`; });
  });
  const follow = () => open(location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1))));
  addEventListener("hashchange", follow);
  if (location.hash) follow();

  // Every table leaves as CSV.
  all("table").forEach((table) => {
    const caption = table.caption;
    if (!caption || table.classList.contains("fields")) return;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "csv";
    button.textContent = "CSV";
    button.setAttribute("aria-label", `CSV of: ${caption.textContent.trim()}`);
    caption.append(" ", button);
    button.addEventListener("click", () => {
      const words = (cell) => [...cell.childNodes].map((node) => node.textContent.trim()).filter(Boolean).join("; ");
      const line = (row) => [...row.cells].map((cell) => `"${words(cell).replace(/"/g, '""')}"`).join(",");
      const link = document.createElement("a");
      link.href = URL.createObjectURL(new Blob([[...table.rows].map(line).join("\r\n")], { type: "text/csv" }));
      link.download = `${anchor(caption.firstChild.textContent).slice(0, 40) || "table"}.csv`;
      link.click();
      URL.revokeObjectURL(link.href);
    });
  });

  // Paper has no folded parts.
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = all("details:not([open])");
    closed.forEach((part) => { part.open = true; });
  });
  addEventListener("afterprint", () => closed.forEach((part) => { part.open = false; }));
})();
