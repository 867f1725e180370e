// The inputs of a program: a slider and a number field each, and of an array which entry they move.
// changed() is called when a number has changed, or an entry has been picked.

function makeInputs(changed) {
  const element = make("div.c5-inputs", { role: "group", "aria-label": "Inputs" });
  // `at` has per input a number or an array, `entries` per row the entry that is picked.
  let [at, entries, parts] = [[], new Map(), []];

  function load(program, numbers) {
    [at, entries] = [[...numbers], new Map()];
    parts = inputsOf(program).map((row, k) => makeOne(program, row, k));
    element.replaceChildren(...parts.map(({ box }) => box));
    if (program.fixed) element.append(make("p", program.fixed));
    parts.forEach((one, k) => spread(one, k));
  }

  function makeOne(program, row, k) {
    const { name } = program.rows[row];
    // A list that holds for these inputs alone is played, not moved.
    const [disabled, step] = [Boolean(program.fixed), "any"];
    const range = make("input", { type: "range", step, disabled, "aria-label": `${name}, slider` });
    const field = make("input", { type: "number", step, disabled, "aria-label": name });
    const shape = shapeOf(at[k]);
    const picks = shape.map((n, axis) =>
      make("input", { type: "number", min: 0, max: n - 1, "aria-label": `${name}, axis ${axis}` }),
    );
    const places = picks.flatMap((one, axis) => [axis ? ", " : "[", one]);
    if (picks.length) places.push("]");
    const label = make("label", make("b", name), ...places, range, field);
    const one = { row, range, field, picks, box: make("div.c5-input", { "data-row": row }, label) };
    for (const from of [range, field]) {
      from.addEventListener("input", () => {
        const x = Number(from.value);
        if (from.value !== "" && Number.isFinite(x)) set(k, x, from);
      });
    }
    field.addEventListener("blur", () => refresh(one, k));
    for (const from of picks) {
      from.addEventListener("input", () => {
        const indices = picks.map((p, a) =>
          Math.max(0, Math.min(shape[a] - 1, Math.trunc(p.value) || 0)),
        );
        pick(
          row,
          indices.reduce((entry, index, a) => entry * shape[a] + index, 0),
          from,
        );
      });
    }
    return one;
  }

  const entryOf = (row) => entries.get(row) ?? 0;
  const numberOf = ({ row }, k) => (isNumber(at[k]) ? at[k] : at[k][entryOf(row)]);

  // The slider's range, for the number that stands there now.
  function spread(one, k, from) {
    const reach = Math.max(5, 2 * Math.ceil(Math.min(Math.abs(numberOf(one, k)), 1e6)));
    Object.assign(one.range, { min: -reach, max: reach, step: reach / 100 });
    refresh(one, k, from);
  }

  // All but the field that is being typed in.
  function refresh(one, k, from) {
    const { row, range, field, picks } = one;
    const x = numberOf(one, k);
    if (from !== field) field.value = Number(x.toPrecision(7));
    if (from !== range) range.value = x;
    const indices = indicesOf(shapeOf(at[k]), entryOf(row));
    picks.forEach((p, a) => from !== p && (p.value = indices[a]));
  }

  function set(k, x, from) {
    if (isNumber(at[k])) at[k] = x;
    else {
      at[k] = copyOf(at[k]);
      at[k][entryOf(parts[k].row)] = x;
    }
    refresh(parts[k], k, from);
    changed();
  }

  function replace(numbers) {
    at = [...numbers];
    parts.forEach((one, k) => refresh(one, k));
    changed();
  }

  function pick(row, entry, from) {
    entries.set(row, entry);
    const k = parts.findIndex((one) => one.row === row);
    if (k >= 0) spread(parts[k], k, from);
    changed();
  }

  return {
    element,
    load,
    replace,
    pick,
    entryOf,
    get at() {
      return at;
    },
  };
}
