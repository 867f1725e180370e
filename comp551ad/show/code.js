// The user's code as elements, split at the ends of the rows' spans. data-row lists the rows of the
// spans around a piece, the smallest span first.

function piecesOf({ code, rows }) {
  const spans = rows.flatMap(({ span }, row) =>
    span ? [{ from: span[0], to: span[1], row }] : [],
  );
  const ends = spans.flatMap(({ from, to }) => [from, to]);
  const cuts = [...new Set([0, code.length, ...ends])].sort((a, b) => a - b);
  return cuts.slice(1).map((to, k) => {
    const around = spans.filter((span) => span.from <= cuts[k] && span.to >= to);
    around.sort((a, b) => a.to - a.from - (b.to - b.from));
    const rows = around.map(({ row }) => row).join(" ");
    return make("span", rows ? { "data-row": rows } : {}, code.slice(cuts[k], to));
  });
}
