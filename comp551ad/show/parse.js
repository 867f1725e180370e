// Type your own f: parses text into a program over the same primitives. Typed text is never evaluated
// as code; errors are explained, with their position.
//
//     a = w1*x + w0; y1 = sin(a); y2 = cos(a)          or          sin(w1*x + w0), cos(w1*x + w0)

const TYPING = 350; // milliseconds to wait after the last key
const STARTS = [0.5, 2, 1, -1, 1.5];
const MOST_TOKENS = 600; // a longer text is rejected
// A name, a number, a sign, or anything else.
const TOKENS =
  /(?:(?:np|numpy|math)\.)?([\p{L}_][\p{L}\p{Nd}_₀-₉]*)|((?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(\*\*|[-+*/(),;=])|(\S)/gu;
const OPERATORS = { "+": "add", "-": "subtract", "*": "multiply", "/": "divide" };
// What people write -> what a program writes.
const SIGNS_MEANT = {
  ...{ "^": "**", "²": "**2", "³": "**3", "√": "sqrt", "÷": "/" },
  ...{ "·": "*", "×": "*", "⋅": "*", "∗": "*", "−": "-" },
};
const NAMES_MEANT = {
  ...{ ln: "log", sigmoid: "logistic", σ: "logistic", ReLU: "relu" },
  ...{ max: "maximum", min: "minimum" },
};
const CONSTANTS = { pi: Math.PI, π: Math.PI, e: Math.E };
// What may come before a formula: f(x) =, def f(x):, lambda x:, return.
const HEADS = /\bdef\s[^;)]*\)[^;:]*:|\blambda\b[^:]*:|\breturn\b|(?<=^|;)\s*\p{L}\w*\([\p{L}\w₀-₉,\s]*\)\s*=/gu;

class TypingError extends Error {
  constructor(text, place) {
    super(text);
    this.place = place;
  }
}

// Users may type elementwise functions; EXAMPLES lists some of them.
const isFunction = (name) => Object.hasOwn(TABLE, name) && isElementwise(name) && name !== "where";
const meantBy = (name) =>
  Object.hasOwn(NAMES_MEANT, name)
    ? NAMES_MEANT[name]
    : name.replace(/^a(?=(sin|cos|tan)h?$)/, "arc");
// Whether a name can be used for a value in text that is to be parsed again.
const isVariable = (name) =>
  /^[\p{L}_][\p{L}\p{Nd}_]*$/u.test(name ?? "") &&
  !isFunction(meantBy(name)) &&
  !Object.hasOwn(CONSTANTS, name);
const EXAMPLES = "sin, cos, tan, exp, log, sqrt, tanh, logistic, relu, abs, maximum";

// A comma between two digits more often means a decimal point than separates two outputs.
function refuseDecimalCommas(source) {
  const { 0: whole, index } = /(?<![\p{L}\d_.])\d+,\d+/u.exec(source) ?? {};
  if (!whole) return;
  const meant = `${whole.replace(",", ".")} for a number, ${whole.replace(",", ", ")} for two`;
  throw new TypingError(`Is ${whole} one number? Write ${meant}.`, index);
}

function tokensOf(source) {
  return [...source.replaceAll("–", "−").matchAll(TOKENS)].flatMap(
    ({ 0: whole, 1: name, 2: number, 3: sign, index }) => {
      const place = { from: index, to: index + whole.length };
      if (KEYWORDS.includes(name))
        throw new TypingError(`${name} is reserved in Python: use another name.`, index);
      // x₁ is x1.
      if (name) return { kind: "name", text: name.normalize("NFKC"), ...place };
      if (number || sign) return { kind: sign ?? "number", text: whole, ...place };
      if (whole in SIGNS_MEANT)
        return tokensOf(SIGNS_MEANT[whole]).map((one) => ({ ...one, ...place }));
      const meant = whole === "|" ? "The absolute value is written abs(x)." : "";
      throw new TypingError(meant || `“${whole}” can't be read here.`, index);
    },
  );
}

// Statements as trees: {name, tree}; a tree is {c}, {name} or {op, args}, each with from and to.
function readStatements(source) {
  const tokens = tokensOf(source);
  const known = new Set(); // names with a value
  let i = 0;
  const fail = (text, place = tokens[i]?.from ?? source.length) => {
    throw new TypingError(text, Math.min(place, source.length));
  };
  const peek = (kind) => tokens[i]?.kind === kind;
  const take = (kind) => (peek(kind) ? tokens[i++] : null);
  const end = () => tokens[i - 1].to;
  const asTyped = ({ from, to }) => source.slice(from, to);
  if (tokens.length > MOST_TOKENS)
    fail(`This is too long: at most ${MOST_TOKENS} names, numbers and signs are allowed.`, 0);
  // A reader whose tree has its position.
  const placed = (read) => () => {
    const from = tokens[i]?.from;
    const tree = read();
    return { ...tree, from, to: end() };
  };
  function chain(next, signs) {
    let tree = next();
    for (;;) {
      const sign = signs.find(take);
      if (!sign) return tree;
      const args = [tree, next()];
      tree = { op: OPERATORS[sign], args, from: tree.from, to: end() };
    }
  }
  const terms = () => chain(() => chain(signed, ["*", "/"]), ["+", "-"]);
  const signed = placed(() => {
    if (take("+")) return signed();
    if (!take("-")) return power();
    const tree = signed();
    return isNumber(tree.c) ? { c: -tree.c } : { op: "negative", args: [tree] };
  });
  const isFactor = () => peek("name") || peek("number") || peek("(");
  const power = placed(() => {
    const base = atom();
    if (isFactor()) fail(`A product is written with *: ${asTyped(base)}*${asTyped(tokens[i])}`);
    if (!take("**")) return base;
    const exponent = signed();
    if (base.c === Math.E) return { op: "exp", args: [exponent] };
    if (exponent.c === 2) return { op: "square", args: [base] };
    return { op: "power", args: [base, exponent] };
  });
  const close = (what) => take(")") ?? fail(`A parenthesis isn't closed: “)”${what} is missing.`);
  const atom = placed(() => {
    const token = tokens[i++];
    if (!token) fail("Something is missing at the end.");
    const { kind, text, from } = token;
    if (kind === "number") return { c: Number(text) };
    if (kind === "(") {
      const tree = terms();
      close("");
      return tree;
    }
    if (kind !== "name") fail(`A name or a number is missing before “${asTyped(token)}”.`, from);
    if (known.has(text)) return { name: text };
    if (Object.hasOwn(CONSTANTS, text)) return { c: CONSTANTS[text] };
    const op = meantBy(text);
    if (!isFunction(op)) {
      const or = "If it is a product, write it with *.";
      if (peek("("))
        fail(`No function is called ${text}. Known ones include ${EXAMPLES}. ${or}`, from);
      return { name: text };
    }
    if (peek("**")) fail(`Write the power after the parentheses: ${text}(x)**2`);
    // Formulas have sin x, without parentheses.
    const args = [];
    if (!take("(")) args.push(power());
    else {
      do args.push(terms());
      while (take(","));
      close(` of ${text}`);
    }
    const wanted = TABLE[op].vjps.length;
    if (args.length !== wanted)
      fail(`${text} takes ${wanted === 1 ? "one number" : `${wanted} numbers`}.`, from);
    return { op, args };
  });

  const statements = [];
  while (i < tokens.length) {
    if (take(";")) continue;
    let name = null;
    if (peek("name") && tokens[i + 1]?.kind === "=") {
      name = tokens[i].text;
      i += 2;
    }
    do statements.push({ name, tree: terms() });
    while (!name && take(","));
    known.add(name);
    if (i < tokens.length && !peek(";")) fail(`“${asTyped(tokens[i])}” doesn't fit here.`);
  }
  if (!statements.length) fail("Type a function, such as sin(w1*x + w0).");
  return { statements, tokens };
}

// Parse what people type as a number: 0.5, −1/2, 0,5 or −1·sin 2.5. NaN if it isn't one.
function numberIn(typed) {
  const value = (tree) => (tree.op ? valueOf(tree.op, tree.args.map(value)) : (tree.c ?? NaN));
  try {
    const { statements } = readStatements(typed.replace(/(\d),(\d)/g, "$1.$2"));
    return statements.length === 1 && !statements[0].name ? value(statements[0].tree) : NaN;
  } catch (error) {
    if (error instanceof TypingError) return NaN;
    throw error;
  }
}

// A line break ends a statement; fields have only one line.
const inOneLine = (text) => text.trim().replace(/\s*\n\s*/g, "; ");

// Parse text into a program: names without a value are inputs, in the order in which they occur.
function parse(source) {
  const code = inOneLine(source);
  refuseDecimalCommas(code);
  const blank = (head) => head.replace(/\S/g, " ");
  const { statements, tokens } = readStatements(code.replace(HEADS, blank));
  const [rows, names, known, inputs] = [[], new Map(), new Set(), []];
  const fail = (text, place) => {
    throw new TypingError(text, place);
  };
  function collect(tree) {
    if (tree.name && !known.has(tree.name) && !inputs.includes(tree.name)) inputs.push(tree.name);
    tree.args?.forEach(collect);
  }
  for (const { name, tree } of statements) {
    collect(tree);
    if (name && inputs.includes(name)) fail(`${name} is used before it has a value.`, tree.from);
    if (name) known.add(name);
  }
  for (const name of inputs) {
    const token = tokens.find((one) => one.text === name);
    names.set(name, rows.length);
    rows.push({ op: "input", args: [], name, span: [token.from, token.to] });
  }
  function emit(tree) {
    if (tree.name) return names.get(tree.name);
    if (!tree.op) return { c: tree.c };
    const args = tree.args.map(emit);
    if (!args.some(isRow)) return tidy({ op: tree.op, args });
    rows.push({ op: tree.op, args, span: [tree.from, tree.to] });
    return rows.length - 1;
  }
  for (const one of statements) {
    const { name, tree } = one;
    one.row = emit(tree);
    if (!name) continue;
    names.set(name, one.row);
    if (isRow(one.row) && rows[one.row].op !== "input") rows[one.row].name ??= name;
  }
  // Statements without a name are outputs; if all have one, the last statement is.
  const unnamed = statements.filter(({ name }) => !name);
  const outputs = unnamed.length ? unnamed : statements.slice(-1);
  for (const { row, tree } of outputs)
    if (!isRow(row))
      fail(
        "There is no input in this output: nothing to differentiate. Inputs are names without a value.",
        tree.from,
      );
  const at = inputs.map((_, k) => STARTS[k % STARTS.length]);
  const all = [...new Set(outputs.map(({ row }) => row))].sort((a, b) => a - b);
  return { function: "f", code, typed: code, rows, outputs: all, inputs: at, names: null };
}

// How operations are typed: a template, its precedence, and those that its operands need.
const TYPED = {
  add: ["{0} + {1}", SUM, SUM, PRODUCT],
  subtract: ["{0} - {1}", SUM, SUM, PRODUCT],
  multiply: ["{0}*{1}", PRODUCT, PRODUCT, POWER],
  divide: ["{0} / {1}", PRODUCT, PRODUCT, POWER],
  negative: ["-{0}", SUM, POWER],
  square: ["{0}**2", POWER, ATOM],
  power: ["{0}**{1}", POWER, ATOM, ATOM],
};

// A program as text: the assignments, if wanted those of outputs too, and the outputs' texts. Null if
// some of it can't be typed.
function writtenDown({ rows, outputs }, namesOutputs = false) {
  const [pieces, statements] = [[], []];
  for (const [i, { op, args, params, rule, ...row }] of rows.entries()) {
    const isInput = op === "input";
    const name = isVariable(row.name) ? row.name : null;
    if (isInput ? !name : rule || params || !isFunction(op)) return null;
    const call = [`${op}(${args.map((_, k) => `{${k}}`).join(", ")})`, ATOM];
    const [template, level, ...needs] = isInput ? [name, ATOM] : (TYPED[op] ?? call);
    const text = template.replace(/\{(\d)\}/g, (_, k) => {
      const { c } = args[k];
      const [own, binds] = pieces[args[k]] ?? [String(c), c < 0 ? SUM : ATOM];
      return binds < (needs[k] ?? 0) ? `(${own})` : own;
    });
    const uses = rows.flatMap((row) => row.args).filter((a) => a === i).length;
    // An unused row gets a name too, so that it isn't lost.
    const isNamed = uses + outputs.includes(i) !== 1;
    const called = uses || namesOutputs ? (name ?? (isNamed ? `a${i + 1}` : null)) : null;
    if (called && !isInput) statements.push(`${called} = ${text}`);
    pieces.push(called ? [called, ATOM] : [text, level]);
  }
  return { statements, results: outputs.map((i) => pieces[i][0]) };
}

// A program as it would be typed; "" if it can't be.
function asTyped(program) {
  const { statements, results } = writtenDown(program) ?? {};
  return statements ? [...statements, results.join(", ")].join("; ") : "";
}

// The text field, and the line below it for errors: read(text) is called while the user types, a
// moment after the last key.
function makeTyped(read) {
  let waiting = 0;
  function later() {
    clearTimeout(waiting);
    waiting = setTimeout(now, TYPING);
  }
  const typed = make("input.c5-typed", {
    type: "text",
    spellcheck: "false",
    autocomplete: "off",
    autocapitalize: "off",
    "aria-label": "Type your own f",
    placeholder: "type your own f, such as sin(w1*x + w0)",
    input: later,
    change: now,
    paste,
  });
  const wrong = make("p.c5-wrong", { hidden: true, role: "alert" });
  function complain(...parts) {
    wrong.hidden = !parts.length;
    typed.setAttribute("aria-invalid", !wrong.hidden);
    wrong.replaceChildren(...parts);
  }
  function now() {
    clearTimeout(waiting);
    const text = typed.value;
    try {
      read(text.trim());
      complain();
    } catch (error) {
      if (!(error instanceof TypingError)) throw error;
      const k = error.place + text.search(/\S|$/);
      const before = text.slice(Math.max(0, k - 14), k);
      const mark = make("mark", text[k] ?? "␣");
      complain(
        `${error.message}  `,
        make("span.c5-read", before, mark, text.slice(k + 1, k + 12)),
        make("span.c5-hidden", ` at place ${k + 1}`),
      );
    }
  }
  function enter(text) {
    typed.value = inOneLine(text);
    now();
  }
  function paste(event) {
    const text = event.clipboardData.getData("text");
    if (!text.includes("\n")) return;
    event.preventDefault();
    typed.setRangeText(inOneLine(text), typed.selectionStart, typed.selectionEnd, "end");
    later();
  }
  return { typed, wrong, complain, enter };
}
