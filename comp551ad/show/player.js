// The player of a stepper: it turns the still before this script into something to
// step through. It does no mathematics: every text of every frame was worked out in
// Python and stands in `data`; a step only shows texts and toggles classes.
//
// Nothing is global. All listeners sit on elements inside the player, and the one timer
// stops as soon as the player leaves the page, so running a cell again leaks nothing.
// Texts go in as textContent, never as HTML: a variable named like a tag is just text.
//
// data = {label, css, words, nodes, frames}; comp551ad/show/steppers.py documents it.
(function (data) {
  "use strict";
  const script = document.currentScript;
  const root = script
    ? script.previousElementSibling
    : document.querySelector(".c5-stepper:not([tabindex])");
  if (!root || !root.classList.contains("c5-stepper")) return;

  const frames = data.frames;
  const last = frames.length - 1;
  let step = data.start;
  let timer = 0;

  // ------------------------------------------------------------------ what is shown

  function make(tag, kind, parent) {
    const element = document.createElement(tag);
    if (kind) element.className = kind;
    if (parent) parent.append(element);
    return element;
  }

  root.removeAttribute("style");
  root.tabIndex = 0;
  root.setAttribute("role", "group");
  root.setAttribute("aria-label", data.label);
  // JupyterLab leaves the keys to an element that carries this.
  root.setAttribute("data-lm-suppress-shortcuts", "true");

  const still = root.querySelector("img");
  const table = root.querySelector("table");
  const drawing = still ? inlineGraph(still) : root.querySelector("pre, .c5-sentence");
  root.replaceChildren();
  make("style", "", root).textContent = data.css;

  const bar = make("div", "c5-bar", root);
  const buttons = {};
  const ICONS = {
    First: "M5 4v16M20 4L8 12l12 8z",
    Previous: "M18 4L6 12l12 8z",
    Play: "M6 4l14 8-14 8z",
    Pause: "M7 4v16M17 4v16",
    Next: "M6 4l12 8-12 8z",
    Last: "M19 4v16M4 4l12 8-12 8z",
  };
  addButton("First", () => show(0));
  addButton("Previous", () => show(step - 1));
  addButton("Play", () => (timer ? pause() : play()));
  addButton("Next", () => show(step + 1));
  addButton("Last", () => show(last));

  const slider = make("input", "", bar);
  slider.type = "range";
  slider.min = 0;
  slider.max = last;
  slider.setAttribute("aria-label", "Step");
  slider.addEventListener("input", () => {
    pause();
    show(Number(slider.value));
  });
  const counter = make("span", "c5-count", bar);

  const views = make("div", "c5-views", root);
  const words = make("div", "c5-words", views);
  const title = make("p", "c5-title", words);
  const formula = make("div", "c5-formula", words);
  formula.setAttribute("aria-live", "polite");
  formula.style.minHeight = 1.5 * data.lines + 0.8 + "em"; // so that nothing jumps
  const rule = make("div", "c5-rule", formula);
  const numbers = make("div", "c5-numbers", formula);
  const result = make("div", "c5-result", formula);
  const note = make("p", "c5-note", words);
  const left = make("div", "c5-left", views);
  const picture = addBox("c5-picture", "Graph", left, drawing);
  if (drawing && drawing.localName === "svg") addLegend(left);
  const grid = addBox("c5-table", "Table", views, table);

  // ------------------------------------------------------------------ parts

  function addButton(name, act) {
    const button = (buttons[name] = make("button", "", bar));
    button.type = "button";
    dress(button, name);
    button.addEventListener("click", () => {
      if (name !== "Play") pause();
      act();
    });
  }

  function dress(button, name) {
    button.setAttribute("aria-label", name);
    button.title = name;
    const ns = "http://www.w3.org/2000/svg";
    const icon = document.createElementNS(ns, "svg");
    icon.setAttribute("viewBox", "0 0 24 24");
    icon.setAttribute("aria-hidden", "true");
    const path = document.createElementNS(ns, "path");
    path.setAttribute("d", ICONS[name]);
    icon.append(path);
    button.replaceChildren(icon);
  }

  // The still's picture, put into the page itself so that its parts can be restyled.
  function inlineGraph(image) {
    const bytes = Uint8Array.from(atob(image.src.split(",")[1]), (c) => c.charCodeAt(0));
    const text = new TextDecoder().decode(bytes);
    const parsed = new DOMParser().parseFromString(text, "image/svg+xml");
    const svg = document.importNode(parsed.documentElement, true);
    // Several players may stand on one page: an id must be on it only once.
    for (const part of svg.querySelectorAll("[id]")) {
      part.setAttribute("data-id", part.id);
      part.removeAttribute("id");
    }
    svg.setAttribute("aria-label", image.alt);
    // It shrinks with the page, but only as far as its text can be read.
    svg.style.minWidth = 0.55 * svg.width.baseVal.value + "px";
    return svg;
  }

  // What may be too large for its place scrolls there, with the keyboard too.
  function addBox(kind, label, parent, content) {
    const box = make("div", kind, parent);
    box.tabIndex = 0;
    box.setAttribute("role", "region");
    box.setAttribute("aria-label", label);
    if (content) box.append(content);
    return box;
  }

  function addLegend(parent) {
    const legend = make("p", "c5-legend", parent);
    for (const [state, word] of Object.entries(data.words)) {
      const item = make("span", "c5-" + state, legend);
      item.textContent = word + (state === "discardable" ? ": no longer needed" : "");
    }
  }

  function parts(selector) {
    const all = drawing ? [...drawing.querySelectorAll(selector)] : [];
    return new Map(all.map((part) => [part.getAttribute("data-id"), part]));
  }
  const edges = parts(".edge");
  const said = parts(".said");
  const nodes = parts(".node");
  for (const [key, element] of nodes) {
    const [word, value, derivative] = [".word", ".value", ".derivative"].map((kind) =>
      element.querySelector(kind),
    );
    // The still shows the end of the pass, so all texts are there to be remembered.
    const valueText = value.textContent;
    const derivativeText = derivative ? derivative.textContent : "";
    nodes.set(key, { element, word, value, derivative, valueText, derivativeText });
  }

  // ------------------------------------------------------------------ one step

  function setText(element, text) {
    if (element && element.textContent !== text) element.textContent = text;
  }

  function show(wanted) {
    step = Math.max(0, Math.min(last, wanted));
    const frame = frames[step];
    slider.value = step;
    slider.setAttribute("aria-valuetext", frame.title);
    setText(counter, step + 1 + " / " + frames.length);
    setText(title, frame.title);
    setText(rule, frame.rule);
    setText(numbers, frame.numbers);
    setText(result, frame.result);
    setText(note, frame.note);
    // Only dimmed, not disabled: a disabled button would lose the keyboard's focus.
    for (const name of ["First", "Previous"]) dim(buttons[name], step === 0);
    for (const name of ["Next", "Last"]) dim(buttons[name], step === last);
    showGraph(frame);
    if (table) showTable(frame);
  }

  function dim(button, isAtEnd) {
    button.classList.toggle("c5-end", isAtEnd);
  }

  // Values are found from a1 up; tangents too, but adjoints from the last node down.
  function hasValue(frame, k) {
    return k < frame.evaluated;
  }
  function hasDerivative(frame, k) {
    return data.down ? k >= data.count - frame.differentiated : k < frame.differentiated;
  }

  // From which frame on a value or a derivative may be discarded.
  const droppedFrom = new Map();
  frames.forEach((frame, k) => {
    for (const drop of frame.drops) droppedFrom.set(drop.join(), k);
  });
  function isDropped(key, what) {
    return droppedFrom.get(key + "," + what) <= step; // never: undefined <= step is false
  }
  function strike(element, dropped) {
    if (element) element.classList.toggle("dropped", dropped);
  }

  function showGraph(frame) {
    const stateOf = {};
    for (const [state, keys] of Object.entries(frame.states)) {
      for (const key of keys) stateOf[key] = state;
    }
    let k = 0;
    for (const [key, node] of nodes) {
      const state = stateOf[key] || "waiting";
      node.element.setAttribute("class", "node " + state);
      setText(node.word, data.words[state]);
      setText(node.value, hasValue(frame, k) ? node.valueText : "");
      strike(node.value, isDropped(key, "value"));
      setText(node.derivative, hasDerivative(frame, k) ? node.derivativeText : "");
      strike(node.derivative, isDropped(key, "derivative"));
      k += 1;
    }
    for (const [key, edge] of edges) {
      const carries = key in frame.messages;
      edge.classList.toggle("message", carries);
      edge.classList.toggle("down", carries && frame.down);
      setText(said.get(key + "-said"), carries ? frame.messages[key] : "");
    }
    if (nodes.has(frame.node)) bringIntoView(nodes.get(frame.node).element, picture);
  }

  // Scroll a box, never the page, until one of its parts is in its middle.
  function bringIntoView(part, box) {
    if (box.scrollHeight <= box.clientHeight && box.scrollWidth <= box.clientWidth) return;
    const [inner, outer] = [part, box].map((e) => e.getBoundingClientRect());
    box.scrollTop += inner.top + inner.height / 2 - outer.top - outer.height / 2;
    if (inner.width < outer.width) {
      box.scrollLeft += inner.left + inner.width / 2 - outer.left - outer.width / 2;
    }
  }

  // A line a node; the columns: in the inputs, evaluation, value, derivative, its value.
  function showTable(frame) {
    [...table.tBodies[0].rows].forEach((line, k) => {
      const key = "a" + (k + 1);
      line.classList.toggle("c5-now", frame.states.current.includes(key));
      [...line.cells].forEach((cell, column) => {
        const what = column < 3 ? "value" : "derivative";
        const known = what === "value" ? hasValue(frame, k) : hasDerivative(frame, k);
        cell.classList.toggle("c5-unknown", !known && column > 0);
        strike(cell, column % 2 === 0 && column > 0 && isDropped(key, what));
      });
      if (key === frame.node) bringIntoView(line, grid);
    });
  }

  // ------------------------------------------------------------------ playing

  function play() {
    if (step === last) show(0);
    dress(buttons.Play, "Pause");
    timer = setInterval(() => {
      if (!root.isConnected) return pause();
      show(step + 1);
      if (step === last) pause();
    }, data.pace);
  }

  function pause() {
    clearInterval(timer);
    timer = 0;
    dress(buttons.Play, "Play");
  }

  // ------------------------------------------------------------------ keys

  const KEYS = {
    ArrowLeft: () => show(step - 1),
    ArrowUp: () => show(step - 1),
    ArrowRight: () => show(step + 1),
    ArrowDown: () => show(step + 1),
    Home: () => show(0),
    End: () => show(last),
  };
  root.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    if (event.key === " ") {
      if (event.target.localName === "button") return; // the button is pressed
      if (timer) pause();
      else play();
    } else if (event.key in KEYS) {
      pause();
      KEYS[event.key]();
    } else {
      return;
    }
    event.preventDefault(); // neither scroll the page nor move the slider again
    event.stopPropagation();
  });

  show(step);
})
