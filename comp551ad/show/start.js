// What starts the players on a page.

// A player in the page is a still with its data in it. This starts all that have not started yet.
function startAll(css) {
  const data = 'script[type="application/json"]';
  const waiting = [...document.querySelectorAll(".c5-stepper")];
  waiting.forEach((root, place) => {
    const script = root.querySelector(data);
    if (!script) return;
    const spec = JSON.parse(script.textContent, revived);
    // One of another kind, or of other operations, has a script of its own.
    if (!(spec.kind in KINDS) || spec.needs?.some((name) => !(name in TABLE))) return;
    root.replaceChildren(make("style", css));
    KINDS[spec.kind](root, spec, place + 1);
  });
}
