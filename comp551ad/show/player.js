// The player of a program: inputs, formula, graph, code and table over what the engine runs.
//
// `startPlayer(root, spec, model)` fills an element; `spec` is what player.py wrote, `model` the
// traits of a widget, or null.

const [NARROW, WIDE] = [640, 1000]; // pixels

// ------------------------------------------------------------------ the player of a program

function startPlayer(root, spec, model = null, place = 0) {
  const given = readProgram(spec.program);
  given.names = spec.names === "names" ? given.rows.map((row) => row.name ?? null) : null;
  given.typed = asTyped(given);
  const several = spec.panels.length > 1;
  let program = given;
  let at = [...given.inputs];
  let panels = [];
  let [hover, open, entries] = [-1, -1, new Map()];
  let [values, said, heard, made, size] = [[], "", "", null, ""];

  // -- what never changes

  dressRoot(root, spec, ...(several ? ["c5-several"] : []));
  root.tabIndex = 0;
  const move = {
    count: () => Math.max(...panels.map((panel) => panel.plan.steps.length)),
    next: () => quiz?.asks(bar.step) && quiz.giveUp(),
    waits: () => quiz?.asks(bar.step),
    takesKey: (event) => takesKey(event),
    playing: (is) => tell("playing", is),
  };
  const bar = makeBar(root, onStep, move, () => heard);
  const { typed, wrong, complain } = makeTyped(readTyped, () => made && fit());
  const copied = (button, text) =>
    navigator.clipboard?.writeText(text).then(
      () => {
        setText(button, "Copied");
        setTimeout(() => setText(button, button.title), 1500);
      },
      () => {},
    );
  const ownsAddress = !model && isSite();
  const link = textButton("Copy link", (button) => {
    writeAddress();
    copied(button, location.href);
  });
  link.hidden = !ownsAddress;
  const python = textButton("Copy as Python", (button) =>
    copied(button, pythonOf(program, at, panels)),
  );
  const source = make(
    "div",
    { className: "c5-source" },
    make("b", {}, "f"),
    typed,
    textButton("Reset", () => load(given)),
    link,
    python,
  );
  const controls = make("div", { className: "c5-inputs", role: "group", "aria-label": "Inputs" });
  const says = make("div", { className: "c5-says" });
  const pictures = make("div", {
    className: "c5-matrices",
    role: "group",
    "aria-label": "Matrices",
    tabIndex: 0,
    hidden: true,
  });
  const graphs = make("div", { className: "c5-graphs" });
  const code = make("pre", { className: "c5-code", "aria-label": "Code of f", tabIndex: 0 });
  const table = make("table");
  const card = make("div", {
    className: "c5-card",
    hidden: true,
    role: "group",
    "aria-label": "Derivation",
  });
  const side = make(
    "div",
    { className: "c5-side" },
    card,
    code,
    make(
      "div",
      { className: "c5-table", tabIndex: 0, role: "group", "aria-label": "Table" },
      table,
    ),
  );
  const foot = make("div", { className: "c5-foot" });
  const live = make("div", { className: "c5-hidden", role: "status" });
  const quiz = several
    ? null
    : makeQuiz({
        bar,
        tell,
        count: move.count,
        now: () => ({ program, panel: panels[0], values }),
        paint: () => picture.now(),
        resize: () => resize(),
        newInputs,
      });
  if (quiz) bar.bar.append(quiz.button);
  root.append(
    bar.bar,
    source,
    wrong,
    controls,
    ...(quiz ? [quiz.box] : []),
    says,
    pictures,
    make("div", { className: "c5-main" }, graphs, side),
    foot,
    live,
  );
  const picture = oncePerPicture(paint);

  // -- another program, or another derivative of it

  function load(other, keep = false) {
    bar.pause();
    const names = program.rows.filter((r) => r.op === "input").map((r) => r.name);
    const old = new Map(names.map((name, k) => [name, at[k]]));
    program = other;
    at = [...other.inputs];
    [hover, open, entries] = [-1, -1, new Map()];
    const inputs = other.rows.filter((r) => r.op === "input");
    if (keep) at = inputs.map((r, k) => (isNumber(old.get(r.name)) ? old.get(r.name) : at[k]));
    values = run(program, at);
    if (other === given) panels = spec.panels.map((one) => ({ ...one, seed: readData(one.seed) }));
    else {
      const output = other.outputs.at(-1);
      panels = panels.map(({ mode }) => ({
        mode,
        about: mode === "reverse" ? output : 0,
        seed: 1,
      }));
    }
    if (document.activeElement !== typed) typed.value = other.typed;
    made = null;
    complain();
    quiz?.forget();
    build();
    bar.go(keep ? bar.step : 0);
    tell("function", other === given ? "" : other.typed);
    tellInputs();
  }

  function plan(panel) {
    panel.pass = passOver(program, panel.mode, panel.about, panel.seed);
    panel.plan = stepsOf(program, panel.pass);
  }

  typed.addEventListener("blur", () => {
    if (wrong.hidden) typed.value = program.typed;
  });

  function readTyped(text) {
    if (text === program.typed.trim()) return;
    if (text === given.typed.trim()) load(given, true);
    else load(parse(text), true);
  }

  // -- what doesn't change with the numbers

  function build() {
    panels.forEach(plan);
    made = { rows: [], cells: [], code: [], panels: [], inputs: [] };
    const name = (i) => program.rows[i].name ?? label("value", i, program.names);
    buildInputs();
    says.replaceChildren();
    graphs.replaceChildren();
    panels.forEach((panel, k) => {
      const select = make("select", { "aria-label": "Which derivative" });
      const option = (mode, i, text) =>
        select.append(make("option", { value: `${mode}:${i}` }, text));
      for (const o of program.outputs) {
        if (several && panel.mode !== "reverse") continue;
        if (o === panel.about || isScalar(o)) option("reverse", o, `reverse: of ${name(o)}`);
      }
      program.rows.forEach((row, i) => {
        if (row.op !== "input" || (several && panel.mode !== "forward")) return;
        if (isScalar(i) || i === panel.about) option("forward", i, `forward: ∂/∂${row.name}`);
      });
      select.value = `${panel.mode}:${panel.about}`;
      select.addEventListener("change", () => {
        const [mode, about] = select.value.split(":");
        choose(k, mode, Number(about));
      });
      const what = make("span", { className: "c5-what" });
      const checked = make("span", { className: "c5-checked" });
      const lines = [0, 1, 2].map((n) =>
        make("div", { className: ["c5-rule", "c5-numbers", "c5-result"][n] }),
      );
      const note = make("div", { className: "c5-note" });
      const say = make(
        "div",
        { className: "c5-formula", role: "group", "aria-label": "Formula", tabIndex: 0 },
        make("div", { className: "c5-head" }, what, checked),
        ...lines,
        note,
      );
      const now = () => ({ program, values });
      const graph = makeGraph({ now, rightSide, link: linkTo, point, show });
      if (several) {
        const title = panel.mode === "forward" ? "Forward mode" : "Reverse mode";
        say.prepend(make("div", { className: "c5-head" }, make("b", {}, title), select));
      } else {
        bar.bar.querySelector("select")?.remove();
        bar.bar.querySelector(".c5-count").after(select);
      }
      says.append(say);
      graphs.append(graph.element);
      made.panels.push({ what, checked, lines, note, say, graph });
    });
    buildTable();
    buildCode();
    source.hidden = several && !given.typed;
    fit();
  }

  const isScalar = (i) => isNumber(values[i]);

  function choose(k, mode, about) {
    const keeps =
      given === program && mode === spec.panels[k].mode && about === spec.panels[k].about;
    panels[k] = { mode, about, seed: keeps ? readData(spec.panels[k].seed) : 1 };
    quiz?.forget();
    plan(panels[k]);
    buildTable();
    fit();
    bar.go(Math.min(bar.step, move.count() - 1));
  }

  function buildInputs() {
    const inputs = program.rows.map((row, i) => [row, i]).filter(([row]) => row.op === "input");
    const parts = inputs.map(([row, i], k) => {
      const range = make("input", {
        type: "range",
        step: "any",
        "aria-label": `${row.name}, slider`,
      });
      const field = make("input", { type: "number", step: "any", "aria-label": row.name });
      // A list that holds for these inputs alone is played, not moved.
      range.disabled = field.disabled = Boolean(program.fixed);
      const labelled = make("label", {}, make("b", {}, row.name), range, field);
      const box = make("div", { className: "c5-input" });
      const one = { range, field, row: i, input: k, picks: [] };
      if (!isNumber(at[k])) {
        entries.set(i, entries.get(i) ?? 0);
        const shape = at[k].shape;
        one.picks = shape.map((n, axis) => {
          const pick = make("input", {
            type: "number",
            min: 0,
            max: n - 1,
            step: 1,
            "aria-label": `${row.name}, axis ${axis}`,
          });
          pick.addEventListener("input", () => {
            const index = one.picks.map((p, a) =>
              Math.max(0, Math.min(shape[a] - 1, Math.trunc(p.value) || 0)),
            );
            pickEntry(
              i,
              index.reduce((sum, p, a) => sum * shape[a] + p, 0),
              pick,
            );
          });
          return pick;
        });
        labelled.children[0].after("[", ...one.picks.flatMap((p, a) => (a ? [", ", p] : [p])), "]");
      }
      const set = (text, from) => {
        if (text === "" || !Number.isFinite(Number(text))) return;
        setInput(k, Number(text), from);
      };
      range.addEventListener("input", () => set(range.value, range));
      field.addEventListener("input", () => set(field.value, field));
      field.addEventListener("blur", () => refreshInput(k));
      for (const part of [range, field]) {
        part.addEventListener("focus", () => point(i));
        part.addEventListener("blur", () => point(-1));
      }
      box.addEventListener("pointerenter", () => point(i));
      box.addEventListener("pointerleave", () => point(-1));
      box.append(labelled);
      made.inputs.push(one);
      return box;
    });
    if (program.fixed) parts.push(make("p", {}, program.fixed));
    controls.replaceChildren(...parts);
    made.inputs.forEach((_, k) => {
      spread(k);
      refreshInput(k);
    });
  }

  const entryOfInput = (k) => (isNumber(at[k]) ? at[k] : at[k][entries.get(made.inputs[k].row)]);

  // The slider's range, for the number that stands there now.
  function spread(k) {
    const { range } = made.inputs[k];
    const reach = Math.max(5, 2 * Math.ceil(Math.min(Math.abs(entryOfInput(k)), 1e6)));
    [range.min, range.max, range.step] = [-reach, reach, reach / 100];
  }

  function refreshInput(k, but = null) {
    const { range, field, picks, row } = made.inputs[k];
    const x = entryOfInput(k);
    if (but !== field) field.value = Number(x.toPrecision(12));
    if (but !== range) range.value = x;
    range.classList.toggle("c5-outside", Math.abs(x) > Number(range.max));
    if (!picks.length) return;
    let rest = entries.get(row);
    const { shape } = at[k];
    for (let a = shape.length - 1; a >= 0; a--) {
      if (but !== picks[a]) picks[a].value = rest % shape[a];
      rest = Math.floor(rest / shape[a]);
    }
  }

  function setInput(k, x, from = null) {
    if (isNumber(at[k])) at[k] = x;
    else {
      const { shape } = at[k];
      at[k] = at[k].slice();
      at[k].shape = shape;
      at[k][entries.get(made.inputs[k].row)] = x;
    }
    refreshInput(k, from);
    writeSoon();
    tellInputs();
    picture.later();
  }

  function pickEntry(row, entry, from = null) {
    entries.set(row, entry);
    const k = made.inputs.findIndex((one) => one.row === row);
    if (k >= 0) {
      spread(k);
      refreshInput(k, from);
    }
    picture.later();
  }

  // Others, for another try.
  function newInputs() {
    if (program.fixed) return;
    const random = () => Math.round((Math.random() * 4 - 2) * 20) / 20 || 0.5;
    at = at.map((x) => (isNumber(x) ? random() : elementwise(random, [x])));
    made.inputs.forEach((_, k) => refreshInput(k));
    tellInputs();
    picture.now();
  }

  function linkTo(element, i) {
    element.addEventListener("click", () => show(i));
    element.addEventListener("pointerenter", () => point(i));
    element.addEventListener("pointerleave", () => point(-1));
  }

  function buildTable() {
    const word = (panel) => (panel.mode === "reverse" ? "adjoint" : "tangent");
    const head = (text, className = "") => make("th", { scope: "col", className }, text);
    const heads = [head("evaluation"), head("value", "c5-number")];
    for (const panel of panels) heads.push(head("rule", "c5-wide"), head(word(panel), "c5-number"));
    heads.push(head("checked", "c5-number"));
    made.cells = [];
    const rows = program.rows.map((row, i) => {
      const cell = (className) => make("td", { className });
      const cells = { value: cell("c5-number"), checked: cell("c5-number"), panels: [] };
      const parts = [make("th", { scope: "row" }, equation(i)), cells.value];
      panels.forEach(() => {
        const pair = { rule: cell("c5-wide"), derivative: cell("c5-number c5-derivative") };
        cells.panels.push(pair);
        parts.push(pair.rule, pair.derivative);
      });
      made.cells.push(cells);
      const line = make("tr", {}, ...parts, cells.checked);
      linkTo(line, i);
      return line;
    });
    made.rows = rows;
    const caption = make("caption", { className: "c5-hidden" }, "One line a node");
    table.replaceChildren(
      caption,
      make("thead", {}, make("tr", {}, ...heads)),
      make("tbody", {}, ...rows),
    );
  }

  // The code, cut at the ends of the spans; a piece belongs to the smallest span around it.
  function buildCode() {
    made.code = [];
    code.replaceChildren();
    code.hidden = !program.code;
    if (!program.code) return;
    const spans = program.rows.map((row) => row.span ?? [-1, -1]);
    const cuts = [...new Set([0, program.code.length, ...spans.flat().filter((k) => k >= 0)])];
    cuts.sort((a, b) => a - b);
    let line = make("span", { className: "c5-line" });
    cuts.slice(1).forEach((to, k) => {
      const from = cuts[k];
      const within = spans
        .map(([a, b], i) => [b - a, i])
        .filter(([, i]) => spans[i][0] <= from && spans[i][1] >= to);
      const rows = within.map(([, i]) => i);
      const [, least] = within.sort((a, b) => a[0] - b[0])[0] ?? [0, -1];
      program.code
        .slice(from, to)
        .split("\n")
        .forEach((text, n) => {
          if (n) {
            code.append(line);
            line = make("span", { className: "c5-line" });
          }
          if (!text) return;
          const part = make("span", {}, text);
          if (least >= 0) linkTo(part, least);
          made.code.push({ part, rows });
          line.append(part);
        });
    });
    code.append(line);
  }

  const equation = (i) => `${label("value", i, program.names)} = ${rightSide(i)}`;
  function rightSide(i) {
    const row = program.rows[i];
    if (row.op === "input") return row.name;
    return written(prepared(valueTree(program, i), { value: values }), program.names);
  }

  // -- the graph

  function fit() {
    if (!made) return;
    const narrow = root.clientWidth <= NARROW;
    // The column of rules is shown from this width on.
    made.wide = root.clientWidth >= WIDE;
    const main = graphs.parentElement;
    const top = main.getBoundingClientRect().top - root.getBoundingClientRect().top;
    const below = foot.offsetHeight + 16;
    const deep = 1 + deepest();
    const height = narrow
      ? Math.min(innerHeight * 0.6, 78 * deep)
      : Math.max(200, Math.min(560, roomFor(root) - top - below));
    root.style.setProperty("--c5-height", `${Math.round(height)}px`);
    made.panels.forEach(({ graph }) => graph.draw(height));
    said = null;
    picture.now();
  }

  function deepest() {
    const depth = [];
    program.rows.forEach((row) => {
      depth.push(Math.max(-1, ...row.args.map((a) => (isRow(a) ? depth[a] : -1))) + 1);
    });
    return Math.max(0, ...depth);
  }

  // -- hovering, and the derivation of a node

  function point(i) {
    hover = i;
    made.rows.forEach((line, k) => line.classList.toggle("c5-hover", k === i));
    made.panels.forEach(({ graph }) => graph.light(i));
    for (const { part, rows } of made.code)
      part.classList.toggle("c5-hover", i >= 0 && rows.includes(i));
  }

  function show(i) {
    const was = open;
    open = open === i ? -1 : i;
    picture.now();
    if (open < 0) made.panels[0].graph.focus(was);
  }

  // -- one picture

  // What is known at a step: while a question is open, what was known before it.
  function known(panel, step, asking) {
    const { found, dropped, steps } = panel.plan;
    const here = Math.min(step, steps.length - 1);
    const upTo = (what) =>
      asking && !(what === "value" && panel.mode === "forward") ? here - 1 : here;
    return {
      step: steps[here],
      has: (what, i) => found[what].get(i) <= upTo(what),
      gone: (what, i) => dropped(what, i, asking ? here - 1 : here),
    };
  }

  function paint() {
    if (!made) return;
    values = run(program, at);
    const checks = new Map();
    let announced = "";
    const asking = Boolean(quiz?.asks(bar.step));
    panels.forEach((panel, k) => {
      panel.d = panel.pass.derivatives(values);
      const now = known(panel, bar.step, asking);
      const one = made.panels[k];
      one.graph.paint(panel, now, asking, hover);
      paintTable(k, panel, now, checks);
      const text = paintFormula(one, panel, now, asking);
      announced += `${text} `;
    });
    const nodes = known(panels.at(-1), bar.step, asking).step.nodes;
    made.code.forEach(({ part, rows }) =>
      part.classList.toggle(
        "c5-lit",
        nodes.some((i) => rows.includes(i)),
      ),
    );
    for (const line of code.children)
      line.classList.toggle("c5-now", Boolean(line.querySelector(".c5-lit")));
    paintFoot(asking);
    paintMatrices(asking);
    card.hidden = open < 0;
    code.hidden = open >= 0 || !program.code;
    table.parentElement.hidden = open >= 0;
    if (open >= 0) paintCard(asking);
    quiz?.paint(asking);
    says.hidden = Boolean(quiz) && !quiz.box.hidden;
    root.classList.toggle("c5-asking", asking);
    const key = `${bar.step}:${asking}`;
    if (said !== key) {
      said = key;
      heard = announced.trim();
      setText(live, `Step ${bar.step + 1}. ${heard}`);
      bringIntoView(nodes[0]);
    }
  }

  function bringIntoView(i) {
    const lit = code.querySelector(".c5-lit");
    if (lit) code.scrollTop = lit.offsetTop - code.clientHeight / 2;
    made.panels.forEach(({ graph }) => graph.scrollTo(i));
    const box = table.parentElement;
    if (box.scrollHeight > box.clientHeight) {
      const [row, outer] = [made.rows[i], box].map((part) => part.getBoundingClientRect());
      box.scrollTop += row.top - outer.top - box.clientHeight / 2;
    }
  }

  function paintTable(k, panel, now, checks) {
    const { has, gone, step } = now;
    made.rows.forEach((line, i) => {
      const cells = made.cells[i];
      const pair = cells.panels[k];
      const [v, d] = [has("value", i), has("derivative", i)];
      setText(cells.value, v ? brief(values[i]) : "");
      cells.value.classList.toggle("c5-gone", gone("value", i));
      setText(pair.derivative, d ? brief(panel.d[i]) : "");
      pair.derivative.classList.toggle("c5-gone", gone("derivative", i));
      if (made.wide) setText(pair.rule, d ? formulaOf(panel, i) : "");
      line.classList.toggle("c5-now", step.nodes.includes(i));
      const end =
        panel.mode === "reverse" ? program.rows[i].op === "input" : program.outputs.includes(i);
      if (d && end) checks.set(i, [...(checks.get(i) ?? []), checkOf(panel, i)]);
      if (k < panels.length - 1) return;
      const found = checks.get(i) ?? [];
      setText(cells.checked, found.map(({ ok, text }) => `${signOf(ok)}${text}`).join(" "));
      cells.checked.classList.toggle("c5-ok", found.length > 0 && found.every(({ ok }) => ok));
      cells.checked.classList.toggle(
        "c5-bad",
        found.some(({ ok }) => ok === false),
      );
    });
  }

  const derivativeLabel = (panel, i) => label(panel.pass.kind, i, program.names);
  function formulaOf(panel, i) {
    const env = { value: values, [panel.pass.kind]: panel.d };
    const tree = panel.pass.trees[i];
    return `${derivativeLabel(panel, i)} = ${written(tree === ZERO ? tree : prepared(tree, env), program.names)}`;
  }

  const signOf = (ok) => (ok === null ? "" : ok ? "✓ " : "≠ ");
  const classOf = (ok) => (ok === null ? "" : ok ? "c5-ok" : "c5-bad");

  // The third witness: a difference at this node, for the entry that is picked there.
  function checkOf(panel, i) {
    const x = values[i];
    if (!isNumber(x) && !x.length) return { ok: null, text: "empty" };
    const entry = isNumber(x) ? 0 : Math.min(entries.get(i) ?? 0, x.length - 1);
    const own = entriesOf(panel.d[i])[entry];
    const { value, error } = difference(program, panel.pass, at, values, i, entry);
    const place = isNumber(x) ? "" : `${placeText(x.shape, entry)} `;
    if (!Number.isFinite(own) || !Number.isFinite(value))
      return { ok: null, text: `${place}can't tell here` };
    const ok = Math.abs(value - own) <= 3 * error + 1e-7 * Math.max(1, Math.abs(own));
    return { ok, text: `${place}${numberText(value)}` };
  }

  function placeText(shape, entry) {
    const index = [];
    let rest = entry;
    for (const n of [...shape].reverse()) {
      index.unshift(rest % n);
      rest = Math.floor(rest / n);
    }
    return `[${index.join(", ")}]`;
  }

  // A line of the formula box: its parts without repetitions, the result in bold.
  function lineOf(start, parts) {
    const different = parts.filter((part, k) => part && !parts.slice(k + 1).includes(part));
    const result = different.pop();
    const before = `${[start, ...different].join(" = ")} = `.trimStart();
    return [before, make("b", {}, result)];
  }

  function paintFormula(one, panel, now, asking) {
    const { step } = now;
    const env = { value: values, [panel.pass.kind]: panel.d };
    const names = program.names;
    const [rule, numbers, result] = one.lines;
    one.lines.forEach((line) => line.replaceChildren());
    one.say.hidden = asking;
    setText(one.what, titleOf(panel, step));
    setText(one.checked, "");
    setText(one.note, "");
    if (asking) return "";
    const listed = (parts) =>
      parts.length > 6
        ? `${parts.slice(0, 6).join(", ")}, … and ${parts.length - 6} more`
        : parts.join(", ");
    if (step.nodes.length > 1) {
      const all = step.nodes.map((i) => `${label("value", i, names)} = ${brief(values[i])}`);
      rule.append(listed(step.nodes.map((i) => equation(i))));
      numbers.append(make("b", {}, listed(all)));
      if (step.finds.includes("derivative")) {
        result.append(
          make(
            "b",
            {},
            listed(step.nodes.map((i) => `${derivativeLabel(panel, i)} = ${brief(panel.d[i])}`)),
          ),
        );
      }
    } else {
      const [i] = step.nodes;
      if (step.finds.includes("value")) {
        const tree = prepared(valueTree(program, i), env);
        const filled = program.rows[i].op === "input" ? "" : written(tree, names, env);
        const parts = [filled === rightSide(i) ? "" : filled, valueText(values[i])];
        if (step.finds.includes("derivative"))
          rule.append(...lineOf(label("value", i, names), [rightSide(i), ...parts]));
        else {
          rule.append(equation(i));
          numbers.append(...lineOf("", parts));
        }
      }
      const tree = step.term ? step.term.tree : panel.pass.trees[i];
      if (step.term || step.finds.includes("derivative")) {
        const symbols = written(tree, names);
        const x = evaluate(tree, env);
        const filled = written(tree, names, env);
        const parts = [
          filled === symbols ? "" : filled,
          valueText(step.term || isNumber(x) ? x : panel.d[i]),
        ];
        if (step.finds.includes("value"))
          numbers.append(...lineOf(derivativeLabel(panel, i), [symbols, ...parts]));
        else {
          rule.append(step.term ? symbols : `${derivativeLabel(panel, i)} = ${symbols}`);
          numbers.append(...lineOf("", parts));
        }
        if (step.term) setText(one.note, localText(panel, step.term));
        else {
          const { ok, text } = checkOf(panel, i);
          setText(one.checked, `${signOf(ok)}by differences: ${text}`);
          setClass(one.checked, `c5-checked ${classOf(ok)}`);
        }
      }
    }
    return one.lines
      .map((line) => line.textContent)
      .filter(Boolean)
      .join(" ");
  }

  // This edge's own derivative: the rule, with 1 for what comes along the edge.
  function localText(panel, term) {
    const upper = program.rows[term.upper];
    if (!TABLE[upper.op].elementwise) return "";
    const env = { value: values };
    const one = (s) => (s.kind === panel.pass.kind ? { c: 1 } : s);
    const tree = simplified(changed(term.tree, one));
    if (symbolsIn(tree).some((s) => s.kind !== "value")) return "";
    const lower = upper.args[term.operand];
    const [top, bottom] = [term.upper, lower].map((i) => label("value", i, program.names));
    const symbols = written(prepared(tree, env), program.names);
    const filled = written(tree, program.names, env);
    return `This edge's own derivative: ∂${top}/∂${bottom} = ${symbols}${filled === symbols ? "" : ` = ${filled}`}`;
  }

  function titleOf(panel, step) {
    const { pass } = panel;
    const [i] = step.nodes;
    const own = label("value", i, program.names);
    const name = program.rows[i].name;
    const called = name && name !== own && !program.names?.[i] ? ` (${name})` : "";
    const about = program.rows[pass.about]?.name ?? label("value", pass.about, program.names);
    const derivative = derivativeLabel(panel, i);
    if (step.nodes.length > 1 || program.rows[i].op === "input") {
      if (step.finds.includes("value")) {
        return panel.mode === "forward"
          ? `The inputs, and the seeds: derivatives with respect to ${about}`
          : "First the evaluation, from the bottom up: the inputs";
      }
    }
    if (panel.mode === "forward")
      return `${own}${called}: its value, and its tangent ${derivative}`;
    if (step.finds.includes("value")) return `Evaluation, upwards: ${own}${called}`;
    const own_terms = pass.terms[i];
    if (step.term) {
      const k = own_terms.indexOf(step.term) + 1;
      return `${derivative}: path ${k} of ${own_terms.length}, through ${label("value", step.term.node, program.names)}`;
    }
    if (i === pass.about && !own_terms.length)
      return `The way back, downwards. It starts with the seed: ${derivative}`;
    if (!own_terms.length) return `${derivative}: ${about} doesn't depend on ${own}`;
    if (own_terms.length > 1) return `${derivative}: the sum over its ${own_terms.length} paths`;
    return `${derivative}: one path, through ${label("value", own_terms[0].node, program.names)}`;
  }

  const key = (state, text) => make("span", { className: `c5-key c5-${state}` }, text);
  const legend = make(
    "span",
    {},
    key("current", "now"),
    key("done", "done"),
    key("waiting", "waiting"),
    key("discardable", "no longer needed"),
  );
  const remarks = make("span", { className: "c5-remarks" });
  foot.append(legend, remarks);

  function paintFoot(asking) {
    const broken = panels.map((panel) => brokenIn(panel, asking)).find(Boolean);
    const text = broken ?? (asking ? "" : panels.map(remarkOf).filter(Boolean).join(" "));
    setText(remarks, text);
    setClass(remarks, broken ? "c5-remarks c5-bad" : "c5-remarks");
  }

  // Where the first number that isn't finite arises, once it is seen; null while there is none.
  function brokenIn(panel, asking) {
    const { has } = known(panel, bar.step, asking);
    const env = { value: values, [panel.pass.kind]: panel.d };
    const found = firstBroken(program, panel.pass, values, panel.d);
    if (!found || !has(found.kind === "value" ? "value" : "derivative", found.row)) return null;
    const { kind, row, tree } = found;
    const x = entriesOf(env[kind][row]).find((e) => !Number.isFinite(e));
    const what = Number.isNaN(x) ? "not a number" : numberText(x);
    const filled = written(prepared(tree, env), program.names, env);
    return `${label(kind, row, program.names)} = ${filled} is ${what}: it starts here.`;
  }

  // What is no longer needed after this step; at the end, what was found.
  function remarkOf(panel) {
    const { steps, lastUse } = panel.plan;
    const here = Math.min(bar.step, steps.length - 1);
    if (here === steps.length - 1) return summaryOf(panel);
    const free = [];
    for (let i = program.rows.length - 1; i >= 0; i--) {
      if (lastUse.value.get(i) === here) free.push(label("value", i, program.names));
      if (lastUse.derivative.get(i) === here) free.push(derivativeLabel(panel, i));
    }
    return free.length ? `No longer needed: ${free.join(", ")}.` : "";
  }

  function summaryOf(panel) {
    const nameOf = (i) => program.rows[i].name ?? label("value", i, program.names);
    const about = nameOf(panel.about);
    const reverse = panel.mode === "reverse";
    const ends = program.rows
      .map((_, i) => i)
      .filter((i) => (reverse ? program.rows[i].op === "input" : program.outputs.includes(i)));
    const slopes = ends.map(
      (i) =>
        `${reverse ? `∂${about}/∂${nameOf(i)}` : `∂${nameOf(i)}/∂${about}`} = ${brief(panel.d[i])}`,
    );
    return `One pass gave ${slopes.join(", ")}.`;
  }

  // -- the derivation of a node: rule, terms, numbers, witness

  function paintCard(asking) {
    const panel = panels.at(-1);
    const { has, step } = known(panel, bar.step, asking);
    const i = open;
    const env = { value: values, [panel.pass.kind]: panel.d };
    const derivative = derivativeLabel(panel, i);
    const own = label("value", i, program.names);
    const kept = card.contains(document.activeElement);
    const close = make("button", { type: "button", "aria-label": "Close" }, "✕");
    close.addEventListener("click", () => show(i));
    const terms = panel.pass.terms[i];
    const isKnown = has("derivative", i);
    const hidden = quiz?.isOn() && !isKnown;
    const why = () => {
      if (i === panel.about)
        return panel.mode === "reverse"
          ? "This is what is differentiated: its adjoint is the seed."
          : "The derivative is taken with respect to this input: the seed.";
      if (!terms.length)
        return panel.mode === "reverse"
          ? "No path leads from here to the output: 0."
          : "This input stands still: 0.";
      if (panel.mode === "forward") return "One term for each operand that moves.";
      return terms.length > 1
        ? `${own} is used ${terms.length} times: one term for each path back.`
        : `${own} is used once: one term.`;
    };
    const parts = [
      make("h3", {}, `Where ${derivative} comes from`, close),
      make("p", {}, `${equation(i)}${has("value", i) ? ` = ${valueText(values[i])}` : ""}`),
    ];
    if (hidden) {
      const when = step.nodes.includes(i) ? "That is the question." : "It comes at a later step.";
      parts.push(make("p", {}, when));
    } else {
      parts.push(make("p", {}, why()));
      const list = terms
        .filter((t) => t.tree !== ZERO)
        .map((term) => {
          const way = panel.mode === "reverse" ? "from" : "along";
          const text = written(prepared(term.tree, env), program.names);
          const filled = written(term.tree, program.names, env);
          const x = evaluate(term.tree, env);
          const line = [`${way} ${label("value", term.node, program.names)}: ${text}`];
          if (isKnown)
            line.push(make("br"), `= ${filled === text ? "" : `${filled} = `}${valueText(x)}`);
          const edge = localText(panel, term).replace("This edge's own derivative: ", "");
          if (edge) line.push(make("br"), make("small", {}, edge));
          return make("li", {}, ...line);
        });
      parts.push(make("ul", {}, ...list));
      parts.push(
        make(
          "p",
          {},
          make("b", {}, formulaOf(panel, i) + (isKnown ? ` = ${valueText(panel.d[i])}` : "")),
        ),
      );
      if (isKnown) {
        const { ok, text } = checkOf(panel, i);
        const moved = panel.mode === "reverse" ? own : (program.rows[panel.about].name ?? own);
        parts.push(
          make(
            "p",
            { className: classOf(ok) },
            `${signOf(ok)}Moving ${moved} alone by a little gives ${text}.`,
          ),
        );
      } else parts.push(make("p", {}, make("small", {}, "Its number comes at a later step.")));
    }
    card.replaceChildren(...parts);
    if (kept) close.focus({ preventScroll: true });
  }

  // -- arrays as heat maps

  function paintMatrices(asking) {
    pictures.hidden = values.every(isNumber);
    if (pictures.hidden) return;
    const panel = panels[0];
    const { step } = known(panel, bar.step, asking);
    const [i] = step.nodes;
    const env = { value: values, [panel.pass.kind]: panel.d };
    let shown = [];
    if (!asking && step.nodes.length === 1) {
      const isValue = step.finds.includes("value") && panel.mode === "reverse";
      const tree = isValue ? valueTree(program, i) : (step.term?.tree ?? panel.pass.trees[i]);
      const start = step.term
        ? ""
        : isValue
          ? label("value", i, program.names)
          : derivativeLabel(panel, i);
      const whole = { kind: isValue ? "value" : panel.pass.kind, row: i };
      shown = factorsOf(tree, whole, start, env, program.names);
    }
    pictures.replaceChildren(
      ...shown.map((one) =>
        matrixElement(
          one,
          one.tree.kind ? (entry) => pickEntry(one.tree.row, entry) : null,
          entries,
        ),
      ),
    );
  }

  function takesKey(event) {
    if (event.key === "Escape" && open >= 0) {
      show(open);
      return true;
    }
    if (!quiz?.asks(bar.step)) return false;
    if (/^[1-9]$/.test(event.key)) {
      quiz.pick(Number(event.key) - 1);
      return true;
    }
    return false;
  }

  // -- moving

  function onStep(step) {
    writeSoon();
    tell("step", step);
    picture.now();
  }

  // -- the address of the page: the state can be sent as a link

  let writing = 0;
  function writeSoon() {
    if (!ownsAddress) return;
    clearTimeout(writing);
    writing = setTimeout(writeAddress, 250);
  }
  function writeAddress() {
    if (!ownsAddress) return;
    clearTimeout(writing);
    const inputs = at.map((x, k) => inputText(x, program.inputs[k])).join(",");
    const which = panels.map(({ mode, about }) => `${mode}:${about}`).join(",");
    const f = program === given ? {} : { f: program.typed };
    const state = new URLSearchParams({
      player: place,
      ...f,
      in: inputs,
      d: which,
      step: bar.step + 1,
    });
    try {
      history.replaceState(null, "", `#${state}`);
    } catch {
      // A page without an address of its own.
    }
  }
  function readAddress() {
    if (!ownsAddress || location.hash.length < 2) return;
    const state = new URLSearchParams(location.hash.slice(1));
    if (state.get("player") !== String(place)) return;
    try {
      const other = state.has("f") ? parse(state.get("f")) : given;
      const texts = (state.get("in") ?? "").split(",");
      if (texts.length !== other.inputs.length) throw new TypingError("inputs", 0);
      const read = texts.map((text, k) => inputFrom(text, other.inputs[k]));
      const which = (state.get("d") ?? "").split(",").map((one) => one.split(":"));
      const isOf = (mode, about) =>
        mode === "reverse"
          ? other.outputs.includes(about)
          : mode === "forward" && other.rows[about]?.op === "input";
      if (which.length !== panels.length || !which.every(([m, a]) => isOf(m, Number(a))))
        throw new TypingError("derivative", 0);
      const step = Number(state.get("step"));
      load(other);
      at = read;
      which.forEach(([mode, about], k) => choose(k, mode, Number(about)));
      if (!(Number.isInteger(step) && step >= 1 && step <= move.count()))
        throw new TypingError("step", 0);
      build();
      bar.go(step - 1);
      root.scrollIntoView?.();
    } catch (error) {
      if (!(error instanceof TypingError)) throw error;
      load(given);
      complain(`The link is damaged (${error.message}): this is the example.`);
      root.scrollIntoView?.();
    }
  }

  // -- a widget's traits

  let quiet = false;
  function tell(trait, value) {
    if (!model || quiet) return;
    model.set(trait, value);
    model.save_changes();
  }
  function tellInputs() {
    const names = program.rows.filter((r) => r.op === "input").map((r) => r.name);
    tell("inputs", Object.fromEntries(names.map((name, k) => [name, nested(at[k])])));
  }
  function quietly(act) {
    return () => {
      quiet = true;
      act();
      quiet = false;
    };
  }
  function takeInputs() {
    const inputs = model.get("inputs");
    made.inputs.forEach((one, k) => {
      const x = inputs[program.rows[one.row].name];
      if (x === undefined) return;
      at[k] = isNumber(at[k]) ? Number(x) : array(x, at[k].shape, "inputs");
      refreshInput(k);
    });
    picture.later();
  }
  function listen() {
    model.on("change:step", () => {
      quietly(() => bar.go(model.get("step")))();
      // A step that isn't there.
      if (bar.step !== model.get("step")) tell("step", bar.step);
    });
    model.on("change:inputs", quietly(takeInputs));
    model.on(
      "change:playing",
      quietly(() => (model.get("playing") ? bar.play() : bar.pause())),
    );
    model.on(
      "change:predicting",
      quietly(() => {
        if (quiz && quiz.isOn() !== model.get("predicting")) quiz.turn(model.get("predicting"));
      }),
    );
    model.on(
      "change:function",
      quietly(() => {
        const text = model.get("function");
        if (text !== (program === given ? "" : program.typed))
          load(text ? parse(text) : given, true);
      }),
    );
  }

  // -- start

  load(given);
  if (model) {
    quietly(() => {
      if (model.get("function")) load(parse(model.get("function")));
      if (Object.keys(model.get("inputs")).length) takeInputs();
      bar.go(model.get("step"));
      if (model.get("predicting")) quiz?.turn(true);
    })();
    listen();
    tellInputs();
  } else {
    if (spec.step) bar.go(spec.step);
    if (spec.predict) quiz?.turn(true);
    readAddress();
    if (ownsAddress) addEventListener("hashchange", readAddress);
  }

  function resize() {
    const now = `${root.clientWidth}:${roomFor(root)}:${graphs.parentElement.offsetTop}`;
    if (now !== size && root.clientWidth) {
      size = now;
      fit();
    }
  }
  new ResizeObserver(resize).observe(root);
  addEventListener("resize", function again() {
    if (root.isConnected) resize();
    else removeEventListener("resize", again);
  });
}

KINDS.program = startPlayer;
