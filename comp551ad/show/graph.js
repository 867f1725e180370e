// The graph in its box: drawn for the room that there is, and painted anew at each step.

const MOST_TERMS = 5; // edges that can carry a text at once
const SPOTS = [0.5, 0.4, 0.6, 0.3, 0.7, 0.2, 0.8]; // of an edge's length, where a text may stand

function makeGraph() {
  const element = make("div.c5-picture", { role: "group", "aria-label": "Graph" });
  // What texts must keep off, and a pen that knows how wide they are.
  let [layout, nodes, edges, occupied, ruler] = [null, [], [], [], null];

  function drawAt(panel, height) {
    const { rows } = panel.program;
    const titles = rows.map((_, i) => panel.equation(i));
    layout = layoutOf(rows, titles, Math.max(220, element.clientWidth - 2), height - 4);
    const { wide, tall, width } = layout;
    edges = layout.edges.map((edge) => drawEdge(edge, rows));
    nodes = rows.map((_, i) => drawNode(panel, i, titles[i]));
    const svg = draw(
      "svg",
      { width, height: layout.height },
      ...edges.map(({ group }) => group),
      ...nodes.map(({ group }) => group),
      ...edges.map(({ said }) => said),
    );
    element.replaceChildren(svg);
    // Where edges run, for labels to keep off them.
    const around = (x, y, a, b) => [x - a, y - b, x + a, y + b];
    occupied = layout.nodes.map((n) => around(n.x, n.y, wide / 2, tall / 2));
    for (const parts of edges) {
      const { line } = parts;
      const length = line.getTotalLength();
      for (let s = 4; s < length; s += 8) {
        const p = line.getPointAtLength(s);
        occupied.push(around(p.x, p.y, 3, 3));
      }
      parts.spots = SPOTS.map((part) => line.getPointAtLength(length * part));
    }
    // Measuring texts in the page would make the browser lay it out for each.
    ruler = document.createElement("canvas").getContext("2d");
    if (edges.length) ruler.font = getComputedStyle(edges[0].said).font;
  }

  function drawEdge(edge, rows) {
    const [x, y] = edge.points.at(-1);
    const [x0, y0] = edge.points[0];
    const line = draw("path.c5-edge", { d: edge.path });
    const up = draw("path.c5-tip.c5-up", { d: `M${x},${y - 1}l5,9h-10z` });
    const back = draw("path.c5-tip.c5-back", { d: `M${x0},${y0 + 1}l5,-9h-10z` });
    const group = draw("g", line, up, back);
    if (edge.stub) {
      const [side, anchor] = edge.operand ? [7, "start"] : [-7, "end"];
      const at = { x: x0 + side, y: y0 + 4, "text-anchor": anchor };
      group.append(draw("text", at, rows[edge.from].name));
    }
    return { edge, line, group, said: draw("text.c5-said") };
  }

  function drawNode(panel, i, title) {
    const { op, name } = panel.program.rows[i];
    const { wide, tall, nodes } = layout;
    const [x, y] = [nodes[i].x - wide / 2, nodes[i].y - tall / 2];
    const [left, right, first, second] = [x + 7, x + wide - 7, y + tall / 2 - 4, y + tall - 7];
    const own = panel.value(i);
    const most = Math.floor((wide - 14) / widthOf("x", SMALL));
    const cut = title.length > most ? `${title.slice(0, most - 1)}…` : title;
    const small = widthOf(title, TEXT) > wide - 14 ? ".c5-small" : "";
    const isNamed = op !== "input" && name && name !== own;
    const named = isNamed && widthOf(`${title}  ${name}`, TEXT) < wide - 14 ? name : "";
    const parts = {
      value: draw("text", { x: left, y: second }),
      derivative: draw("text", { x: right, y: second, "text-anchor": "end" }),
    };
    const group = draw(
      "g",
      { role: "button", tabindex: -1, "data-node": `a${i + 1}`, "data-row": i },
      draw("rect.c5-box", { x, y, width: wide, height: tall, rx: op === "input" ? 18 : 6 }),
      draw(
        "text",
        { x: left, y: first },
        draw("tspan", { "font-weight": 700 }, own),
        draw(`tspan${small}`, cut.slice(own.length)),
      ),
      // Spaces, so that the parts of the name are read apart.
      " ",
      draw("text", { x: right, y: first, "text-anchor": "end" }, named),
      " ",
      parts.value,
      " ",
      parts.derivative,
    );
    return { ...parts, group };
  }

  // A label beside its edge, where it covers no card, edge or other label; if there is no such
  // place, the number or the shape alone.
  function seat(parts, texts, taken, i) {
    const far = layout.nodes[parts.edge.from === i ? parts.edge.to : parts.edge.from].x;
    const half = 7;
    let best = null;
    for (const text of texts) {
      const wide = ruler.measureText(text).width + 2;
      for (const p of parts.spots) {
        for (const way of far < layout.nodes[i].x - 1 ? [-1, 1] : [1, -1]) {
          const x = way < 0 ? p.x - wide - 7 : p.x + 7;
          const box = [x, p.y - half, x + wide, p.y + half];
          let over = x < 0 || x + wide > layout.width ? 1e4 : 0;
          for (const q of taken) {
            const across = Math.min(box[2], q[2]) - Math.max(box[0], q[0]);
            const down = Math.min(box[3], q[3]) - Math.max(box[1], q[1]);
            if (across > 0 && down > 0) over += across * down;
          }
          if (!best || over < best.over - 1) best = { x, y: p.y + half - 2.5, box, over, text };
        }
        if (best.over === 0) break;
      }
      if (best.over < 60) break;
    }
    taken.push(best.box);
    setText(parts.said, best.text);
    parts.said.setAttribute("x", best.x);
    parts.said.setAttribute("y", best.y);
  }

  function paint(panel, asking) {
    const { env, step, kind, isReverse } = panel;
    const [i] = step.nodes;
    const finds = step.term ? kind : step.finds.at(-1);
    const down = isReverse && finds === kind;
    nodes.forEach(({ group, value, derivative }, k) => {
      const kinds = ["value", kind];
      const lost = kinds.map((what) => panel.gone(what, k));
      // "150 entries" would not fit twice.
      const texts = kinds.map((what) => panel.text(what, k).replace(/^(\d+) entries$/, "($1)"));
      const longest = Math.max(...texts.map((text) => text.length));
      const tight = longest * 8 > layout.wide / 2 - 6 ? " c5-small" : "";
      [value, derivative].forEach((text, n) => {
        setText(text, texts[n]);
        const look = lost[n] ? " c5-gone" : "";
        setClass(text, `${n ? "c5-derivative" : "c5-value"}${look}${tight}`);
      });
      const isDone = texts[down ? 1 : 0] !== "";
      const state = lost.every(Boolean) ? "discardable" : isDone ? "done" : "waiting";
      setClass(group, `c5-node c5-${step.nodes.includes(k) ? "current" : state}`);
      group.setAttribute("tabindex", i === k ? 0 : -1);
    });
    element.classList.toggle("c5-down", down);
    const terms = step.term ? [step.term] : panel.terms[i];
    const taken = [...occupied];
    for (const parts of edges) {
      const { edge, group, said } = parts;
      const term = terms.find(
        (t) =>
          t.upper === edge.to &&
          t.operand === edge.operand &&
          (isReverse ? i : t.node) === edge.from,
      );
      const comes = finds === "value" ? edge.to === i : Boolean(term);
      const on = comes && !asking && step.nodes.length === 1;
      setClass(group, on ? "c5-message" : "");
      if (!on || (term && terms.length > MOST_TERMS)) setText(said, "");
      else if (finds === "value") seat(parts, [brief(env.value[edge.from])], taken, i);
      else {
        const { text, x } = panel.worth(term.tree);
        const full = isNumber(x) && numberText(x) !== text ? `${text} = ${numberText(x)}` : text;
        seat(parts, [full, brief(x)], taken, i);
      }
    }
  }

  return {
    element,
    draw: drawAt,
    paint,
    focus: (i) => nodes[i].group.focus({ preventScroll: true }),
  };
}
