// What pointing at something, or reaching it by keyboard, shows. One tab stop per plot: arrow keys walk its data.
const tip = document.getElementById("tip");
const data = JSON.parse(document.getElementById("data").textContent);

// Plots show the end of a long name: "…denselayer3.conv1".
function layerOf(shown, layers) {
  if (Object.hasOwn(layers, shown)) return shown;
  if (!shown.startsWith("…")) return undefined;
  const ends = Object.keys(layers).filter((name) => name.endsWith(shown.slice(1)));
  return ends.length === 1 ? ends[0] : undefined;
}

// The <title> of a plot's datum becomes a tip of the page; "layer: value" is also the way to that layer's panel.
for (const plot of document.querySelectorAll("figure svg")) {
  const layers = data[plot.closest("[data-result]")?.dataset.result]?.layers ?? {};
  for (const title of plot.querySelectorAll("title")) {
    const datum = title.parentElement;
    if (datum === plot) continue;
    datum.dataset.tip = title.textContent;
    datum.setAttribute("aria-label", title.textContent);
    datum.setAttribute("role", "img");
    const layer = layerOf(title.textContent.split(": ")[0], layers);
    if (layer !== undefined) {
      datum.dataset.layer = layer;
      datum.setAttribute("role", "button");
    }
    title.remove();
  }
  plot.dataset.roving = "";
  plot.setAttribute("role", "group");
}
for (const group of document.querySelectorAll("[data-roving]")) {
  const items = [...group.querySelectorAll("[data-tip]")];
  items.forEach((item, index) => item.setAttribute("tabindex", index ? "-1" : "0"));
}

function showTip(target, x, y) {
  tip.textContent = target.dataset.tip;
  tip.hidden = false;
  const box = tip.getBoundingClientRect();
  const left = Math.min(Math.max(8, x + 12), document.documentElement.clientWidth - box.width - 8);
  const below = y + 18 + box.height < document.documentElement.clientHeight;
  tip.style.left = `${left}px`;
  tip.style.top = `${below ? y + 18 : Math.max(8, y - box.height - 10)}px`;
}

function hideTip() {
  tip.hidden = true;
}

let pointer = null;

function tipAtPointer() {
  const target = pointer && document.elementFromPoint(pointer.x, pointer.y)?.closest("[data-tip]");
  if (target) showTip(target, pointer.x, pointer.y);
  else hideTip();
}

document.addEventListener("pointermove", (event) => {
  pointer = { x: event.clientX, y: event.clientY };
  tipAtPointer();
});
// By keyboard the tip stands at what has the focus, and moves with it when the page scrolls there.
function tipAtFocus() {
  const target = document.activeElement?.closest("[data-tip]");
  if (!target?.matches(":focus-visible")) return tipAtPointer();
  const box = target.getBoundingClientRect();
  return showTip(target, box.left + Math.min(box.width / 2, 200), box.bottom - 12);
}

document.addEventListener("focusin", tipAtFocus);
document.addEventListener("focusout", hideTip);
document.addEventListener("scroll", tipAtFocus, { capture: true, passive: true });

const steps = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 };
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") hideTip();
  const group = event.target.closest("[data-roving]");
  if (!group || !(event.key in steps)) return;
  const items = [...group.querySelectorAll("[data-tip]")];
  const next = items[items.indexOf(event.target) + steps[event.key]];
  if (!next) return;
  event.preventDefault();
  event.target.setAttribute("tabindex", "-1");
  next.setAttribute("tabindex", "0");
  next.focus();
  next.scrollIntoView({ block: "nearest", inline: "nearest" });
});
