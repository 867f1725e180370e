// Starts the players on a page: the stills that contain their data and haven't started yet.
function startAll(css) {
  const data = 'script[type="application/json"]';
  const waiting = [...document.querySelectorAll(".c5-stepper")];
  waiting.forEach((root, place) => {
    const script = root.querySelector(data);
    if (!script) return;
    const spec = JSON.parse(script.textContent, revived);
    // A player of another kind, or with other operations, has a script of its own.
    if (!(spec.kind in KINDS) || spec.needs?.some((name) => !(name in TABLE))) return;
    root.replaceChildren(make("style", css));
    KINDS[spec.kind](root, spec, place + 1);
  });
}
