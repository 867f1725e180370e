// Slides: arrows, space, Page Up and Down, Home and End; the address contains the slide's number.
"use strict";
const HEIGHT = 720;
// Elements that are never split.
const WHOLE = "p, li, pre, table, tr, img, svg, h1, h2, h3, math, details, .c5-stepper";
let slides = leaves();
let at = 0;

function leaves() {
  return [...document.querySelectorAll(".slides section:not(:has(section))")];
}

/** Split a slide that is higher than the screen. */
function split(slide) {
  slide.classList.add("now");
  const tall = [...slide.querySelectorAll("table")].filter((t) => t.offsetHeight > 600);
  const [, ...others] = [...slide.querySelectorAll(WHOLE)].filter((part) => {
    const around = part.parentElement.closest(WHOLE);
    const free = !around || tall.includes(around);
    return free && !tall.includes(part) && part.checkVisibility();
  });
  const high = (part) => part.getBoundingClientRect().bottom > HEIGHT - 36;
  let cut = slide.scrollHeight > HEIGHT && (others.find(high) ?? others.at(-1));
  // A heading stays with its content.
  const before = others[others.indexOf(cut) - 1];
  if (cut && before && /^H[1-3]$/.test(before.tagName)) cut = before;
  if (cut) {
    const range = document.createRange();
    range.setStartBefore(cut);
    range.setEndAfter(slide.lastChild);
    const rest = slide.cloneNode(false);
    rest.append(range.extractContents());
    slide.after(rest);
    slide.classList.remove("now");
    split(rest);
    split(slide);
    return;
  }
  shrink(slide);
  slide.classList.remove("now");
}

function show(index) {
  at = Math.max(0, Math.min(index, slides.length - 1));
  slides.forEach((slide, k) => slide.classList.toggle("now", k === at));
  document.getElementById("number").textContent = `${at + 1} / ${slides.length}`;
  history.replaceState(null, "", `#${at + 1}`);
}

function fragments(shown) {
  return [...slides[at].querySelectorAll(".fragment")].filter(
    (part) => part.classList.contains("shown") === shown,
  );
}

function forward() {
  const [next] = fragments(false);
  if (next) next.classList.add("shown");
  else if (at + 1 < slides.length) show(at + 1);
}

function back() {
  const last = fragments(true).pop();
  if (last) last.classList.remove("shown");
  else show(at - 1);
}

function fit() {
  const scale = Math.min(innerWidth / 1280, innerHeight / 720);
  const across = (innerWidth - 1280 * scale) / 2;
  for (const slide of slides)
    slide.style.transform = `translateX(${across}px) scale(${scale})`;
}

/** Shrink a player or a drawing that makes its slide higher than the screen. */
function shrink(slide) {
  const picture = slide.querySelector(".c5-stepper, svg");
  if (!picture || slide.scrollHeight <= HEIGHT) return;
  const high = picture.getBoundingClientRect().height;
  const room = HEIGHT - (slide.scrollHeight - high);
  picture.style.zoom = Math.max(0.5, (0.98 * room) / high);
}

const KEYS = {
  ArrowRight: forward, ArrowDown: forward, PageDown: forward, " ": forward,
  ArrowLeft: back, ArrowUp: back, PageUp: back,
  Home: () => show(0), End: () => show(slides.length - 1),
};
addEventListener("keydown", (event) => {
  // Players and form elements handle their own keys.
  const theirs = event.target.closest?.("input, select, button, textarea, .c5-stepper");
  const act = KEYS[event.key];
  if (!act || theirs || event.ctrlKey || event.altKey || event.metaKey) return;
  event.preventDefault();
  act();
});
addEventListener("resize", fit);
addEventListener("hashchange", () => show(Number(location.hash.slice(1)) - 1));
slides.forEach(split);
slides = leaves();
fit();
show(Number(location.hash.slice(1) || 1) - 1);
