// Shared by all players: small helpers, and the bar of buttons with its keys.
//
// Nothing is global, and text is never inserted as HTML.

const PACE = 1300; // milliseconds per step

// {s: shape, d: entries} encodes what JSON lacks: arrays, nan and infinity.
function revived(key, x) {
  if (!Array.isArray(x?.s)) return x;
  const array = Object.assign(Float64Array.from(x.d, Number), { shape: x.s });
  return x.s.length ? array : array[0];
}

// ------------------------------------------------------------------ helpers

// make("p.c5-note", { title: "…", click: act }, ...parts): an element; attributes are optional, and
// functions among them are listeners.
const maker =
  (space) =>
  (name, ...parts) => {
    const [tag, ...classes] = name.split(".");
    const element = document.createElementNS(space, tag);
    if (classes.length) element.setAttribute("class", classes.join(" "));
    const attributes = parts[0]?.constructor === Object ? parts.shift() : {};
    for (const [key, value] of Object.entries(attributes)) {
      if (typeof value === "function") element.addEventListener(key, value);
      else if (value !== false) element.setAttribute(key, value === true ? "" : value);
    }
    element.append(...parts);
    return element;
  };
const make = maker("http://www.w3.org/1999/xhtml");
const draw = maker("http://www.w3.org/2000/svg");

const button = (name, content, click, attributes) =>
  make(name, { type: "button", click, ...attributes }, content);

const slider = (label, attributes) =>
  make("input", { type: "range", "aria-label": label, ...attributes });

// An option is [value, text], or [value] if they are the same.
const menu = (label, options, change) =>
  make(
    "select",
    { "aria-label": label, change },
    ...options.map(([value, text = value]) => make("option", { value }, text)),
  );

// A listener on the window that is removed once the player has left the page, so running a cell again
// leaks nothing. In the capture phase it runs before JupyterLab's.
function listen(root, type, act) {
  function own(event) {
    if (root.isConnected) act(event);
    else removeEventListener(type, own, true);
  }
  addEventListener(type, own, true);
}

// Make an element a player's root: a named group, in the style sheet's scope.
function dressRoot(root, spec, ...classes) {
  root.classList.add("c5-live", ...classes);
  root.setAttribute("role", "group");
  root.setAttribute("aria-label", spec.label);
  // JupyterLab checks this attribute of the focused element. The player handles plain keys; those with
  // Ctrl, Meta or Alt belong to JupyterLab or the browser.
  listen(root, "keydown", (event) => {
    if (root.contains(event.target))
      event.target.toggleAttribute("data-lm-suppress-shortcuts", isPlain(event));
  });
}

// Changing a text node is faster to lay out than replacing it.
function setText(element, text) {
  const only = element.firstChild;
  if (only?.nodeType !== Node.TEXT_NODE || only.nextSibling) element.textContent = text;
  else if (only.data !== text) only.data = text;
}

function setClass(element, text) {
  if (element.getAttribute("class") !== text) element.setAttribute("class", text);
}

const isPlain = (event) => !(event.ctrlKey || event.metaKey || event.altKey);

// A key that has been handled must not also scroll the page or move a slider.
function used(event) {
  event.preventDefault();
  event.stopPropagation();
}

// A button that plays and pauses. tick() runs every `pace` milliseconds and returns whether to go on;
// changed() is called on play and on pause.
function makePlay(root, pace, tick, changed) {
  let timer = 0;
  const onwards = () => {
    if (!root.isConnected || !tick()) pause();
  };
  const play = () => dress((timer ||= setInterval(onwards, pace)));
  const pause = () => {
    clearInterval(timer);
    dress((timer = 0));
  };
  const toggle = button("button.c5-go", "Play", () => (timer ? pause() : play()));
  function dress() {
    setText(toggle, timer ? "Pause" : "Play");
    changed?.();
  }
  return { toggle, play, pause, isPlaying: () => timer > 0 };
}

// The bar of a player: five buttons, a slider, a counter; and the keys. `move` is its interface to the
// player: count() of the steps, show(step) from 0; optionally takesKey(event), playing(), and for
// questions waits() and answer().
function makeBar(root, move) {
  let step = 0;
  const last = () => move.count() - 1;
  const waits = () => move.waits?.();
  const { toggle, play, pause, isPlaying } = makePlay(root, PACE, onwards, move.playing);
  const pausing = (act) => () => {
    pause();
    act();
  };
  const acts = {
    First: pausing(() => go(0)),
    Previous: pausing(() => go(step - 1)),
    Next: pausing(() => (waits() ? move.answer() : go(step + 1))),
    Last: pausing(() => go(last())),
  };
  const [first, back, next, end] = Object.entries(acts).map((act) => button("button", ...act));
  const slide = slider("Step", { min: 0, input: pausing(() => go(Number(slide.value))) });
  const count = make("span.c5-count");
  const bar = make("div.c5-row.c5-bar", first, back, toggle, next, end, slide, count);

  function go(wanted) {
    step = Math.max(0, Math.min(last(), wanted));
    move.show(step);
    slide.max = last();
    slide.value = step;
    slide.setAttribute("aria-valuetext", `${step + 1} of ${last() + 1}`);
    setText(count, `${step + 1} / ${last() + 1}`);
  }
  function onwards() {
    if (!waits()) go(step === last() ? 0 : step + 1);
    return step < last() && !waits();
  }
  const keys = {
    ArrowLeft: acts.Previous,
    ArrowUp: acts.Previous,
    ArrowRight: acts.Next,
    ArrowDown: acts.Next,
    Home: acts.First,
    End: acts.Last,
    " ": () => toggle.click(),
  };
  root.addEventListener("keydown", (event) => {
    const { key, target } = event;
    if (!isPlain(event) || event.shiftKey) return;
    // The same keys edit text and move the inputs' sliders.
    if (target.matches("input, select") && target !== slide) return;
    if (move.takesKey?.(event)) used(event);
    else if (key in keys && !(key === " " && target.matches("button"))) {
      keys[key]();
      used(event);
    }
  });
  return { bar, go, play, pause, isPlaying, step: () => step };
}

// Run `work` at most once per animation frame.
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

// The height available to a player, in pixels, without the page's sticky header. The nearest
// scrolling ancestor won't do: in JupyterLab that is the output, which grows with the player.
function roomFor(root) {
  const panel = root.closest(".jp-WindowedPanel-outer");
  const head = parseFloat(getComputedStyle(document.documentElement).scrollPaddingTop) || 0;
  return Math.min(innerHeight - head, panel?.clientHeight || Infinity);
}

// A player's kind -> (root, spec, place, connect) => void, which starts it in root.
const KINDS = {};
