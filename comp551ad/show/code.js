// The user's code, cut at the ends of the spans that rows were written in: lines of pieces, each with
// its rows in data-row, that of the smallest span around it first.

function linesOf({ code, rows }) {
  const spans = rows.flatMap(({ span }, row) =>
    span ? [{ from: span[0], to: span[1], row }] : [],
  );
  const breaks = [...code.matchAll(/\n/g)].flatMap(({ index }) => [index, index + 1]);
  const ends = spans.flatMap(({ from, to }) => [from, to]);
  const cuts = [...new Set([0, code.length, ...breaks, ...ends])].sort((a, b) => a - b);
  const lines = [make("span.c5-line")];
  cuts.slice(1).forEach((to, k) => {
    const text = code.slice(cuts[k], to);
    if (text === "\n") lines.push(make("span.c5-line"));
    else {
      const around = spans.filter((span) => span.from <= cuts[k] && span.to >= to);
      around.sort((a, b) => a.to - a.from - (b.to - b.from));
      const rows = around.map(({ row }) => row).join(" ");
      lines.at(-1).append(make("span", rows ? { "data-row": rows } : {}, text));
    }
  });
  return lines;
}
