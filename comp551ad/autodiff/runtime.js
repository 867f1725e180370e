// What written JavaScript computes with: NumPy's functions, as far as the table of primitives uses
// them, under their NumPy names. No derivative is in here; those are written by the program writer.
//
// A number is a number; an array is a Float64Array of its entries, row by row, with a `shape`.
// A module takes only the declarations that it uses, each with the comment above it.

// The arrays of a run: the next run needs the same ones in the same order, and takes them again.
const arrays = { kept: [], next: 0 };

function empty(shape) {
  const size = sizeOf(shape);
  const k = arrays.next++;
  if (arrays.kept[k]?.length !== size) arrays.kept[k] = new Float64Array(size);
  const x = arrays.kept[k];
  x.shape = shape;
  return x;
}

const sizeOf = (shape) => shape.reduce((size, n) => size * n, 1);
const full = (shape, value) => empty(shape).fill(value);
const shapeOf = (x) => (typeof x === "number" ? [] : x.shape);

// An array of the same entries; of no axes, the number.
function reshape(data, shape) {
  const x = empty(shape);
  if (typeof data === "number") x[0] = data;
  else x.set(data);
  return shape.length ? x : x[0];
}

// From nested arrays of numbers, checked.
function array(given, shape, name) {
  const found = [];
  for (let x = given; Array.isArray(x); x = x[0]) found.push(x.length);
  const entries = given?.shape ? given : [given].flat(Infinity);
  const kinds = Array.from(entries, (x) => typeof x);
  const odd = kinds.find((kind) => kind !== "number" && kind !== "boolean");
  const same = entries.length === 0 || `${given?.shape ?? found}` === `${shape}`;
  if (odd || !same || entries.length !== sizeOf(shape)) {
    const got = odd ?? `shape (${given?.shape ?? found})`;
    throw new TypeError(`${name}: got ${got}, expected numbers of shape (${shape})`);
  }
  const x = given.shape ? given : Float64Array.from(entries);
  x.shape = shape;
  return shape.length ? x : x[0];
}

// A container's arrays as nested arrays.
function nested(tree) {
  if (tree === null || typeof tree !== "object") return tree;
  if (tree instanceof Float64Array) {
    const [n, ...rest] = tree.shape;
    if (!rest.length) return [...tree];
    const row = (k) => tree.slice(k * sizeOf(rest), (k + 1) * sizeOf(rest));
    return Array.from({ length: n }, (_, k) => nested(Object.assign(row(k), { shape: rest })));
  }
  if (Array.isArray(tree)) return tree.map(nested);
  return Object.fromEntries(Object.entries(tree).map(([key, x]) => [key, nested(x)]));
}

// An argument that is no number must be the one that the program was written for.
function setting(x, expected, name) {
  if (x !== expected) throw new TypeError(`${name}: got ${x}, expected ${expected}`);
}

// Functions of numbers: what is elementwise is written as a loop over them.
const { abs, cbrt, ceil, cos, cosh, exp, expm1, floor, hypot, log, log10, log1p, log2 } = Math;
const { sign, sin, sinh, sqrt, tan, tanh, trunc, max: maximum } = Math;
const { asin: arcsin, acos: arccos, atan: arctan, asinh: arcsinh, acosh: arccosh } = Math;
const { atanh: arctanh, atan2: arctan2, min: minimum } = Math;
const exp2 = (x) => 2 ** x;
// Halves to the even number, as NumPy does.
const rint = (x) => (Math.abs(x % 1) === 0.5 ? 2 * Math.round(x / 2) : Math.round(x));
const square = (x) => x * x;
const relu = (q) => Math.max(q, 0);
const logistic = (q) => 1 / (1 + Math.exp(-Math.max(q, -709)));
const softplus = (u) => Math.max(u, 0) + Math.log1p(Math.exp(-Math.abs(u)));
// In JavaScript 1 ** NaN is NaN.
const power = (a, b) => (a === 1 || (a === -1 && Math.abs(b) === Infinity) ? 1 : a ** b);
const heaviside = (a, atZero) => (a === 0 ? atZero : a > 0 ? 1 : a < 0 ? 0 : NaN);
const greater_share = (a, b) => (a > b ? 1 : a === b ? 0.5 : a < b ? 0 : NaN);
const safe_divide = (a, b) => (b === 0 ? 0 : a / b);
const divide_at_kink = (a, b) => (b === 0 ? NaN : a / b);
// The sign is that of b.
const remainder = (a, b) => (a % b !== 0 && a % b < 0 !== b < 0 ? (a % b) + b : a % b);
const floor_divide = (a, b) => (b === 0 ? a / b : Math.round((a - remainder(a, b)) / b));
const logaddexp = (a, b) =>
  a === b ? a + Math.LN2 : Math.max(a, b) + Math.log1p(Math.exp(-Math.abs(a - b)));
const xlogy = (a, b) => (a === 0 ? 0 : a * Math.log(b));

// 2/√π e^(−x²) Σ 2ⁿ x^(2n+1) / (2n+1)!!, whose terms have one sign.
function erf(x) {
  if (Math.abs(x) > 6) return Math.sign(x);
  let s = x;
  for (let n = 1, term = x; n < 150; n++) s += term *= (2 * x * x) / (2 * n + 1);
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * s;
}

// The entries as a matrix whose rows go together; `order` brings them there.
function byRows(x, axis) {
  const shape = shapeOf(x);
  const all = [...shape.keys()];
  const axes = axis === undefined ? all : [axis].flat();
  const order = [...all.filter((a) => !axes.includes(a)), ...all.filter((a) => axes.includes(a))];
  const inPlace = order.every((a, k) => a === k);
  const data = typeof x === "number" ? [x] : inPlace ? x : transpose(x, { axes: order });
  const width = sizeOf(axes.map((a) => shape[a]));
  const lengths = (one) => shape.map((n, a) => (axes.includes(a) ? one : n)).filter((n) => n >= 0);
  return { data, width, lengths, order, inPlace };
}

// f(entries, from, to, options) gives a row's number.
function reduction(f) {
  return (x, { axis, keepdims = false, ...options } = {}) => {
    const { data, width, lengths } = byRows(x, axis);
    const y = empty(lengths(keepdims ? 1 : -1));
    for (let r = 0; r < y.length; r++) y[r] = f(data, r * width, (r + 1) * width, options);
    return y.shape.length ? y : y[0];
  };
}

// f(entries, from, to, result, row) fills a row of the result.
function rowwise(x, axis, f) {
  const { data, width, order, inPlace } = byRows(x, axis);
  const y = empty(data.shape ?? []);
  for (let r = 0; r * width < y.length; r++) f(data, r * width, (r + 1) * width, y, r);
  if (!inPlace) return transpose(y, { axes: order.map((_, a) => order.indexOf(a)) });
  return y.shape.length ? y : y[0];
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
const varianceOf = (x, from, to, { ddof = 0 }) =>
  squares(x, from, to, average(x, from, to)) / Math.max(to - from - ddof, 0);
const sum = reduction(total);
const mean = reduction(average);
const max = reduction(largest);
const min = reduction(smallest);
const variance = reduction(varianceOf);
const norm = reduction((x, from, to) => Math.sqrt(squares(x, from, to)));
const std = reduction((x, from, to, options) => {
  const y = Math.sqrt(varianceOf(x, from, to, options));
  return largest(x, from, to) === smallest(x, from, to) ? Math.min(y, 0) : y;
});

const lastAxis = (x, axis) => axis ?? (shapeOf(x).length ? shapeOf(x).length - 1 : undefined);

const logsumexp = (x, { axis } = {}) =>
  reduction((x, from, to) => {
    const shift = largest(x, from, to);
    let s = 0;
    for (let i = from; i < to; i++) s += Math.exp(x[i] - shift);
    return shift + Math.log(s);
  })(x, { axis: lastAxis(x, axis) });

const softmax = (x, { axis } = {}) =>
  rowwise(x, lastAxis(x, axis), (x, from, to, y) => {
    const shift = largest(x, from, to);
    let s = 0;
    for (let i = from; i < to; i++) s += y[i] = Math.exp(x[i] - shift);
    for (let i = from; i < to; i++) y[i] /= s;
  });

const cumsum = (x, { axis }) =>
  rowwise(x, axis, (x, from, to, y) => {
    for (let i = from, s = 0; i < to; i++) y[i] = s += x[i];
  });

const tie_share = (x, best, { axis } = {}) =>
  rowwise(x, axis, (x, from, to, y, r) => {
    const value = typeof best === "number" ? best : best[r];
    const ties = x.slice(from, to).filter((entry) => entry === value).length;
    const other = Number.isNaN(value) ? NaN : 0;
    for (let i = from; i < to; i++) y[i] = x[i] === value ? 1 / ties : other;
  });

const steps = (n, by, from = 0) => Int32Array.from({ length: n }, (_, i) => from + i * by);

// All sums of one offset from each list, the last list's fastest: where a view's entries are.
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

function getitem(x, lists, shape) {
  const entries = typeof x === "number" ? [x] : x;
  const y = empty(shape);
  sumsOf(lists).forEach((at, i) => (y[i] = entries[at]));
  return shape.length ? y : y[0];
}

function put(y, x, lists, from, adds) {
  const values = broadcast_to(x, from);
  sumsOf(lists).forEach((at, i) => (y[at] = values[i] + (adds ? y[at] : 0)));
  return y.shape.length ? y : y[0];
}

const scatter = (x, lists, shape, from) => put(full(shape, 0), x, lists, from, true);
const set_at = (x, values, lists, from) => put(reshape(x, x.shape), values, lists, from, false);

// How far apart neighbours along each axis are.
const stridesOf = (shape) => shape.map((_, axis) => sizeOf(shape.slice(axis + 1)));

function transpose(x, { axes } = {}) {
  const [n, m] = x.shape;
  if (x.shape.length === 2 && axes?.[0] !== 0) {
    const y = empty([m, n]);
    for (let i = 0; i < n; i++) for (let j = 0; j < m; j++) y[j * n + i] = x[i * m + j];
    return y;
  }
  const order = axes ?? [...x.shape.keys()].reverse();
  const strides = stridesOf(x.shape);
  const lists = order.map((a) => steps(x.shape[a], strides[a]));
  return getitem(
    x,
    lists,
    order.map((a) => x.shape[a]),
  );
}

function broadcast_to(x, shape) {
  if (typeof x === "number") return full(shape, x);
  if (`${x.shape}` === `${shape}`) return x;
  const own = [...Array(shape.length - x.shape.length).fill(1), ...x.shape];
  const strides = stridesOf(own);
  return getitem(
    x,
    shape.map((n, a) => steps(n, own[a] === 1 ? 0 : strides[a])),
    shape,
  );
}

function concatenate(xs, { axis = 0 } = {}) {
  const shape = [...xs[0].shape];
  shape[axis] = xs.reduce((n, x) => n + x.shape[axis], 0);
  const y = empty(shape);
  const rows = sizeOf(shape.slice(0, axis));
  for (let r = 0, from = 0; r < rows; r++) {
    for (const x of xs) {
      const width = x.length / rows;
      y.set(x.subarray(r * width, (r + 1) * width), from);
      from += width;
    }
  }
  return y;
}

function stack(xs, { axis = 0 } = {}) {
  const shape = [...shapeOf(xs[0])];
  shape.splice(axis, 0, 1);
  return concatenate(
    xs.map((x) => reshape(x, shape)),
    { axis },
  );
}

// The product of an n x k and a k x m matrix, written into y: two rows and three columns at once.
// A last row without a second one is its own second.
function multiplyInto(y, a, b, n, k, m) {
  for (let i = 0; i < n; i += 2) {
    const first = i * k;
    const second = i + 1 < n ? first + k : first;
    const row = i * m;
    const next = i + 1 < n ? row + m : row;
    let j = 0;
    for (; j + 2 < m; j += 3) {
      let s = 0;
      let t = 0;
      let u = 0;
      let p = 0;
      let q = 0;
      let r = 0;
      for (let l = 0, at = j; l < k; l++, at += m) {
        const e = a[first + l];
        const f = a[second + l];
        s += e * b[at];
        t += e * b[at + 1];
        u += e * b[at + 2];
        p += f * b[at];
        q += f * b[at + 1];
        r += f * b[at + 2];
      }
      y[row + j] = s;
      y[row + j + 1] = t;
      y[row + j + 2] = u;
      y[next + j] = p;
      y[next + j + 1] = q;
      y[next + j + 2] = r;
    }
    for (; j < m; j++) {
      let s = 0;
      let p = 0;
      for (let l = 0, at = j; l < k; l++, at += m) {
        s += a[first + l] * b[at];
        p += a[second + l] * b[at];
      }
      y[row + j] = s;
      y[next + j] = p;
    }
  }
}

function dot(a, b) {
  const [n, k] = a.shape.length === 1 ? [1, a.length] : a.shape;
  const y = empty([...a.shape.slice(0, -1), ...b.shape.slice(1)]);
  multiplyInto(y, a, b, n, k, b.shape[1] ?? 1);
  return y.shape.length ? y : y[0];
}

// Stacks of matrices, which broadcast: each of the result's is a product.
function matmul(a, b, shape) {
  if (a.shape.length <= 2 && b.shape.length <= 2) return dot(a, b);
  const [n, k] = a.shape.length === 1 ? [1, a.length] : a.shape.slice(-2);
  const m = b.shape.length === 1 ? 1 : b.shape.at(-1);
  const stacks = shape.slice(0, shape.length - (a.shape.length > 1) - (b.shape.length > 1));
  const left = broadcast_to(a, [...stacks, n, k]);
  const right = broadcast_to(b.shape.length === 1 ? reshape(b, [k, 1]) : b, [...stacks, k, m]);
  const y = empty(shape);
  const part = (x, c, size) => x.subarray(c * size, (c + 1) * size);
  for (let c = 0; c < sizeOf(stacks); c++) {
    multiplyInto(part(y, c, n * m), part(left, c, n * k), part(right, c, k * m), n, k, m);
  }
  return y;
}

const outer = (a, b) => dot(reshape(a, [a.length, 1]), reshape(b, [1, b.length]));

// a⁻¹ b by elimination, for an n x n and an n x m matrix, and the pivots with their sign.
function eliminated(a, b, n, m) {
  const [left, right, pivots] = [a.slice(), b.slice(), []];
  const swap = (x, w, i, j) => {
    for (let k = 0; k < w; k++) [x[i * w + k], x[j * w + k]] = [x[j * w + k], x[i * w + k]];
  };
  const subtract = (x, w, i, j, f) => {
    for (let k = 0; k < w; k++) x[i * w + k] -= f * x[j * w + k];
  };
  for (let j = 0; j < n; j++) {
    let best = j;
    for (let i = j; i < n; i++) {
      if (Math.abs(left[i * n + j]) > Math.abs(left[best * n + j])) best = i;
    }
    swap(left, n, j, best);
    swap(right, m, j, best);
    const pivot = left[j * n + j];
    pivots.push(best === j ? pivot : -pivot);
    for (let i = 0; i < n; i++) {
      if (i === j) continue;
      const factor = left[i * n + j] / pivot;
      subtract(left, n, i, j, factor);
      subtract(right, m, i, j, factor);
    }
  }
  for (let i = 0; i < n * m; i++) right[i] /= left[Math.floor(i / m) * (n + 1)];
  return { solution: right, pivots };
}

// f(matrix, k) for each n x n matrix of a stack.
function each(a, f) {
  const n = a.shape.at(-1);
  for (let k = 0; k < a.length / (n * n); k++) f(a.subarray(k * n * n, (k + 1) * n * n), k, n);
}

const identity = (n) => Float64Array.from({ length: n * n }, (_, i) => (i % (n + 1) ? 0 : 1));

function inv(a) {
  const y = empty(a.shape);
  each(a, (x, k, n) => y.set(eliminated(x, identity(n), n, n).solution, k * n * n));
  return y;
}

function solve(a, b, shape) {
  const [n, m] = shape.slice(-2);
  const right = broadcast_to(b, shape);
  const y = empty(shape);
  each(broadcast_to(a, [...shape.slice(0, -2), n, n]), (x, k) =>
    y.set(eliminated(x, right.subarray(k * n * m, (k + 1) * n * m), n, m).solution, k * n * m),
  );
  return y;
}

function det(a) {
  const y = empty(a.shape.slice(0, -2));
  each(a, (x, k, n) => (y[k] = eliminated(x, [], n, 0).pivots.reduce((s, t) => s * t, 1)));
  return y.shape.length ? y : y[0];
}

function slogdet(a) {
  const count = sizeOf(a.shape.slice(0, -2));
  const y = empty([2, ...a.shape.slice(0, -2)]);
  each(a, (x, k, n) => {
    const { pivots } = eliminated(x, [], n, 0);
    y[k] = pivots.reduce((s, t) => s * Math.sign(t), 1);
    y[count + k] = pivots.reduce((s, t) => s + Math.log(Math.abs(t)), 0);
  });
  return y;
}

function cholesky(a) {
  const y = full(a.shape, 0);
  each(a, (x, k, n) => {
    const row = (i) => k * n * n + i * n;
    for (let i = 0; i < n; i++) {
      for (let j = 0; j <= i; j++) {
        let s = x[i * n + j];
        for (let l = 0; l < j; l++) s -= y[row(i) + l] * y[row(j) + l];
        y[row(i) + j] = i === j ? Math.sqrt(s) : s / y[row(j) + j];
      }
    }
  });
  return y;
}

// Eigenvalues and unit eigenvectors of a symmetric matrix, the least first, by Jacobi's rotations:
// each makes one entry beside the diagonal zero. The lower triangle is read.
function eigh(x, n) {
  const s = x.map((_, i) => x[Math.max(i, (i % n) * n + Math.floor(i / n))]);
  const v = identity(n);
  const rotate = (t, i, j, step, c, w) => {
    for (let k = 0; k < n; k++, i += step, j += step) {
      [t[i], t[j]] = [c * t[i] - w * t[j], w * t[i] + c * t[j]];
    }
  };
  for (let sweep = 0, moved = true; moved && sweep < 60; sweep++) {
    moved = false;
    for (let p = 1; p < n; p++) {
      for (let q = 0; q < p; q++) {
        const [pp, pq, qq] = [s[p * n + p], s[p * n + q], s[q * n + q]];
        if (Math.abs(pq) <= 1e-20 * Math.hypot(pp, qq)) continue;
        moved = true;
        const angle = Math.atan2(2 * pq, qq - pp) / 2;
        const turn = [Math.cos(angle), Math.sin(angle)];
        rotate(s, p * n, q * n, 1, ...turn);
        rotate(s, p, q, n, ...turn);
        rotate(v, p * n, q * n, 1, ...turn);
        s[p * n + q] = s[q * n + p] = 0;
      }
    }
  }
  const pairs = Array.from({ length: n }, (_, i) => [s[i * n + i], v.subarray(i * n, i * n + n)]);
  return pairs.sort(([one], [other]) => one - other);
}

function eigvalsh(a) {
  const y = empty(a.shape.slice(0, -1));
  each(a, (x, k, n) => y.set(eigh(x, n).map(([value]) => value), k * n));
  return y;
}

function eigenprojections(a) {
  const y = empty([...a.shape, a.shape.at(-1)]);
  each(a, (x, k, n) =>
    eigh(x, n).forEach(([, v], i) => multiplyInto(y.subarray((k * n + i) * n * n), v, v, n, 1, n)),
  );
  return y;
}
