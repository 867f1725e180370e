// Arrays to look at: an equation's two sides as small heat maps with signs between.
//
//     V̄ [4×20]  =  Xᵀ [4×30]  ·  ā₃ [30×20]

const MOST_SHOWN = 24; // rows and columns of a heat map
const MOST_NUMBERS = [16, 4]; // entries and columns of an array that is shown as numbers
const MOST_MATRICES = 5;
const SIGNS = { add: "+", subtract: "−", multiply: "⊙", divide: "/", dot: "·", matmul: "·" };
const CHAINS = ["add", "multiply"];

// An equation's parts: {sign, text, tree, value}; none where there are no arrays, or too many.
function factorsOf(tree, whole, start, env) {
  const part = (one, sign) => ({
    sign,
    tree: one,
    text: written(one, env),
    value: evaluate(one, env),
  });
  function pieces(one, sign) {
    if (!one.op || one.op === "transpose") return [part(one, sign)];
    if (SIGNS[one.op]) {
      const [a, b] = one.args;
      const chain = (inner) => inner.op === one.op && CHAINS.includes(one.op);
      const scalar = one.op === "multiply" && !one.args.every((x) => ndimOf(evaluate(x, env)));
      const between = scalar ? "·" : SIGNS[one.op];
      return [
        ...(chain(a) ? pieces(a, sign) : [part(a, sign)]),
        ...(chain(b) ? pieces(b, between) : [part(b, between)]),
      ];
    }
    return one.args.map((a, k) => part(a, k ? "," : `${sign} ${one.op.replaceAll("_", " ")}`));
  }
  if (tree.kind && tree.row === whole.row && tree.kind === whole.kind) {
    return isNumber(evaluate(tree, env)) ? [] : [part(tree, "")];
  }
  const value = evaluate(tree, env);
  const first = { sign: "", tree: whole, text: start, value: start ? evaluate(whole, env) : value };
  const all = [...(start ? [first] : []), ...pieces(tree, start ? "=" : "")];
  return all.every((one) => isNumber(one.value)) || all.length > MOST_MATRICES ? [] : all;
}

// A part as an element, a heat map of at most so many pixels. A click on a cell calls pick(entry),
// where there is one to pick; `own` is the one that is picked.
function matrixElement({ sign, text, value }, pick, own, room = [240, 62]) {
  const box = make("span.c5-part");
  if (sign) box.append(make("span.c5-sign", sign));
  if (isNumber(value)) {
    box.append(text === numberText(value) ? text : `${text} = ${numberText(value)}`);
    return box;
  }
  const { shape } = value;
  const columns = shape.at(-1);
  const rows = value.length ? value.length / columns : 0;
  const [tall, wide] = [Math.min(rows, MOST_SHOWN), Math.min(columns, MOST_SHOWN)];
  const summary = valueText(value).replace(`${shapeText(shape)}, `, "");
  const finite = value.filter(Number.isFinite);
  const scale = Math.max(...finite.map(Math.abs), 0) || 1;
  const middle = (HEAT.length - 1) / 2;
  const level = (x) => {
    const part = Math.max(-1, Math.min(1, Number.isNaN(x) ? 0 : x / scale));
    return Math.round(middle + Math.sign(part) * Math.sqrt(Math.abs(part)) * middle);
  };
  const column = make("span.c5-matrix", make("span", make("b", text), ` ${shapeText(shape)}`));
  const few = value.length <= MOST_NUMBERS[0] && columns <= MOST_NUMBERS[1];
  if (few && value.length) {
    const grid = make("span.c5-cells");
    grid.style.gridTemplateColumns = `repeat(${columns}, auto)`;
    value.forEach((x, entry) => {
      const cell = make(pick && entry === own ? "span.c5-picked" : "span", numberText(x));
      cell.style.background = HEAT[level(x)];
      if (pick) cell.addEventListener("click", () => pick(entry));
      grid.append(cell);
    });
    column.append(grid);
  } else if (value.length) {
    const cell = Math.min(14, Math.max(3, Math.floor(Math.min(room[0] / wide, room[1] / tall))));
    const canvas = make("canvas", {
      width: wide * cell,
      height: tall * cell,
      role: "img",
      "aria-label": `heat map of ${text}, ${shapeText(shape)}: ${summary}`,
    });
    const ink = canvas.getContext("2d");
    for (let i = 0; i < tall; i++) {
      for (let j = 0; j < wide; j++) {
        const x = value[i * columns + j];
        ink.fillStyle = HEAT[level(x)];
        ink.fillRect(j * cell, i * cell, cell, cell);
        ink.fillStyle = "#1a1a1a";
        // A negative entry also has a dot, the picked one a frame.
        if (x < 0) ink.fillRect(j * cell + cell / 2 - 1, i * cell + cell / 2 - 1, 2, 2);
        if (pick && i * columns + j === own)
          ink.strokeRect(j * cell + 1, i * cell + 1, cell - 2, cell - 2);
      }
    }
    if (pick) {
      canvas.addEventListener("click", (event) => {
        const [i, j] = [event.offsetY, event.offsetX].map((p) => Math.floor(p / cell));
        if (i < tall && j < wide) pick(i * columns + j);
      });
    }
    const cut = tall < rows || wide < columns ? `, first ${tall}×${wide}` : "";
    column.append(canvas, make("small", summary + cut));
  }
  box.append(column);
  return box;
}
