// The graph's layout for the available width and height: text is never scaled.
//
// Layers by the longest path from below; long edges run through dummy nodes; in each layer nodes move
// towards their neighbours, in order, without overlap.

// An input is at the bottom, or just below its first use if that is in a higher layer than this.
const FAR = 3;
const APART = 12; // pixels between cards
const [NARROWEST, WIDEST] = [90, 240]; // width of a card in pixels
const SPREAD = 1.7; // stretch the layout at most by this factor
const [TEXT, SMALL] = [13, 11]; // text sizes in pixels

// The approximate width of a text.
const widthOf = (text, size) => text.length * size * 0.57;

// The length of the longest path to each row from below.
function depthsOf(rows) {
  const depths = [];
  for (const { args } of rows)
    depths.push(1 + Math.max(-1, ...args.filter(isRow).map((a) => depths[a])));
  return depths;
}

function layoutOf(rows, titles, width, height) {
  const rank = depthsOf(rows);
  const edges = rows.flatMap(({ args }, to) =>
    args.flatMap((from, operand) => (isRow(from) ? [{ from, to, operand }] : [])),
  );
  const top = Math.max(0, ...rank);
  rows.forEach(({ op }, i) => {
    const first = Math.min(...edges.filter((e) => e.from === i).map((e) => rank[e.to]));
    if (op === "input" && first > FAR && first <= top) rank[i] = first - 1;
  });
  const layers = Array.from({ length: top + 1 }, () => []);
  const nodes = rows.map((_, i) => ({ i, rank: rank[i], up: [], down: [] }));
  for (const node of nodes) layers[node.rank].push(node);
  for (const edge of edges) {
    const [from, to] = [nodes[edge.from], nodes[edge.to]];
    edge.via = [from];
    for (let r = from.rank + 1; r <= to.rank; r++) {
      const next = r === to.rank ? to : { dummy: true, rank: r, up: [], down: [] };
      if (next.dummy) layers[r].push(next);
      edge.via.at(-1).up.push(next);
      next.down.push(edge.via.at(-1));
      edge.via.push(next);
    }
  }
  // The size of a card, limited by the fullest layer and the number of layers.
  const share = (node) => (node.dummy ? 0.25 : 1);
  const places = (layer) => layer.reduce((sum, node) => sum + share(node), 0);
  const gaps = (layer) => APART * (layer.length - 1);
  const fit = Math.min(...layers.map((layer) => (width - 6 - gaps(layer)) / places(layer)));
  const pace = height / (top + 1);
  const longest = Math.max(...titles.map((title) => widthOf(title, TEXT))) + 20;
  const wide = Math.max(NARROWEST, Math.min(fit, WIDEST, Math.max(longest, 152)));
  const tall = pace < 52 ? 34 : pace < 62 ? 38 : 42;
  const pitch = Math.max(tall + 14, Math.min(140, (height - tall - 8) / Math.max(top, 1)));
  const limit = Math.max(width - 6, ...layers.map((l) => places(l) * wide + gaps(l)));
  placeNodes(layers, limit, (node) => wide * share(node));
  const all = layers.flat();
  const low = Math.min(...all.map((n) => n.x - (wide * share(n)) / 2));
  const high = Math.max(...all.map((n) => n.x + (wide * share(n)) / 2));
  const size = { wide, tall, gap: pitch - tall };
  size.height = top * pitch + tall + 8;
  size.width = Math.max(high - low + 6, width);
  // Spread the nodes over the remaining width.
  const spread = Math.min(SPREAD, (size.width - 6 - wide) / Math.max(1, high - low - wide));
  for (const node of all) {
    node.x = size.width / 2 + (node.x - (low + high) / 2) * Math.max(1, spread);
    node.y = size.height - 4 - tall / 2 - node.rank * pitch;
  }
  for (const edge of edges) route(edge, edges, nodes, size);
  return { nodes, edges, ...size };
}

// Sweep up and down: each layer is ordered and placed by the mean position of its neighbours, at first
// those in the layer swept before, finally those on both sides.
function placeNodes(layers, limit, wideOf) {
  // Shift nodes that are too near to their neighbour or to the edge, in one direction.
  function push(layer, xs, sign, edge) {
    const placed = [];
    for (const k of sign > 0 ? layer.keys() : [...layer.keys()].reverse()) {
      const half = wideOf(layer[k]) / 2;
      placed[k] = sign * Math.max(sign * xs[k], sign * edge + half);
      edge = placed[k] + sign * (half + APART);
    }
    return placed;
  }
  for (const layer of layers) layer.forEach((node, k) => (node.x = k * 100));
  for (let sweep = 0; sweep < 28; sweep++) {
    for (const layer of sweep % 2 ? layers.toReversed() : layers) {
      for (const node of layer) {
        const [one, other] = sweep % 2 ? [node.up, node.down] : [node.down, node.up];
        const near = sweep < 16 ? one : [...one, ...other];
        node.wish = near.reduce((sum, n) => sum + n.x, 0) / near.length || node.x;
      }
      if (sweep < 16) layer.sort((a, b) => a.wish - b.wish);
      const wished = layer.map((node) => node.wish);
      const right = push(layer, wished, 1, -Infinity);
      const left = push(layer, wished, -1, Infinity);
      // The average of two placements without overlap has none either.
      const between = right.map((x, k) => (x + left[k]) / 2);
      const inside = push(layer, push(layer, between, 1, 0), -1, limit);
      layer.forEach((node, k) => (node.x = inside[k]));
    }
  }
}

// An edge's curve, from the top of the lower card to the bottom of the upper one, and points on it.
function route(edge, edges, nodes, { wide, tall }) {
  const [from, to] = [nodes[edge.from], nodes[edge.to]];
  const fan = [...from.up].sort((a, b) => a.x - b.x);
  const place = fan.indexOf(edge.via[1]) - (fan.length - 1) / 2;
  const leave = place * Math.min(26, (wide - 40) / fan.length);
  const into = edges.filter((e) => e.to === edge.to);
  const comes = (e) => e.via.at(-2).x + e.operand / 1e3;
  const order = into.sort((a, b) => comes(a) - comes(b)).indexOf(edge);
  const arrive = (order - (into.length - 1) / 2) * Math.min(36, (wide - 40) / into.length);
  const points = edge.via.map((node) => [node.x, node.y]);
  points[0] = [from.x + leave, from.y - tall / 2 - 2];
  points[points.length - 1] = [to.x + arrive, to.y + tall / 2 + 2];
  // The curve's slope, dx/dy, at a point: straight through dummies, steeper at the cards.
  const lean = (k) => {
    const [p, q] = [points[Math.max(0, k - 1)], points[Math.min(points.length - 1, k + 1)]];
    const inner = k > 0 && k < points.length - 1;
    return ((inner ? 1 : 0.35) * (q[0] - p[0])) / (q[1] - p[1]);
  };
  edge.points = points;
  edge.path = `M${points[0]}`;
  edge.course = [];
  points.slice(1).forEach((q, k) => {
    const p = points[k];
    const rise = (p[1] - q[1]) / 3;
    const first = [p[0] - rise * lean(k), p[1] - rise];
    const second = [q[0] + rise * lean(k + 1), q[1] + rise];
    edge.path += `C${first} ${second} ${q}`;
    for (let t = 0; t < 1; t += 1 / 16) {
      const parts = [(1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t ** 2 * (1 - t), t ** 3];
      const at = (n) => [p, first, second, q].reduce((sum, one, i) => sum + parts[i] * one[n], 0);
      edge.course.push({ x: at(0), y: at(1) });
    }
  });
}
