// What written JavaScript computes with: NumPy's functions, as far as the table of primitives uses
// them, under their NumPy names. No derivative is in here; those are written by the program writer.
//
// A number is a number; an array is a Float64Array of its entries, row by row, with a `shape`.
// Every part stands between blank lines, so that a module takes only the parts that it uses.

// ---- arrays

function empty(shape) {
  const x = new Float64Array(sizeOf(shape));
  x.shape = shape;
  return x;
}

function sizeOf(shape) {
  let size = 1;
  for (const n of shape) size *= n;
  return size;
}

const shapeOf = (x) => (typeof x === "number" ? [] : x.shape);

// An array of the same entries; of no axes, the number.
function shaped(data, shape) {
  if (!shape.length) return typeof data === "number" ? data : data[0];
  const x = typeof data === "number" ? Float64Array.of(data) : data.slice();
  x.shape = shape;
  return x;
}

// From nested arrays of numbers, checked if a shape is given.
function array(nested, shape, name = "array") {
  const found = [];
  for (let x = nested; Array.isArray(x); x = x[0]) found.push(x.length);
  const isOurs = nested instanceof Float64Array && nested.shape;
  const numbers = isOurs ? nested : [nested].flat(Infinity).map(Number);
  const wanted = shape ?? found;
  const fits = sizeOf(wanted) === 0 || `${isOurs ? nested.shape : found}` === `${wanted}`;
  if (!fits || numbers.length !== sizeOf(wanted) || typeof nested === "string") {
    const text = isOurs || found.length ? `shape ${found.join(" x ")}` : typeof nested;
    throw new TypeError(`${name}: got ${text}, expected numbers of shape (${wanted.join(", ")})`);
  }
  if (isOurs) return nested;
  return shaped(Float64Array.from(numbers), wanted);
}

// A container's arrays as nested arrays.
function nested(tree) {
  if (tree instanceof Float64Array) {
    let rows = Array.from(tree);
    for (const n of tree.shape.slice(1).reverse()) rows = chunks(rows, n);
    return rows;
  }
  if (Array.isArray(tree)) return tree.map(nested);
  if (tree === null || typeof tree !== "object") return tree;
  return Object.fromEntries(Object.entries(tree).map(([key, x]) => [key, nested(x)]));
}

function chunks(list, n) {
  const count = n ? list.length / n : 0;
  return Array.from({ length: count }, (_, k) => list.slice(k * n, (k + 1) * n));
}

// An argument that is no number must be the one that the program was written for.
function setting(x, expected, name) {
  if (x !== expected) throw new TypeError(`${name}: got ${x}, expected ${expected}`);
}

function full(shape, value) {
  return empty(shape).fill(value);
}

// ---- functions of numbers: what is elementwise is written as a loop over them

const { abs, cos, exp, expm1, log, log1p, sign, sin, sqrt, tan, tanh } = Math;

const arctan = Math.atan;

const maximum = Math.max;

const minimum = Math.min;

const square = (x) => x * x;

const relu = (q) => Math.max(q, 0);

const logistic = (q) => 1 / (1 + Math.exp(-Math.max(q, -709)));

const softplus = (u) => Math.max(u, 0) + Math.log1p(Math.exp(-Math.abs(u)));

// In JavaScript 1 ** NaN is NaN.
const power = (a, b) => (a === 1 || (a === -1 && Math.abs(b) === Infinity) ? 1 : a ** b);

const heaviside = (a, atZero) => (a === 0 ? atZero : a > 0 ? 1 : a < 0 ? 0 : NaN);

const greater_share = (a, b) => (a > b ? 1 : a === b ? 0.5 : a < b ? 0 : NaN);

const safe_divide = (a, b) => (b === 0 ? 0 : a / b);

const xlogy = (a, b) => (a === 0 ? 0 : a * Math.log(b));

// ---- along axes

// The entries as a matrix: what goes together is a row.
function byRows(x, axis) {
  const shape = shapeOf(x);
  const ndim = shape.length;
  const all = shape.map((_, a) => a);
  const axes = axis === undefined ? all : [axis].flat().map((a) => (a < 0 ? a + ndim : a));
  const kept = all.filter((a) => !axes.includes(a));
  const order = [...kept, ...all.filter((a) => axes.includes(a))];
  const inPlace = order.every((a, k) => a === k);
  const data = typeof x === "number" ? [x] : inPlace ? x : transpose(x, { axes: order });
  const width = sizeOf(axes.map((a) => shape[a]));
  const lengths = kept.map((a) => shape[a]);
  const ones = shape.map((n, a) => (axes.includes(a) ? 1 : n));
  return { data, width, count: sizeOf(lengths), lengths, ones, order, inPlace };
}

// f(entries, from, to, options) gives a row's number.
function reduction(f) {
  return (x, { axis, keepdims = false, ...options } = {}) => {
    const { data, width, count, lengths, ones } = byRows(x, axis);
    const y = empty(keepdims ? ones : lengths);
    for (let r = 0; r < count; r++) y[r] = f(data, r * width, (r + 1) * width, options);
    return y.shape.length ? y : y[0];
  };
}

// f(entries, from, to, result, row) fills a row of the result.
function rowwise(x, axis, f) {
  const { data, width, count, order, inPlace } = byRows(x, axis);
  const y = empty(inPlace ? shapeOf(x) : data.shape);
  for (let r = 0; r < count; r++) f(data, r * width, (r + 1) * width, y, r);
  if (inPlace) return y.shape.length ? y : y[0];
  return transpose(y, { axes: order.map((_, a) => order.indexOf(a)) });
}

function total(x, from, to) {
  let s = 0;
  for (let i = from; i < to; i++) s += x[i];
  return s;
}

function largest(x, from, to) {
  let y = -Infinity;
  for (let i = from; i < to; i++) y = Math.max(y, x[i]);
  return y;
}

function smallest(x, from, to) {
  let y = Infinity;
  for (let i = from; i < to; i++) y = Math.min(y, x[i]);
  return y;
}

const sum = reduction(total);

const mean = reduction((x, from, to) => total(x, from, to) / (to - from));

const max = reduction(largest);

const min = reduction(smallest);

function varianceOf(x, from, to, { ddof = 0 }) {
  const m = total(x, from, to) / (to - from);
  let s = 0;
  for (let i = from; i < to; i++) s += (x[i] - m) * (x[i] - m);
  return s / Math.max(to - from - ddof, 0);
}

const variance = reduction(varianceOf);

const std = reduction((x, from, to, options) => {
  const equal = largest(x, from, to) === smallest(x, from, to);
  return equal && to - from > (options.ddof ?? 0) ? 0 : Math.sqrt(varianceOf(x, from, to, options));
});

const norm = reduction((x, from, to) => {
  let s = 0;
  for (let i = from; i < to; i++) s += x[i] * x[i];
  return Math.sqrt(s);
});

const logsumexp = (x, { axis = -1 } = {}) =>
  reduction((x, from, to) => {
    const shift = largest(x, from, to);
    let s = 0;
    for (let i = from; i < to; i++) s += Math.exp(x[i] - shift);
    return shift + Math.log(s);
  })(x, { axis: shapeOf(x).length ? axis : undefined });

const softmax = (x, { axis = -1 } = {}) =>
  rowwise(x, shapeOf(x).length ? axis : undefined, (x, from, to, y) => {
    const shift = largest(x, from, to);
    let s = 0;
    for (let i = from; i < to; i++) s += y[i] = Math.exp(x[i] - shift);
    for (let i = from; i < to; i++) y[i] /= s;
  });

const tie_share = (x, best, { axis } = {}) =>
  rowwise(x, axis, (x, from, to, y, r) => {
    const value = typeof best === "number" ? best : best[r];
    let ties = 0;
    for (let i = from; i < to; i++) ties += x[i] === value;
    const other = Number.isNaN(value) ? NaN : 0;
    for (let i = from; i < to; i++) y[i] = x[i] === value ? 1 / ties : other;
  });

// ---- moving entries about

const reshape = (x, shape) => shaped(x, shape);

function squeeze(x, { axis } = {}) {
  const shape = shapeOf(x);
  const axes = axis === undefined ? shape.map((_, a) => a) : [axis].flat();
  return shaped(x, shape.filter((n, a) => n !== 1 || !axes.includes(a)));
}

function expand_dims(x, { axis }) {
  const axes = [axis].flat();
  const lengths = [...shapeOf(x)];
  const ndim = lengths.length + axes.length;
  const shape = Array.from({ length: ndim }, (_, a) => (axes.includes(a) ? 1 : lengths.shift()));
  return shaped(x, shape);
}

// How far apart neighbours along each axis are.
function stridesOf(shape) {
  const strides = [];
  let step = 1;
  for (const n of [...shape].reverse()) {
    strides.unshift(step);
    step *= n;
  }
  return strides;
}

// All sums of one offset from each list, the last list's fastest.
function offsetsOf(lists) {
  let sums = Int32Array.of(0);
  for (const offsets of lists) {
    const next = new Int32Array(sums.length * offsets.length);
    let k = 0;
    for (const a of sums) for (const b of offsets) next[k++] = a + b;
    sums = next;
  }
  return sums;
}

const steps = (n, stride, from = 0) => Int32Array.from({ length: n }, (_, i) => from + i * stride);

function taken(x, at, shape) {
  const y = empty(shape);
  for (let i = 0; i < y.length; i++) y[i] = x[at[i]];
  return shape.length ? y : y[0];
}

function transpose(x, { axes } = {}) {
  const shape = shapeOf(x);
  const order = axes ?? shape.map((_, a) => a).reverse();
  if (shape.length === 2 && order[0] === 1) {
    const [n, m] = shape;
    const y = empty([m, n]);
    for (let i = 0; i < n; i++) for (let j = 0; j < m; j++) y[j * n + i] = x[i * m + j];
    return y;
  }
  const strides = stridesOf(shape);
  const at = offsetsOf(order.map((a) => steps(shape[a], strides[a])));
  return taken(x, at, order.map((a) => shape[a]));
}

function broadcast_to(x, shape) {
  if (typeof x === "number") return full(shape, x);
  if (`${x.shape}` === `${shape}`) return x;
  const missing = shape.length - x.shape.length;
  const strides = stridesOf(x.shape);
  const stride = (a) => (a < missing || x.shape[a - missing] === 1 ? 0 : strides[a - missing]);
  return taken(x, offsetsOf(shape.map((n, a) => steps(n, stride(a)))), shape);
}

function concatenate(xs, { axis = 0 } = {}) {
  const shape = [...xs[0].shape];
  shape[axis] = xs.reduce((n, x) => n + x.shape[axis], 0);
  const y = empty(shape);
  const rows = sizeOf(shape.slice(0, axis));
  let from = 0;
  for (let r = 0; r < rows; r++) {
    for (const x of xs) {
      const width = x.length / rows;
      y.set(x.subarray(r * width, (r + 1) * width), from);
      from += width;
    }
  }
  return y;
}

const stack = (xs, { axis = 0 } = {}) =>
  concatenate(
    xs.map((x) => expand_dims(x, { axis })),
    { axis },
  );

// ---- indices: numbers, null for a new axis, slice(…), or arrays of whole numbers

const slice = (from, to, step) => ({ from, to, step });

// A Python slice of an axis of length n: the first, and how many.
function resolved({ from, to, step }, n) {
  const by = step ?? 1;
  const [low, high] = by > 0 ? [0, n] : [-1, n - 1];
  const end = (x, usual) => (x === null ? usual : Math.min(Math.max(x < 0 ? x + n : x, low), high));
  const [first, last] = by > 0 ? [end(from, low), end(to, high)] : [end(from, high), end(to, low)];
  return { first, by, count: Math.max(0, Math.ceil((last - first) / by)) };
}

// Where in an array of this shape the entries that an index names are, and the result's shape.
function indexed(shape, index) {
  const strides = stridesOf(shape);
  const arrays = index.filter((part) => part instanceof Float64Array);
  const together = arrays.reduce((s, x) => (sizeOf(x.shape) >= sizeOf(s) ? x.shape : s), []);
  const named = { lengths: together, offsets: new Int32Array(sizeOf(together)) };
  const groups = [];
  const places = [];
  let axis = 0;
  index.forEach((part, place) => {
    if (part === null) return groups.push({ lengths: [1], offsets: [0] });
    const [n, stride] = [shape[axis], strides[axis++]];
    if (typeof part === "object" && !(part instanceof Float64Array)) {
      const { first, by, count } = resolved(part, n);
      return groups.push({ lengths: [count], offsets: steps(count, by * stride, first * stride) });
    }
    if (!places.length) groups.push(named);
    places.push(place);
    const numbers = broadcast_to(part, together);
    return named.offsets.forEach((_, k) => {
      const i = together.length ? numbers[k] : part;
      named.offsets[k] += (i < 0 ? i + n : i) * stride;
    });
  });
  const apart = arrays.length && places.at(-1) - places[0] >= places.length;
  if (apart) groups.unshift(...groups.splice(groups.indexOf(named), 1));
  for (; axis < shape.length; axis++) {
    groups.push({ lengths: [shape[axis]], offsets: steps(shape[axis], strides[axis]) });
  }
  const at = offsetsOf(groups.map((group) => group.offsets));
  return { at, shape: groups.flatMap((group) => group.lengths) };
}

function getitem(x, index) {
  const { at, shape } = indexed(shapeOf(x), index);
  return taken(typeof x === "number" ? [x] : x, at, shape);
}

function scatter(x, index, shape) {
  const { at, shape: from } = indexed(shape, index);
  const values = from.length ? broadcast_to(x, from) : [x];
  const y = empty(shape);
  for (let i = 0; i < at.length; i++) y[at[i]] += values[i];
  return shape.length ? y : y[0];
}

// ---- products

// Adds to y, from the entry `to` on, the product of an n x k and a k x m matrix.
function addProduct(a, b, y, n, k, m, fromA = 0, fromB = 0, to = 0) {
  for (let i = 0; i < n; i++) {
    for (let l = 0; l < k; l++) {
      const factor = a[fromA + i * k + l];
      const row = fromB + l * m;
      const place = to + i * m;
      for (let j = 0; j < m; j++) y[place + j] += factor * b[row + j];
    }
  }
}

function matmul(a, b) {
  const left = a.shape.length === 1 ? [1, ...a.shape] : a.shape;
  const right = b.shape.length === 1 ? [...b.shape, 1] : b.shape;
  const [n, k, m] = [left.at(-2), left.at(-1), right.at(-1)];
  const stacks = [left.slice(0, -2), right.slice(0, -2)];
  const longest = Math.max(stacks[0].length, stacks[1].length);
  const [s, t] = stacks.map((x) => [...Array(longest - x.length).fill(1), ...x]);
  const shape = s.map((x, axis) => (x === 1 ? t[axis] : x));
  const y = empty([...shape, n, m]);
  const matrices = (x, own) =>
    longest ? broadcast_to(shaped(x, [...own, x.length / sizeOf(own)]), [...shape, x.length / sizeOf(own)]) : x;
  const [as, bs] = [matrices(a, s), matrices(b, t)];
  for (let c = 0; c < sizeOf(shape); c++) {
    addProduct(as, bs, y, n, k, m, c * n * k, c * k * m, c * n * m);
  }
  const ends = [...(a.shape.length > 1 ? [n] : []), ...(b.shape.length > 1 ? [m] : [])];
  if (ends.length === 2) return y;
  return shaped(y, [...shape, ...ends]);
}

const dot = matmul;

function outer(a, b) {
  const y = empty([a.length, b.length]);
  addProduct(a, b, y, a.length, 1, b.length);
  return y;
}
