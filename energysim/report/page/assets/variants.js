// Tables, graph, plots and panel show the variant that the reader chose.
function showVariant(result) {
  const variant = shownVariant(result);
  const section = document.getElementById(result);
  for (const [name, content] of Object.entries(variant.tables)) {
    fillTable(section.querySelector(`table[data-table="${name}"]`), content);
  }
  decorateGraph(section.querySelector(".graph"), variant);
  for (const plot of section.querySelectorAll("figure[data-variant]")) {
    plot.hidden = plot.dataset.variant !== variant.name;
  }
  for (const shown of section.querySelectorAll("[data-shown]")) shown.textContent = variant.name;
  if (opened?.result === result) renderPanel();
  markChosen();
}

function decorateGraph(graph, variant) {
  const most = Math.max(...Object.values(variant.shares), Number.MIN_VALUE);
  const fused = new Set(variant.stacks.filter((stack) => stack.layers.length > 1).flatMap((stack) => stack.layers));
  const first = new Set(variant.stacks.map((stack) => stack.layers[0]));
  for (const node of graph.querySelectorAll(".node")) {
    const share = variant.shares[node.dataset.layer] ?? 0;
    const bar = node.querySelector(".share");
    const length = (share / most) * Number(bar.dataset.full);
    bar.setAttribute("width", length.toFixed(1));
    const percent = node.querySelector(".percent");
    percent.textContent = share ? `${(100 * share).toFixed(1)}%` : "";
    percent.setAttribute("x", (Number(bar.getAttribute("x")) + length + 6).toFixed(1));
    node.classList.toggle("stacked", fused.has(node.dataset.layer));
    const mark = node.querySelector(".fused"); // a gap above the first layer of a stack
    const box = node.querySelector(".box");
    const gap = first.has(node.dataset.layer) ? 0 : 4;
    mark.setAttribute("y", Number(box.getAttribute("y")) - gap);
    mark.setAttribute("height", Number(box.getAttribute("height")) + gap + 2);
  }
}

for (const result of Object.keys(data)) {
  decorateGraph(document.getElementById(result).querySelector(".graph"), shownVariant(result));
}
document.addEventListener("change", (event) => {
  if (event.target.closest("[data-variants]")) showVariant(event.target.closest("[data-result]").dataset.result);
});
