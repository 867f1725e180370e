// An equation of arrays as small heat maps with signs between.
//
//     V̄ [4×20]  =  Xᵀ [4×30]  ·  ā₃ [30×20]

const SMALLEST = 5; // size of a cell in pixels
const MOST_NUMBERS = 4; // rows and columns of an array that is shown as numbers
const SIGNS = { add: "+", subtract: "−", multiply: "⊙", divide: "/", dot: "·", matmul: "·" };

// An equation's parts, {sign, text, tree, value}; empty if there are no arrays. `whole` is its left
// side, called `start`; if that is "", there is only a right side.
function factorsOf(tree, whole, start, env) {
  const part = (tree, sign, text = written(tree, env)) => {
    const value = evaluate(tree, env);
    return { sign, text, tree, value };
  };
  const equals = start ? "=" : "";
  const left = start ? [part(whole, "", start)] : [];
  const isItself = tree.kind === whole.kind && tree.row === whole.row;
  let right = isItself ? [] : [part(tree, equals)];
  if (tree.op && tree.op !== "transpose") {
    const isScaled = tree.op === "multiply" && tree.args.some((a) => !a.ndim);
    const sign = isScaled ? "·" : SIGNS[tree.op];
    const first = sign ? equals : `${equals} ${tree.op.replaceAll("_", " ")}`;
    right = tree.args.map((a, k) => part(a, k ? (sign ?? ",") : first));
  }
  const all = [...left, ...right];
  return all.every(({ value }) => isNumber(value)) ? [] : all;
}

// A part as an element: a heat map of at most `room` pixels, with numbers in it if they are few. A
// click on a cell calls pick(entry), unless pick is null; `own` is the picked entry.
function matrixElement({ sign, text, value }, pick, own, room = [240, 62]) {
  const box = make("span.c5-row");
  if (sign) box.append(make("span", sign));
  if (isNumber(value)) {
    box.append(text === numberText(value) ? text : `${text} = ${numberText(value)}`);
    return box;
  }
  const { shape } = value;
  const columns = shape.at(-1);
  const rows = value.length / columns || 0;
  const [wide, tall] = [columns, rows].map((n, k) => Math.min(n, Math.floor(room[k] / SMALLEST)));
  const isFew = Math.max(rows, columns) <= MOST_NUMBERS;
  const summary = valueText(value).replace(`${shapeText(shape)}, `, "");
  const scale = Math.max(...value.filter(Number.isFinite).map(Math.abs), 0) || 1;
  const middle = (HEAT.length - 1) / 2;
  const level = (x) => {
    const part = Math.max(-1, Math.min(1, x / scale || 0));
    return Math.round(middle + Math.sign(part) * Math.sqrt(Math.abs(part)) * middle);
  };
  const edge = Math.min(14, Math.floor(Math.min(room[0] / wide, room[1] / tall)));
  const cells = Array.from({ length: tall * wide }, (_, k) => {
    const entry = Math.floor(k / wide) * columns + (k % wide);
    const x = value[entry];
    // A negative entry also gets a dot, the picked one a frame.
    const hasDot = x < 0 && !isFew;
    const looks = [hasDot ? "c5-negative" : "", pick && entry === own ? "c5-picked" : ""];
    const style = `background-color: ${HEAT[level(x)]}; padding: 0 ${isFew ? 4 : 0}px`;
    const attributes = { class: looks.join(" "), style, click: () => pick?.(entry) };
    return make("span", attributes, isFew ? numberText(x) : "");
  });
  const size = isFew ? "auto" : `${edge}px`;
  const style = `grid: auto-flow ${size} / repeat(${wide}, ${size}); gap: ${Math.sign(edge - SMALLEST)}px`;
  const label = `heat map of ${text}, ${shapeText(shape)}: ${summary}`;
  const cut = tall < rows || wide < columns ? `; ${tall}×${wide} are shown` : "";
  box.append(
    make(
      "div",
      make("b", text),
      ` ${shapeText(shape)}`,
      make(
        "div.c5-cells",
        { style, ...(isFew ? {} : { role: "img", "aria-label": label }) },
        ...cells,
      ),
      isFew ? "" : make("small", summary + cut),
    ),
  );
  return box;
}
