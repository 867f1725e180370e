// The graph in its box: drawn to fit the available space, and updated at each step.

const BESIDE = 14; // pixels between an edge and its text
const HEIGHT = 12; // of a text
const DIGIT = 0.64; // approximate width over height, as measuring each number would be slow
const MOST_PLACES = 24; // to try along an edge
// The cost of what a text hides: SOLID for a card or another text, 1 for a point of an edge. A shorter
// text is better if it saves more than SHORTER.
const [SOLID, SHORTER] = [100, 4];
const MOST_TERMS = 5; // edges that can carry a text at once

function makeGraph() {
  const element = make("div.c5-picture", { role: "group", "aria-label": "Graph" });
  const ruler = document.createElement("canvas").getContext("2d");
  let [layout, nodes, edges] = [null, [], []];
  let [obstacles, seats] = [[], new Map()]; // for the edges' texts, and their places

  function drawAt(panel, height) {
    const { rows } = panel.program;
    const titles = rows.map((_, i) => panel.equation(i));
    layout = layoutOf(rows, titles, Math.max(220, element.clientWidth - 2), height - 4);
    edges = layout.edges.map(drawEdge);
    nodes = rows.map((_, i) => drawNode(panel, i, titles[i]));
    const svg = draw(
      "svg",
      { width: layout.width, height: layout.height, role: "none" },
      ...edges.map(({ group }) => group),
      ...nodes.map(({ group }) => group),
      ...edges.map(({ said }) => said),
    );
    element.replaceChildren(svg);
    ruler.font = `700 ${TEXT}px ${getComputedStyle(element).fontFamily}`;
    const { wide, tall } = layout;
    const points = layout.edges.flatMap(({ course }) => course);
    obstacles = [
      ...layout.nodes.map(({ x, y }) => ({ x, y, wide, tall, weight: SOLID })),
      ...points.map((point) => ({ ...point, wide: 0, tall: 0, weight: 1 })),
    ];
    seats = new Map();
    return layout.height;
  }

  function drawEdge(edge) {
    const [[x0, y0], [x, y]] = [edge.points[0], edge.points.at(-1)];
    const line = draw("path.c5-edge", { d: edge.path });
    const up = draw("path.c5-up", { d: `M${x},${y - 1}l5,9h-10z` });
    const back = draw("path.c5-back", { d: `M${x0},${y0 + 1}l5,-9h-10z` });
    return { edge, group: draw("g", line, up, back), said: draw("text.c5-said") };
  }

  function drawNode(panel, i, title) {
    const { op, name } = panel.program.rows[i];
    const { wide, tall, nodes } = layout;
    const [x, y] = [nodes[i].x - wide / 2, nodes[i].y - tall / 2];
    const [left, right, first, second] = [x + 7, x + wide - 7, y + tall / 2 - 5, y + tall - 6];
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
      { role: "button", tabindex: -1, "data-row": i },
      draw("rect.c5-box", { x, y, width: wide, height: tall, rx: op === "input" ? 18 : 6 }),
      draw(
        "text",
        { x: left, y: first },
        draw("tspan", { "font-weight": 700 }, own),
        draw(`tspan${small}`, cut.slice(own.length)),
      ),
      // Spaces, so that screen readers separate the parts of the name.
      " ",
      draw("text", { x: right, y: first, "text-anchor": "end" }, named),
      " ",
      parts.value,
      " ",
      parts.derivative,
    );
    return { ...parts, group };
  }

  // The box for one of the texts beside an edge, in the gap at the current card: where it hides least,
  // on the outer side if possible, with a longer text unless a shorter one hides clearly less.
  function seatOf({ course }, card, isLower, texts, taken) {
    const end = isLower ? course[0] : course.at(-1);
    const off = ({ x, y }) => Math.abs(Math.hypot(x - end.x, y - end.y) - layout.gap / 2);
    const places = [...course].sort((a, b) => off(a) - off(b)).slice(0, MOST_PLACES);
    const sides = places[0].x < card.x - 1 ? [-1, 1] : [1, -1];
    const boxes = texts.flatMap((text, which) => {
      const wide = ruler.measureText(text).width;
      const far = BESIDE + wide / 2;
      const look = { wide, tall: HEIGHT, weight: SOLID, which };
      return sides.flatMap((side) => places.map(({ x, y }) => ({ x: x + side * far, y, ...look })));
    });
    const reach = Math.max(...places.map(({ y }) => Math.abs(y - end.y))) + HEIGHT;
    const near = [...obstacles, ...taken].filter((one) => Math.abs(one.y - end.y) < reach + one.tall);
    const costs = boxes.map((box) => {
      const isOut = Math.abs(box.x - layout.width / 2) > (layout.width - box.wide) / 2;
      const hidden = near.filter(
        (one) =>
          Math.abs(one.x - box.x) < (one.wide + box.wide) / 2 &&
          Math.abs(one.y - box.y) < (one.tall + box.tall) / 2,
      );
      const start = SHORTER * box.which + (isOut ? SOLID : 0);
      return hidden.reduce((sum, { weight }) => sum + weight, start);
    });
    return boxes[costs.indexOf(Math.min(...costs))];
  }

  function seatsOf(messages, card, isLower, texts) {
    const seats = [];
    messages.forEach(({ edge }, k) => seats.push(seatOf(edge, card, isLower, texts[k], seats)));
    return seats;
  }

  // The two numbers of a card, with as many digits as fit.
  function numbersOf(panel, kinds, k) {
    const room = layout.wide - 14;
    // "150 entries" doesn't fit twice.
    const write = (digits) =>
      kinds.map((what) => panel.text(what, k, digits).replace(/^(\d+) entries$/, "($1)"));
    const isTooWide = (texts, size) => texts.join("  ").length * size * DIGIT > room;
    let texts = write(4);
    const tight = isTooWide(texts, TEXT) ? " c5-small" : "";
    for (let digits = 3; digits > 1 && isTooWide(texts, SMALL); digits--) texts = write(digits);
    return { texts, tight };
  }

  function paint(panel, asking) {
    const { env, step, kind, isReverse } = panel;
    const [i] = step.nodes;
    const finds = step.term ? kind : step.finds.at(-1);
    const down = isReverse && finds === kind;
    nodes.forEach(({ group, value, derivative }, k) => {
      const kinds = ["value", kind];
      const lost = kinds.map((what) => panel.gone(what, k));
      const { texts, tight } = numbersOf(panel, kinds, k);
      [value, derivative].forEach((text, n) => {
        setText(text, texts[n]);
        const look = lost[n] ? " c5-gone" : "";
        setClass(text, `${n ? "c5-derivative" : ""}${look}${tight}`);
      });
      const isDone = texts[down ? 1 : 0] !== "";
      const state = lost.every(Boolean) ? "discardable" : isDone ? "done" : "waiting";
      setClass(group, `c5-node c5-${step.nodes.includes(k) ? "current" : state}`);
      group.setAttribute("tabindex", i === k ? 0 : -1);
    });
    element.classList.toggle("c5-down", down);
    const terms = step.term ? [step.term] : panel.terms[i];
    const termOf = ({ edge }) =>
      terms.find((t) => t.upper === edge.to && t.operand === edge.operand);
    function textsOf(one) {
      if (finds === "value") return [brief(env.value[one.edge.from])];
      const { text, x } = panel.worth(termOf(one).tree);
      const full = isNumber(x) && numberText(x) !== text ? `${text} = ${numberText(x)}` : text;
      return terms.length > 2 ? [brief(x)] : [full, brief(x)];
    }
    const near = edges.filter(({ edge }) => (down ? edge.from : edge.to) === i);
    const isShown = (one) => !asking && step.nodes.length === 1 && (!step.term || termOf(one));
    const messages = near.filter(isShown);
    for (const one of edges) {
      const isOn = messages.includes(one);
      setClass(one.group, isOn ? "c5-message" : "");
      if (!isOn || messages.length > MOST_TERMS) setText(one.said, "");
    }
    if (messages.length > MOST_TERMS) return;
    const texts = messages.map(textsOf);
    // The texts stay in place while their numbers change.
    const key = `${panel.here}:${texts.flat().map((text) => text.length)}`;
    if (!seats.has(key)) seats.set(key, seatsOf(messages, layout.nodes[i], down, texts));
    messages.forEach(({ said }, k) => {
      const { x, y, which } = seats.get(key)[k];
      setText(said, texts[k][which]);
      said.setAttribute("x", x);
      said.setAttribute("y", y + 4.5);
    });
  }

  return {
    element,
    draw: drawAt,
    paint,
    focus: (i) => nodes[i].group.focus({ preventScroll: true }),
  };
}
