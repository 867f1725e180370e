// A player as text to share: its inputs in an address, and the call in Python.

// A number, or nested lists of numbers, as JavaScript and Python parse it.
const numeral = (x) =>
  Array.isArray(x) ? `[${x.map(numeral).join(", ")}]` : Object.is(x, -0) ? "-0.0" : String(x);

// An input in an address: a number, or the entries that differ from the example's: "*5:0.7*6:1".
function inputText(x, first) {
  if (isNumber(x)) return numeral(x);
  const changed = [...x.keys()].filter((entry) => x[entry] !== first[entry]);
  return `*${changed.map((entry) => `${entry}:${numeral(x[entry])}`).join("*")}`;
}

// Parse it; NaN if it is invalid.
function inputFrom(text, first) {
  if (isNumber(first)) return Number(text);
  const x = copyOf(first);
  for (const part of text.split("*").filter(Boolean)) {
    const [entry, value] = part.split(":").map(Number);
    if (!(entry in x)) return NaN;
    x[entry] = value;
  }
  return x;
}

// Only pages of the site have addresses to share.
const isSite = () => Boolean(document.querySelector('meta[name="generator"][content="comp551ad"]'));

// The Python code that creates this player.
function pythonOf(program, at, panels) {
  const inputs = inputsOf(program).map((i) => program.rows[i]);
  const number = (x) => (isNumber(x) ? numeral(x) : `np.array(${numeral(nested(x))})`);
  const given = inputs.map((row, k) => `${row.name}=${number(at[k])}`).join(", ");
  const isWritten = program.typed === program.code || program.uncalled;
  const text = isWritten ? functionOf(program, inputs) : program.code;
  const [first, second] = panels;
  // In Python a2 is the second row, even if something else is called a2.
  const name = (i) => {
    const { name } = program.rows[i];
    return name && !/^a\d+$/.test(name) ? name : `a${i + 1}`;
  };
  const [stepper, about] = second
    ? ["ModesStepper", `wrt="${name(first.about)}", of="${name(second.about)}"`]
    : first.mode === "reverse"
      ? ["ReverseStepper", `of="${name(first.about)}"`]
      : ["ForwardStepper", `wrt="${name(first.about)}"`];
  // std( is ours, np.std( is NumPy's.
  const ours = OURS.filter((name) => new RegExp(`(?<![.\\w])${name}\\(`).test(text));
  return [
    "import numpy as np",
    `from comp551ad import ${stepper}, record`,
    ...(ours.length ? [`from comp551ad.functions import ${ours.join(", ")}`] : []),
    "\n",
    text,
    "\n",
    `${stepper}(record(${isWritten ? "f" : program.function}, ${given}), ${about})`,
  ].join("\n");
}

// A typed function as Python, with np. before NumPy's names.
function functionOf(program, inputs) {
  const { statements, results } = writtenDown(program, true);
  const body = [...statements, `return ${results.join(", ")}`].map((line) =>
    line.replace(/\b\w+(?=\()/g, (name) => (OURS.includes(name) ? name : `np.${name}`)),
  );
  const names = inputs.map(({ name }) => name).join(", ");
  return [`def f(${names}):`, ...body].join("\n    ");
}

// A button that copies a text.
function copier(name, textOf, attributes) {
  async function copy({ currentTarget: target }) {
    try {
      await navigator.clipboard.writeText(textOf());
      setText(target, "Copied");
    } catch {
      setText(target, "Copying isn't allowed");
    }
    setTimeout(() => setText(target, name), 1500);
  }
  return button("button", name, copy, attributes);
}
