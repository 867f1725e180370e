// The runtime of written JavaScript: the NumPy functions that the table of primitives uses, under
// their NumPy names. There are no derivatives here; the program writer writes those.
// A number is a number; an array is a Float64Array of its entries, row by row, with a `shape`.

// The arrays of a run: the next run needs the same ones in the same order, and reuses them.
const arrays = { kept: [], next: 0 };

function empty(shape) {
  const size = sizeOf(shape);
  const k = arrays.next++;
  if (arrays.kept[k]?.length !== size) arrays.kept[k] = new Float64Array(size);
  const x = arrays.kept[k];
  x.shape = shape;
  return x;
}

function matrixOf(n, m, f) {
  const y = empty([n, m]);
  for (let at = 0; at < n * m; at++) y[at] = f(Math.floor(at / m), at % m);
  return y;
}

const eye = (n, value) => matrixOf(n, n, (i, j) => (i === j ? value : 0));
const tri = (n, m, k, value) => matrixOf(n, m, (i, j) => (j - i <= k ? value : 0));
const sizeOf = (shape) => shape.reduce((size, n) => size * n, 1);
const full = (shape, value) => empty(shape).fill(value);
const shapeOf = (x) => x.shape ?? [];
const entriesOf = (x) => (typeof x === "object" ? x : [x]);
// A 0-d array is a number.
const result = (x) => (x.shape.length ? x : x[0]);

function reshape(x, shape) {
  const y = empty(shape);
  y.set(entriesOf(x));
  return result(y);
}

// Converts nested arrays of numbers, with checks.
function array(given, shape, name) {
  const entries = given?.shape ? given : [given].flat(Infinity);
  const kinds = Array.from(entries, (x) => typeof x);
  const odd = kinds.find((kind) => kind !== "number" && kind !== "boolean");
  const found = given?.shape ?? [];
  for (let x = given; Array.isArray(x); x = x[0]) found.push(x.length);
  const fits = `${found}` === `${shape}` || sizeOf(shape) === 0;
  if (odd || !fits || entries.length !== sizeOf(shape)) {
    const got = odd ?? `shape (${found})`;
    throw new TypeError(`${name}: got ${got}, expected numbers of shape (${shape})`);
  }
  return result(Object.assign(given?.shape ? given : Float64Array.from(entries), { shape }));
}

// Converts the arrays in a container to nested arrays.
function nested(tree) {
  if (tree === null || typeof tree !== "object") return tree;
  if (tree instanceof Float64Array) {
    const [n, ...shape] = tree.shape;
    const row = (k) => tree.slice(k * sizeOf(shape), (k + 1) * sizeOf(shape));
    if (!shape.length) return [...tree];
    return [...Array(n).keys()].map((k) => nested(Object.assign(row(k), { shape })));
  }
  if (Array.isArray(tree)) return tree.map(nested);
  return Object.fromEntries(Object.entries(tree).map(([key, x]) => [key, nested(x)]));
}

// An argument that isn't a number must equal the one that the program was written for.
function setting(x, expected, name) {
  if (x !== expected) throw new TypeError(`${name}: got ${x}, expected ${expected}`);
}

// Functions of numbers: elementwise operations are written as loops over these.
const { abs, cbrt, ceil, cos, cosh, exp, expm1, floor, hypot, log, log10, log1p, log2 } = Math;
const { sign, sin, sinh, sqrt, tan, tanh, trunc, max: maximum, min: minimum } = Math;
const { asin: arcsin, acos: arccos, atan: arctan, asinh: arcsinh, acosh: arccosh } = Math;
const { atanh: arctanh, atan2: arctan2 } = Math;
const exp2 = (x) => 2 ** x;
// Rounds halves to even, like NumPy.
const rint = (x) => (Math.abs(x % 1) === 0.5 ? 2 * Math.round(x / 2) : Math.round(x));
const square = (x) => x * x;
const relu = (q) => Math.max(q, 0);
const logistic = (q) => 1 / (1 + Math.exp(-Math.max(q, -709)));
const softplus = (u) => logaddexp(u, 0);
// In JavaScript 1 ** NaN is NaN, in NumPy it is 1.
const power = (a, b) => (a === 1 || (a === -1 && Math.abs(b) === Infinity) ? 1 : a ** b);
const heaviside = (a, atZero) => (a === 0 ? atZero : a > 0 ? 1 : a < 0 ? 0 : NaN);
const greater_share = (a, b) => heaviside(a === b ? 0 : a - b, 0.5);
const safe_divide = (a, b) => (b === 0 ? 0 : a / b);
const divide_at_kink = (a, b) => (b === 0 ? NaN : a / b);
// Has the sign of b.
const remainder = (a, b) => (a % b !== 0 && a % b < 0 !== b < 0 ? (a % b) + b : a % b);
const floor_divide = (a, b) => (b === 0 ? a / b : Math.round((a - remainder(a, b)) / b));
const logaddexp = (a, b) =>
  a === b ? a + Math.LN2 : Math.max(a, b) + Math.log1p(Math.exp(-Math.abs(a - b)));
const xlogy = (a, b) => (a === 0 ? 0 : a * Math.log(b));

// 2/√π e^(−x²) Σ 2ⁿ x^(2n+1) / (2n+1)!!, whose terms all have the same sign.
function erf(x) {
  if (Math.abs(x) > 6) return Math.sign(x);
  let s = x;
  for (let n = 1, term = x; n < 150; n++) s += term *= (2 * x * x) / (2 * n + 1);
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * s;
}

// Applies f(entries, from, to, y, r, options) to each row r of x, the entries along the given axes:
// f returns a number, or, if it `fills`, writes a row of y. The default is all axes, or the `last`.
function alongAxes({ fills = false, last = false }, f) {
  return (x, { axis, keepdims = false, ...options } = {}) => {
    const shape = shapeOf(x);
    const all = [...shape.keys()];
    const axes = axis === undefined ? all.slice(last ? -1 : 0) : [axis].flat();
    const others = all.filter((a) => !axes.includes(a));
    const order = [...others, ...axes];
    const inPlace = order.every((a, k) => a === k);
    const entries = entriesOf(inPlace ? x : transpose(x, { axes: order }));
    const [count, width] = [others, axes].map((some) => sizeOf(some.map((a) => shape[a])));
    const kept = fills ? order : keepdims ? all : others;
    const y = empty(kept.map((a) => (fills || others.includes(a) ? shape[a] : 1)));
    for (let r = 0; r < count; r++) {
      const number = f(entries, r * width, (r + 1) * width, y, r, options);
      if (!fills) y[r] = number;
    }
    return fills && !inPlace ? transpose(y, { axes: all.map((a) => order.indexOf(a)) }) : result(y);
  };
}

const folded = (f, start) => (x, from, to) => {
  let y = start;
  for (let i = from; i < to; i++) y = f(y, x[i]);
  return y;
};
const total = folded((s, t) => s + t, 0);
const largest = folded(Math.max, -Infinity);
const smallest = folded(Math.min, Infinity);
const squares = (x, from, to, m = 0) => folded((s, t) => s + (t - m) * (t - m), 0)(x, from, to);
const average = (x, from, to) => total(x, from, to) / (to - from);
const spread = (x, from, to, y, r, { ddof = 0 }) =>
  squares(x, from, to, average(x, from, to)) / Math.max(to - from - ddof, 0);
const sum = alongAxes({}, total);
const mean = alongAxes({}, average);
const max = alongAxes({}, largest);
const min = alongAxes({}, smallest);
const variance = alongAxes({}, spread);
const norm = alongAxes({}, (x, from, to) => Math.sqrt(squares(x, from, to)));
const std = alongAxes({}, (x, from, to, ...rest) => {
  const root = Math.sqrt(spread(x, from, to, ...rest));
  return largest(x, from, to) === smallest(x, from, to) ? Math.min(root, 0) : root;
});

// Writes exp(row − its largest entry) into y; returns the sum and that entry.
function powersOf(x, from, to, y) {
  const shift = largest(x, from, to);
  let s = 0;
  for (let i = from; i < to; i++) s += y[i] = Math.exp(x[i] - shift);
  return [s, shift];
}

const softmax = alongAxes({ fills: true, last: true }, (x, from, to, y) => {
  const [s] = powersOf(x, from, to, y);
  for (let i = from; i < to; i++) y[i] /= s;
});
const logsumexp = alongAxes({ last: true }, (x, from, to) => {
  const [s, shift] = powersOf(x, from, to, []);
  return shift + Math.log(s);
});
const cumsum = alongAxes({ fills: true }, (x, from, to, y) => {
  for (let i = from, s = 0; i < to; i++) y[i] = s += x[i];
});
const argsort = alongAxes({ fills: true }, (x, from, to, y) => {
  const order = Float64Array.from({ length: to - from }, (_, i) => i);
  const after = (a, b) => a - b || Number.isNaN(a) - Number.isNaN(b);
  y.set(order.sort((i, j) => after(x[from + i], x[from + j])), from);
});
const placeOf = (best) => (x, from, to) => {
  const y = best(x, from, to);
  return x.slice(from, to).findIndex((t) => t === y || Number.isNaN(t));
};
const argmax = alongAxes({}, placeOf(largest));
const argmin = alongAxes({}, placeOf(smallest));
const tie_share = (x, best, options) =>
  alongAxes({ fills: true }, (x, from, to, y, r) => {
    const value = entriesOf(best)[r];
    const ties = x.slice(from, to).filter((entry) => entry === value).length;
    const other = Number.isNaN(value) ? NaN : 0;
    for (let i = from; i < to; i++) y[i] = x[i] === value ? 1 / ties : other;
  })(x, options);

const steps = (n, by, from = 0) => Int32Array.from({ length: n }, (_, i) => from + i * by);

// All sums of one offset from each list, the last list varying fastest: the places of an index.
function sumsOf(lists) {
  let sums = Int32Array.of(0);
  for (const offsets of lists) {
    const next = new Int32Array(sums.length * offsets.length);
    let k = 0;
    for (const a of sums) for (const b of offsets) next[k++] = a + b;
    sums = next;
  }
  return sums;
}

// Offsets plus what labels add to them; each choice is [labels, their upper bound, stride].
const picked = (lists, ...choices) =>
  sumsOf(lists).map((offset, i) =>
    choices.reduce((at, [labels, n, stride]) => {
      const k = entriesOf(labels)[i];
      if (Number.isInteger(k) && k >= -n && k < n) return at + stride * (k < 0 ? k + n : k);
      throw new RangeError(`index: got ${k}, expected a whole number from ${-n} to ${n - 1}`);
    }, offset),
  );

function getitem(x, lists, shape) {
  const entries = entriesOf(x);
  const y = empty(shape);
  sumsOf(lists).forEach((at, i) => (y[i] = entries[at]));
  return result(y);
}

function put(y, x, lists, from, adds) {
  const values = broadcast_to(x, from);
  sumsOf(lists).forEach((at, i) => (y[at] = values[i] + (adds ? y[at] : 0)));
  return result(y);
}

const scatter = (x, lists, shape, from) => put(full(shape, 0), x, lists, from, true);
const set_at = (x, values, lists, from) => put(reshape(x, x.shape), values, lists, from, false);

// The distance between neighbours along each axis.
const stridesOf = (shape) => shape.map((_, axis) => sizeOf(shape.slice(axis + 1)));

function transpose(x, { axes } = {}) {
  const [n, m] = x.shape;
  if (x.shape.length === 2 && axes?.[0] !== 0) {
    const y = empty([m, n]);
    for (let i = 0; i < n; i++) for (let j = 0; j < m; j++) y[j * n + i] = x[i * m + j];
    return y;
  }
  const order = axes ?? [...x.shape.keys()].reverse();
  const shape = order.map((a) => x.shape[a]);
  const strides = stridesOf(x.shape);
  const lists = order.map((a, k) => steps(shape[k], strides[a]));
  return getitem(x, lists, shape);
}

function broadcast_to(x, shape) {
  if (typeof x !== "object") return full(shape, x);
  if (`${x.shape}` === `${shape}`) return x;
  const own = [...Array(shape.length - x.shape.length).fill(1), ...x.shape];
  const strides = stridesOf(own);
  const lists = shape.map((n, a) => steps(n, own[a] === 1 ? 0 : strides[a]));
  return getitem(x, lists, shape);
}

function concatenate(xs, { axis = 0 } = {}) {
  const shape = [...xs[0].shape];
  shape[axis] = xs.reduce((n, x) => n + x.shape[axis], 0);
  const y = empty(shape);
  const strides = stridesOf(shape);
  let from = 0;
  for (const x of xs) {
    const lists = x.shape.map((n, a) => steps(n, strides[a], a === axis ? from : 0));
    put(y, x, lists, x.shape);
    from += x.shape[axis] * strides[axis];
  }
  return y;
}

function stack(xs, { axis = 0 } = {}) {
  const shape = [...shapeOf(xs[0])];
  shape.splice(axis, 0, 1);
  const parts = xs.map((x) => reshape(x, shape));
  return concatenate(parts, { axis });
}

// Writes the product of an n x k and a k x m matrix into y, two rows and three columns at a time.
// Past the last row or column it repeats that one.
function multiplyInto(y, a, b, n, k, m) {
  for (let i = 0; i < n; i += 2) {
    const below = Math.min(i + 1, n - 1);
    for (let j = 0; j < m; j += 3) {
      const one = Math.min(1, m - 1 - j);
      const two = Math.min(2, m - 1 - j);
      let s = 0;
      let t = 0;
      let u = 0;
      let p = 0;
      let q = 0;
      let r = 0;
      for (let l = 0, at = j; l < k; l++, at += m) {
        const e = a[i * k + l];
        const f = a[below * k + l];
        s += e * b[at];
        t += e * b[at + one];
        u += e * b[at + two];
        p += f * b[at];
        q += f * b[at + one];
        r += f * b[at + two];
      }
      const [here, next] = [i * m + j, below * m + j];
      y[here] = s;
      y[here + one] = t;
      y[here + two] = u;
      y[next] = p;
      y[next + one] = q;
      y[next + two] = r;
    }
  }
}

function matmul(a, b, shape) {
  const [n, k] = a.shape.length === 1 ? [1, a.length] : a.shape.slice(-2);
  const m = b.shape.length === 1 ? 1 : b.shape.at(-1);
  const y = empty(shape);
  const stacks = shape.slice(0, shape.length - (a.shape.length > 1) - (b.shape.length > 1));
  if (!stacks.length) {
    multiplyInto(y, a, b, n, k, m);
    return result(y);
  }
  const left = broadcast_to(a, [...stacks, n, k]);
  const right = broadcast_to(b.shape.length === 1 ? reshape(b, [k, 1]) : b, [...stacks, k, m]);
  const part = (x, c, size) => x.subarray(c * size, (c + 1) * size);
  for (let c = 0; c < sizeOf(stacks); c++) {
    multiplyInto(part(y, c, n * m), part(left, c, n * k), part(right, c, k * m), n, k, m);
  }
  return result(y);
}

const dot = (a, b) => matmul(a, b, [...a.shape.slice(0, -1), ...b.shape.slice(1)]);
const outer = (a, b) => dot(reshape(a, [a.length, 1]), reshape(b, [1, b.length]));
