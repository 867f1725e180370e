// Linear algebra for small matrices in written JavaScript, under NumPy's names like runtime.js.

// a⁻¹ b by Gauss–Jordan elimination, for an n x n and an n x m matrix, and the signed pivots.
function eliminated(a, n, b = [], m = 0) {
  const row = (x, w, i) => [...x.slice(i * w, (i + 1) * w)];
  const rows = Array.from({ length: n }, (_, i) => [...row(a, n, i), ...row(b, m, i)]);
  const pivots = rows.map((_, j) => {
    let best = j;
    for (let i = j; i < n; i++) if (Math.abs(rows[i][j]) > Math.abs(rows[best][j])) best = i;
    [rows[j], rows[best]] = [rows[best], rows[j]];
    const pivot = rows[j][j];
    for (const other of rows) {
      // In a column of zeros there is nothing to subtract; nan must stay nan.
      const isEmpty = pivot === 0 && other[j] === 0;
      const factor = other === rows[j] || isEmpty ? 0 : other[j] / pivot;
      if (factor !== 0) rows[j].forEach((entry, k) => (other[k] -= factor * entry));
    }
    return best === j ? pivot : -pivot;
  });
  const solution = rows.flatMap((entries, i) =>
    entries.slice(n).map((entry) => entry / entries[i]),
  );
  return { solution, pivots };
}

// Applies f(matrix, n, k) to each n x n matrix k of a stack; the results have this shape.
function stacked(a, shape, f) {
  const n = a.shape.at(-1);
  const y = empty([...a.shape.slice(0, -2), ...shape]);
  for (let k = 0; k < sizeOf(a.shape.slice(0, -2)); k++) {
    y.set(f(a.subarray(k * n * n, (k + 1) * n * n), n, k), k * sizeOf(shape));
  }
  return result(y);
}

const identity = (n) => Float64Array.from({ length: n * n }, (_, i) => (i % (n + 1) ? 0 : 1));
const inv = (a) =>
  stacked(a, a.shape.slice(-2), (x, n) => eliminated(x, n, identity(n), n).solution);

function solve(a, b, shape) {
  const [n, m] = shape.slice(-2);
  const left = broadcast_to(a, [...shape.slice(0, -2), n, n]);
  const right = broadcast_to(b, shape);
  const part = (k) => right.subarray(k * n * m, (k + 1) * n * m);
  return stacked(left, [n, m], (x, n, k) => eliminated(x, n, part(k), m).solution);
}

const det = (a) => stacked(a, [], (x, n) => [eliminated(x, n).pivots.reduce((s, t) => s * t, 1)]);

function slogdet(a) {
  const pairs = stacked(a, [2], (x, n) => {
    const { pivots } = eliminated(x, n);
    const sizes = pivots.map((t) => Math.log(Math.abs(t)));
    return [pivots.reduce((s, t) => s * Math.sign(t), 1), sizes.reduce((s, t) => s + t, 0)];
  });
  const [last, ...others] = [...pairs.shape.keys()].reverse();
  return transpose(pairs, { axes: [last, ...others.reverse()] });
}

const cholesky = (a) =>
  stacked(a, a.shape.slice(-2), (x, n) => {
    const y = new Float64Array(n * n);
    for (let i = 0; i < n; i++) {
      for (let j = 0; j <= i; j++) {
        let s = x[i * n + j];
        for (let l = 0; l < j; l++) s -= y[i * n + l] * y[j * n + l];
        y[i * n + j] = i === j ? Math.sqrt(s) : s / y[j * n + j];
      }
    }
    return y;
  });

// Eigenvalues, in ascending order, and unit eigenvectors of a symmetric matrix by Jacobi rotations:
// each makes one off-diagonal entry zero. Only the lower triangle is read.
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
  const pairs = Array.from({ length: n }, (_, i) => [s[i * n + i], v.slice(i * n, i * n + n)]);
  return pairs.sort(([one], [other]) => one - other);
}

const eigvalsh = (a) => stacked(a, a.shape.slice(-1), (x, n) => eigh(x, n).map(([value]) => value));
const eigenprojections = (a) =>
  stacked(a, [...a.shape.slice(-2), a.shape.at(-1)], (x, n) =>
    eigh(x, n).flatMap(([, v]) => [...v].flatMap((e) => [...v].map((f) => e * f))),
  );
