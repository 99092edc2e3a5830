// On paper everything is unfolded; afterwards the page is as it was.
let unfolded = [];
window.addEventListener("beforeprint", () => {
  unfolded = [...document.querySelectorAll("details:not([open])")];
  for (const part of unfolded) part.open = true;
  hideTip();
});
window.addEventListener("afterprint", () => {
  for (const part of unfolded) part.open = false;
});
