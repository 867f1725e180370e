// The inputs of a program: a slider and a number field each; for an array, also the entry they change.
// changed() is called when a number has changed or an entry has been picked.

function makeInputs(changed) {
  const element = make("div.c5-row.c5-inputs", { role: "group", "aria-label": "Inputs" });
  // `at` has a number or an array per input, `entries` maps a row to its picked entry.
  let [at, entries, parts] = [[], new Map(), []];

  function load(program, numbers) {
    [at, entries] = [[...numbers], new Map()];
    parts = inputsOf(program).map((row, k) => makeOne(program, row, k));
    element.replaceChildren(...parts.map(({ box }) => box), program.fixed ?? "");
    parts.forEach(spread);
  }

  function makeOne(program, row, k) {
    const { name } = program.rows[row];
    const shape = shapeOf(at[k]);
    // A list that is only valid for these inputs can be played, but its inputs can't change.
    const common = {
      step: "any",
      disabled: Boolean(program.fixed),
      input: ({ target }) => {
        const x = numberIn(target.value);
        target.setAttribute("aria-invalid", !Number.isFinite(x));
        if (Number.isFinite(x)) set(k, x);
      },
      blur: () => adapt(one, k),
    };
    const text = { type: "text", "aria-label": name, autocomplete: "off", ...common };
    const one = { row, range: slider(`${name}, slider`, common), field: make("input", text) };
    const place = ({ value, max }) => Math.max(0, Math.min(max, Math.trunc(value) || 0));
    const entry = () => one.picks.reduce((entry, p, axis) => entry * shape[axis] + place(p), 0);
    one.picks = shape.map((n, axis) =>
      make("input", {
        ...{ type: "number", "aria-label": `${name}, axis ${axis}`, min: 0, max: n - 1 },
        input: () => pick(row, entry()),
        blur: () => show(one, k),
      }),
    );
    const places = one.picks.flatMap((p, axis) => [axis ? "," : "[", p]);
    if (places.length) places.push("]");
    const parts = [make("b", name), ...places, one.range, one.field];
    const box = make("label.c5-row.c5-input", { "data-row": row }, ...parts);
    return { ...one, box };
  }

  const entryOf = (row) => entries.get(row) ?? 0;
  const numberOf = ({ row }, k) => entriesOf(at[k])[entryOf(row)];

  const reachOf = (one, k) =>
    Math.max(5, 2 * Math.ceil(Math.min(Math.abs(numberOf(one, k)), 1e6)));
  // Set the slider's range to fit the current number.
  function spread(one, k) {
    const reach = reachOf(one, k);
    Object.assign(one.range, { min: -reach, max: reach, step: reach / 100 });
    show(one, k);
  }

  // Do so if the number is outside the range, or the range is far too large for it.
  function adapt(one, k) {
    const [x, { max }] = [Math.abs(numberOf(one, k)), one.range];
    (x > max || 20 * reachOf(one, k) < max ? spread : show)(one, k);
  }

  // Update all fields except the one being edited.
  function show(one, k) {
    const x = numberOf(one, k);
    const indices = indicesOf(shapeOf(at[k]), entryOf(one.row));
    one.range.value = x;
    const texts = [Number(x.toPrecision(6)), ...indices];
    [one.field, ...one.picks].forEach((field, n) => {
      if (field === document.activeElement) return;
      field.value = texts[n];
      field.removeAttribute("aria-invalid");
    });
  }

  function set(k, x) {
    if (isNumber(at[k])) at[k] = x;
    else {
      at[k] = copyOf(at[k]);
      at[k][entryOf(parts[k].row)] = x;
    }
    show(parts[k], k);
    changed();
  }

  function replace(numbers) {
    at = [...numbers];
    parts.forEach(adapt);
  }

  function pick(row, entry) {
    entries.set(row, entry);
    parts.forEach((one, k) => one.row === row && spread(one, k));
    changed();
  }

  return { element, load, replace, pick, entryOf, at: () => at };
}
