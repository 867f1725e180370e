// The player: it turns stills on a page into something to step through.
//
// It does no mathematics: every text of every frame was worked out in Python, and a step only shows
// texts and toggles classes. In "Predict" mode it compares the student's answer with the frame's
// question: the right answer, and the common mistakes with their explanations.
//
// A player in the page is <div class="c5-stepper">, with a still and its data in it; player.py
// explains the data. This script starts all players that have not started yet. Nothing is global.
// All listeners sit on elements inside the player, and the one timer stops as soon as the player
// leaves the page, so running a cell again leaks nothing. Texts go in as
// textContent: a variable named like a tag is just text. Only `frame.html` goes in as HTML; it was
// prepared, and escaped, in Python.
(function (css) {
  "use strict";
  const DATA = 'script[type="application/json"]';
  for (const root of document.querySelectorAll(".c5-stepper")) {
    const data = root.querySelector(DATA); // a player that has started has none any more
    if (data) startPlayer(root, JSON.parse(data.textContent));
  }

  // ------------------------------------------------------------------ small things

  function make(tag, kind, parent, text) {
    const element = document.createElement(tag);
    if (kind) element.className = kind;
    if (text) element.textContent = text;
    if (["button", "input"].includes(tag)) leaveKeys(element);
    if (parent) parent.append(element);
    return element;
  }

  // JupyterLab, which has plans for most keys, leaves them to an element that carries this.
  function leaveKeys(element) {
    element.setAttribute("data-lm-suppress-shortcuts", "true");
  }

  function setText(element, text) {
    if (element && element.textContent !== (text || "")) element.textContent = text || "";
  }

  // What may be too large for its place scrolls there, with the keyboard too.
  function addBox(kind, label, parent, content) {
    const box = make("div", kind, parent);
    box.tabIndex = 0;
    box.setAttribute("role", "group");
    box.setAttribute("aria-label", label);
    if (content) box.append(content);
    return box;
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

  // What a student types as a number: 0.5, −1/2, or a formula with numbers in it, −1·sin 2.5.
  // Returns NaN where it is none of these.
  function numberIn(typed) {
    const text = typed.toLowerCase().replace(/[−–]/g, "-").replace(/[·×⋅]/g, "*");
    const plain = text.replace(/²/g, "^2").replace(/,/g, ".").replace(/\s+/g, " ").trim();
    const token = /\d+\.?\d*(?:e[-+]?\d+)?|\.\d+|[a-z]+|[-+*/^()]/g;
    const tokens = plain.match(token) || [];
    if (!tokens.length || plain.replace(token, "").trim()) return NaN;
    let at = 0;
    const taken = (...wanted) => wanted.includes(tokens[at]) && tokens[at++];
    function sum() {
      let x = product();
      for (let sign; (sign = taken("+", "-")); ) x += sign === "+" ? product() : -product();
      return x;
    }
    function product() {
      let x = signed();
      for (let sign; (sign = taken("*", "/")); ) x = sign === "*" ? x * signed() : x / signed();
      return x;
    }
    function signed() {
      if (taken("-")) return -signed();
      const x = atom();
      return taken("^") ? x ** signed() : x;
    }
    function atom() {
      const word = tokens[at++];
      if (word === "(") {
        const x = sum();
        return taken(")") ? x : NaN;
      }
      if (word === "pi" || word === "e") return word === "e" ? Math.E : Math.PI;
      if (/^[a-z]/.test(word || "")) {
        const known = ["sin", "cos", "tan", "tanh", "exp", "log", "sqrt", "abs"];
        if (!known.includes(word)) return NaN;
        return Math[word](tokens[at] === "(" ? atom() : signed());
      }
      return word === undefined ? NaN : Number(word);
    }
    const x = sum();
    return at === tokens.length ? x : NaN;
  }

  // ------------------------------------------------------------------ one panel

  // A panel shows one row of frames: words, and beside them what its still had in it: a graph,
  // a table, or whatever stands in `frame.html`. It takes the still's place.
  function startPanel(place, given) {
    const frames = given.frames;
    const still = place.querySelector("img");
    const table = place.querySelector(":scope > table");
    let drawing = place.querySelector("pre, .c5-sentence");
    if (still && given.count) drawing = inlineGraph(still);
    place.removeAttribute("style");
    place.replaceChildren();

    if (given.name) make("p", "c5-name", place, given.name);
    const knows = given.name && make("p", "c5-knows", place);
    const views = make("div", "c5-views", place);
    const words = make("div", "c5-words", views);
    const title = make("p", "c5-title", words);
    const formula = make("div", "c5-formula", words);
    formula.setAttribute("aria-live", "polite");
    formula.style.minHeight = 1.5 * given.lines + 0.8 + "em"; // so that nothing jumps
    const rule = make("div", "c5-rule", formula);
    const numbers = make("div", "c5-numbers", formula);
    const result = make("div", "c5-result", formula);
    const note = make("p", "c5-note", words);
    const left = make("div", "c5-left", views);
    const picture = drawing && addBox("c5-picture", "Graph", left, drawing);
    if (drawing && drawing.localName === "svg") addLegend(left);
    const prepared = frames.some((frame) => frame.html);
    const extra = prepared && addBox("c5-extra", given.shows, picture ? words : left);
    const grid = table && addBox("c5-table", "Table", views, table);
    let tallest = 0;
    let shown = "";

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
      svg.setAttribute("aria-label", "The graph at this step; the table says the same");
      // It shrinks with the page, but only as far as its text can be read.
      svg.style.minWidth = 0.55 * svg.width.baseVal.value + "px";
      return svg;
    }

    function addLegend(parent) {
      const legend = make("p", "c5-legend", parent);
      for (const [state, word] of Object.entries(given.words)) {
        make("span", "c5-" + state, legend, word);
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

    // -- one step

    // `asking`: the student is to say first what this frame finds, so it is not shown yet.
    function show(wanted, asking) {
      const step = Math.min(wanted, frames.length - 1);
      const frame = frames[step];
      if (knows) setText(knows, (wanted > step ? "Finished. " : "") + frame.knows);
      formula.hidden = !(asking ? frame.question.given : given.lines);
      setText(title, asking ? frame.question.title : frame.title);
      setText(rule, asking ? frame.question.given : frame.rule);
      setText(numbers, asking ? "" : frame.numbers);
      setText(result, asking ? "" : frame.result);
      setText(note, asking ? "" : frame.note);
      if (extra) showPrepared(asking ? "" : frame.html || "");
      if (!given.count) return;
      const told = asking
        ? { ...frame, messages: {}, differentiated: frame.question.differentiated }
        : frame;
      showGraph(told, step - asking);
      if (table) showTable(told, step - asking);
    }

    function showPrepared(html) {
      if (html === shown) return;
      shown = html;
      extra.innerHTML = html;
      tallest = Math.max(tallest, extra.offsetHeight); // so that nothing jumps
      extra.style.minHeight = tallest + "px";
    }

    // Values are found from a1 up; tangents too, but adjoints from the last node down.
    function hasValue(frame, k) {
      return k < frame.evaluated;
    }
    function hasDerivative(frame, k) {
      if (given.down) return k >= given.count - frame.differentiated;
      return k < frame.differentiated;
    }

    // From which frame on a value or a derivative is no longer needed.
    const droppedFrom = new Map();
    frames.forEach((frame, k) => {
      for (const drop of frame.drops || []) droppedFrom.set(drop.join(), k);
    });
    function strike(element, key, what, step) {
      const dropped = droppedFrom.get(key + "," + what) <= step; // undefined <= step: false
      if (element) element.classList.toggle("dropped", dropped);
    }

    function showGraph(frame, step) {
      const stateOf = {};
      for (const [state, keys] of Object.entries(frame.states)) {
        for (const key of keys) stateOf[key] = state;
      }
      let k = 0;
      for (const [key, node] of nodes) {
        const state = stateOf[key] || "waiting";
        node.element.setAttribute("class", "node " + state);
        setText(node.word, given.words[state]);
        setText(node.value, hasValue(frame, k) ? node.valueText : "");
        strike(node.value, key, "value", step);
        setText(node.derivative, hasDerivative(frame, k) ? node.derivativeText : "");
        strike(node.derivative, key, "derivative", step);
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

    // A line a node; the columns: in the inputs, evaluation, value, derivative, its value.
    function showTable(frame, step) {
      [...table.tBodies[0].rows].forEach((line, k) => {
        const key = given.keys[k];
        line.classList.toggle("c5-now", frame.states.current.includes(key));
        [...line.cells].forEach((cell, column) => {
          const what = column < 3 ? "value" : "derivative";
          const known = what === "value" ? hasValue(frame, k) : hasDerivative(frame, k);
          cell.classList.toggle("c5-unknown", !known && column > 0);
          if (column % 2 === 0 && column > 0) strike(cell, key, what, step);
        });
        if (key === frame.node) bringIntoView(line, grid);
      });
    }

    return { frames, show, words, formula };
  }

  // ------------------------------------------------------------------ the player

  function startPlayer(root, data) {
    root.removeAttribute("style");
    root.tabIndex = 0;
    root.setAttribute("role", "group");
    root.setAttribute("aria-label", data.label);
    leaveKeys(root);
    root.querySelector(DATA).remove();

    const several = data.panels.length > 1;
    const places = several ? [...root.querySelectorAll(".c5-panel")] : [make("div", "c5-panel")];
    if (!several) places[0].append(...root.childNodes);
    root.replaceChildren();
    make("style", "", root).textContent = css;
    const bar = make("div", "c5-bar", root);
    const quizBar = make("form", "c5-quiz", root);
    quizBar.hidden = true;
    const panelBox = make("div", several ? "c5-panels" : "", root);
    panelBox.append(...places);
    const panels = data.panels.map((given, k) => startPanel(places[k], given));
    const frames = panels.reduce(
      (longest, { frames }) => (frames.length > longest.length ? frames : longest),
      [],
    );
    const last = frames.length - 1;
    let step = data.start;
    let timer = 0;

    // -- the bar

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
    addButton("Next", next);
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

    // -- moving

    const quiz = frames.some((frame) => frame.question) && !several ? startQuiz() : null;

    function show(wanted) {
      step = Math.max(0, Math.min(last, wanted));
      const asking = Boolean(quiz && quiz.asks(step));
      const title = asking ? frames[step].question.title : frames[step].title;
      slider.value = step;
      slider.setAttribute("aria-valuetext", title);
      setText(counter, step + 1 + " / " + frames.length);
      // Only dimmed, not disabled: a disabled button would lose the keyboard's focus.
      for (const name of ["First", "Previous"]) dim(buttons[name], step === 0);
      for (const name of ["Next", "Last"]) dim(buttons[name], step === last);
      for (const panel of panels) panel.show(step, asking);
      if (quiz) quiz.show(step, asking);
    }

    function dim(button, isAtEnd) {
      button.classList.toggle("c5-end", isAtEnd);
    }

    function next() {
      if (quiz && quiz.asks(step)) quiz.giveUp();
      else show(step + 1);
    }

    function play() {
      if (step === last) show(0);
      dress(buttons.Play, "Pause");
      timer = setInterval(() => {
        if (!root.isConnected) return pause();
        if (!(quiz && quiz.asks(step))) show(step + 1);
        if (step === last || (quiz && quiz.asks(step))) pause(); // it waits for the answer
      }, data.pace);
    }

    function pause() {
      clearInterval(timer);
      timer = 0;
      dress(buttons.Play, "Play");
    }

    // -- predict, then reveal

    function startQuiz() {
      const button = make("button", "c5-predict", bar, "Predict");
      button.type = "button";
      button.title = "Answer before each step is shown";
      button.addEventListener("click", () => turn(!on));

      const kinds = make("fieldset", "", quizBar);
      make("legend", "", kinds, "I answer with");
      addKind("formula", "a formula");
      addKind("number", "a number");
      const score = make("span", "c5-score", quizBar);
      const { words, formula } = panels[0];
      const form = make("div", "c5-ask"); // a real form may not be sent in every notebook
      formula.after(form);
      const asked = make("p", "c5-asked", form);
      const choices = make("div", "c5-choices", form);
      const line = make("div", "c5-line", form);
      const box = make("input", "", line);
      box.type = "text";
      box.autocomplete = "off";
      addAct("Check", check);
      addAct("Show me", giveUp);
      const hint = make("p", "c5-hint", form);
      const verdict = make("p", "c5-verdict");
      verdict.setAttribute("role", "status");
      form.after(verdict);

      let on = false;
      let kind = "formula";
      let verdicts = new Map(); // step -> what was said about the answer
      let right = 0;

      function addKind(name, text) {
        const label = make("label", "", kinds);
        const radio = make("input", "", label);
        radio.type = "radio";
        radio.name = "kind";
        radio.checked = name === "formula";
        label.append(" " + text);
        radio.addEventListener("change", () => {
          kind = name;
          show(step);
        });
      }

      function addAct(text, act) {
        const button = make("button", "", line, text);
        button.type = "button";
        button.addEventListener("click", act);
      }

      function turn(wanted) {
        on = wanted;
        verdicts = new Map();
        right = 0;
        button.setAttribute("aria-pressed", on);
        quizBar.hidden = !on;
        root.classList.toggle("c5-predicting", on);
        pause();
        show(on ? firstQuestion() : step);
      }

      function firstQuestion() {
        const later = frames.findIndex((frame, k) => k >= step && frame.question);
        return later < 0 ? frames.findIndex((frame) => frame.question) : later;
      }

      function asks(k) {
        return on && Boolean(frames[k].question) && !verdicts.has(k);
      }

      // A question with too few formulas to choose from is asked for its number, and the other
      // way round.
      function byFormula(question) {
        if (!question.choices.length) return false;
        return kind === "formula" || question.answer === null;
      }

      function showQuestion(k, asking) {
        const said = on && verdicts.get(k);
        setText(verdict, said ? said.text : "");
        verdict.classList.toggle("c5-right", Boolean(said && said.right));
        form.hidden = !asking;
        const count = verdicts.size;
        setText(score, count ? `${right} of ${count} right` : "nothing answered yet");
        if (!asking) return;
        const question = frames[k].question;
        const pick = byFormula(question);
        setText(asked, (pick ? "Which formula gives " : "What number is ") + question.ask + "?");
        box.setAttribute("aria-label", question.ask);
        box.value = "";
        line.children[0].hidden = line.children[1].hidden = pick;
        choices.replaceChildren();
        if (pick) question.choices.forEach((choice, n) => addChoice(choice, n));
        setText(
          hint,
          pick
            ? "Press its number, or click it."
            : "Press Enter to type, for example −0.5, 1/3 or −1·sin 2.5.",
        );
      }

      function addChoice(choice, n) {
        const one = make("button", "", choices);
        one.type = "button";
        make("kbd", "", one, String(n + 1));
        make("span", "", one, choice.text);
        one.addEventListener("click", () => pickChoice(n));
      }

      function pickChoice(n) {
        const choice = frames[step].question.choices[n];
        if (choice) judge(choice.right, choice.explanation);
      }

      quizBar.addEventListener("submit", (event) => event.preventDefault());
      box.addEventListener("keydown", (event) => {
        if (event.key === "Enter") check();
      });

      function check() {
        const given = numberIn(box.value);
        if (Number.isNaN(given)) {
          setText(hint, "That isn't a number yet. Try −0.5, 1/3 or −1·sin 2.5.");
          return;
        }
        const { answer, mistakes } = frames[step].question;
        const mistake = mistakes.find((one) => isNear(given, one.value));
        const isRight = isNear(given, answer);
        judge(isRight, !isRight && mistake ? mistake.explanation : "");
      }

      // Near enough: half a per cent, so that three digits do, and what rounding may leave of a 0.
      function isNear(given, wanted) {
        const { rounding = 0 } = frames[step].question;
        return Math.abs(given - wanted) <= 0.005 * Math.abs(wanted) + rounding;
      }

      function answerTo(question) {
        if (byFormula(question)) return `It is ${question.choices.find((c) => c.right).text}.`;
        return `It is ${question.ask} = ${question.text}.`;
      }

      function judge(isRight, explanation) {
        right += isRight;
        const wrong = ["Not quite.", explanation, answerTo(frames[step].question)].filter(Boolean);
        settle(isRight ? "Right." : wrong.join(" "), isRight);
      }

      function giveUp() {
        settle(answerTo(frames[step].question), false);
      }

      function settle(text, isRight) {
        const inside = form.contains(document.activeElement);
        verdicts.set(step, { text, right: isRight });
        show(step);
        if (inside) root.focus({ preventScroll: true }); // so that the arrows go on
      }

      // What the keys do while a question stands; true if this one did something.
      function takesKey(event) {
        if (!asks(step)) return false;
        const pick = byFormula(frames[step].question);
        if (pick && /^[1-9]$/.test(event.key)) pickChoice(Number(event.key) - 1);
        else if (!pick && event.key === "Enter" && event.target === root) box.focus();
        else return false;
        return true;
      }

      if (data.predict) queueMicrotask(() => turn(true));
      return { asks, show: showQuestion, giveUp, takesKey };
    }

    // -- keys

    const KEYS = {
      ArrowLeft: () => show(step - 1),
      ArrowUp: () => show(step - 1),
      ArrowRight: next,
      ArrowDown: next,
      Home: () => show(0),
      End: () => show(last),
    };
    root.addEventListener("keydown", (event) => {
      if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
      // Text is typed, and the two ways to answer are chosen between, with the same keys.
      if (event.target.localName === "input" && event.target !== slider) return;
      if (event.key === " ") {
        if (event.target.localName === "button") return; // the button is pressed
        if (timer) pause();
        else play();
      } else if (event.key in KEYS) {
        pause();
        KEYS[event.key]();
      } else if (!(quiz && quiz.takesKey(event))) {
        return;
      }
      event.preventDefault(); // neither scroll the page nor move the slider again
      event.stopPropagation();
    });

    show(step);
  }
})
