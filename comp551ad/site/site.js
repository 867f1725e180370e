// The pages' scripts: search, theme, copy buttons, and keyboard scrolling.
"use strict";
const top_ = document.currentScript.dataset.top;
const all = (selector) => document.querySelectorAll(selector);
const wide = matchMedia("(min-width: 64rem)");
function make(tag, properties, ...parts) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...parts);
  return element;
}

// --- contents: open beside the text, closed above it -----------------------------------
const contents = document.querySelector("nav details");
const fold = () => (contents.open = wide.matches);
if (contents) {
  wide.addEventListener("change", fold);
  fold();
  const here = contents.querySelector("[aria-current]");
  if (here) contents.parentElement.scrollTop = here.offsetTop - 120;
}

// --- theme: the system's, light, dark --------------------------------------------------
const button = document.getElementById("theme");
const root = document.documentElement;
const THEMES = { "": "Theme: system", light: "Theme: light", dark: "Theme: dark" };
const named = () => (button.textContent = THEMES[root.dataset.theme] ?? THEMES[""]);
button.hidden = false;
button.addEventListener("click", () => {
  const names = Object.keys(THEMES);
  root.dataset.theme = names[(names.indexOf(root.dataset.theme) + 1) % names.length];
  try {
    localStorage.setItem("theme", root.dataset.theme);
  } catch {}
  named();
});
named();

// --- copying code ------------------------------------------------------------------------
for (const area of all(".input_area")) {
  const copy = make("button", { className: "copy", type: "button" }, "Copy");
  copy.addEventListener("click", async () => {
    await navigator.clipboard.writeText(area.querySelector("pre").textContent.trimEnd());
    copy.textContent = "Copied";
    setTimeout(() => (copy.textContent = "Copy"), 1500);
  });
  area.append(copy);
}

// --- elements that scroll can be scrolled with the keyboard ------------------------------
const SCROLLING = "pre, .wide, .output_wrapper, .output_subarea, .text_cell :is(table, p, li)";
const keyed = () => {
  for (const part of all(SCROLLING)) {
    const { overflowX, overflowY } = getComputedStyle(part);
    const scrolls =
      (overflowX === "auto" && part.scrollWidth > part.clientWidth) ||
      (overflowY === "auto" && part.scrollHeight > part.clientHeight);
    if (scrolls) part.tabIndex = 0;
    else part.removeAttribute("tabindex");
  }
};
new ResizeObserver(keyed).observe(document.body);
for (const folded of all("main details")) folded.addEventListener("toggle", keyed);

// --- search: a section must contain every word; its heading counts most --------------------
const field = document.getElementById("search");
const found = document.getElementById("found");
field.parentElement.hidden = false;
const load = () =>
  document.head.append(make("script", { src: `${top_}assets/search.js`, onload: look }));
field.addEventListener("focus", load, { once: true });

function look() {
  found.replaceChildren();
  const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
  if (!words.length || typeof SECTIONS === "undefined") return;
  const weigh = (word, [, title, heading, , text]) =>
    (heading.toLowerCase().includes(word) ? 100 : 0) +
    (title.toLowerCase().includes(word) ? 20 : 0) +
    Math.min(text.toLowerCase().split(word).length - 1, 10);
  const hits = SECTIONS.map((section) => [words.map((word) => weigh(word, section)), section])
    .filter(([weights]) => weights.every((weight) => weight > 0))
    .map(([weights, section]) => [weights.reduce((a, b) => a + b), section])
    .sort((a, b) => b[0] - a[0]);
  const items = hits.slice(0, 12).map(([, [page, title, heading, anchor, text]]) => {
    const at = Math.max(0, text.toLowerCase().indexOf(words[0]) - 40);
    const href = `${top_}${page}${anchor && `#${anchor}`}`;
    const link = make("a", { href }, heading ? `${title}: ${heading}` : title);
    return make("li", {}, link, make("small", {}, `…${text.slice(at, at + 110)}…`));
  });
  const count = hits.length ? `${hits.length} sections` : "Nothing found";
  found.append(make("p", {}, count), make("ul", {}, ...items));
}
field.addEventListener("input", look);
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    field.value = "";
    look();
  } else if (event.key === "/" && !event.target.closest("input, textarea, select, [contenteditable]")) {
    event.preventDefault();
    field.focus();
  }
});
