// The engine runs a recorded list, forward and reverse, with rules that Python recorded.
//
// TABLE has an entry for each primitive: its value (runtime.js), how it is written, its rules. A
// rule is a tree over the same primitives, recorded from the table in Python. The page evaluates it
// for the numbers and prints it as the formula, so a formula shows what ran.
//
// A tree is a symbol {kind, row}, a constant {c, word}, or an operation {op, args, params}; params
// are {name: [value, text]}. A program is {rows, outputs, names}; a row is {op, args, params, name,
// span, rule}; an argument is a row's number or a constant. An environment holds the symbols' values:
// {value, adjoint or tangent: a number or an array per row, names}.

const [SUM, PRODUCT, PREFIX, POWER, ATOM] = [1, 2, 3, 4, 5];
const ZERO = { c: 0 };
const isNumber = (x) => typeof x === "number";
const isRow = Number.isInteger;
const ndimOf = (x) => shapeOf(x).length;
const copyOf = (x) => Object.assign(Float64Array.from(x), { shape: x.shape });

// ------------------------------------------------------------------ values

// The indices of an array's flat entry.
function indicesOf(shape, entry) {
  const indices = [];
  for (const n of [...shape].reverse()) {
    indices.unshift(entry % n);
    entry = Math.floor(entry / n);
  }
  return indices;
}

// Apply f elementwise, with broadcasting.
function elementwise(f, xs) {
  if (xs.every(isNumber)) return f(...xs);
  const shapes = xs.map((x) => (isNumber(x) ? [] : x.shape));
  const ndim = Math.max(...shapes.map((s) => s.length));
  const shape = Array.from({ length: ndim }, (_, a) => {
    const lengths = shapes.map((s) => s[a - ndim + s.length] ?? 1);
    return lengths.find((n) => n !== 1) ?? 1;
  });
  if (shapes.some((s) => s.some((n, a) => n !== 1 && n !== shape[a + ndim - s.length]))) {
    throw new RangeError(`shapes ${shapes.join(" and ")} don't fit`);
  }
  const all = xs.map((x) => (isNumber(x) ? x : broadcast_to(x, shape)));
  const y = empty(shape);
  const at = new Array(all.length);
  for (let i = 0; i < y.length; i++) {
    for (let k = 0; k < at.length; k++) at[k] = isNumber(all[k]) ? all[k] : all[k][i];
    y[i] = f(...at);
  }
  return y;
}

const plain = (params = {}) =>
  Object.fromEntries(Object.entries(params).map(([key, [value]]) => [key, value]));

function valueOf(op, xs, params) {
  const entry = TABLE[op];
  if (entry.matrix && xs[0].shape.at(-1) !== xs[1].shape.at(xs[1].shape.length > 1 ? -2 : -1)) {
    throw new RangeError(`shapes ${xs[0].shape} and ${xs[1].shape} don't fit`);
  }
  if (!isElementwise(op)) return entry.value(xs, plain(params));
  return elementwise(entry.value, params?.condition ? [...xs, params.condition[0]] : xs);
}

// Only elementwise primitives have rules in the table.
const isElementwise = (op) => Boolean(TABLE[op].vjps);

const inputsOf = (program) =>
  [...program.rows.keys()].filter((i) => program.rows[i].op === "input");

const plus = (a, b) => elementwise((x, y) => x + y, [a, b]);
const scaled = (a, by) => elementwise((x) => x * by, [a]);

// The values of all rows. `moved` = {row, by} adds `by` to that row's value.
function run(program, inputs, moved = null) {
  // The runtime reuses its arrays on the next run, but earlier values are still needed here.
  Object.assign(arrays, { kept: [], next: 0 });
  const v = [];
  let k = 0;
  program.rows.forEach((row, i) => {
    if (row.op === "input") v.push(inputs[k++]);
    else {
      const xs = row.args.map((a) => (isRow(a) ? v[a] : a.c));
      v.push(valueOf(row.op, xs, row.params));
    }
    if (moved && moved.row === i) v[i] = plus(v[i], moved.by);
  });
  return v;
}

function evaluate(tree, env) {
  let value;
  if (tree.op) {
    const xs = tree.args.map((a) => evaluate(a, env));
    value = valueOf(tree.op, xs, tree.params);
  } else value = tree.kind ? env[tree.kind][tree.row] : tree.c;
  tree.ndim ??= ndimOf(value);
  return value;
}

// ------------------------------------------------------------------ rules

// The rules of a row: for arrays those recorded for its shapes, for scalars the table's.
function rulesOf(row) {
  if (row.rule) return row.rule;
  const entry = TABLE[row.op];
  const variant = entry.variants?.find(({ operand, only }) => {
    const a = row.args[operand];
    return !isRow(a) && (only === undefined || only === a.c);
  });
  return variant ?? entry;
}

// A rule's tree with this row's operands substituted: "g" is the incoming derivative.
function instance(shape, row, index, derivative) {
  if (shape === null || shape === undefined) return ZERO;
  if (shape === "y") return { kind: "value", row: index };
  if (shape === "g") return derivative;
  if (isNumber(shape)) {
    const a = row.args[shape];
    return isRow(a) ? { kind: "value", row: a } : a;
  }
  if (Array.isArray(shape)) {
    const args = shape[1].map((part) => instance(part, row, index, derivative));
    const params = shape[2];
    return tidy({ op: shape[0], args, params });
  }
  if ("of" in shape) return { c: shape.by * row.args[shape.of].c + shape.plus };
  return { ...shape };
}

// Fold an operation on constants, as Python does while recording.
function tidy(tree) {
  if (!tree.args.every((a) => isNumber(a.c) && !a.word)) return tree;
  const numbers = tree.args.map((a) => a.c);
  return { c: valueOf(tree.op, numbers, tree.params) };
}

// The terms of each row's derivative: {node, operand, upper, tree}; `node` is the edge's other end.
function termsOf(program, mode) {
  const terms = program.rows.map(() => []);
  const kind = mode === "reverse" ? "adjoint" : "tangent";
  program.rows.forEach((row, i) => {
    if (row.op === "input") return;
    // A primitive without jvps has the same rules in both modes.
    const { vjps, jvps = vjps } = rulesOf(row);
    const rules = mode === "reverse" ? vjps : jvps;
    row.args.forEach((a, operand) => {
      if (!isRow(a)) return;
      const [near, far] = mode === "reverse" ? [a, i] : [i, a];
      const tree = instance(rules[operand], row, i, { kind, row: far });
      terms[near].push({ node: far, operand, upper: i, tree });
    });
  });
  return terms;
}

const sumOf = (trees) =>
  trees
    .filter((tree) => tree !== ZERO)
    .reduce((a, b) => (a === ZERO ? b : operation("add", a, b)), ZERO);

function symbolsIn(tree, found = []) {
  if (tree.kind) found.push(tree);
  tree.args?.forEach((a) => symbolsIn(a, found));
  return found;
}

const withArgs = (tree, change) =>
  tree.args ? { ...tree, ndim: undefined, args: tree.args.map(change) } : tree;

const changed = (tree, change) =>
  tree.args ? withArgs(tree, (a) => changed(a, change)) : change(tree);

const operation = (op, ...args) => ({ op, args });

// Minus a tree, without a double negation.
function negated(tree) {
  if (tree.op === "negative") return tree.args[0];
  return isNumber(tree.c) ? { c: -tree.c } : operation("negative", tree);
}

// Without 1·x and −(−x), minus signs in front.
function simplified(tree) {
  if (!tree.op) return tree;
  const args = tree.args.map(simplified);
  const [a, b] = args;
  if (tree.op === "negative") return negated(a);
  if (tree.op !== "multiply") return { ...tree, args };
  if (a.c === 1 || b.c === 1) return a.c === 1 ? b : a;
  if (a.c === -1) return negated(b);
  if (a.op === "negative") return negated(operation("multiply", a.args[0], b));
  if (b.op === "negative") return negated(operation("multiply", a, b.args[0]));
  return { ...tree, args };
}

// ------------------------------------------------------------------ the two modes

// A pass: what is differentiated, its terms and formulas, and the two loops over them.
// `about` is the row of the output (reverse) or of the input (forward); `seed` its derivative.
function passOver(program, mode, about, seed) {
  const kind = mode === "reverse" ? "adjoint" : "tangent";
  const terms = termsOf(program, mode);
  const start = { c: seed, word: ndimOf(seed) ? "seed" : undefined };
  const trees = terms.map((own, i) =>
    sumOf([...(i === about ? [start] : []), ...own.map((term) => term.tree)]),
  );
  // The values of all symbols: evaluates each formula, in the order of the pass.
  function environment(v) {
    const d = new Array(program.rows.length);
    const env = { value: v, [kind]: d, names: program.names };
    const order = [...trees.keys()];
    if (mode === "reverse") order.reverse();
    for (const i of order) {
      const x = evaluate(trees[i], env);
      // A derivative may be smaller than its value where it is uniform along an axis.
      d[i] = isNumber(v[i]) ? x : broadcast_to(x, v[i].shape);
    }
    return env;
  }
  return { mode, kind, about, seed: start, terms, trees, environment };
}

// 1 at an entry of x, 0 elsewhere.
function unitAt(x, entry) {
  if (isNumber(x)) return 1;
  const unit = full(x.shape, 0);
  unit[entry] = 1;
  return unit;
}

// The third witness: a difference quotient for entry e of the derivative at row i. It uses no rules,
// only runs of the list with one value moved. Returns {value, error}; error is an estimate.
function difference(program, pass, inputs, v, i, e) {
  const ends = [
    [i, unitAt(v[i], e)],
    [pass.about, pass.seed.c],
  ];
  const [[from, by], [to, weights]] = pass.mode === "reverse" ? ends : ends.reverse();
  const slope = (h) => {
    const [up, down] = [h, -h].map((t) => {
      const moved = run(program, inputs, { row: from, by: scaled(by, t) })[to];
      return entriesOf(elementwise((x, w) => x * w, [moved, weights])).reduce((s, x) => s + x, 0);
    });
    return (up - down) / (2 * h);
  };
  const size = pass.mode === "reverse" ? Math.max(1, Math.abs(entriesOf(v[i])[e])) : 1;
  const [wide, narrow] = [slope(2e-4 * size), slope(1e-4 * size)];
  const value = (4 * narrow - wide) / 3;
  const larger = (most, x) => entriesOf(x).reduce((m, e) => Math.max(m, Math.abs(e)), most);
  const rounding = (Number.EPSILON * v.reduce(larger, 0)) / (1e-4 * size);
  return { value, error: Math.abs(narrow - wide) + 1e-8 * (Math.abs(value) + 1) + rounding };
}

// The first number that isn't finite although its operands are: {kind, row, tree}.
function firstBroken(program, pass, env) {
  const finite = (x) => entriesOf(x).every(Number.isFinite);
  if (env.value.every(finite) && env[pass.kind].every(finite)) return undefined;
  const rows = [...program.rows.keys()];
  const steps = rows.map((row) => ({ kind: "value", row, tree: valueTree(program, row) }));
  if (pass.mode === "reverse") rows.reverse();
  for (const row of rows) steps.push({ kind: pass.kind, row, tree: pass.trees[row] });
  return steps.find(
    ({ kind, row, tree }) =>
      !finite(env[kind][row]) &&
      symbolsIn(tree).every(
        (s) => (s.kind === kind && s.row === row) || finite(env[s.kind][s.row]),
      ),
  );
}

// ------------------------------------------------------------------ steps, and what they need

// The steps of a pass: {finds: kinds of numbers, nodes, term}. The inputs share a step; in the backward
// pass a node that is used several times takes one per path and one for the sum. `found` and `last`
// map kind and row to the step that computes a number and the last step that needs it.
function stepsOf(program, { mode, kind, terms, trees }) {
  const inputs = inputsOf(program);
  const rows = [...program.rows.keys()];
  const finds = mode === "forward" ? ["value", kind] : ["value"];
  const steps = inputs.length ? [{ finds, nodes: inputs }] : [];
  for (const i of rows) if (!inputs.includes(i)) steps.push({ finds, nodes: [i] });
  if (mode === "reverse") {
    for (const i of rows.reverse()) {
      const own = terms[i];
      if (own.length > 1) for (const term of own) steps.push({ finds: [], nodes: [i], term });
      steps.push({ finds: [kind], nodes: [i] });
    }
  }
  const [found, last] = [0, 1].map(() => ({ value: new Map(), [kind]: new Map() }));
  steps.forEach((step, at) => {
    for (const what of step.finds) {
      for (const i of step.nodes) {
        found[what].set(i, at);
        last[what].set(i, at);
        const tree = what === "value" ? valueTree(program, i) : trees[i];
        for (const symbol of symbolsIn(tree)) last[symbol.kind].set(symbol.row, at);
      }
    }
  });
  for (const o of program.outputs) last.value.delete(o);
  for (const i of mode === "forward" ? program.outputs : inputs) last[kind].delete(i);
  return { steps, found, last };
}

// ------------------------------------------------------------------ numbers as the course prints them

const subscript = (n) => String(n).replace(/\d/g, (d) => "₀₁₂₃₄₅₆₇₈₉"[d]);
const minus = (text) => text.replace(/-/g, "−");
// ā₅: the accent on the first letter, composed where Unicode has the letter.
const accented = (name, accent) => (name[0] + accent + name.slice(1)).normalize("NFC");

// Python rounds an exact tie to the even digit, JavaScript up; 30 more digits detect a tie.
function rounded(write) {
  const more = write(1);
  const at = more.search(/5(e|$)/);
  if (at > 0 && write(30).split("e")[0] === more.slice(0, at + 1) + "0".repeat(29)) {
    const before = more.slice(0, at).replace(".", "");
    if (before.at(-1) % 2 === 0)
      return (more.slice(0, at) + more.slice(at + 1)).replace(/\.(?=e|$)/, "");
  }
  return write(0);
}

function numberText(x, significant = 4) {
  if (Number.isNaN(x)) return "nan";
  if (!Number.isFinite(x)) return x > 0 ? "∞" : "−∞";
  if (Number.isInteger(x) && Math.abs(x) < 1e7) return minus(String(x || 0));
  let [digits, exponent] = rounded((n) => x.toExponential(significant - 1 + n)).split("e");
  exponent = Number(exponent);
  const fixed = exponent >= -4 && exponent < 7;
  if (fixed) digits = rounded((n) => x.toFixed(Math.max(significant - 1 - exponent, 0) + n));
  if (digits.includes(".")) digits = digits.replace(/\.?0+$/, "");
  return minus(fixed ? digits : `${digits}e${exponent}`);
}

const near = (x, y) => Math.abs(x - y) <= 1e-10 * Math.max(Math.abs(x), Math.abs(y));

// Two numbers with enough digits to show the difference.
function toldApart(x, y) {
  let texts = [];
  for (let n = 4; n < 17; n++) {
    texts = [numberText(x, n), numberText(y, n)];
    if (texts[0] !== texts[1]) break;
  }
  return texts;
}

// A number in a formula, with more digits where four would make it look simpler than it is.
function constantText(x) {
  const text = numberText(x);
  const shown = Number(text.replaceAll("−", "-").replace("∞", "Infinity"));
  const short = shown === Number(shown.toExponential(2)) || !/[.e]/.test(text);
  return near(x, shown) || !short || !Number.isFinite(x) ? text : toldApart(x, shown)[0];
}

const shapeText = (shape) => (shape.length === 1 ? `${shape[0]} entries` : shape.join("×"));

function valueText(x) {
  if (isNumber(x)) return numberText(x);
  if (x.shape.length === 1 && x.length && x.length <= 4) {
    return `[${Array.from(x, (e) => numberText(e)).join(", ")}]`;
  }
  const shape = shapeText(x.shape);
  const numbers = x.filter((e) => !Number.isNaN(e));
  if (!numbers.length) return `${shape}, ${x.length ? "all nan" : "empty"}`;
  const others = x.length - numbers.length;
  const note = others ? `, except for ${others} nan` : "";
  const [low, high] = [Math.min(...numbers), Math.max(...numbers)];
  if (near(low, high)) return `${shape}, all ${numberText(low)}${note}`;
  return `${shape}, ${toldApart(low, high).join(" … ")}${note}`;
}

// ------------------------------------------------------------------ formulas

const ACCENTS = { value: "", tangent: "\u0307", adjoint: "\u0304" };

function label(kind, row, { names }) {
  const name = names?.[row] ?? null;
  return name === null
    ? accented("a", ACCENTS[kind]) + subscript(row + 1)
    : accented(name, ACCENTS[kind]);
}

// The parameters that a reader sees: [name, text].
const shownParameters = (tree) =>
  Object.entries(tree.params ?? {}).flatMap(([key, [, text]]) =>
    text === undefined ? [] : [[key, text]],
  );

// How an operation is written: elementwise products of arrays as ⊙, transposes as ᵀ.
function notationOf(tree) {
  const call = `${tree.op}({operands}{parameters})`;
  const { text = call, level = ATOM, needs = [] } = TABLE[tree.op];
  const keys = shownParameters(tree).map(([key]) => key);
  if (tree.op === "transpose" && !keys.length) return { text: "{0}ᵀ", level: POWER, needs: [ATOM] };
  if (tree.op === "expand_dims") {
    const axes = [plain(tree.params).axis].flat();
    const index = Array.from({ length: tree.ndim }, (_, a) => (axes.includes(a) ? "None" : ":"));
    return { text: `{0}[${index.join(", ")}]`, level: ATOM, needs: [ATOM] };
  }
  if (!text.includes("{parameters}") && keys.some((key) => !text.includes(`{${key}}`)))
    return { text: call, level: ATOM };
  const areArrays = isElementwise(tree.op) && tree.args.every((a) => a.ndim > 0);
  return { text: areArrays ? text.replaceAll("·", "⊙") : text, level, needs };
}

// Whether a matrix product meets an elementwise one, so that parentheses must show the order.
function mixesProducts(tree, operand) {
  while (operand.op === "negative") operand = operand.args[0];
  if (!operand.op || TABLE[operand.op].level !== PRODUCT) return false;
  const inner = TABLE[operand.op].matrix;
  if (TABLE[tree.op].matrix) return !inner;
  const arrays = tree.args.filter((a) => a.ndim > 0).length;
  return inner && arrays > 1 && TABLE[tree.op].level !== SUM;
}

const SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹";
const superscript = (text) => text.replace("−", "⁻").replace(/\d/g, (d) => SUPERSCRIPTS[d]);

function numberPiece(text) {
  const negative = text[0] === "−";
  return { text, level: negative || text.includes("e") ? PRODUCT : ATOM, minus: negative };
}

function constantPiece(x, word) {
  if (!isNumber(x)) {
    const few = x.shape.length === 1 && x.length && x.length <= 4;
    const entries = few ? `[${Array.from(x, constantText).join(", ")}]` : "";
    return { text: word ?? (entries || `constant[${x.shape.join("×") || 1}]`), level: ATOM };
  }
  // 1/3 rather than 0.3333.
  if (Number.isFinite(x) && Number(x.toExponential(3)) !== x) {
    for (let q = 2; q <= 1000; q++) {
      const p = Math.round(x * q);
      if (p / q === x) {
        return { text: `${p < 0 ? "−" : ""}${Math.abs(p)}/${q}`, level: PRODUCT, minus: p < 0 };
      }
    }
  }
  return numberPiece(constantText(x));
}

// A tree as text; `filled` replaces scalar symbols by their values. `tail`: what follows binds as
// tightly as a product, so sin x becomes sin(x).
function piece(tree, env, filled, tail = false) {
  if (!tree.op) {
    if (!tree.kind) return constantPiece(tree.c, tree.word);
    const x = filled && env[tree.kind][tree.row];
    return isNumber(x)
      ? numberPiece(numberText(x))
      : { text: label(tree.kind, tree.row, env), level: ATOM };
  }
  const notation = notationOf(tree);
  const parts = notation.text.split(/\{(\w+)\}/);
  let { level } = notation;
  let [out] = parts;
  let negative = false;
  const wrapped = (a) => `(${piece(a, env, filled).text})`;
  for (let i = 1; i < parts.length; i += 2) {
    const [field, after] = [parts[i], parts[i + 1]];
    if (field === "operands") {
      out += tree.args.map((a) => piece(a, env, filled).text).join(", ");
    } else if (field === "parameters") {
      for (const [key, text] of shownParameters(tree)) out += `, ${key}=${text}`;
    } else if (!/^\d+$/.test(field)) {
      out += tree.params[field][1];
    } else {
      const a = tree.args[field];
      let needs = notation.needs[field];
      const closed = needs === 0 || (/[([{,]$/.test(out.trimEnd()) && /^[)\]},]/.test(after));
      if (mixesProducts(tree, a)) needs = Math.max(needs, PREFIX);
      const spaced = !after.trim() || /^\s*[-+−]/.test(after);
      const one = closed
        ? piece(a, env, filled)
        : piece(a, env, filled, (after ? !spaced : tail) && needs <= PREFIX);
      let wrap = !closed && one.level < needs;
      const leftmost = !out;
      if (closed) out += one.text;
      else if (tree.op === "power" && field === "1" && /^−?\d+$/.test(one.text)) {
        out = out.slice(0, -1) + superscript(one.text);
      } else if (tree.op === "add" && one.minus && !leftmost && !wrap) {
        out = out.replace(/\+ $/, "− ") + one.text.slice(1);
      } else {
        if (one.minus && !leftmost) wrap = true;
        const call = level === PREFIX && out.endsWith(" ") && (wrap || tail || a.op);
        if (call) {
          out = out.slice(0, -1) + wrapped(a);
          level = ATOM;
        } else {
          out += wrap ? wrapped(a) : one.text;
          negative ||= leftmost && !wrap && one.minus;
        }
      }
    }
    out += after;
  }
  return { text: out, level, minus: negative || out[0] === "−" };
}

function written(tree, env, filled = false) {
  try {
    // The notation depends on the dimensions of the operands.
    if (tree.ndim === undefined) evaluate(tree, env);
  } catch {
    // A wrong formula, whose shapes don't fit, can still be written.
  }
  return piece(tree, env, filled).text;
}

// How a row was computed, as a tree.
function valueTree(program, i) {
  const row = program.rows[i];
  if (row.op === "input") return { kind: "value", row: i };
  const args = row.args.map((a) => (isRow(a) ? { kind: "value", row: a } : a));
  return { op: row.op, args, params: row.params };
}

// ------------------------------------------------------------------ Python's data

// A program from `program_of`, ready to run.
function readProgram(data) {
  return { ...data, inputs: inputsOf(data).map((i) => data.rows[i].at), names: null };
}
