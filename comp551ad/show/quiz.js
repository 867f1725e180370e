// Predict: what is asked before a step is shown, and what is said to the answer.
//
// A wrong choice is the recorded rule with one thing gone wrong, so it fits the function at hand: a
// path left out, a sign lost, a value where a derivative belongs. One that happens to be right (exp
// is its own derivative) is left out.

const MOST_WRONG = 4; // wrong formulas beside the right one
const LONGEST_SUM = 32; // terms of a sum that can be chosen from
const NEAR = 0.02; // below this relative difference two numbers can't be told apart
const ENOUGH = 0.005; // so three digits do
const MARK = { adjoint: "bar", tangent: "dot" };

const hasSymbols = (tree, kind) => symbolsIn(tree).some((one) => one.kind === kind);

// Wrong formulas for a derivative, or for one path's share, the most instructive first:
// [tree, what is wrong with it].
function mistakesIn(panel, row, terms) {
  const { kind, isReverse, program } = panel;
  const name = panel.value(row);
  const left = terms.filter((term) => term.tree !== ZERO);
  if (!left.length) {
    const value = [
      { kind: "value", row },
      `${name} is the value; ${panel.derivative(row)} is a derivative.`,
    ];
    if (row === panel.about)
      return [value, [ZERO, "The seed is 1: the output's derivative with respect to itself."]];
    const why = isReverse
      ? `output, which doesn't depend on ${name}.`
      : `input, and ${name} doesn't depend on that one.`;
    return [value, [{ c: 1 }, `1 is the seed of the chosen ${why}`]];
  }
  const trees = left.map((term) => term.tree);
  const found = [];
  const put = (wrong, why) => found.push([wrong, why]);
  const each = (change) => sumOf(trees.map((tree) => simplified(change(tree))));
  const eachSymbol = (change) => each((tree) => changed(tree, (s) => (s.kind ? change(s) : s)));
  const eachDerivative = (change) => eachSymbol((s) => (s.kind === kind ? change(s) : s));
  const symbols = trees.flatMap((tree) => symbolsIn(tree)).filter((s) => s.kind === kind);
  const passedOn = [...new Set(symbols.map((s) => panel.derivative(s.row)))].join(", ");
  const isNumbers = trees.every((tree) => !tree.ndim);

  if (trees.length > 1) {
    left.forEach((term, k) => {
      const way = isReverse ? "through" : "from";
      const others = sumOf(trees.filter((_, n) => n !== k));
      put(others, `The path ${way} ${panel.value(term.node)} is missing: add up all paths.`);
    });
  }
  const untransposed = (tree) =>
    tree.op === "transpose" ? untransposed(tree.args[0]) : withArgs(tree, untransposed);
  put(each(untransposed), "A transpose is missing.");
  put(
    each((t) =>
      t.op && TABLE[t.op].matrix ? { ...t, ndim: undefined, args: t.args.toReversed() } : t,
    ),
    "The factors are in the wrong order.",
  );
  const flipped = negated(simplified(trees.at(-1)));
  put(sumOf([...trees.slice(0, -1), flipped]), `${trees.length > 1 ? "A" : "The"} sign is wrong.`);
  if (symbols.length) {
    const [{ row: other }] = symbols;
    put(
      eachDerivative((s) => ({ kind: "value", row: s.row })),
      `This uses the value ${panel.value(other)} where the derivative ${panel.derivative(other)} belongs.`,
    );
    const way = isReverse ? "above" : "below";
    if (isNumbers)
      put(
        eachDerivative(() => ({ c: 1 })),
        `The factor from ${way} is missing: ${passedOn}.`,
      );
  }
  const uppers = left.map((term) => program.rows[term.upper]);
  const isPair = (r) => TABLE[r.op].bilinear && r.args.every(isRow) && r.args[0] !== r.args[1];
  if (uppers.every(isPair)) {
    const swapped = trees.map((tree, k) => {
      const [a, b] = uppers[k].args;
      const other = { [a]: b, [b]: a };
      return changed(tree, (s) =>
        s.kind === "value" && s.row in other ? { kind: "value", row: other[s.row] } : s,
      );
    });
    put(
      sumOf(swapped),
      "The two operands are mixed up: the derivative with respect to one factor contains the other.",
    );
  }
  const incoming = trees.map((tree) => symbolsIn(tree).find((s) => s.kind === kind) ?? ZERO);
  if (isNumbers && uppers.every((r) => isElementwise(r.op) && r.args.length === 1)) {
    const wrong = incoming.map((d, k) =>
      operation("multiply", d, valueTree(program, left[k].upper)),
    );
    put(sumOf(wrong), "This multiplies by the function itself instead of its derivative.");
  }
  put(
    sumOf(incoming.map((d) => ({ ...d }))),
    `This passes ${passedOn} on unchanged: the edge's own derivative is missing.`,
  );
  const other = isReverse ? "tangent" : "adjoint";
  put(
    eachDerivative((s) => ({ kind: other, row: s.row })),
    `That mark belongs to the other mode: ${kind}s have a ${MARK[kind]}.`,
  );
  return found;
}

// Whether a wrong formula comes to the same as the right one, whatever derivatives are put in: not
// only those of this pass, where one of them may happen to be 0. It may also not fit at all.
function comesToTheSame(wrong, right, { value }) {
  const anything = value.map((x, row) => {
    const one = 1 + ((row * 0.618) % 1);
    return isNumber(x)
      ? one
      : Object.assign(
          x.map((_, k) => one + (k % 7)),
          { shape: x.shape },
        );
  });
  const env = { value, adjoint: anything, tangent: anything };
  try {
    const [a, b] = [evaluate(wrong, env), evaluate(right, env)];
    const others = entriesOf(b);
    return (
      `${shapeOf(a)}` === `${shapeOf(b)}` &&
      entriesOf(a).every((x, k) => Math.abs(x - others[k]) <= 1e-8 + NEAR * Math.abs(others[k]))
    );
  } catch {
    return false;
  }
}

// How far rounding may shift a number: the cosine of π/2 is 6e−17, and 0 is right.
function roundingOf(value, made) {
  const products = made.flatMap(([, a]) => [a, ...made.map(([, b]) => a * b)]);
  const left = 1e-15 * Math.max(0, ...products.filter(Number.isFinite).map(Math.abs));
  return value === 0 || Math.abs(value) > 0.01 * left ? left : 0;
}

const mixed = (text) => [...text].reduce((h, c) => (h * 31 + c.codePointAt(0)) % 65521, 7);

// The question before a step, at its numbers; null if there is nothing to ask.
function questionOf(panel, step) {
  const { env, kind, about, seed } = panel;
  const [row] = step.nodes;
  const { term } = step;
  if (step.nodes.length !== 1 || (!term && !step.finds.includes(kind))) return null;
  const own = panel.terms[row];
  const terms = term ? [term] : own;
  if (terms.length > LONGEST_SUM) return null;
  if (row === about && !term && (own.length || ndimOf(seed.c))) return null;
  const tree = term?.tree ?? panel.trees[row];
  const value = tree === ZERO ? env[kind][row] : evaluate(tree, env);
  const derivative = panel.derivative(row);
  const ask = term ? `the share of ${derivative} through ${panel.value(term.node)}` : derivative;
  const start = term ? "" : `${derivative} = `;
  const choices = [{ text: start + written(tree, env), right: true, why: "" }];
  const isValue = isNumber(value) && Number.isFinite(value);
  // What it is made of, by name, and the numbers that known mistakes come to.
  const made = isValue
    ? symbolsIn(tree).map((s) => [label(s.kind, s.row, env), env[s.kind][s.row]])
    : [];
  const rounding = isValue ? roundingOf(value, made) : 0;
  const numbers = [{ value, why: "" }];
  const apart = (a, b) =>
    Math.abs(a - b) > NEAR * Math.max(Math.abs(a), Math.abs(b)) + 2 * rounding;
  for (const [wrong, why] of mistakesIn(panel, row, terms)) {
    const marked = !hasSymbols(wrong, kind === "adjoint" ? "tangent" : "adjoint");
    if (marked && comesToTheSame(wrong, tree, env)) continue;
    const both = { ...env, adjoint: env[kind], tangent: env[kind] };
    const text = start + written(wrong, both);
    if (!choices.some((one) => one.text === text)) choices.push({ text, right: false, why });
    const number = marked && isValue ? numberOf(wrong, env) : NaN;
    if (Number.isFinite(number) && numbers.every((one) => apart(one.value, number)))
      numbers.push({ value: number, why });
  }
  const left = choices.slice(0, 1 + MOST_WRONG);
  left.sort((a, b) => mixed(row + a.text) - mixed(row + b.text));
  if (left.length < 2 && !isValue) return null;
  return {
    ask,
    choices: left.length > 1 ? left : [],
    answer: isValue ? value + 0 : null,
    text: valueText(value),
    numbers: numbers.slice(1),
    rounding,
    made,
  };
}

// NaN where shapes don't fit: the formula can still be chosen.
function numberOf(tree, env) {
  try {
    const x = evaluate(tree, env);
    return isNumber(x) ? x : NaN;
  } catch {
    return NaN;
  }
}

const isEnough = (given, wanted, rounding) =>
  Math.abs(given - wanted) <= ENOUGH * Math.abs(wanted) + rounding;

// What a wrong number without a known mistake may come from.
function leadFor(question, given) {
  const { answer, made, rounding } = question;
  if (isEnough(-given, answer, rounding)) return "The size is right; look at the sign.";
  for (const [name, x] of made) {
    if (isEnough(given, x, rounding)) return `That is ${name} itself.`;
  }
  const ratio = given / answer;
  if (answer && Number.isFinite(ratio)) {
    for (const [name, x] of made) {
      if (x && isEnough(ratio, x, 0)) return `It is ${name} times too large: a factor too many.`;
      if (x && isEnough(ratio, 1 / x, 0)) return `The factor ${name} is missing.`;
    }
    for (const n of [2, 3, 4, 10]) {
      if (isEnough(Math.abs(ratio), n, 0)) return `It is ${n} times too large.`;
      if (isEnough(Math.abs(ratio), 1 / n, 0)) return `It is ${n} times too small.`;
    }
    if (ratio < 0) return "The sign is wrong, and the size too.";
  }
  return `It is ${given > answer ? "too large" : "too small"}: write down the formula first.`;
}

// What a student types as a number: 0.5, −1/2, 0,5 or −1·sin 2.5. NaN where it is none of these.
function numberIn(typed) {
  const text = typed.replace(/[−–]/g, "-").replace(/[·×⋅]/g, "*").replace(/\^/g, "**");
  const plain = text
    .toLowerCase()
    .replace(/(\d),(\d)/g, "$1.$2")
    .replace(/²/g, "**2");
  const called = plain.replace(/\b([a-z]\w*) +(-?[\d.]+|pi)/g, "$1($2)");
  try {
    const { statements } = readStatements(called);
    const value = (tree) => {
      if (tree.name) return tree.name === "e" ? Math.E : NaN;
      return tree.op ? valueOf(tree.op, tree.args.map(value)) : tree.c;
    };
    return statements.length === 1 && !statements[0].name ? value(statements[0].tree) : NaN;
  } catch (error) {
    if (error instanceof TypingError) return NaN;
    throw error;
  }
}
