// A panel: one pass over a program, and its texts at a step and at the current inputs.

const MOST_LISTED = 6; // inputs in a line

// A number, or an array's shape.
const brief = (x, digits) => (isNumber(x) ? numberText(x, digits) : shapeText(x.shape));

function listed(texts) {
  const more = texts.length - MOST_LISTED;
  const shown = texts.slice(0, MOST_LISTED).join(", ");
  return more > 0 ? `${shown}, … and ${more} more` : shown;
}

// An equation without repeated parts: [text, result].
function chain(left, ...parts) {
  const different = parts.filter((part, k) => part && !parts.slice(k + 1).includes(part));
  const result = different.pop();
  return [`${[left, ...different].join(" = ")} = `.trimStart(), result];
}

class Panel {
  // `entryOf(row)` is the picked entry of an array.
  constructor(program, { mode, about, seed }, entryOf) {
    Object.assign(this, { program, entryOf }, passOver(program, mode, about, seed));
    Object.assign(this, stepsOf(program, this));
    this.isReverse = mode === "reverse";
  }

  // Set the numbers and the step. While a question is open, only earlier steps are known.
  at(inputs, values, step, asking) {
    this.inputs = inputs;
    this.env = this.environment(values);
    this.texts = { value: [], [this.kind]: [] };
    this.here = Math.min(step, this.steps.length - 1);
    this.before = asking ? this.here - 1 : this.here;
    this.step = this.steps[this.here];
  }
  has(what, i) {
    // Forward mode's questions are about tangents only.
    const known = what === "value" && !this.isReverse ? this.here : this.before;
    return this.found[what].get(i) <= known;
  }
  // A number with at most four digits, "" while it isn't known.
  text(what, i, digits = 4) {
    const known = () => (this.has(what, i) ? brief(this.env[what][i], digits) : "");
    return digits < 4 ? known() : (this.texts[what][i] ??= known());
  }
  gone(what, i) {
    return this.last[what].get(i) <= this.before;
  }

  // -- names and formulas

  value(i) {
    return label("value", i, this.env);
  }
  derivative(i) {
    return label(this.kind, i, this.env);
  }
  named(i) {
    return this.program.rows[i].name ?? this.value(i);
  }
  // A formula's value, and the formula with numbers if that differs from the one without.
  worth(tree) {
    const text = written(tree, this.env);
    const filled = written(tree, this.env, true);
    return { text, filled: filled === text ? "" : filled, x: evaluate(tree, this.env) };
  }
  right(i) {
    const { op, name } = this.program.rows[i];
    return op === "input" ? name : written(valueTree(this.program, i), this.env);
  }
  // An input that is labelled by its name is written once.
  equation(i) {
    const [left, right] = [this.value(i), this.right(i)];
    return left === right ? left : `${left} = ${right}`;
  }
  formula(i) {
    return `${this.derivative(i)} = ${written(this.trees[i], this.env)}`;
  }

  // The third witness: a difference quotient at this node, for its picked entry.
  check(i) {
    const x = this.env.value[i];
    if (!isNumber(x) && !x.length) return { mark: "", look: "", text: "empty" };
    const entry = this.entryOf(i);
    const own = entriesOf(this.env[this.kind][i])[entry];
    const { inputs, env, program } = this;
    const { value, error } = difference(program, this, inputs, env.value, i, entry);
    const place = isNumber(x) ? "" : `[${indicesOf(x.shape, entry).join(", ")}] `;
    // Inconclusive if numbers aren't finite, or so large that the step is lost in rounding.
    if (!Number.isFinite(own) || !(error <= 0.01 * Math.max(1, Math.abs(own))))
      return { mark: "", look: "", text: `${place}can't tell here` };
    const ok = Math.abs(value - own) <= 3 * error + 1e-7 * Math.max(1, Math.abs(own));
    const [mark, look] = ok ? ["✓ ", "c5-ok"] : ["≠ ", "c5-bad"];
    return { mark, look, text: place + numberText(value) };
  }

  // -- a step in words

  // The lines of the formula: [text, result].
  lines() {
    const { step, env, kind } = this;
    const { nodes, finds, term } = step;
    const both = finds.length > 1;
    if (nodes.length > 1) {
      const results = finds.map((what) => [
        "",
        listed(nodes.map((i) => `${label(what, i, env)} = ${brief(env[what][i])}`)),
      ]);
      return [[listed(nodes.map((i) => this.equation(i))), ""], ...results];
    }
    const [i] = nodes;
    return (term ? [""] : finds).flatMap((what) => {
      const isValue = what === "value";
      const tree = term?.tree ?? (isValue ? valueTree(this.program, i) : this.trees[i]);
      const { filled, text, x } = this.worth(tree);
      const own = isValue ? this.right(i) : text;
      const left = term ? "" : label(what, i, env);
      // A derivative may have a smaller array than its value if it is uniform along an axis.
      const whole = term || isValue || isNumber(x) ? x : env[kind][i];
      const ends = [filled, valueText(whole)];
      if (both || own === ends[1]) return [chain(left, own, ...ends)];
      return [[left ? `${left} = ${own}` : own, ""], chain("", ...ends)];
    });
  }

  title() {
    const { step, program, isReverse } = this;
    const { nodes, finds, term } = step;
    const [i] = nodes;
    const derivative = this.derivative(i);
    if (finds.includes("value")) {
      if (program.rows[i].op === "input")
        return isReverse
          ? "First the evaluation, from the bottom up: the inputs"
          : `The inputs, and the seeds: derivatives with respect to ${this.named(this.about)}`;
      const own = this.value(i);
      return isReverse ? `Evaluation, upwards: ${own}` : `${own}: its value, and its tangent`;
    }
    if (!term) return `${derivative}: ${this.why(i)}`;
    const k = this.terms[i].indexOf(term) + 1;
    return `${derivative}: path ${k} of ${this.terms[i].length}, through ${this.value(term.node)}`;
  }

  // Why a derivative has its terms.
  why(i) {
    const { isReverse, about } = this;
    const terms = this.terms[i];
    if (terms.length)
      return !isReverse
        ? "a term for each operand that moves"
        : terms.length > 1
          ? `the sum over its ${terms.length} paths`
          : `one path, through ${this.value(terms[0].node)}`;
    if (i === about) return isReverse ? "the seed, where the backward pass starts" : "the seed";
    const [of, by] = isReverse ? [about, i] : [i, about];
    return `${this.named(of)} doesn't depend on ${this.named(by)}`;
  }

  // What is no longer needed after this step; at the end, the result.
  remark() {
    const { here, steps, last, kind, program } = this;
    const rows = [...program.rows.keys()];
    if (here === steps.length - 1) {
      const about = this.named(this.about);
      const ends = this.isReverse ? inputsOf(program) : program.outputs;
      const slopes = ends.map((i) => {
        const [top, bottom] = this.isReverse ? [about, this.named(i)] : [this.named(i), about];
        return `∂${top}/∂${bottom} = ${brief(this.env[kind][i])}`;
      });
      return `One pass gave ${slopes.join(", ")}.`;
    }
    const free = rows
      .reverse()
      .flatMap((i) =>
        ["value", kind]
          .filter((what) => last[what].get(i) === here)
          .map((what) => label(what, i, this.env)),
      );
    return free.length ? `No longer needed: ${free.join(", ")}.` : "";
  }

  // Where the first number that isn't finite arises, once its step is reached; "" if there is none.
  broken() {
    const { kind, row, tree } = firstBroken(this.program, this, this.env) ?? {};
    if (!kind || !this.has(kind, row)) return "";
    const x = entriesOf(this.env[kind][row]).find((e) => !Number.isFinite(e));
    const what = Number.isNaN(x) ? "not a number" : numberText(x);
    return `${label(kind, row, this.env)} = ${written(tree, this.env, true)} is ${what}: it starts here.`;
  }
}
