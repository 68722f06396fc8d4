// Comforts only: without this script the page is complete. Nothing is fetched, nothing is stored.
"use strict";
(() => {
  const all = (query, root = document) => [...root.querySelectorAll(query)];

  const make = (tag, properties, ...children) => {
    const made = Object.assign(document.createElement(tag), properties);
    made.append(...children);
    return made;
  };
  const small = (text) => make("button", { type: "button", className: "csv" }, text);  // in small print

  // A scroll area is a tab stop only where it overflows.
  const stops = () => all(".scroll").forEach((box) => {
    if (box.closest("details:not([open])")) return;  // has no size yet: asked again when it has
    const over = box.scrollWidth > box.clientWidth + 1;
    box.toggleAttribute("tabindex", over);
    if (over) box.tabIndex = 0;
    [box.role, box.ariaLabel] = over ? ["group", box.dataset.label] : [null, null];
  });
  const sizes = new ResizeObserver(stops);  // of the areas and of what is in them, also where a part is opened
  all(".scroll, .scroll > *").forEach((each) => sizes.observe(each));

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
    const button = make("button", { type: "button" }, ...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const up = head.ariaSort !== "ascending", column = head.cellIndex;
      all("th", head.parentNode).forEach((other) => { other.ariaSort = null; });
      head.ariaSort = up ? "ascending" : "descending";
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
  let from = null;  // the number that led to a record
  const lead = (found) => {
    from = found;
    location.hash = `record-${anchor(filesOf(found)[0])}`;
  };
  const decoded = (text) => { try { return decodeURIComponent(text); } catch { return text; } };
  const filesOf = (found) => found.dataset.record.split(" ").map(decoded);
  const anchor = (text) => text.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "");
  all("[data-record]").forEach((found) => {
    const files = filesOf(found);
    const value = found.dataset.value || found.value;
    const named = files.length > 3 ? `${files[0]} and ${files.length - 1} more` : files.join(" / ");
    const title = `${named}: ${found.dataset.key} = ${value}`;
    if (found.tagName === "DATA") found.title = title;
    else found.appendChild(document.createElementNS("http://www.w3.org/2000/svg", "title")).textContent = title;
    found.addEventListener("click", () => lead(found));
  });
  // By keyboard: one stop per table or line, arrows from number to number, Enter to the record, Back to the number.
  const BOX = "table, p, .answer", STEPS = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };
  all("data[data-record]").forEach((found) => {
    found.role = "link";
    found.tabIndex = found === found.closest(BOX).querySelector("data[data-record]") ? 0 : -1;
  });
  addEventListener("keydown", (event) => {
    const found = event.target;
    if (!found.matches || !found.matches("data[data-record]")) return;
    const numbers = all("data[data-record]", found.closest(BOX));
    const next = numbers[numbers.indexOf(found) + STEPS[event.key]];
    if (event.key === "Enter") lead(found);
    if (!next) return;
    [found.tabIndex, next.tabIndex] = [-1, 0];
    next.focus();
    event.preventDefault();
  });
  const follow = () => {
    const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    open(target);
    if (!target && from) from.focus();
    if (target && from) {
      target.tabIndex = -1;
      target.focus({ preventScroll: true });
    }
  };
  addEventListener("hashchange", follow);
  if (location.hash) follow();

  // Menus: a label with a choice each. What they need is on the page; they hide and show, nothing else.
  const menu = (words, choices, chosen) => {
    const options = choices.map(([value, text]) => new Option(text, value, value === chosen, value === chosen));
    const select = make("select", {}, ...options);
    return [make("label", {}, `${words} `, select), select];
  };
  const form = (ariaLabel, ...parts) => make("form", { className: "menus", ariaLabel, onsubmit: () => false }, ...parts);

  // Claims by family, verdict and paper: cards, and rows of the papers' tables.
  const claims = document.getElementById("claims");
  const rowsOf = (part) => all("tbody tr", part).filter((row) => row.querySelector("[data-family]"));
  const items = all(".claim", claims || document).map((card) => ({ part: card, paper: card.dataset.paper, of: card }));
  all("details.paper").forEach((part) => rowsOf(part).forEach((row) => items.push(
    { part: row, paper: part.dataset.paper, of: row.querySelector("[data-family]") })));
  items.forEach((item) => {
    item.families = item.of.dataset.family.split(" ");
    item.words = all(item.part.tagName === "TR" ? ".badge" : "h3 .badge", item.part).map((b) => b.lastChild.textContent.trim());
  });
  const any = (values) => [["", "all"], ...[...new Set(values)].sort().map((value) => [value, value])];
  const filters = [
    ["Family", (item) => item.families], ["Verdict", (item) => item.words], ["Paper", (item) => [item.paper]],
  ].map(([words, of]) => [...menu(words, any(items.flatMap(of))), of]);
  const count = make("output");
  const filter = () => {
    items.forEach((item) => {
      item.part.hidden = !filters.every(([, select, of]) => !select.value || of(item).includes(select.value));
    });
    const on = filters.some(([, select]) => select.value);
    all("details.paper").forEach((part) => {
      part.hidden = rowsOf(part).every((row) => row.hidden);
      part.open = on && !part.hidden;
    });
    count.textContent = `${items.filter((item) => !item.part.hidden).length} of ${items.length} claims`;
  };
  if (items.length) {
    filters.forEach(([, select]) => select.addEventListener("change", filter));
    claims.querySelector("h2").after(form("Filter the claims", ...filters.map(([label]) => label), count));
    filter();
  }

  // Two runs' samples side by side: the same seeds, the same classes.
  all(".samples").forEach((box) => {
    const shown = all("figure", box).filter((each) => each.querySelector("img").dataset.rows > 1);
    if (shown.length < 2) return;
    const names = shown.map((each, place) => [String(place), each.querySelector("figcaption").textContent]);
    const rows = Math.min(...shown.map((each) => Number(each.querySelector("img").dataset.rows)));
    const from = names.length > 2 && names[0][1].startsWith("real") ? 1 : 0;  // real data stands first
    const [first, one] = menu("Compare", names, String(from)), [second, other] = menu("with", names, String(from + 1));
    const [third, row] = menu("at", [...Array(rows).keys()].map((k) => [String(k), `seeds of row ${k + 1}`]));
    const strips = [one, other].map(() => make("div", { role: "img" }));
    const draw = () => [one, other].forEach((select, place) => {
      const image = shown[select.value].querySelector("img"), strip = strips[place], count = Number(image.dataset.rows);
      strip.className = `strip ${image.className}`;
      strip.ariaLabel = `${names[select.value][1]}, row ${Number(row.value) + 1}`;
      Object.assign(strip.style, {
        aspectRatio: image.dataset.strip,
        backgroundImage: `url("${image.src}")`,
        backgroundPosition: `0 ${100 * row.value / (count - 1)}%`,
      });
    });
    [one, other, row].forEach((select) => select.addEventListener("change", draw));
    draw();
    const part = box.closest("article, section");
    const heading = document.getElementById(part.getAttribute("aria-labelledby")).textContent.trim();
    box.before(form(`Compare samples: ${heading}`, first, second, third), ...strips);
  });

  // Other machines' records stand folded where an earlier machine has the same; one switch opens them all.
  all(".other").forEach((line) => {
    const parts = all("details.machine").filter((part) => part.dataset.machine === line.dataset.machine);
    if (!parts.length) return;
    const button = small("show its records");
    button.ariaPressed = "false";
    button.addEventListener("click", () => {
      const on = button.ariaPressed !== "true";
      button.ariaPressed = String(on);
      parts.forEach((part) => { part.open = on; });
    });
    line.append(" ", button);
  });

  // Every table leaves as CSV.
  all("table").forEach((table) => {
    const caption = table.caption;
    if (!caption || table.classList.contains("fields")) return;
    const button = small("CSV");
    button.ariaLabel = `CSV of: ${caption.textContent.trim()}`;
    caption.append(" ", button);
    button.addEventListener("click", () => {
      const words = (cell) => [...cell.childNodes].map((node) => node.textContent.trim()).filter(Boolean).join("; ");
      const line = (row) => [...row.cells].map((cell) => `"${words(cell).replace(/"/g, '""')}"`).join(",");
      const href = URL.createObjectURL(new Blob([[...table.rows].map(line).join("\r\n")], { type: "text/csv" }));
      const link = make("a", { href, download: `${anchor(caption.firstChild.textContent).slice(0, 40) || "table"}.csv` });
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
