// Tables: rows from the page's data, sorting by a click on a heading, filtering by words.
const byText = new Intl.Collator("en", { numeric: true });

function element(name, options = {}, ...children) {
  const made = Object.assign(document.createElement(name), options);
  made.append(...children);
  return made;
}

// A cell is its text, or [text, what sorting compares, length of its bar].
function tableCell(plain, numeric, layer) {
  const [text, value, bar] = Array.isArray(plain) ? plain : [plain];
  const cell = element("td");
  cell.classList.toggle("n", numeric);
  cell.classList.toggle("long", text.length > 60);
  if (value != null) cell.dataset.value = value;
  if (bar != null) {
    cell.classList.add("bar");
    cell.style.setProperty("--part", bar);
  }
  if (layer !== undefined && text === layer) {
    const button = element("button", { type: "button", className: "layer", textContent: text });
    button.dataset.layer = layer;
    cell.append(button);
  } else {
    cell.textContent = text;
  }
  return cell;
}

function tableRow(row, numeric) {
  return element("tr", {}, ...row.cells.map((cell, index) => tableCell(cell, numeric[index], row.layer)));
}

function fillTable(table, content) {
  const numeric = [...table.tHead.rows[0].cells].map((head) => head.classList.contains("n"));
  table.tBodies[0].replaceChildren(...content.rows.map((row) => tableRow(row, numeric)));
  if (table.tFoot && content.foot) table.tFoot.replaceChildren(tableRow(content.foot, numeric));
  table.given = undefined;
  const sorted = table.querySelector("th:not([aria-sort=none])");
  if (sorted) sortTable(table, sorted.cellIndex, sorted.getAttribute("aria-sort"));
  filterTable(table);
}

// Numbers come before text, and cells without either last, whichever way the rows are sorted.
function compareCells(one, other, sign) {
  const values = [one, other].map((cell) => (cell.dataset.value === undefined ? null : Number(cell.dataset.value)));
  if (values[0] !== null && values[1] !== null) return sign * (values[0] - values[1]);
  if (values[0] !== null || values[1] !== null) return values[0] === null ? 1 : -1;
  return sign * byText.compare(one.textContent, other.textContent);
}

function sortTable(table, column, direction) {
  const body = table.tBodies[0];
  table.given ??= [...body.rows];
  const rows = [...table.given];
  const sign = direction === "descending" ? -1 : 1;
  if (direction !== "none") rows.sort((a, b) => compareCells(a.cells[column], b.cells[column], sign));
  for (const head of table.tHead.rows[0].cells) {
    head.setAttribute("aria-sort", head.cellIndex === column ? direction : "none");
  }
  body.append(...rows);
}

// Numbers start with the largest, text with A; a third click gives the rows as they were.
function nextDirection(head) {
  const order = head.classList.contains("n") ? ["descending", "ascending"] : ["ascending", "descending"];
  const place = order.indexOf(head.getAttribute("aria-sort"));
  return place === 1 ? "none" : order[place + 1];
}

function filterTable(table) {
  const box = table.closest(".table");
  const field = box.querySelector("[data-filter]");
  if (!field) return;
  const wanted = field.value.toLowerCase().split(/\s+/).filter(Boolean);
  const rows = [...table.tBodies[0].rows];
  for (const row of rows) {
    const text = [...row.cells].map((cell) => cell.textContent).join(" ").toLowerCase();
    row.hidden = !wanted.every((word) => text.includes(word));
  }
  const shown = rows.filter((row) => !row.hidden).length;
  box.querySelector("[data-count]").textContent = wanted.length ? `${shown} of ${rows.length}` : "";
}

document.addEventListener("click", (event) => {
  const head = event.target.closest("th");
  if (head && event.target.closest("button")) sortTable(head.closest("table"), head.cellIndex, nextDirection(head));
});
document.addEventListener("input", (event) => {
  if (event.target.matches("[data-filter]")) filterTable(event.target.closest(".table").querySelector("table"));
});
