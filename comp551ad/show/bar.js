// What all players share: small helpers, and the bar of buttons with its keys.
//
// Nothing is global: listeners outside a player go as soon as it has left the page, so running a
// cell again leaks nothing. All texts go in as textContent.

const ICONS = {
  First: "M4 4v12M15 4 7 10l8 6z",
  Previous: "M14 4 6 10l8 6z",
  Play: "M5 3l11 7-11 7z",
  Pause: "M6 4v12M14 4v12",
  Next: "M6 4l8 6-8 6z",
  Last: "M16 4v12M5 4l8 6-8 6z",
};
const PACE = 1300; // milliseconds a step
const LONGEST_PLAY = 60_000;

// ------------------------------------------------------------------ small things

function make(tag, props = {}, ...parts) {
  const element = Object.assign(document.createElement(tag), props);
  for (const [key, value] of Object.entries(props)) {
    if (/^(aria-|data-|role$|for$)/.test(key)) element.setAttribute(key, value);
  }
  element.append(...parts);
  return element;
}

function textButton(text, act, props = {}) {
  const button = make("button", { type: "button", title: text, ...props }, text);
  button.addEventListener("click", () => act(button));
  return button;
}

// What every player is: a group with a name, in the style sheet's scope.
function dressRoot(root, spec, ...classes) {
  root.classList.add("c5-live", ...classes);
  root.setAttribute("role", "group");
  root.setAttribute("aria-label", spec.label);
}

function draw(tag, attributes = {}, ...parts) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...parts);
  return element;
}

// A text that only changes is laid out faster than one that is put in anew.
function setText(element, text) {
  const only = element.firstChild;
  if (only?.nodeType !== Node.TEXT_NODE || only.nextSibling) element.textContent = text;
  else if (only.data !== text) only.data = text;
}

function setClass(element, text) {
  if (element.getAttribute("class") !== text) element.setAttribute("class", text);
}

const icon = (name) =>
  draw(
    "svg",
    { viewBox: "0 0 20 20", width: 18, height: 18, "aria-hidden": true },
    draw("path", { d: ICONS[name] }),
  );

// JupyterLab asks the element that has the focus whether it takes keys itself. Plain keys are the
// player's, those with Ctrl, Meta or Alt JupyterLab's or the browser's. On `window`, in the capture
// phase: before JupyterLab's own listener.
function guardKeys(root) {
  function guard(event) {
    if (!root.isConnected) return removeEventListener("keydown", guard, true);
    if (!root.contains(event.target)) return undefined;
    const ours = !(event.ctrlKey || event.metaKey || event.altKey);
    return event.target.toggleAttribute("data-lm-suppress-shortcuts", ours);
  }
  addEventListener("keydown", guard, true);
}

// The bar that every player has: five buttons, a slider, a counter; and the keys.
// `move` = {count(), next(), pace()}; show(step) is called with a step from 0 on.
function makeBar(root, show, move, noteOf = () => "") {
  let [step, timer] = [0, 0];
  const last = () => move.count() - 1;
  const buttons = {};
  const slide = make("input", { type: "range", min: 0, "aria-label": "Step" });
  const count = make("span", { className: "c5-count" });
  const acts = {
    First: () => go(0),
    Previous: () => go(step - 1),
    Play: () => (timer ? pause() : play()),
    Next: next,
    Last: () => go(last()),
  };
  for (const [name, act] of Object.entries(acts)) {
    const button = make("button", { type: "button", "aria-label": name, title: name }, icon(name));
    button.addEventListener("click", () => {
      if (name !== "Play") pause();
      act();
    });
    buttons[name] = button;
  }
  buttons.Play.className = "c5-go";
  slide.addEventListener("input", () => {
    pause();
    go(Number(slide.value));
  });
  const bar = make("div", { className: "c5-bar" }, ...Object.values(buttons), slide, count);

  function go(wanted) {
    step = Math.max(0, Math.min(last(), wanted));
    show(step);
    refresh();
  }
  function refresh() {
    step = Math.min(step, last());
    slide.max = last();
    slide.value = step;
    slide.setAttribute("aria-valuetext", `${step + 1} of ${last() + 1}. ${noteOf()}`.trim());
    setText(count, `${step + 1} / ${last() + 1}`);
    // Only dimmed, not disabled: a disabled button would lose the keyboard's focus.
    for (const name of ["First", "Previous"]) buttons[name].classList.toggle("c5-end", !step);
    for (const name of ["Next", "Last"]) buttons[name].classList.toggle("c5-end", step === last());
  }
  function next() {
    if (!move.next?.()) go(step + 1);
  }
  function dress(name) {
    buttons.Play.replaceChildren(icon(name));
    buttons.Play.title = name;
    buttons.Play.setAttribute("aria-label", name);
    move.playing?.(name === "Pause");
  }
  function play() {
    if (timer) return;
    if (step === last()) go(0);
    dress("Pause");
    timer = setInterval(
      () => {
        if (!root.isConnected) return pause();
        if (!move.waits?.()) go(step + 1);
        return step === last() || move.waits?.() ? pause() : undefined;
      },
      Math.min(PACE, LONGEST_PLAY / (last() + 1)),
    );
  }
  function pause() {
    if (!timer) return;
    clearInterval(timer);
    timer = 0;
    dress("Play");
  }
  const keys = {
    ArrowLeft: () => go(step - 1),
    ArrowUp: () => go(step - 1),
    ArrowRight: next,
    ArrowDown: next,
    Home: () => go(0),
    End: () => go(last()),
  };
  root.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    // Text is typed, and sliders of inputs are moved, with the same keys.
    if (event.target.matches("input, select") && event.target !== slide) return;
    if (event.key === " ") {
      if (event.target.matches("button, [role=button]")) return;
      if (timer) pause();
      else play();
    } else if (event.key in keys) {
      pause();
      keys[event.key]();
    } else if (!move.takesKey?.(event)) return;
    // Neither scroll the page nor move the slider again.
    event.preventDefault();
    event.stopPropagation();
  });
  guardKeys(root);
  return {
    bar,
    go,
    play,
    pause,
    get step() {
      return step;
    },
  };
}

// Let a stretch of work run once before the next picture.
function oncePerPicture(work) {
  let waiting = 0;
  const later = () => {
    waiting ||= requestAnimationFrame(now);
  };
  function now() {
    cancelAnimationFrame(waiting);
    waiting = 0;
    work();
  }
  return { later, now };
}

// What the notebook or the page leaves for a player, in pixels. The nearest box that scrolls is of
// no use: in JupyterLab that is the output, which grows with the player.
function roomFor(root) {
  // A slide is 720 high, whatever the window is, and other things stand above on it.
  const slide = root.closest(".reveal section section, .reveal section");
  if (slide) {
    const scale = slide.getBoundingClientRect().height / slide.offsetHeight || 1;
    const above = root.getBoundingClientRect().top - slide.getBoundingClientRect().top;
    return 696 - Math.max(0, above / scale);
  }
  const panel = root.closest(".jp-WindowedPanel-outer");
  return Math.min(innerHeight, panel?.clientHeight || Infinity);
}

// What a player is, by the kind in its data: (root, spec, model, place) => it starts there.
const KINDS = {};
