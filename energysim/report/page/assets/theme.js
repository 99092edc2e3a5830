// The page follows the reader's system until the button says otherwise; the choice is kept where the browser allows.
const themes = ["auto", "light", "dark"];
const themeButton = document.getElementById("theme");

function keptTheme() {
  try {
    return localStorage.getItem("energysim-theme");
  } catch {
    return null; // storage is off
  }
}

function setTheme(theme) {
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  themeButton.textContent = `Theme: ${theme}`;
  try {
    localStorage.setItem("energysim-theme", theme);
  } catch {
    // storage is off: the choice lasts as long as the page
  }
}

let theme = themes.includes(keptTheme()) ? keptTheme() : "auto";
setTheme(theme);
themeButton.hidden = false;
themeButton.addEventListener("click", () => {
  theme = themes[(themes.indexOf(theme) + 1) % themes.length];
  setTheme(theme);
});
