// Training, live: a network on points of a plane, and a descent on a surface.
//
// The gradient of the network is a program that Python's writer wrote from the recorded cost. That of
// the surface comes from the engine, so that a typed function has one as well.

const GRID = 56; // cells of a map, each way
const RATES = [-3, 1.5]; // exponents of the learning rate
const NEAREST = 14; // pixels from which a point can be caught
const COLOURS = ["--map-a", "--map-b", "--map-c", "--map-d"];
const LINE_COLOURS = ["--done-edge", "--message", "--ok"];

// What both have: buttons, a learning rate, a loop that runs once a picture.
function makeDescent(root, { steps, advance, restart, paint, rate }) {
  let running = 0;
  const play = textButton("Play", () => (running ? pause() : start()), { className: "c5-go" });
  const step = textButton("Step", () => {
    pause();
    advance(1);
    paint();
  });
  const again = textButton("Restart", () => {
    pause();
    restart();
    paint();
  });
  const slide = make("input", {
    type: "range",
    min: RATES[0],
    max: RATES[1],
    step: 0.05,
    "aria-label": "learning rate",
  });
  const shown = make("span", { className: "c5-count" });
  const many = make("select", { "aria-label": "iterations a picture" });
  for (const n of steps) many.append(make("option", { value: n }, `${n} a picture`));
  slide.addEventListener("input", tellRate);
  function tellRate() {
    setText(shown, numberText(lr(), 2));
    slide.setAttribute("aria-valuetext", shown.textContent);
  }
  const lr = () => 10 ** Number(slide.value);
  function start() {
    play.textContent = play.title = "Pause";
    const go = () => {
      if (!root.isConnected || !running) return;
      if (advance(Number(many.value)) === false) pause();
      paint();
      if (running) running = requestAnimationFrame(go);
    };
    running = requestAnimationFrame(go);
  }
  function pause() {
    cancelAnimationFrame(running);
    running = 0;
    play.textContent = play.title = "Play";
  }
  slide.value = Math.log10(rate);
  tellRate();
  guardKeys(root);
  const bar = make(
    "div",
    { className: "c5-bar" },
    play,
    step,
    again,
    make("span", {}, "learning rate"),
    slide,
    shown,
    many,
  );
  return { bar, lr, pause };
}

// A canvas that is as sharp as the screen; draw(ink, width, height, colour) paints it.
function makeCanvas(label, height) {
  const canvas = make("canvas", { role: "img", "aria-label": label, className: "c5-map" });
  const known = new Map();
  let theme = "";
  const paint = (drawOn) => {
    const [wide, scale] = [canvas.clientWidth, devicePixelRatio];
    if (!wide) return;
    if (canvas.width !== Math.round(wide * scale)) canvas.width = Math.round(wide * scale);
    if (canvas.height !== Math.round(height * scale)) canvas.height = Math.round(height * scale);
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

const placeOn = (canvas, event) => {
  const box = canvas.getBoundingClientRect();
  return [event.clientX - box.left, event.clientY - box.top];
};

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

// Small random numbers, the same each time.
function smallWeights(shape, seed) {
  let state = seed;
  const uniform = () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  const normal = () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
  return elementwise(() => 0.01 * normal(), [full(shape, 0)]);
}

const copyOf = (x) => Object.assign(Float64Array.from(x), { shape: x.shape });

function startTraining(root, spec) {
  const { gradients, cost, scores } = root.programs;
  const [X0, Y, W0, V0] = [spec.X, spec.Y, spec.W, spec.V].map(readData);
  const [N, D] = X0.shape;
  const C = Y.shape[1];
  let [X, W, V] = [copyOf(X0), copyOf(W0), copyOf(V0)];
  let [iteration, history, lost] = [0, [], ""];
  let [picked, pickedIn] = [0, "V"];
  const span = [0, 1].map((k) => {
    const all = Array.from({ length: N }, (_, n) => X0[n * D + k]);
    const [low, high] = [Math.min(...all), Math.max(...all)];
    return [low - 0.08 * (high - low), high + 0.08 * (high - low)];
  });

  dressRoot(root, spec, "c5-training");
  const hidden = make("select", { "aria-label": "hidden units" });
  for (const m of new Set([1, 2, 3, 4, 8, 16, 32, W0.shape[0]])) {
    hidden.append(make("option", { value: m }, `${m} hidden`));
  }
  hidden.value = W0.shape[0];
  const descent = makeDescent(root, {
    steps: [1, 10, 100, 1000],
    advance,
    restart,
    paint,
    rate: spec.rate,
  });
  descent.bar.querySelector("select").value = 100;
  descent.bar.append(hidden);
  hidden.addEventListener("change", () => {
    restart();
    paint();
  });
  const status = make("p", { className: "c5-status" });
  const map = makeCanvas("The plane, coloured by the network's answer, with the points", 300);
  const curves = makeCanvas("Cost and gradient norms over the iterations", 300);
  const weights = make("div", { className: "c5-matrices" });
  const range = make("input", {
    type: "range",
    min: -10,
    max: 10,
    step: 0.05,
    "aria-label": "the weight that is picked",
  });
  const named = make("span", { className: "c5-count" });
  const line = make("label", { className: "c5-weight" }, "the weight", named, range);
  root.append(
    descent.bar,
    status,
    make("div", { className: "c5-pair" }, map.canvas, curves.canvas),
    make("p", { className: "c5-hint" }, spec.hint),
    weights,
    line,
  );
  range.addEventListener("input", () => {
    (pickedIn === "V" ? V : W)[picked] = Number(range.value);
    history = [];
    note();
    paint();
  });

  function restart() {
    const M = Number(hidden.value);
    const given = M === W0.shape[0];
    X = copyOf(X0);
    W = given ? copyOf(W0) : smallWeights([M, C], 1);
    V = given ? copyOf(V0) : smallWeights([D, M], 2);
    [iteration, history, lost, picked, pickedIn] = [0, [], "", 0, "V"];
    note();
  }

  const norm = (x) => Math.sqrt(x.reduce((sum, e) => sum + e * e, 0));
  function note() {
    const [dW, dV] = gradients(X, Y, W, V);
    const norms = [norm(dW), norm(dV)];
    const J = cost(X, Y, W, V);
    history.push([iteration, J, ...norms]);
    if (history.length > 600) history = history.filter((_, k) => k % 2 === 0 || k > 400);
    if (![J, ...norms].every(Number.isFinite)) {
      lost = "The numbers have overflowed: take a smaller learning rate, and restart.";
    }
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

  const grid = empty([GRID * GRID, D]);
  for (let k = 0; k < GRID * GRID; k++) {
    const [i, j] = [Math.floor(k / GRID), k % GRID];
    grid.fill(1, k * D, (k + 1) * D);
    grid[k * D] = span[0][0] + ((j + 0.5) / GRID) * (span[0][1] - span[0][0]);
    grid[k * D + 1] = span[1][1] - ((i + 0.5) / GRID) * (span[1][1] - span[1][0]);
  }
  function best(U, n) {
    let k = 0;
    for (let c = 1; c < C; c++) if (U[n * C + c] > U[n * C + k]) k = c;
    return k;
  }
  const label = (n) => best(Y, n);
  let place = () => [0, 0];

  function paintMap(ink, wide, tall, colour) {
    const U = scores(grid, W, V);
    const classes = COLOURS.map((name) => channels(colour(name)));
    drawCells(ink, wide, tall, (k) => classes[best(U, k)]);
    place = (n) => [
      ((X[n * D] - span[0][0]) / (span[0][1] - span[0][0])) * wide,
      ((span[1][1] - X[n * D + 1]) / (span[1][1] - span[1][0])) * tall,
    ];
    ink.strokeStyle = colour("--ink");
    for (let n = 0; n < N; n++) {
      ink.fillStyle = colour(`${COLOURS[label(n)]}-dot`);
      drawMark(ink, label(n), ...place(n), 4);
    }
    ink.fillStyle = colour("--ink");
    ink.fillText(
      `${spec.features[0]} →`,
      wide - 8 - ink.measureText(`${spec.features[0]} →`).width,
      tall - 6,
    );
    ink.fillText(`↑ ${spec.features[1]}`, 6, 14);
  }

  function paint() {
    map.paint(paintMap);
    const t = history.map((one) => one[0]);
    const lines = { cost: 1, "‖dW‖": 2, "‖dV‖": 3 };
    const drawn = Object.fromEntries(
      Object.entries(lines).map(([name, k]) => [name, history.map((one) => one[k])]),
    );
    curves.paint((...canvas) => drawCurves(...canvas, t, drawn));
    const U = scores(X, W, V);
    let right = 0;
    for (let n = 0; n < N; n++) right += best(U, n) === label(n);
    const [, J, nW, nV] = history.at(-1);
    const found = `cost ${numberText(J)} · ‖dW‖ ${numberText(nW)} · ‖dV‖ ${numberText(nV)}`;
    setText(
      status,
      lost ||
        `After ${iteration.toLocaleString("en")} iterations: ${found} · ${right} of ${N} right`,
    );
    const part = (name, value) =>
      matrixElement(
        { sign: "", text: name, tree: { row: name }, value },
        (entry) => pick(name, entry),
        new Map([[pickedIn, picked]]),
        [240, 160],
      );
    weights.replaceChildren(part("V", V), part("W", W));
    const own = pickedIn === "V" ? V : W;
    const columns = own.shape[1];
    setText(
      named,
      `${pickedIn}[${Math.floor(picked / columns)}, ${picked % columns}] = ${numberText(own[picked])}`,
    );
    if (document.activeElement !== range) range.value = own[picked];
  }
  function pick(name, entry) {
    [pickedIn, picked] = [name, entry];
    paint();
  }

  // -- a point is dragged

  let held = -1;
  map.canvas.addEventListener("pointerdown", (event) => {
    const [x, y] = placeOn(map.canvas, event);
    let nearest = NEAREST;
    held = -1;
    for (let n = 0; n < N; n++) {
      const [a, b] = place(n);
      const far = Math.hypot(a - x, b - y);
      if (far < nearest) [nearest, held] = [far, n];
    }
    if (held >= 0) map.canvas.setPointerCapture(event.pointerId);
  });
  map.canvas.addEventListener("pointermove", (event) => {
    if (held < 0) return;
    const [x, y] = placeOn(map.canvas, event);
    const { clientWidth: wide, clientHeight: tall } = map.canvas;
    X[held * D] = span[0][0] + (Math.max(0, Math.min(wide, x)) / wide) * (span[0][1] - span[0][0]);
    X[held * D + 1] =
      span[1][1] - (Math.max(0, Math.min(tall, y)) / tall) * (span[1][1] - span[1][0]);
    history.pop();
    note();
    picture.later();
  });
  map.canvas.addEventListener("pointerup", () => (held = -1));
  const picture = oncePerPicture(paint);
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
  let program = readProgram(spec.program);
  const first = program;
  program.typed = asTyped(program);
  let [at, path, pass, bands, lost] = [[...program.inputs], [], null, [], ""];
  const [across, up] = [spec.across, spec.up];
  dressRoot(root, spec, "c5-training");
  const descent = makeDescent(root, {
    steps: [1, 5, 20],
    advance,
    restart,
    paint,
    rate: spec.rate,
  });
  const { typed, wrong } = makeTyped(readTyped);
  typed.value = program.typed;
  const status = make("p", { className: "c5-status" });
  const map = makeCanvas(
    "The surface from above, the bluer the lower; the point, its path, and minus the gradient",
    340,
  );
  map.canvas.tabIndex = 0;
  map.canvas.setAttribute("role", "application");
  map.canvas.setAttribute("aria-roledescription", "surface with a point; the arrow keys move it");
  root.append(
    descent.bar,
    make("div", { className: "c5-source" }, make("b", {}, "f"), typed),
    wrong,
    status,
    map.canvas,
    make("p", { className: "c5-hint" }, spec.hint),
  );

  const valueAt = (point) => run(program, point)[pass.about];
  function slopeAt(point) {
    const d = pass.derivatives(run(program, point));
    return [d[0], d[1]];
  }
  function load(other) {
    program = other;
    pass = passOver(program, "reverse", program.outputs.at(-1), 1);
    const levels = [];
    for (let i = 0; i < GRID; i++) {
      for (let j = 0; j < GRID; j++) {
        const x = across[0] + ((j + 0.5) / GRID) * (across[1] - across[0]);
        const y = up[1] - ((i + 0.5) / GRID) * (up[1] - up[0]);
        levels.push(valueAt([x, y]));
      }
    }
    // Twelve bands, each holding as much of the picture; the last one also what is no number.
    const finite = levels.filter(Number.isFinite).sort((a, b) => a - b);
    const ends = Array.from(
      { length: 11 },
      (_, k) => finite[Math.floor((finite.length * (k + 1)) / 12)],
    );
    bands = levels.map((v) => (ends.findIndex((end) => v < end) + 12) % 12);
    restart();
  }
  function restart() {
    at = [...first.inputs];
    path = [[...at]];
    lost = "";
  }
  function advance(count) {
    for (let k = 0; k < count && !lost; k++) {
      const slope = slopeAt(at);
      at = at.map((x, n) => x - descent.lr() * slope[n]);
      path.push([...at]);
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
    map.paint((ink, wide, tall, colour) => {
      const [low, high] = ["--done-edge", "--paper"].map((name) => channels(colour(name)));
      drawCells(ink, wide, tall, (k) =>
        low.map((c, n) => high[n] + (c - high[n]) * (0.78 - 0.065 * bands[k])),
      );
      const place = ([x, y]) => [
        ((x - across[0]) / (across[1] - across[0])) * wide,
        ((up[1] - y) / (up[1] - up[0])) * tall,
      ];
      ink.strokeStyle = colour("--ink");
      ink.lineWidth = 1.5;
      ink.beginPath();
      path.forEach((p) => ink.lineTo(...place(p)));
      ink.stroke();
      const slope = slopeAt(at);
      const [x, y] = place(at);
      const size = Math.hypot(...slope);
      if (size > 0 && Number.isFinite(size)) {
        const long = Math.min(90, 24 + 20 * Math.log10(1 + size));
        ink.strokeStyle = colour("--message");
        ink.lineWidth = 3;
        ink.beginPath();
        ink.moveTo(x, y);
        ink.lineTo(x - (long * slope[0]) / size, y + (long * slope[1]) / size);
        ink.stroke();
      }
      ink.fillStyle = colour("--now");
      ink.strokeStyle = colour("--ink");
      ink.lineWidth = 1.5;
      drawMark(ink, 0, x, y, 7);
      const names = program.rows.filter((row) => row.op === "input").map((row) => row.name);
      const dots = names.map(
        (name, k) => `${name} = ${numberText(at[k])}, ∂f/∂${name} = ${numberText(slope[k])}`,
      );
      setText(
        status,
        lost || `Step ${path.length - 1}: f = ${numberText(valueAt(at))}; ${dots.join("; ")}`,
      );
    });
  }
  function move(point) {
    at = [0, 1].map((k) => Math.max([across, up][k][0], Math.min([across, up][k][1], point[k])));
    path = [[...at]];
    lost = "";
    paint();
  }
  const drag = (event) => {
    const [x, y] = placeOn(map.canvas, event);
    move([
      across[0] + (x / map.canvas.clientWidth) * (across[1] - across[0]),
      up[1] - (y / map.canvas.clientHeight) * (up[1] - up[0]),
    ]);
  };
  map.canvas.addEventListener("pointerdown", (event) => {
    descent.pause();
    map.canvas.setPointerCapture(event.pointerId);
    drag(event);
  });
  map.canvas.addEventListener("pointermove", (event) => event.buttons && drag(event));
  map.canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const by = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[
      event.key
    ];
    if (!by) return;
    event.preventDefault();
    event.stopPropagation();
    move(at.map((x, k) => x + (by[k] * ([across, up][k][1] - [across, up][k][0])) / 50));
  });
  load(program);
  new ResizeObserver(oncePerPicture(paint).later).observe(root);
  paint();
}

KINDS.training = startTraining;
KINDS.surface = startSurface;
