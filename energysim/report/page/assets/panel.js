// The panel of a layer: shapes, cost, its mapping as a loop nest, its accesses.
const panel = document.getElementById("panel");
const panelBody = document.getElementById("panel-body");
let opened = null; // { result, layer, opener }

function shownVariant(result) {
  const section = document.getElementById(result);
  const chosen = section.querySelector("[data-variants] input:checked");
  const { variants } = data[result];
  return variants.find((variant) => variant.name === (chosen?.value ?? variants[0].name));
}

function factList(facts) {
  const list = element("dl", { className: "facts" });
  for (const [name, value] of facts) {
    list.append(element("dt", { textContent: name }), element("dd", { textContent: value }));
  }
  return list;
}

function panelTable(caption, heads, rows) {
  const numeric = heads.map(([, isNumber]) => isNumber);
  const head = element("tr", {}, ...heads.map(([name, isNumber]) => {
    const cell = element("th", { scope: "col", textContent: name });
    cell.classList.toggle("n", isNumber);
    return cell;
  }));
  const body = rows.map((cells) => tableRow({ cells }, numeric));
  const table = element("table", {}, element("thead", {}, head), element("tbody", {}, ...body));
  table.setAttribute("aria-label", caption);
  return [element("h3", { textContent: caption }), element("div", { className: "scroll" }, table)];
}

// Lines of levels ("GLB: ifmap 12 words"), of loops ("for", "par") and of repeats ("4 x") look different.
function nestLine(line) {
  const level = /^([^\s:]+):(.*)$/.exec(line);
  if (level) {
    const name = element("b", { textContent: level[1] });
    return element("span", { className: "level" }, name, level[2]);
  }
  const kind = /^\s*par /.test(line) ? "par" : /^[\d,]+ x$/.test(line) ? "repeat" : "loop";
  const text = kind === "repeat" ? (line === "1 x" ? "one problem" : `${line} this problem`) : line;
  return element("span", { className: kind, textContent: text });
}

function nestPart(result, detail) {
  const heading = element("h3", { textContent: "Mapping" });
  if (detail.nest === null) {
    const why = "No loop nest: the layer moves its words and has no multiply-accumulates to map.";
    return [heading, element("p", { className: "note", textContent: why })];
  }
  const nest = element("pre", { className: "nest", tabIndex: 0 });
  nest.append(...data[result].nests[detail.nest].split("\n").map(nestLine));
  const note = "Outermost first; tiles in words of one instance. “for” steps in time, “par” in space.";
  return [heading, nest, element("p", { className: "note", textContent: note })];
}

function stackText(variant, layer) {
  const stack = variant.stacks.find((one) => one.layers.includes(layer));
  if (!stack || (stack.layers.length === 1 && !stack.how)) return [];
  const fused = stack.layers.length > 1 ? `fused: ${stack.layers.join(", ")}` : "on its own";
  return [["schedule", [fused, stack.how].filter(Boolean).join("; ")]];
}

function renderPanel() {
  const { result, layer } = opened;
  const variant = shownVariant(result);
  const about = data[result].layers[layer];
  const detail = data[result].details[variant.details[layer]];
  document.getElementById("panel-name").textContent = layer;
  const kind = `${about.op} · ${variant.name}`;
  panelBody.replaceChildren(element("p", { className: "dim", textContent: kind }));
  if (!detail) {
    panelBody.append(factList(about.facts), element("p", { textContent: "This layer moves no word: it costs nothing." }));
    return;
  }
  panelBody.append(
    factList([...detail.facts, ...stackText(variant, layer), ...about.facts]),
    ...nestPart(result, detail),
    ...panelTable("Time that each resource needs at its peak", [["resource"], ["time", true], ["", false]], detail.times),
    ...panelTable("Energy", [["level"], ["energy", true], ["share", true]], detail.energy),
  );
  if (detail.accesses.length) {
    const heads = [["level"], ["tensor"], ["tile", true], ["reads", true], ["fills", true], ["updates", true], ["energy", true]];
    panelBody.append(...panelTable("Accesses in words", heads, detail.accesses));
  }
}

function markChosen() {
  for (const marked of document.querySelectorAll(".chosen")) marked.classList.remove("chosen");
  if (!opened) return;
  const section = document.getElementById(opened.result);
  for (const item of section.querySelectorAll("tbody [data-layer], .graph [data-layer]")) {
    if (item.dataset.layer === opened.layer) (item.closest("tr") ?? item).classList.add("chosen");
  }
}

function openPanel(result, layer, opener) {
  opened = { result, layer, opener };
  renderPanel();
  panel.hidden = false;
  panel.scrollTop = 0;
  panel.focus({ preventScroll: true });
  markChosen();
}

function closePanel() {
  if (!opened) return;
  const { opener } = opened;
  opened = null;
  panel.hidden = true;
  markChosen();
  if (opener?.isConnected) opener.focus({ preventScroll: true });
}

function stepPanel(by) {
  const names = Object.keys(shownVariant(opened.result).details);
  const next = names[names.indexOf(opened.layer) + by];
  if (next) openPanel(opened.result, next, opened.opener);
}

document.addEventListener("click", (event) => {
  const step = event.target.closest("[data-step]");
  const target = event.target.closest("[data-layer]");
  if (step) stepPanel(Number(step.dataset.step));
  else if (event.target.closest("[data-close]")) closePanel();
  else if (target) openPanel(target.closest("[data-result]").dataset.result, target.dataset.layer, target);
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") closePanel();
  const target = event.target.closest("svg [data-layer]"); // elements of a plot have no click of their own
  if (target && (event.key === "Enter" || event.key === " ")) {
    event.preventDefault();
    openPanel(target.closest("[data-result]").dataset.result, target.dataset.layer, target);
  }
});
