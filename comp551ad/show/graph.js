// The graph in its box: drawn for the room that there is, and painted anew at each step.
//
// `host` is what it knows of the player: now() = {program, values}, rightSide(row), and what the
// pointer and the keys do: link(element, row), point(row), show(row).

const MOST_TERMS = 5; // edges that can carry a text at once
const SPOTS = [0.5, 0.4, 0.6, 0.3, 0.7, 0.2, 0.8]; // of an edge's length, where a text may stand

// A number, or an array's shape.
const brief = (x) => (isNumber(x) ? numberText(x) : shapeText(x.shape));

function makeGraph(host) {
  const element = make("div", { className: "c5-picture", role: "group", "aria-label": "Graph" });
  // What texts must keep off, and a pen that knows how wide they are.
  let [layout, nodes, edges, occupied, ruler] = [null, [], [], [], null];

  function drawAt(height) {
    const { program } = host.now();
    layout = layoutOf(program, Math.max(220, element.clientWidth - 2), height - 4);
    const { wide, tall } = layout;
    const size = layout.big ? 15 : 13;
    const [first, second] = [tall / 2 - 4, tall - 7];
    const svg = draw("svg", {
      width: layout.width,
      height: layout.height,
      class: layout.big ? "c5-big" : "",
    });
    edges = layout.edges.map((edge) => {
      const [x, y] = edge.points.at(-1);
      const [x0, y0] = edge.points[0];
      const parts = {
        edge,
        line: draw("path", { class: "c5-edge", d: edge.path }),
        up: draw("path", { class: "c5-tip", d: `M${x},${y - 1}l5,9h-10z` }),
        down: draw("path", { class: "c5-tip", d: `M${x0},${y0 + 1}l5,-9h-10z` }),
        said: draw("text", { class: "c5-said" }),
      };
      svg.append(parts.line, parts.up, parts.down);
      if (edge.stub) {
        const anchor = edge.operand ? "start" : "end";
        const name = program.rows[edge.from].name;
        svg.append(
          draw(
            "text",
            {
              class: "c5-operation",
              x: x0 + (edge.operand ? 7 : -7),
              y: y0 + 4,
              "text-anchor": anchor,
            },
            name,
          ),
        );
      }
      return parts;
    });
    nodes = layout.nodes.map((node, i) => {
      const row = program.rows[i];
      const [x, y] = [node.x - wide / 2, node.y - tall / 2];
      const half = wide / 2 - 8;
      const chip = (k) =>
        draw("rect", {
          class: "c5-chip",
          x: x + 4 + k * (half + 8),
          y: y + second - size + 1,
          width: half,
          height: size + 3,
          rx: 4,
        });
      const own = label("value", i, program.names);
      const right = host.rightSide(i);
      const letters = own.length + 3 + right.length;
      const short = letters * 11 * 0.58 > wide - 8 ? `${row.op} …` : right;
      const small = letters * size * 0.56 > wide - 20 ? " c5-small" : "";
      const named =
        row.op !== "input" &&
        row.name &&
        !program.names?.[i] &&
        (letters + row.name.length + 2) * size * 0.54 < wide - 8;
      const parts = {
        value: draw("text", { x: x + 7, y: y + second }),
        derivative: draw("text", { x: x + wide - 7, y: y + second }),
        chips: [chip(0), chip(1)],
      };
      const text = draw(
        "text",
        { x: x + 7, y: y + first },
        draw("tspan", { class: "c5-label" }, own),
        draw("tspan", { class: `c5-operation${small}` }, ` = ${short}`),
      );
      parts.group = draw(
        "g",
        { class: "c5-node", role: "button", tabindex: -1, "data-node": `a${i + 1}` },
        draw("rect", {
          class: "c5-ring",
          x: x - 3,
          y: y - 3,
          width: wide + 6,
          height: tall + 6,
          rx: 10,
        }),
        draw("rect", {
          class: "c5-box",
          x,
          y,
          width: wide,
          height: tall,
          rx: row.op === "input" ? 18 : 6,
        }),
        // Spaces, so that the parts of the name are read apart.
        text,
        " ",
        named ? draw("text", { class: "c5-name", x: x + wide - 7, y: y + first }, row.name) : "",
        " ",
        ...parts.chips,
        parts.value,
        " ",
        parts.derivative,
      );
      host.link(parts.group, i);
      parts.group.addEventListener("focus", () => host.point(i));
      parts.group.addEventListener("blur", () => host.point(-1));
      parts.group.addEventListener("keydown", (event) => {
        if (event.key !== "Enter" && event.key !== " ") return;
        event.preventDefault();
        event.stopPropagation();
        host.show(i);
      });
      svg.append(parts.group);
      return parts;
    });
    svg.append(...edges.map((parts) => parts.said));
    element.replaceChildren(svg);
    // Where edges run, for labels to keep off them.
    occupied = layout.nodes.map((n) => [
      n.x - wide / 2,
      n.y - tall / 2,
      n.x + wide / 2,
      n.y + tall / 2,
    ]);
    for (const parts of edges) {
      const { line } = parts;
      const length = line.getTotalLength();
      for (let s = 4; s < length; s += 8) {
        const p = line.getPointAtLength(s);
        occupied.push([p.x - 3, p.y - 3, p.x + 3, p.y + 3]);
      }
      parts.spots = SPOTS.map((part) => line.getPointAtLength(length * part));
    }
    // Measuring texts in the page would make the browser lay it out for each.
    ruler = document.createElement("canvas").getContext("2d");
    if (edges.length) ruler.font = getComputedStyle(edges[0].said).font;
  }

  // A label beside its edge, where it covers no card, edge or other label; if there is no such
  // place, the number alone.
  function seat(parts, texts, taken, i) {
    const far = layout.nodes[parts.edge.from === i ? parts.edge.to : parts.edge.from].x;
    const half = layout.big ? 8 : 7;
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

  function paint(panel, now, asking, hover) {
    const { program, values } = host.now();
    const { step, has, gone } = now;
    const down = panel.mode === "reverse" && (step.term || step.finds.includes("derivative"));
    program.rows.forEach((row, i) => {
      const parts = nodes[i];
      const [v, d] = [has("value", i), has("derivative", i)];
      const texts = [v ? brief(values[i]) : "", d ? brief(panel.d[i]) : ""];
      const lost = [gone("value", i), gone("derivative", i)];
      const tight =
        Math.max(...texts.map((t) => t.length)) * 8 > layout.wide / 2 - 6 ? " c5-small" : "";
      setText(parts.value, texts[0]);
      setText(parts.derivative, texts[1]);
      setClass(parts.value, `c5-value${lost[0] ? " c5-gone" : ""}${tight}`);
      setClass(parts.derivative, `c5-derivative${lost[1] ? " c5-gone" : ""}${tight}`);
      parts.chips.forEach((chip, k) => setClass(chip, `c5-chip${lost[k] ? " c5-gone" : ""}`));
      const state = step.nodes.includes(i)
        ? "current"
        : lost[0] && lost[1]
          ? "discardable"
          : (down ? d : v)
            ? "done"
            : "waiting";
      setClass(parts.group, `c5-node c5-${state}${i === hover ? " c5-hover" : ""}`);
      parts.group.setAttribute("tabindex", step.nodes[0] === i ? 0 : -1);
    });
    element.classList.toggle("c5-down", Boolean(down));
    const [i] = step.nodes;
    const terms = step.term
      ? [step.term]
      : step.finds.includes("derivative")
        ? panel.pass.terms[i]
        : [];
    const taken = [...occupied];
    const isUp = !step.finds.includes("derivative") && !step.term;
    for (const parts of edges) {
      const { edge } = parts;
      const term = terms.find(
        (t) =>
          t.upper === edge.to &&
          t.operand === edge.operand &&
          (edge.from === i || edge.to === i) &&
          (panel.mode === "forward" ? t.node : i) === edge.from,
      );
      const on = !asking && step.nodes.length === 1 && (isUp ? edge.to === i : Boolean(term));
      setClass(parts.line, `c5-edge${on ? " c5-message" : ""}`);
      const back = down && on;
      setClass(parts.up, `c5-tip${on ? " c5-message" : ""}${down ? " c5-off" : ""}`);
      setClass(parts.down, `c5-tip${back ? " c5-message" : ""}${down ? "" : " c5-off"}`);
      if (!on || (term && terms.length > MOST_TERMS)) setText(parts.said, "");
      else if (isUp) seat(parts, [brief(values[edge.from])], taken, i);
      else {
        const env = { value: values, [panel.pass.kind]: panel.d };
        const text = written(prepared(term.tree, env), program.names);
        const x = evaluate(term.tree, env);
        const number = isNumber(x) ? numberText(x) : "";
        const full = number && number !== text ? `${text} = ${number}` : text;
        seat(parts, [full, number || text], taken, i);
      }
    }
  }

  return {
    element,
    draw: drawAt,
    paint,
    light: (i) => nodes.forEach(({ group }, k) => group.classList.toggle("c5-hover", k === i)),
    focus: (i) => nodes[i]?.group.focus({ preventScroll: true }),
    scrollTo: (i) => {
      const { x, y } = layout.nodes[i];
      element.scrollTo(x - element.clientWidth / 2, y - element.clientHeight / 2);
    },
  };
}
