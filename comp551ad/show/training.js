// Training, live: a network on points of a plane, and a descent on a surface.
//
// The gradient of the network is a program that Python's writer wrote from the recorded cost. That of
// the surface comes from the engine, so that a typed function has one as well.

const GRID = 56; // cells of a map, each way
const RATES = [-3, 1.5]; // exponents of the learning rate
const NEAREST = 14; // pixels from which a point can be caught
const COLOURS = ["--map-a", "--map-b", "--map-c", "--map-d"];
const LINE_COLOURS = ["--done-edge", "--message", "--ok"];

// What both have: buttons, a learning rate, a loop that runs once a picture. advance(count) answers
// whether there is more to come.
function makeDescent(root, { counts, count, rate, advance, restart, paint }) {
  let running = 0;
  const pausing = (act) => () => {
    pause();
    act();
    paint();
  };
  const play = button("button.c5-go", "Play", () => (running ? pause() : start()));
  const range = { type: "range", min: RATES[0], max: RATES[1], step: 0.05 };
  const slide = make("input", { ...range, "aria-label": "learning rate" });
  const shown = make("span.c5-count");
  const options = counts.map((n) =>
    make("option", { value: n, selected: n === count }, `${n} a picture`),
  );
  const many = make("select", { "aria-label": "iterations a picture" }, ...options);
  const lr = () => 10 ** Number(slide.value);
  function showRate() {
    setText(shown, numberText(lr(), 2));
    slide.setAttribute("aria-valuetext", shown.textContent);
  }
  function start() {
    setText(play, "Pause");
    const go = () => {
      if (!root.isConnected || !running) return;
      if (!advance(Number(many.value))) pause();
      paint();
      if (running) running = requestAnimationFrame(go);
    };
    running = requestAnimationFrame(go);
  }
  function pause() {
    cancelAnimationFrame(running);
    running = 0;
    setText(play, "Play");
  }
  slide.addEventListener("input", showRate);
  slide.value = Math.log10(rate);
  showRate();
  guardKeys(root);
  const bar = make(
    "div.c5-bar",
    play,
    button(
      "button",
      "Step",
      pausing(() => advance(1)),
    ),
    button("button", "Restart", pausing(restart)),
    make("span", "learning rate"),
    slide,
    shown,
    many,
  );
  return { bar, lr, pause };
}

// A canvas that is as sharp as the screen; draw(ink, width, height, colour) paints it.
function makeCanvas(label, height) {
  const canvas = make("canvas.c5-map", { role: "img", "aria-label": label });
  const known = new Map();
  let theme = "";
  const paint = (drawOn) => {
    const [wide, scale] = [canvas.clientWidth, devicePixelRatio];
    if (!wide) return;
    const size = { width: Math.round(wide * scale), height: Math.round(height * scale) };
    // Even the same size, put in anew, would clear it and everything that is set.
    for (const side in size) if (canvas[side] !== size[side]) canvas[side] = size[side];
    const ink = canvas.getContext("2d");
    const style = getComputedStyle(canvas.parentElement);
    // A canvas knows no variables; what they come to is asked once a theme, which the ink tells.
    if (theme !== style.color) known.clear();
    theme = style.color;
    const colour = (name) => {
      if (!known.has(name)) {
        canvas.style.color = `var(${name})`;
        known.set(name, getComputedStyle(canvas).color);
      }
      return known.get(name);
    };
    ink.setTransform(scale, 0, 0, scale, 0, 0);
    ink.clearRect(0, 0, wide, height);
    ink.font = `12px ${style.fontFamily}`;
    drawOn(ink, wide, height, colour);
  };
  canvas.style.height = `${height}px`;
  return { canvas, paint };
}

// A canvas for points of a plane: [from, to] across and up.
function makePlane(label, height, across, up) {
  const { canvas, paint: paintCanvas } = makeCanvas(label, height);
  let width = 0;
  const paint = (drawOn) =>
    paintCanvas((ink, all, ...rest) => {
      width = all;
      drawOn(ink, all, ...rest);
    });
  const [wide, tall] = [across, up].map(([from, to]) => to - from);
  const pointAt = (right, below) => [across[0] + right * wide, up[1] - below * tall];
  const placeOf = ([x, y]) => [((x - across[0]) / wide) * width, ((up[1] - y) / tall) * height];
  const middle = (k) => (k + 0.5) / GRID;
  const cells = Array.from({ length: GRID * GRID }, (_, k) =>
    pointAt(middle(k % GRID), middle(Math.floor(k / GRID))),
  );
  // take(point) tells whether there is something at a point; move(point) moves it.
  function drag(take, move) {
    let held = false;
    const pointOf = (event) => {
      const box = canvas.getBoundingClientRect();
      const part = (x) => Math.max(0, Math.min(1, x));
      return pointAt(
        part((event.clientX - box.left) / box.width),
        part((event.clientY - box.top) / box.height),
      );
    };
    canvas.addEventListener("pointerdown", (event) => {
      held = take(pointOf(event));
      if (held) canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener("pointermove", (event) => held && move(pointOf(event)));
    canvas.addEventListener("lostpointercapture", () => (held = false));
  }
  return { canvas, paint, placeOf, cells, drag };
}

// GRID x GRID cells of the colour colourOf(k), as one small picture that the browser scales.
let cells = null;

function drawCells(ink, wide, tall, colourOf) {
  cells ??= make("canvas", { width: GRID, height: GRID });
  const small = cells.getContext("2d");
  const picture = small.createImageData(GRID, GRID);
  for (let k = 0; k < GRID * GRID; k++) {
    const at = 4 * k;
    [picture.data[at], picture.data[at + 1], picture.data[at + 2]] = colourOf(k);
    picture.data[at + 3] = 255;
  }
  small.putImageData(picture, 0, 0);
  ink.drawImage(cells, 0, 0, wide, tall);
}

// What "rgb(1, 2, 3)" comes to.
const channels = (colour) => colour.match(/[\d.]+/g).map(Number);

// Marks that differ in shape as well as in colour.
function drawMark(ink, kind, x, y, size) {
  ink.beginPath();
  if (kind % 3 === 0) ink.arc(x, y, size, 0, 7);
  else if (kind % 3 === 1) ink.rect(x - size, y - size, 2 * size, 2 * size);
  else {
    ink.moveTo(x, y - size * 1.3);
    ink.lineTo(x + size * 1.2, y + size);
    ink.lineTo(x - size * 1.2, y + size);
    ink.closePath();
  }
  ink.fill();
  ink.stroke();
}

// Curves over the iterations, both axes logarithmic: {name: values}.
function drawCurves(ink, wide, tall, colour, iterations, curves) {
  const [left, right, top, bottom] = [46, wide - 8, 20, tall - 22];
  const all = Object.values(curves)
    .flat()
    .filter((y) => y > 0 && Number.isFinite(y));
  const low = Math.floor(Math.log10(Math.min(1, ...all)));
  const high = Math.ceil(Math.log10(Math.max(1, ...all)) + 1e-9) || 1;
  const reach = Math.log10(Math.max(10, iterations.at(-1) + 1));
  const x = (t) => left + ((right - left) * Math.log10(t + 1)) / reach;
  const y = (v) => bottom - ((bottom - top) * (Math.log10(v) - low)) / (high - low);
  ink.fillStyle = colour("--mute");
  ink.strokeStyle = colour("--hair");
  ink.textAlign = "right";
  for (let e = low; e <= high; e++) {
    ink.strokeRect(left, y(10 ** e), right - left, 0);
    ink.fillText(numberText(10 ** e), left - 5, y(10 ** e) + 4);
  }
  ink.textAlign = "center";
  for (let e = 0; e <= reach; e++) ink.fillText(numberText(10 ** e), x(10 ** e - 1), tall - 6);
  ink.textAlign = "left";
  Object.entries(curves).forEach(([name, values], k) => {
    ink.strokeStyle = colour(LINE_COLOURS[k]);
    ink.lineWidth = 2;
    ink.setLineDash([[], [6, 4], [2, 3]][k]);
    ink.beginPath();
    values.forEach((v, n) => v > 0 && ink.lineTo(x(iterations[n]), y(v)));
    ink.stroke();
    const at = left + 6 + k * 82;
    ink.strokeRect(at, 9, 18, 0);
    ink.fillStyle = colour("--ink");
    ink.fillText(name, at + 23, 13);
  });
  ink.setLineDash([]);
  ink.lineWidth = 1;
}

// ------------------------------------------------------------------ a network

// Small random numbers, the same each time (Park and Miller's generator, Box and Muller's normals).
function smallWeights(shape, seed) {
  let state = seed;
  const uniform = () => (state = (state * 48271) % 2147483647) / 2147483647;
  const normal = () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
  return elementwise(() => 0.01 * normal(), [full(shape, 0)]);
}

function startTraining(root, spec) {
  const { gradients, cost, scores } = root.programs;
  const [X0, Y, W0, V0] = [spec.X, spec.Y, spec.W, spec.V].map(readData);
  const [N, D] = X0.shape;
  const C = Y.shape[1];
  let [X, W, V] = [X0, W0, V0].map(copyOf);
  let [iteration, history, lost] = [0, [], ""];
  // The weight that is picked.
  let [name, entry] = ["V", 0];
  const own = () => (name === "V" ? V : W);
  const pointOf = (n) => [X[n * D], X[n * D + 1]];
  const points = Array.from({ length: N }, (_, n) => pointOf(n));
  const spans = [0, 1].map((k) => {
    const all = points.map((point) => point[k]);
    const [low, high] = [Math.min(...all), Math.max(...all)];
    return [low - 0.08 * (high - low), high + 0.08 * (high - low)];
  });

  dressRoot(root, spec, "c5-training");
  const sizes = [...new Set([1, 2, 3, 4, 8, 16, 32, W0.shape[0]])];
  const options = sizes.map((m) => make("option", { value: m }, `${m} hidden`));
  const hidden = make("select", { "aria-label": "hidden units" }, ...options);
  hidden.value = W0.shape[0];
  const counts = [1, 10, 100, 1000];
  const { rate } = spec;
  const descent = makeDescent(root, { counts, count: 100, rate, advance, restart, paint });
  descent.bar.append(hidden);
  hidden.addEventListener("change", () => {
    restart();
    paint();
  });
  const status = make("p.c5-status");
  const map = makePlane(
    "The plane, coloured by the network's answer, with the points",
    300,
    ...spans,
  );
  const curves = makeCanvas("Cost and gradient norms over the iterations", 300);
  const weights = make("div.c5-matrices");
  const range = make("input", {
    type: "range",
    min: -10,
    max: 10,
    step: 0.05,
    "aria-label": "the weight that is picked",
  });
  const named = make("span.c5-count");
  root.append(
    descent.bar,
    status,
    make("div.c5-pair", map.canvas, curves.canvas),
    make("p.c5-hint", spec.hint),
    weights,
    make("label.c5-weight", "the weight", named, range),
  );
  range.addEventListener("input", () => {
    own()[entry] = Number(range.value);
    history = [];
    note();
    paint();
  });

  function restart() {
    const M = Number(hidden.value);
    const given = M === W0.shape[0];
    X = copyOf(X0);
    W = given ? copyOf(W0) : smallWeights([M, C], 551);
    V = given ? copyOf(V0) : smallWeights([D, M], 552);
    [iteration, history, lost, name, entry] = [0, [], "", "V", 0];
    note();
  }

  const norm = (x) => Math.sqrt(x.reduce((sum, e) => sum + e * e, 0));
  function note() {
    const [dW, dV] = gradients(X, Y, W, V);
    const now = [iteration, cost(X, Y, W, V), norm(dW), norm(dV)];
    history.push(now);
    if (history.length > 600) history = history.filter((_, k) => k % 2 === 0 || k > 400);
    lost = now.every(Number.isFinite)
      ? ""
      : "The numbers have overflowed: take a smaller learning rate, and restart.";
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

  // -- pictures

  const grid = copyOf(full([GRID * GRID, D], 1));
  map.cells.forEach((point, k) => grid.set(point, k * D));
  function best(U, n) {
    let k = 0;
    for (let c = 1; c < C; c++) if (U[n * C + c] > U[n * C + k]) k = c;
    return k;
  }
  const label = (n) => best(Y, n);

  function paintMap(ink, wide, tall, colour) {
    const U = scores(grid, W, V);
    const classes = COLOURS.map((one) => channels(colour(one)));
    drawCells(ink, wide, tall, (k) => classes[best(U, k)]);
    ink.strokeStyle = colour("--ink");
    for (let n = 0; n < N; n++) {
      ink.fillStyle = colour(`${COLOURS[label(n)]}-dot`);
      drawMark(ink, label(n), ...map.placeOf(pointOf(n)), 4);
    }
    ink.fillStyle = colour("--ink");
    ink.textAlign = "right";
    ink.fillText(`${spec.features[0]} →`, wide - 8, tall - 6);
    ink.textAlign = "left";
    ink.fillText(`↑ ${spec.features[1]}`, 6, 14);
  }

  function paint() {
    map.paint(paintMap);
    const [t, J, nW, nV] = [0, 1, 2, 3].map((k) => history.map((one) => one[k]));
    const lines = { cost: J, "‖dW‖": nW, "‖dV‖": nV };
    curves.paint((...canvas) => drawCurves(...canvas, t, lines));
    const U = scores(X, W, V);
    const right = points.filter((_, n) => best(U, n) === label(n)).length;
    const found = Object.entries(lines).map(([one, all]) => `${one} ${numberText(all.at(-1))}`);
    const after = `After ${iteration.toLocaleString("en")} iterations`;
    setText(status, lost || `${after}: ${found.join(" · ")} · ${right} of ${N} right`);
    const part = (text, value) =>
      matrixElement(
        { text, value },
        (cell) => {
          [name, entry] = [text, cell];
          paint();
        },
        text === name ? entry : -1,
        [240, 160],
      );
    weights.replaceChildren(part("V", V), part("W", W));
    const place = indicesOf(own().shape, entry).join(", ");
    setText(named, `${name}[${place}] = ${numberText(own()[entry])}`);
    if (document.activeElement !== range) range.value = own()[entry];
  }

  // -- a point is dragged

  const picture = oncePerPicture(paint);
  let held = 0;
  map.drag(
    (point) => {
      const [x, y] = map.placeOf(point);
      const far = points.map((_, n) => {
        const [a, b] = map.placeOf(pointOf(n));
        return Math.hypot(a - x, b - y);
      });
      held = far.indexOf(Math.min(...far));
      return far[held] < NEAREST;
    },
    (point) => {
      X.set(point, held * D);
      history.pop();
      note();
      picture.later();
    },
  );
  new ResizeObserver(picture.later).observe(root);
  note();
  paint();
  root.descent = {
    advance,
    get state() {
      return { W, V, X, iteration, history };
    },
  };
}

// ------------------------------------------------------------------ a surface

function startSurface(root, spec) {
  const first = readProgram(spec.program);
  first.typed = asTyped(first);
  let [program, at, path, pass, bands, lost] = [first, first.inputs, [], null, [], ""];
  const ranges = [spec.across, spec.up];
  dressRoot(root, spec, "c5-training");
  const counts = [1, 5, 20];
  const { rate } = spec;
  const descent = makeDescent(root, { counts, count: 1, rate, advance, restart, paint });
  const { typed, wrong } = makeTyped(readTyped);
  typed.value = first.typed;
  const status = make("p.c5-status");
  const map = makePlane(
    "The surface from above, the bluer the lower; the point, its path, and minus the gradient",
    340,
    ...ranges,
  );
  const { canvas } = map;
  canvas.tabIndex = 0;
  canvas.setAttribute("role", "application");
  canvas.setAttribute("aria-roledescription", "surface with a point; the arrow keys move it");
  root.append(
    descent.bar,
    make("div.c5-source", make("b", "f"), typed),
    wrong,
    status,
    canvas,
    make("p.c5-hint", spec.hint),
  );

  const valueAt = (point) => run(program, point)[pass.about];
  const slopeAt = (point) => pass.environment(run(program, point)).adjoint.slice(0, 2);
  function load(other) {
    program = other;
    pass = passOver(program, "reverse", program.outputs.at(-1), 1);
    const levels = map.cells.map(valueAt);
    // Twelve bands, each holding as much of the picture; the last one also what is no number.
    const finite = levels.filter(Number.isFinite).sort((a, b) => a - b);
    const part = Math.floor(finite.length / 12);
    const ends = Array.from({ length: 11 }, (_, k) => finite[part * (k + 1)]);
    bands = levels.map((v) => (ends.findIndex((end) => v < end) + 12) % 12);
    restart();
  }
  function restart() {
    start(first.inputs);
  }
  function start(point) {
    [at, path, lost] = [[...point], [[...point]], ""];
  }
  function advance(count) {
    for (let k = 0; k < count && !lost; k++) {
      const slope = slopeAt(at);
      at = at.map((x, n) => x - descent.lr() * slope[n]);
      path.push(at);
      if (path.length > 2000) path.shift();
      if (!at.every(Number.isFinite))
        lost = "The point has left all numbers: take a smaller learning rate, and restart.";
      if (Math.hypot(...slope) < 1e-9) return false;
    }
    return !lost;
  }
  function readTyped(text) {
    const other = text === first.typed ? first : parse(text);
    if (other.inputs.length !== 2)
      throw new TypingError("A surface has two inputs, such as x and y.", 0);
    load(other);
    paint();
  }

  function paint() {
    const slope = slopeAt(at);
    const names = inputsOf(program).map((i) => program.rows[i].name);
    const dots = names.map(
      (name, k) => `${name} = ${numberText(at[k])}, ∂f/∂${name} = ${numberText(slope[k])}`,
    );
    const found = `f = ${numberText(valueAt(at))}; ${dots.join("; ")}`;
    setText(status, lost || `Step ${path.length - 1}: ${found}`);
    map.paint((ink, wide, tall, colour) => {
      const [low, high] = ["--done-edge", "--paper"].map((name) => channels(colour(name)));
      drawCells(ink, wide, tall, (k) =>
        low.map((c, n) => high[n] + (c - high[n]) * (0.78 - 0.065 * bands[k])),
      );
      const stroke = (name, width, points) => {
        [ink.strokeStyle, ink.lineWidth] = [colour(name), width];
        ink.beginPath();
        points.forEach((point) => ink.lineTo(...point));
        ink.stroke();
      };
      stroke("--ink", 1.5, path.map(map.placeOf));
      const [x, y] = map.placeOf(at);
      const size = Math.hypot(...slope);
      if (size > 0 && Number.isFinite(size)) {
        // Along the arrow, and across it.
        const [a, b] = [-slope[0] / size, slope[1] / size];
        const long = Math.min(90, 24 + 20 * Math.log10(1 + size));
        const on = (along, aside) => [x + along * a - aside * b, y + along * b + aside * a];
        const tip = on(long, 0);
        stroke("--message", 3, [[x, y], tip, on(long - 9, 6), tip, on(long - 9, -6)]);
      }
      ink.fillStyle = colour("--now");
      [ink.strokeStyle, ink.lineWidth] = [colour("--ink"), 1.5];
      drawMark(ink, 0, x, y, 7);
    });
  }
  function move(point) {
    descent.pause();
    start(point.map((x, k) => Math.max(ranges[k][0], Math.min(ranges[k][1], x))));
    paint();
  }
  map.drag((point) => {
    move(point);
    return true;
  }, move);
  canvas.addEventListener("keydown", (event) => {
    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    const by = steps[event.key];
    if (!by || !isPlain(event)) return;
    used(event);
    move(at.map((x, k) => x + (by[k] * (ranges[k][1] - ranges[k][0])) / 50));
  });
  load(first);
  new ResizeObserver(oncePerPicture(paint).later).observe(root);
  paint();
}

KINDS.training = startTraining;
KINDS.surface = startSurface;
