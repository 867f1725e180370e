// The player of a program: inputs, formula, graph, code and table for what the engine runs.
//
// `startPlayer(root, spec, place, connect)` fills an element; `spec` is player.py's data, `place` the
// player's number on the page, `connect` receives its traits in a widget. Elements that belong to rows
// have their numbers in data-row, the one that a click opens first: this links all parts.

const NARROW = 640; // pixels
// Height in pixels of code and table under two graphs: a head and four lines, or two if the graphs
// need the rest; and of the gap above.
const [SHELF, LEAST_SHELF, GAP] = [116, 74, 8];
const MEASURED = "Measured without any rules: f is run again with a number changed slightly";
const STATES = {
  current: "now",
  done: "done",
  waiting: "waiting",
  discardable: "no longer needed",
};

function startPlayer(root, spec, place = 0, connect = null) {
  const given = readProgram(spec.program);
  given.names = spec.names === "names" ? given.rows.map((row) => row.name ?? null) : null;
  given.typed = asTyped(given);
  const givenPanels = spec.panels;
  const several = givenPanels.length > 1;
  let [program, panels, views, columns, cells] = [given, givenPanels, [], [], []];
  let share = () => {};
  let [hover, open, said, size] = [-1, -1, "", ""];

  // -- the fixed parts

  dressRoot(root, spec);
  root.tabIndex = 0;
  const picture = oncePerPicture(paint);
  const count = () => Math.max(...panels.map(({ steps }) => steps.length));
  const bar = makeBar(root, {
    count,
    show: () => {
      writeSoon();
      picture.now();
    },
    waits: () => quiz.asks(bar.step()),
    answer: () => quiz.giveUp(),
    takesKey,
    playing: () => share(),
  });
  const inputs = makeInputs(() => {
    writeSoon();
    picture.later();
  });
  const { typed, wrong, complain, enter } = makeTyped(readTyped);
  const ownsAddress = place > 0 && isSite();
  const copyPython = copier("Copy as Python", () => pythonOf(program, inputs.at(), panels));
  const source = make(
    "div.c5-row.c5-source",
    make("b", "f"),
    typed,
    button("button", "Reset", () => load(given)),
    copier("Copy link", writeAddress, { hidden: !ownsAddress }),
    copyPython,
  );
  const group = (name, label, ...parts) =>
    make(name, { role: "group", "aria-label": label, tabindex: 0 }, ...parts);
  const matrices = group("div.c5-row.c5-matrices", "Matrices");
  const says = make("div.c5-columns.c5-says");
  const graphs = make("div.c5-columns.c5-graphs");
  const code = group("pre.c5-code", "Code of f");
  const table = group("div.c5-table", "Table");
  const [where, story] = [make("span"), make("div")];
  const close = button("button", "✕", () => show(open), { "aria-label": "Close" });
  const card = group("div.c5-card", "Derivation", make("h3.c5-row", where, close), story);
  const main = make("div.c5-main", graphs, make("div.c5-side", card, code, table));
  const remarks = make("span.c5-remarks");
  const legend = Object.entries(STATES).map(([state, text]) =>
    make(`span.c5-key.c5-${state}`, text),
  );
  const foot = make("small.c5-row.c5-foot", ...legend, remarks);
  const live = make("div.c5-hidden", { role: "status" });
  const quiz = makeQuiz({
    ...{ bar, newInputs, paint: picture.now },
    panel: () => panels[0],
    isFixed: () => Boolean(program.fixed),
  });
  quiz.button.hidden = several;
  const menus = make("span.c5-row");
  bar.bar.append(menus, quiz.button);
  root.append(bar.bar, source, wrong, inputs.element, quiz.box, says, main, foot, live);

  // -- another program, other inputs, another derivative

  const passFor = (other, mode, about) =>
    givenPanels.find((one) => other === given && one.mode === mode && one.about === about) ??
    Object({ mode, about, seed: 1 });

  // The rows that a pass can be about: outputs or inputs, and those that Python chose.
  function endsOf(other, mode) {
    const ends = { __proto__: null, reverse: other.outputs, forward: inputsOf(other) }[mode] ?? [];
    const asked = other === given ? givenPanels.filter((one) => one.mode === mode) : [];
    return [...new Set([...ends, ...asked.map(({ about }) => about)])].filter(isRow);
  }

  function load(other, { at = other.inputs, passes, step = 0 } = {}) {
    bar.pause();
    const lastOf = ({ mode }) =>
      passFor(other, mode, mode === "reverse" ? other.outputs.at(-1) : 0);
    const wanted = passes ?? (other === given ? givenPanels : panels.map(lastOf));
    program = other;
    inputs.load(program, at);
    const values = run(program, inputs.at());
    panels = wanted.map((one) => new Panel(program, one, inputs.entryOf));
    for (const panel of panels) panel.at(inputs.at(), values, 0, false);
    [hover, open] = [-1, -1];
    if (document.activeElement !== typed) typed.value = program.typed;
    complain();
    copyPython.hidden = program.uncalled && !program.typed;
    quiz.forget();
    build();
    bar.go(step);
  }

  // Inputs with the same names keep their numbers.
  function readTyped(text) {
    if (text === program.typed.trim()) return;
    const other = text === given.typed.trim() ? given : parse(text);
    const old = new Map(inputsOf(program).map((i, k) => [program.rows[i].name, inputs.at()[k]]));
    const at = inputsOf(other).map((i, k) => {
      const both = [old.get(other.rows[i].name), other.inputs[k]];
      return both.every(isNumber) ? both[0] : both[1];
    });
    load(other, { at, step: bar.step() });
  }

  // Draw new inputs, for another try.
  function newInputs() {
    const random = () => Math.round((Math.random() * 4 - 2) * 20) / 20 || 0.5;
    const other = (x, drawn = random()) => (drawn === x ? other(x) : drawn);
    inputs.replace(inputs.at().map((x) => elementwise(other, [x])));
    writeSoon();
    picture.now();
  }

  // -- what doesn't depend on the numbers

  function build() {
    views = panels.map((panel, k) => {
      const select = menu("Which derivative", choicesOf(panel), () => {
        const chosen = views.map((view) => view.select.value.split(":"));
        const passes = chosen.map(([mode, about]) => passFor(program, mode, Number(about)));
        load(program, { at: inputs.at(), passes, step: bar.step() });
        views[k].select.focus();
      });
      select.value = `${panel.mode}:${panel.about}`;
      const [what, checked] = [make("span"), make("span.c5-checked", { title: MEASURED })];
      const names = ["rule", "numbers", "result"];
      const lines = names.map((name) => make(`div.c5-${name}`, make("span"), make("b")));
      const title = several ? make("b", panel.isReverse ? "Reverse mode" : "Forward mode") : "";
      const head = make("small.c5-row", title, what, checked);
      const say = group("div.c5-formula", "Formula", head, ...lines);
      return { select, what, checked, lines, say, graph: makeGraph() };
    });
    menus.replaceChildren(...views.map(({ select }) => select));
    says.replaceChildren(...views.map(({ say }) => say), matrices);
    graphs.replaceChildren(...views.map(({ graph }) => graph.element));
    code.replaceChildren(...piecesOf(program));
    buildTable();
    fit();
  }

  // The derivatives to choose from: ["mode:row", text].
  function choicesOf(panel) {
    const isScalar = (i) => isNumber(panel.env.value[i]) || i === panel.about;
    const choices = (mode, write) =>
      endsOf(program, mode)
        .filter(isScalar)
        .map((i) => [`${mode}:${i}`, write(panel.named(i))]);
    const reverse = choices("reverse", (name) => `reverse: of ${name}`);
    const forward = choices("forward", (name) => `forward: ∂/∂${name}`);
    return several ? (panel.isReverse ? reverse : forward) : [...reverse, ...forward];
  }

  const lookOf = (what) => (what === "value" ? "c5-number" : "c5-number c5-derivative");
  // A column is a panel and the kind of its numbers.
  function buildTable() {
    const last = panels.at(-1);
    columns = [[last, "value"], ...panels.map((panel) => [panel, panel.kind])];
    cells = program.rows.map(() => columns.map(() => make("td")));
    const heads = columns.map(([, what]) =>
      make("th", { scope: "col", class: lookOf(what) }, what),
    );
    const lines = cells.map((line, i) =>
      make("tr", { "data-row": i }, make("th", { scope: "row" }, last.equation(i)), ...line),
    );
    table.replaceChildren(
      make(
        "table",
        make("caption.c5-hidden", "One line per node"),
        make("thead", make("tr", make("th", { scope: "col" }, "evaluation"), ...heads)),
        make("tbody", ...lines),
      ),
    );
  }

  // -- the available space

  function fit() {
    const isNarrow = root.clientWidth <= NARROW;
    root.classList.toggle("c5-stacked", several || isNarrow);
    const top = main.getBoundingClientRect().top - root.getBoundingClientRect().top;
    const shelf = several && !isNarrow ? SHELF : 0;
    const below = foot.offsetHeight + shelf + 16;
    const height = isNarrow
      ? Math.min(innerHeight * 0.6, 78 * (1 + Math.max(0, ...depthsOf(program.rows))))
      : Math.max(200, Math.min(560, Math.floor(roomFor(root) - top - below)));
    const drawn = views.map(({ graph }, k) => graph.draw(panels[k], height));
    // A fixed height, or else each new number would cause a layout of the whole page.
    const beside = shelf ? 0 : code.offsetHeight + table.scrollHeight + 5;
    const tallest = Math.max(...drawn, beside);
    const used = Math.ceil(Math.min(height + (shelf && SHELF - LEAST_SHELF), tallest));
    const left = Math.min(shelf, height + shelf - used);
    root.style.setProperty("--c5-height", `${used}px`);
    root.style.setProperty("--c5-shelf", shelf ? `${left - GAP}px` : "none");
    said = "";
    picture.now();
  }

  function resize() {
    const now = `${root.clientWidth}:${roomFor(root)}:${main.offsetTop}`;
    if (now === size || !root.clientWidth) return;
    size = now;
    fit();
  }

  // -- one frame

  function paint() {
    const values = run(program, inputs.at());
    const at = (asking) => panels.forEach((one) => one.at(inputs.at(), values, bar.step(), asking));
    at(false);
    const asking = quiz.asks(bar.step());
    if (asking) at(true);
    columns.forEach(([panel, what], k) => {
      const look = lookOf(what);
      cells.forEach((line, i) => {
        setText(line[k], panel.text(what, i));
        setClass(line[k], panel.gone(what, i) ? `${look} c5-gone` : look);
      });
    });
    panels.forEach((panel, k) => {
      paintFormula(views[k], panel, asking);
      views[k].graph.paint(panel, asking);
    });
    paintRemarks(asking);
    paintMatrices(asking);
    card.hidden = open < 0;
    code.hidden = open >= 0 || !program.code;
    table.hidden = open >= 0;
    if (open >= 0) paintCard();
    quiz.paint(asking);
    says.hidden = !quiz.box.hidden;
    light(hover);
    const key = `${bar.step()}:${asking}`;
    if (said !== key) {
      said = key;
      const lines = views.flatMap((view) => view.lines.map(({ textContent }) => textContent));
      const found = asking ? quiz.asked.textContent : lines.filter(Boolean).join(" ");
      setText(live, `Step ${bar.step() + 1}. ${found}`);
      const { nodes } = panels.at(-1).step;
      for (const box of [code, table]) mark("c5-now", nodes, box);
      for (const box of [...graphs.children, code, table])
        bringIntoView(box, box.querySelector(".c5-current, .c5-now"));
    }
    share();
  }

  // Set a class on the elements that belong to some rows, and remove it from all others.
  function mark(name, rows, within = root) {
    for (const element of within.querySelectorAll(`.${name}`)) element.classList.remove(name);
    for (const i of rows) {
      for (const element of within.querySelectorAll(`[data-row~="${i}"]`))
        element.classList.add(name);
    }
  }

  // Scroll an element to the middle of its box, without scrolling the page.
  function bringIntoView(box, element) {
    if (!element) return;
    const [outer, inner] = [box, element].map((one) => one.getBoundingClientRect());
    box.scrollLeft += inner.left + inner.width / 2 - outer.left - box.clientWidth / 2;
    box.scrollTop += inner.top + inner.height / 2 - outer.top - box.clientHeight / 2;
  }

  function paintFormula({ what, checked, lines, say }, panel, asking) {
    const { step, kind } = panel;
    const texts = asking ? [] : panel.lines();
    lines.forEach((line, k) => {
      const [text, result] = texts[k] ?? ["", ""];
      setText(line.firstChild, text);
      setText(line.lastChild, result);
    });
    say.hidden = asking;
    setText(what, panel.title());
    const isChecked = step.nodes.length === 1 && step.finds.includes(kind) && !asking;
    const { mark, text, look } = isChecked ? panel.check(step.nodes[0]) : {};
    setText(checked, isChecked ? `${mark}by differences: ${text}` : "");
    setClass(checked, `c5-checked ${look ?? ""}`);
  }

  function paintRemarks(asking) {
    const broken = panels.map((panel) => panel.broken()).find(Boolean);
    const remark = asking ? [] : panels.map((panel) => panel.remark());
    setText(remarks, broken ?? remark.filter(Boolean).join(" "));
    setClass(remarks, broken ? "c5-remarks c5-bad" : "c5-remarks");
  }

  // For arrays, the step's equation as heat maps.
  function paintMatrices(asking) {
    const [panel] = panels;
    const { env, step, kind, isReverse, trees } = panel;
    const [i] = step.nodes;
    matrices.hidden = env.value.every(isNumber);
    if (matrices.hidden) return;
    let shown = [];
    if (!asking && step.nodes.length === 1) {
      const what = isReverse && step.finds.includes("value") ? "value" : kind;
      const tree = what === "value" ? valueTree(program, i) : (step.term?.tree ?? trees[i]);
      const start = step.term ? "" : label(what, i, env);
      shown = factorsOf(tree, { kind: what, row: i }, start, env);
    }
    const pick = ({ kind, row }) => (kind ? (entry) => inputs.pick(row, entry) : null);
    matrices.replaceChildren(
      ...shown.map((one) => matrixElement(one, pick(one.tree), inputs.entryOf(one.tree.row))),
    );
  }

  // The derivation of a node, once it is known: rule, terms, numbers.
  function paintCard() {
    const panel = panels.at(-1);
    const { env, kind } = panel;
    const i = open;
    const derivative = panel.derivative(i);
    setText(where, `Where ${derivative} comes from`);
    if (!panel.has(kind, i)) return story.replaceChildren("It is computed at a later step.");
    const terms = panel.terms[i].filter(({ tree }) => tree !== ZERO);
    const items = terms.map((term) => {
      const { text, filled, x } = panel.worth(term.tree);
      const ends = [filled, valueText(x)].filter(Boolean).join(" = ");
      const way = `${panel.isReverse ? "from" : "along"} ${panel.value(term.node)}`;
      return make("li", `${way}: ${text}`, make("div", `= ${ends}`));
    });
    story.replaceChildren(
      make("p", `${panel.equation(i)} = ${valueText(env.value[i])}`),
      make("p", `${derivative}: ${panel.why(i)}.`),
      make("ul", ...items),
      make("p", make("b", `${panel.formula(i)} = ${valueText(env[kind][i])}`)),
    );
  }

  // -- hovering, and the derivation of a node

  const rowOf = ({ target }) => parseInt(target.closest?.("[data-row]")?.dataset.row ?? -1);

  function light(i) {
    hover = i;
    mark("c5-hover", hover < 0 ? [] : [hover]);
  }
  for (const type of ["pointerover", "focusin"])
    root.addEventListener(type, (event) => light(rowOf(event)));
  for (const type of ["pointerleave", "focusout"]) root.addEventListener(type, () => light(-1));
  root.addEventListener("click", (event) => {
    if (rowOf(event) >= 0 && !inputs.element.contains(event.target)) show(rowOf(event));
  });

  function show(i) {
    const was = open;
    open = open === i ? -1 : i;
    picture.now();
    if (open < 0) views[0].graph.focus(was);
    else card.scrollIntoView({ block: "nearest" });
  }

  function takesKey(event) {
    const { key, target } = event;
    if (key === "Escape" && open >= 0) show(open);
    else if ((key === "Enter" || key === " ") && target.matches("g")) show(rowOf(event));
    else if (/^[1-9]$/.test(key) && quiz.asks(bar.step())) quiz.pick(Number(key) - 1);
    else return false;
    return true;
  }

  // -- the address of the page: the state can be sent as a link

  let writing = 0;
  function writeSoon() {
    clearTimeout(writing);
    if (ownsAddress) writing = setTimeout(writeAddress, 250);
  }
  function writeAddress() {
    clearTimeout(writing);
    const state = new URLSearchParams({
      player: place,
      ...(program === given ? {} : { f: program.typed }),
      in: inputs
        .at()
        .map((x, k) => inputText(x, program.inputs[k]))
        .join(","),
      d: panels.map(({ mode, about }) => `${mode}:${about}`).join(","),
      step: bar.step() + 1,
    });
    history.replaceState(null, "", `#${state}`);
    return location.href;
  }
  function readAddress() {
    const state = new URLSearchParams(location.hash.slice(1));
    if (state.get("player") !== String(place)) return;
    const part = (name) => (state.get(name) ?? "").split(",");
    const step = Number(state.get("step"));
    try {
      const other = state.has("f") ? parse(state.get("f")) : given;
      const at = other.inputs.map((x, k) => inputFrom(part("in")[k] || "?", x));
      const which = part("d").map((one) => one.split(":"));
      const isSound =
        part("in").length === at.length &&
        at.every((x) => entriesOf(x).every(Number.isFinite)) &&
        which.length === panels.length &&
        which.every(([mode, about]) => endsOf(other, mode).includes(Number(about)));
      const passes = which.map(([mode, about]) => passFor(other, mode, Number(about)));
      if (isSound) load(other, { at, passes, step: step - 1 });
      if (!isSound || step !== bar.step() + 1) throw new TypingError("not for this player", 0);
    } catch (error) {
      if (!(error instanceof TypingError)) throw error;
      load(given);
      complain(`The link is damaged (${error.message}): showing the example instead.`);
    }
    root.scrollIntoView();
  }

  // -- what a widget shares with a kernel: each trait's getter and setter

  const traits = {
    function: [
      () => (program === given ? "" : program.typed),
      (text) => enter(text || given.typed),
    ],
    inputs: [namedInputs, takeInputs],
    step: [bar.step, bar.go],
    predicting: [quiz.isOn, quiz.turn],
    playing: [bar.isPlaying, (on) => (on ? bar.play() : bar.pause())],
    score: [quiz.score, () => {}],
  };
  function namedInputs() {
    const named = inputsOf(program).map((i, k) => [program.rows[i].name, nested(inputs.at()[k])]);
    return Object.fromEntries(named);
  }
  function takeInputs(numbers) {
    const taken = inputsOf(program).map((i, k) => {
      const { name } = program.rows[i];
      return name in numbers ? array(numbers[name], shapeOf(inputs.at()[k]), name) : inputs.at()[k];
    });
    inputs.replace(taken);
    picture.later();
  }

  // -- start

  load(given);
  if (spec.step) bar.go(spec.step);
  if (spec.predict) quiz.turn(true);
  share = connect?.(traits) ?? share;
  if (ownsAddress) {
    readAddress();
    listen(root, "hashchange", readAddress);
  }
  new ResizeObserver(resize).observe(root);
  listen(root, "resize", resize);
}

KINDS.program = startPlayer;
