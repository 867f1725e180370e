// Live training: a network on points in the plane, and descent on a surface.
//
// The network's gradient is a program that write_gradient wrote from the recorded cost. The surface's
// comes from the engine, so that typed functions have one too.

const PICTURE = 16; // milliseconds per frame
const GRID = 56; // rows and columns of a map's cells
const COUNTS = [1, 10, 100, 1000]; // steps per frame
const RATES = { min: -3, max: 1.5, step: 0.05 }; // exponents of the learning rate
const UNITS = [1, 2, 3, 4, 8, 16, 32];
const BANDS = 12; // of a surface's height
const MOST_STEPS = 2000; // drawn of a path
const BLUE = [0, 114, 178];
// The classes' marks differ in shape as well as in colour.
const MARKS = [
  ["M-4,0a4,4 0 1 0 8,0a4,4 0 1 0 -8,0", BLUE],
  ["M-4,-4h8v8h-8z", [230, 159, 0]],
  ["M0,-5l5,9h-10z", [0, 158, 115]],
  ["M0,-6l6,6l-6,6l-6,-6z", [204, 121, 167]],
];
const LINES = [
  { stroke: `rgb(${BLUE})` },
  { stroke: "#d55e00", "stroke-dasharray": "6 4" },
  { stroke: "#009e73", "stroke-dasharray": "2 3" },
];

// Shared by both: buttons, a learning rate, a loop that runs once per frame. advance(count) returns
// whether to go on.
function makeDescent(root, { count, rate, advance, restart, paint }) {
  const { toggle, pause } = makePlay(root, PICTURE, () => {
    const goesOn = advance(Number(many.value));
    paint();
    return goesOn;
  });
  const pausing = (name, act) =>
    button("button", name, () => {
      pause();
      act();
      paint();
    });
  const slide = slider("learning rate", { ...RATES, input: showRate });
  const shown = make("span.c5-count");
  const texts = COUNTS.map((n) => [n, `${n} at a time`]);
  const many = menu("steps from one picture to the next", texts);
  many.value = count;
  const lr = () => 10 ** Number(slide.value);
  function showRate() {
    setText(shown, numberText(lr(), 2));
    slide.setAttribute("aria-valuetext", shown.textContent);
  }
  slide.value = Math.log10(rate);
  showRate();
  const bar = make(
    "div.c5-row.c5-bar",
    toggle,
    pausing("Step", () => advance(1)),
    pausing("Restart", restart),
    "learning rate",
    slide,
    shown,
    many,
  );
  return { bar, lr, pause };
}

// A part of the plane, `across` and `up` being [from, to]: coloured cells, drawings over them, placed
// by their share of the width and height, and the names of the axes.
function makePlane(label, across, up) {
  const canvas = make("canvas", { width: GRID, height: GRID });
  const axes = [
    draw("text", { x: "100%", y: "100%", dx: -8, dy: -6, "text-anchor": "end" }),
    draw("text", { x: 6, y: 14 }),
  ];
  const over = draw("svg", ...axes);
  const plane = make("div.c5-map", { role: "img", "aria-label": label }, canvas, over);
  const ink = canvas.getContext("2d");
  const [wide, tall] = [across, up].map(([from, to]) => to - from);
  const pointAt = (right, below) => [across[0] + right * wide, up[1] - below * tall];
  // A diverging point has coordinates too large for SVG.
  const near = (x) => Math.max(-1e6, Math.min(1e6, x));
  const placeOf = ([x, y]) => [(x - across[0]) / wide, (up[1] - y) / tall].map(near);
  const middle = (k) => (k + 0.5) / GRID;
  const cells = Array.from({ length: GRID * GRID }, (_, k) =>
    pointAt(middle(k % GRID), middle(Math.floor(k / GRID))),
  );
  // colourOf(k) is a cell's [red, green, blue, alpha].
  function fill(colourOf) {
    const picture = ink.createImageData(GRID, GRID);
    for (let k = 0; k < GRID * GRID; k++) picture.data.set(colourOf(k), 4 * k);
    ink.putImageData(picture, 0, 0);
  }
  // Place a drawing, whose size is in pixels, at a point.
  function put(part, point) {
    const [x, y] = placeOf(point);
    part.setAttribute("x", `${100 * x}%`);
    part.setAttribute("y", `${100 * y}%`);
  }
  // take(the element under the pointer) returns whether it can be dragged; move(point) moves it.
  function drag(take, move) {
    let held = false;
    const share = (x, from, length) => Math.max(0, Math.min(1, (x - from) / length));
    const follow = ({ clientX, clientY }) => {
      const { left, top, width, height } = plane.getBoundingClientRect();
      if (held) move(pointAt(share(clientX, left, width), share(clientY, top, height)));
    };
    plane.addEventListener("pointerdown", (event) => {
      held = take(event.target);
      if (held) plane.setPointerCapture(event.pointerId);
      follow(event);
    });
    plane.addEventListener("pointermove", follow);
    plane.addEventListener("lostpointercapture", () => (held = false));
  }
  const rangeOf = (ends) => ends.map((x) => numberText(x, 2)).join(" to ");
  function name(right, above) {
    setText(axes[0], `${right}, ${rangeOf(across)} →`);
    setText(axes[1], `↑ ${above}, ${rangeOf(up)}`);
  }
  return { plane, over, cells, placeOf, fill, put, drag, name };
}

// Curves in unit coordinates, stretched over the whole drawing.
const stretched = (...curves) =>
  draw("svg", { viewBox: "0 0 1 1", preserveAspectRatio: "none" }, ...curves);

// Curves over the iterations, both axes logarithmic: paint(rows) takes [iteration, ...values].
function makeCurves(label, names) {
  const axes = draw("g");
  const curves = names.map((_, k) => draw("polyline", LINES[k]));
  const legend = names.flatMap((name, k) => [
    draw("path", { d: `M${82 * k},-11h18`, ...LINES[k] }),
    draw("text", { x: 82 * k + 23, y: -7 }, name),
  ]);
  const end = { x: "100%", y: "100%", dy: -6, "text-anchor": "end" };
  const across = draw("text", end, "iterations →");
  const svg = draw("svg", axes, across, ...legend, stretched(...curves));
  const element = make("div.c5-curves", { role: "img", "aria-label": label }, svg);
  // Powers of ten, at most twelve.
  function powers(from, to) {
    const all = Array.from({ length: to - from + 1 }, (_, k) => from + k);
    return all.filter((n) => n % Math.ceil(all.length / 12) === 0).map((n) => 10 ** n);
  }
  function paint(rows) {
    const isShown = (y) => y > 0 && Number.isFinite(y);
    const all = rows.flatMap(([, ...values]) => values.filter(isShown));
    const low = Math.floor(Math.log10(Math.min(1, ...all)));
    const high = Math.ceil(Math.log10(Math.max(1, ...all)) + 1e-9) || 1;
    const reach = Math.log10(Math.max(10, rows.at(-1)[0] + 1));
    const right = (t) => Math.log10(t + 1) / reach;
    const down = (v) => (high - Math.log10(v)) / (high - low);
    axes.replaceChildren(
      ...powers(low, high).flatMap((v) => {
        const y = `${100 * down(v)}%`;
        return [
          draw("line", { x2: "100%", y1: y, y2: y }),
          draw("text", { x: -5, y, dy: 4, "text-anchor": "end" }, numberText(v)),
        ];
      }),
      ...[0, ...powers(0, Math.floor(reach))]
        .filter((t) => right(t) <= 1)
        .map((t) => {
          const x = `${100 * right(t)}%`;
          return draw("text", { x, y: "100%", dy: 16, "text-anchor": "middle" }, numberText(t));
        }),
    );
    curves.forEach((curve, k) => {
      const shown = rows.filter((row) => isShown(row[k + 1]));
      curve.setAttribute("points", shown.map((row) => [right(row[0]), down(row[k + 1])]).join(" "));
    });
  }
  return { element, paint };
}

// ------------------------------------------------------------------ a network

function startTraining(root, spec) {
  const { gradients, cost, scores } = root.programs;
  const { X: X0, Y, W: W0, V: V0 } = spec;
  const [N, D] = X0.shape;
  const C = Y.shape[1];
  const names = ["cost", "‖dW‖", "‖dV‖"];
  // The points, without the column of ones, which is fixed.
  const P0 = Object.assign(
    X0.filter((_, i) => i % D < 2),
    { shape: [N, 2] },
  );
  let [X, W, V, P] = [X0, W0, V0, P0];
  // An entry of the history is [iteration, cost, ‖dW‖, ‖dV‖].
  let [iteration, history, lost] = [0, [], ""];
  const spans = [0, 1].map((k) => {
    const all = P0.filter((_, i) => i % 2 === k);
    const [low, high] = [Math.min(...all), Math.max(...all)];
    return [low - 0.08 * (high - low), high + 0.08 * (high - low)];
  });
  function best(U, n) {
    let k = 0;
    for (let c = 1; c < C; c++) if (U[n * C + c] > U[n * C + k]) k = c;
    return k;
  }

  dressRoot(root, spec, "c5-training");
  const sizes = [...new Set([...UNITS, W0.shape[0]])].map((m) => [m, `${m} hidden`]);
  const hidden = menu("hidden units", sizes, () => {
    restart();
    paint();
  });
  hidden.value = W0.shape[0];
  const { rate } = spec;
  const descent = makeDescent(root, { count: 100, rate, advance, restart, paint });
  descent.bar.append(hidden);
  const status = make("p.c5-status");
  const label = "The plane, coloured by the network's prediction, with the points";
  const map = makePlane(label, ...spans);
  // A transparent circle, as the mark is too small to touch.
  const marks = Array.from({ length: N }, (_, n) => {
    const [d, colour] = MARKS[best(Y, n)];
    const fill = `rgb(${colour})`;
    return draw("svg", draw("circle", { r: 11, fill: "transparent" }), draw("path", { d, fill }));
  });
  map.over.append(...marks);
  map.name(...spec.features);
  const curves = makeCurves("Cost and gradient norms over the iterations", names);
  const picture = oncePerPicture(paint);
  const movable = { rows: ["V", "W", "X"].map((name) => ({ op: "input", name })) };
  const inputs = makeInputs(() => {
    const points = inputs.at()[2];
    [V, W] = inputs.at();
    if (points !== P) place(points);
    moved();
  });
  const matrices = make("div.c5-row.c5-matrices");
  root.append(
    descent.bar,
    status,
    make("div.c5-columns", map.plane, curves.element),
    make("small", spec.hint),
    make("div.c5-columns", matrices, inputs.element),
  );

  function restart() {
    const M = Number(hidden.value);
    // The same weights at each restart.
    let state = 551;
    const small = () => {
      state = (state * 16807) % 2147483647;
      return (0.02 * state) / 2147483647 - 0.01;
    };
    const drawn = (shape) => elementwise(small, [full(shape, 0)]);
    const starts = M === W0.shape[0] ? [W0, V0] : [drawn([M, C]), drawn([D, M])];
    [X, W, V] = [X0, ...starts].map(copyOf);
    [iteration, history] = [0, []];
    place(P0);
    inputs.load(movable, [V, W, P]);
    note();
  }
  // Move the points, within the limits of the map.
  function place(points) {
    P = copyOf(points);
    P.forEach((x, i) => (P[i] = Math.max(spans[i % 2][0], Math.min(spans[i % 2][1], x))));
    marks.forEach((mark, n) => {
      const point = P.subarray(2 * n, 2 * n + 2);
      X.set(point, n * D);
      map.put(mark, point);
    });
  }

  const norm = (x) => Math.sqrt(x.reduce((sum, e) => sum + e * e, 0));
  function note() {
    const [dW, dV] = gradients(X, Y, W, V);
    const now = [iteration, cost(X, Y, W, V), norm(dW), norm(dV)];
    history.push(now);
    if (history.length > 600) history = history.filter((_, k) => k % 2 === 0 || k > 400);
    lost = now.every(Number.isFinite)
      ? ""
      : "The numbers have overflowed: choose a smaller learning rate and restart.";
  }
  function moved() {
    history.pop();
    note();
    picture.later();
  }
  function advance(count) {
    if (lost) return false;
    const lr = descent.lr();
    for (let k = 0; k < count; k++) {
      const [dW, dV] = gradients(X, Y, W, V);
      for (let i = 0; i < W.length; i++) W[i] -= lr * dW[i];
      for (let i = 0; i < V.length; i++) V[i] -= lr * dV[i];
    }
    iteration += count;
    note();
    return !lost;
  }

  const shades = MARKS.map(([, colour]) => [...colour, 64]);
  const grid = copyOf(full([GRID * GRID, D], 1));
  map.cells.forEach((point, k) => grid.set(point, k * D));
  function paint() {
    const U = scores(grid, W, V);
    map.fill((k) => shades[best(U, k)]);
    curves.paint(history);
    const answers = scores(X, W, V);
    const right = marks.filter((_, n) => best(answers, n) === best(Y, n)).length;
    const found = names.map((one, k) => `${one} ${numberText(history.at(-1)[k + 1])}`).join(" · ");
    const at = `Iteration ${iteration.toLocaleString("en")}`;
    setText(status, lost || `${at}: ${found} · ${right} of ${N} right`);
    inputs.replace([V, W, P]);
    const chosen = Math.floor(inputs.entryOf(2) / 2);
    marks.forEach((mark, n) => mark.classList.toggle("c5-chosen", n === chosen));
    const parts = ["V", "W"].map((text, row) => {
      const pick = (entry) => inputs.pick(row, entry);
      return matrixElement(
        { text, value: inputs.at()[row] },
        pick,
        inputs.entryOf(row),
        [240, 160],
      );
    });
    matrices.replaceChildren(...parts);
  }

  // -- a point is dragged

  let held = -1;
  map.drag(
    (target) => {
      held = marks.findIndex((mark) => mark.contains(target));
      if (held >= 0) inputs.pick(2, 2 * held);
      return held >= 0;
    },
    (point) => {
      const points = copyOf(P);
      points.set(point, 2 * held);
      place(points);
      moved();
    },
  );
  restart();
  paint();
  root.descent = {
    advance,
    get state() {
      return { W, V, X, iteration };
    },
  };
}

// ------------------------------------------------------------------ a surface

function startSurface(root, spec) {
  const first = readProgram(spec.program);
  first.typed = asTyped(first);
  let [program, path, pass, bands, lost] = [first, [], null, [], ""];
  dressRoot(root, spec, "c5-training");
  const { rate } = spec;
  const descent = makeDescent(root, { count: 1, rate, advance, restart, paint });
  const { typed, wrong } = makeTyped(readTyped);
  typed.value = first.typed;
  const ranges = [spec.across, spec.up];
  const inputs = makeInputs(() => move(inputs.at()));
  const status = make("p.c5-status");
  const label =
    "The surface from above, the bluer the lower; the point, its path, minus the gradient";
  const map = makePlane(label, ...ranges);
  const way = draw("polyline");
  const arrow = draw("path.c5-arrow");
  const point = draw("svg", arrow, draw("circle.c5-dot", { r: 7, fill: "#e69f00" }));
  map.over.append(stretched(way), point);
  root.append(
    descent.bar,
    make("div.c5-row.c5-source", make("b", "f"), typed),
    wrong,
    inputs.element,
    status,
    map.plane,
    make("small", spec.hint),
  );

  const valueAt = (point) => run(program, point)[pass.about];
  const names = () => inputsOf(program).map((i) => program.rows[i].name);
  const slopeAt = (point) => pass.environment(run(program, point)).adjoint.slice(0, 2);
  function load(other) {
    program = other;
    pass = passOver(program, "reverse", program.outputs.at(-1), 1);
    inputs.load(program, first.inputs);
    map.name(...names());
    const levels = map.cells.map(valueAt);
    // Bands of equal area; values that aren't finite go in the last.
    const finite = levels.filter(Number.isFinite).sort((a, b) => a - b);
    const part = Math.floor(finite.length / BANDS);
    const ends = Array.from({ length: BANDS - 1 }, (_, k) => finite[part * (k + 1)]);
    bands = levels.map((v) => (ends.findIndex((end) => v < end) + BANDS) % BANDS);
    restart();
    paint();
  }
  function restart(point = first.inputs) {
    [path, lost] = [[[...point]], ""];
  }
  function advance(count) {
    for (let k = 0; k < count && !lost; k++) {
      const at = path.at(-1);
      const slope = slopeAt(at);
      path.push(at.map((x, n) => x - descent.lr() * slope[n]));
      if (!path.at(-1).every(Number.isFinite))
        lost = "The point has overflowed: choose a smaller learning rate and restart.";
      if (Math.hypot(...slope) < 1e-9) return false;
    }
    return !lost;
  }
  function readTyped(text) {
    const other = text === first.typed ? first : parse(text);
    if (other.inputs.length !== 2)
      throw new TypingError("A surface has two inputs, such as x and y.", 0);
    load(other);
  }

  function paint() {
    const at = path.at(-1);
    const slope = slopeAt(at);
    const slopes = names().map(
      (name, k) => `${name} = ${numberText(at[k])}, ∂f/∂${name} = ${numberText(slope[k])}`,
    );
    const found = [`f = ${numberText(valueAt(at))}`, ...slopes].join("; ");
    setText(status, lost || `Step ${path.length - 1}: ${found}`);
    map.fill((k) => [...BLUE, 200 - 17 * bands[k]]);
    if (lost) return;
    inputs.replace(at);
    way.setAttribute("points", path.slice(-MOST_STEPS).map(map.placeOf).join(" "));
    map.put(point, at);
    const size = Math.hypot(...slope);
    const long = size > 0 && Math.min(90, 24 + 20 * Math.log10(1 + size));
    const angle = (Math.atan2(slope[1], -slope[0]) * 180) / Math.PI;
    arrow.setAttribute("transform", `rotate(${angle})`);
    arrow.setAttribute("d", long ? `M0,0H${long}l-9,6l9,-6l-9,-6` : "");
  }
  function move(point) {
    descent.pause();
    restart(point.map((x, k) => Math.max(ranges[k][0], Math.min(ranges[k][1], x))));
    paint();
  }
  map.drag(() => true, move);
  load(first);
}

KINDS.training = startTraining;
KINDS.surface = startSurface;
