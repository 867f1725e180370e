// Predict: the question before a step is shown, the feedback on the answer, and the box for both.
//
// A wrong choice is the recorded rule with one mistake, so it fits the function at hand: a missing
// path, a wrong sign, a value where a derivative belongs. One that happens to be right (exp is its own
// derivative) is left out.

const MOST_WRONG = 4; // wrong formulas beside the right one
const ENOUGH = 0.005; // relative tolerance: three digits are enough
const EXAMPLE = "−0.5, 1/3 or −1·sin 2.5"; // of what can be typed as a number

// Wrong formulas for a derivative, or for one path's share, the most instructive first:
// [tree, explanation].
function mistakesIn(panel, row, terms) {
  const { kind, isReverse, program, env } = panel;
  const name = panel.value(row);
  const left = terms.filter((term) => term.tree !== ZERO);
  if (!left.length) {
    const apart = isReverse ? `the output doesn't depend on ${name}` : `${name} doesn't move`;
    return [
      [{ kind: "value", row }, `${name} is the value; ${panel.derivative(row)} is a derivative.`],
      row === panel.about
        ? [ZERO, "The seed is 1: the derivative with respect to itself."]
        : [{ c: 1 }, `1 is the seed; ${apart}.`],
    ];
  }
  const trees = left.map((term) => term.tree);
  const found = [];
  const add = (wrong, why) => found.push([wrong, why]);
  const inEach = (change) => sumOf(trees.map((tree) => simplified(change(tree))));
  const eachDerivative = (change) =>
    inEach((tree) => changed(tree, (s) => (s.kind === kind ? change(s) : s)));
  const symbols = trees.flatMap((tree) => symbolsIn(tree)).filter((s) => s.kind === kind);
  const passedOn = [...new Set(symbols.map((s) => panel.derivative(s.row)))].join(", ");
  const isNumbers = trees.every((tree) => !tree.ndim);

  if (trees.length > 1) {
    left.forEach((term, k) => {
      const others = sumOf(trees.filter((_, n) => n !== k));
      const path = `${isReverse ? "through" : "from"} ${panel.value(term.node)}`;
      add(others, `The path ${path} is missing: add up all paths.`);
    });
  }
  const untransposed = (tree) =>
    tree.op === "transpose" ? untransposed(tree.args[0]) : withArgs(tree, untransposed);
  add(inEach(untransposed), "A transpose is missing.");
  const isProduct = (tree) => tree.op && TABLE[tree.op].matrix;
  add(
    inEach((t) => (isProduct(t) ? { ...t, ndim: undefined, args: t.args.toReversed() } : t)),
    "The factors are in the wrong order.",
  );
  const flipped = negated(simplified(trees.at(-1)));
  add(sumOf([...trees.slice(0, -1), flipped]), `${trees.length > 1 ? "A" : "The"} sign is wrong.`);
  if (symbols.length) {
    const { row: other } = symbols[0];
    add(
      eachDerivative((s) => ({ kind: "value", row: s.row })),
      `This uses the value ${panel.value(other)} where the derivative ${panel.derivative(other)} belongs.`,
    );
    if (isNumbers)
      add(
        eachDerivative(() => ({ c: 1 })),
        `The factor from ${isReverse ? "above" : "below"} is missing: ${passedOn}.`,
      );
  }
  const uppers = left.map((term) => program.rows[term.upper]);
  // Swapping a matrix and a vector would not be a plausible mistake.
  const isLike = (a, b) => ndimOf(env.value[a]) === ndimOf(env.value[b]);
  const isPair = (r) => TABLE[r.op].bilinear && r.args.every(isRow) && isLike(...r.args);
  if (uppers.every(isPair)) {
    const swapped = trees.map((tree, k) => {
      const [a, b] = uppers[k].args;
      const other = { [a]: b, [b]: a };
      const swap = (s) => (s.kind === "value" ? { ...s, row: other[s.row] ?? s.row } : s);
      return changed(tree, swap);
    });
    add(
      sumOf(swapped),
      "The two operands are mixed up: the derivative with respect to one factor contains the other.",
    );
  }
  const incoming = trees.map((tree) => symbolsIn(tree).find((s) => s.kind === kind) ?? ZERO);
  if (isNumbers && uppers.every((r) => isElementwise(r.op) && r.args.length === 1)) {
    const own = incoming.map((d, k) => operation("multiply", d, valueTree(program, left[k].upper)));
    add(sumOf(own), "This multiplies by the function itself instead of its derivative.");
  }
  add(
    sumOf(incoming.map((d) => ({ ...d }))),
    `This passes ${passedOn} on unchanged: the edge's own derivative is missing.`,
  );
  return found;
}

// A wrong formula's value; undefined if shapes don't fit, though it can still be a choice.
function worthOf(tree, env) {
  try {
    return evaluate(tree, env);
  } catch {
    return undefined;
  }
}

function isSame(x, y) {
  if (x === undefined || `${shapeOf(x)}` !== `${shapeOf(y)}`) return false;
  const others = entriesOf(y);
  return entriesOf(x).every((e, k) => Math.abs(e - others[k]) <= 1e-8 * (1 + Math.abs(e)));
}

// A hash, to order the choices: arbitrary, but stable.
const mixed = (text) => [...text].reduce((h, c) => (h * 31 + c.codePointAt(0)) % 65521, 7);

// The question before a step, at its numbers; null if there is nothing to ask.
function questionOf(panel, step) {
  const { env, kind, about, seed } = panel;
  const [row] = step.nodes;
  const { term } = step;
  if (step.nodes.length !== 1 || (!term && !step.finds.includes(kind))) return null;
  const terms = term ? [term] : panel.terms[row];
  if (row === about && !term && (terms.length || ndimOf(seed.c))) return null;
  const tree = term?.tree ?? panel.trees[row];
  const value = tree === ZERO ? env[kind][row] : evaluate(tree, env);
  const derivative = panel.derivative(row);
  const start = term ? "" : `${derivative} = `;
  const right = { text: start + written(tree, env), right: true };
  // Compare formulas at random derivatives, as here one of them may be 0.
  const anything = env.value.map((x) => elementwise(() => 1 + Math.random(), [x]));
  const elsewhere = { value: env.value, [kind]: anything };
  const ending = evaluate(tree, elsewhere);
  const wrongs = [];
  for (const [wrong, why] of mistakesIn(panel, row, terms)) {
    if (isSame(worthOf(wrong, elsewhere), ending)) continue;
    const text = start + written(wrong, env);
    if ([right, ...wrongs].some((one) => one.text === text)) continue;
    wrongs.push({ text, why, number: worthOf(wrong, env) });
  }
  const isValue = isNumber(value) && Number.isFinite(value);
  if (!wrongs.length && !isValue) return null;
  const choices = wrongs.length ? [right, ...wrongs.slice(0, MOST_WRONG)] : [];
  return {
    ask: term ? `the share of ${derivative} through ${panel.value(term.node)}` : derivative,
    choices: choices.sort((a, b) => mixed(row + a.text) - mixed(row + b.text)),
    wrongs,
    answer: isValue ? value : null,
    result: `${right.text}${right.text.endsWith(valueText(value)) ? "" : ` = ${valueText(value)}`}.`,
    // The numbers in it, by name.
    made: symbolsIn(tree).map((s) => [label(s.kind, s.row, env), env[s.kind][s.row]]),
  };
}

// The cosine of π/2 is 6e−17, and 0 is right.
const isEnough = (given, wanted) => Math.abs(given - wanted) <= ENOUGH * Math.abs(wanted) + 1e-15;

// A hint for a wrong number that matches no known mistake.
function leadFor({ answer, made }, given) {
  const itself = made.find(([, x]) => isEnough(given, x));
  if (itself) return `That is ${itself[0]} itself.`;
  const ratio = answer && given / answer;
  if (isEnough(ratio, -1)) return "The size is right; look at the sign.";
  for (const [name, x] of [...made, [2, 2], [3, 3], [4, 4], [10, 10]]) {
    if (x && isEnough(ratio, x)) return `It is ${name} times too large: a factor too many.`;
    if (x && isEnough(ratio, 1 / x)) return `It is ${name} times too small: a factor is missing.`;
  }
  if (ratio < 0) return "Both the sign and the size are wrong.";
  return `It is ${given > answer ? "too large" : "too small"}: write down the formula first.`;
}

// The questions of a player. `host` is its interface to the player: bar, panel(), paint(),
// newInputs() and isFixed().
function makeQuiz(host) {
  const { bar } = host;
  let on = false;
  let answers = new Map(); // step -> {tried: [texts], solved, right, verdict}
  let [question, shown] = [null, ""];
  const toggle = button("button.c5-predict", "Predict", () => turn(!on), {
    title: "Answer before each step is shown",
    "aria-pressed": "false",
  });
  const scored = make("small.c5-score");
  const asked = make("b.c5-asked");
  const reveal = button("button", "Show me", giveUp);
  const choices = make("div.c5-choices");
  const field = make("input", {
    type: "text",
    autocomplete: "off",
    placeholder: "or a number",
    keydown: ({ key }) => key === "Enter" && judgeNumber(),
  });
  const check = button("button", "Check", judgeNumber);
  const verdict = make("p.c5-verdict", { role: "status", tabindex: -1 });
  const others = button("button", "New inputs", newInputs);
  const box = make(
    "div.c5-quiz",
    { hidden: true, role: "group", "aria-label": "Predict" },
    make("div.c5-row", asked, scored),
    make("div.c5-row", choices, field, check, reveal, others),
    verdict,
  );

  // Another function may have fewer steps.
  function questionAt(k) {
    const panel = host.panel();
    return k < panel.steps.length ? questionOf(panel, panel.steps[k]) : null;
  }
  const asks = (k) => on && !answers.get(k)?.solved && Boolean(questionAt(k));
  const forget = () => (answers = new Map());

  function turn(wanted) {
    if (on === wanted) return;
    on = wanted;
    toggle.setAttribute("aria-pressed", on);
    bar.pause();
    forget();
    // Go to the next question, or the first one.
    const all = [...host.panel().steps.keys()];
    const order = [...all.slice(bar.step()), ...all.slice(0, bar.step())];
    bar.go((on ? order.find(questionAt) : null) ?? bar.step());
  }

  // act(entry) answers the open question; entry is the step's entry in `answers`.
  function judge(act) {
    if (!question) return;
    if (!answers.has(bar.step())) answers.set(bar.step(), { tried: [], verdict: "" });
    const entry = answers.get(bar.step());
    if (entry.solved) return;
    act(entry);
    host.paint();
  }
  function settle(entry, right) {
    Object.assign(entry, { solved: true, right: right && !entry.tried.length });
    entry.verdict = `${right ? "Right." : "It is"} ${question.result}`;
  }
  function refuse(entry, tried, why) {
    entry.tried.push(tried);
    entry.verdict = `Not quite. ${why} Try again.`;
  }
  function pick(n) {
    const { right, text, why } = question?.choices[n] ?? {};
    if (text) judge((entry) => (right ? settle(entry, true) : refuse(entry, text, why)));
  }
  function judgeNumber() {
    const given = numberIn(field.value);
    judge((entry) => {
      const mistake = question.wrongs.find(({ number }) => isEnough(given, number));
      if (Number.isNaN(given)) entry.verdict = `That isn't a number yet. Try ${EXAMPLE}.`;
      else if (isEnough(given, question.answer)) settle(entry, true);
      else refuse(entry, field.value, mistake?.why ?? leadFor(question, given));
    });
  }
  function giveUp() {
    judge((entry) => settle(entry, false));
  }
  // Change the numbers, which reopens the question.
  function newInputs() {
    answers.delete(bar.step());
    host.newInputs();
  }
  // [right at the first try, answered].
  function score() {
    const all = [...answers.values()].filter((one) => one.solved);
    return [all.filter((one) => one.right).length, all.length];
  }

  function paint(asking) {
    const entry = answers.get(bar.step());
    const solved = Boolean(entry?.solved);
    box.hidden = !on || !(asking || solved);
    toggle.classList.toggle("c5-on", on);
    const [right, all] = score();
    setText(scored, all ? `${right} of ${all} right at the first try` : "nothing answered yet");
    question = box.hidden ? null : questionAt(bar.step());
    if (question) paintQuestion(question, entry, solved);
  }
  function paintQuestion({ ask, answer, ...all }, entry, solved) {
    setText(asked, `What is ${ask}?`);
    setText(verdict, entry?.verdict ?? "");
    // After an answer by keyboard, the focus moves to the verdict rather than getting lost.
    if (solved && [field, check, reveal].includes(document.activeElement)) verdict.focus();
    field.hidden = check.hidden = answer === null;
    // Hidden without changing the layout, so that an answer moves nothing.
    for (const part of [field, check, reveal]) part.style.visibility = solved ? "hidden" : "";
    others.hidden = host.isFixed();
    setClass(verdict, `c5-verdict ${!solved ? "c5-bad" : entry.right ? "c5-ok" : ""}`);
    const key = `${bar.step()}:${all.choices.map((one) => one.text)}`;
    if (key !== shown) {
      shown = key;
      field.value = "";
      field.setAttribute("aria-label", ask);
      choices.replaceChildren(...all.choices.map(choiceButton));
    }
    all.choices.forEach(({ text, right }, n) => {
      const one = choices.children[n];
      const isWrong = entry?.tried.includes(text);
      const said = right && solved ? "right" : isWrong ? "wrong" : "";
      setClass(one, `c5-row c5-${said}`);
      setText(one.firstChild, { right: "✓", wrong: "✗" }[said] ?? `${n + 1}.`);
      setText(one.lastChild, said);
    });
  }
  // A choice's mark, right or wrong, replaces its number.
  function choiceButton({ text }, n) {
    const one = button("button.c5-row", make("small"), () => pick(n));
    one.append(make("span.c5-choice", text), make("span.c5-hidden"));
    return one;
  }

  return { button: toggle, box, asked, asks, giveUp, turn, pick, forget, paint, score, isOn: () => on };
}
