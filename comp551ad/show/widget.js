// The player in a widget: its state is in the model's traits, which both sides change.

// Takes what the model has, and what it hears later; returns what hands changes of the player over.
function connectTo(model) {
  return (traits, paint) => {
    const names = Object.keys(traits);
    // While one of the two is told of the other's changes, nothing goes back.
    let quiet = false;
    function quietly(act) {
      if (quiet) return;
      quiet = true;
      try {
        act();
      } finally {
        quiet = false;
      }
    }
    function take(name) {
      quietly(() => traits[name][1](model.get(name)));
      paint();
    }
    function send() {
      for (const name of names) {
        const own = traits[name][0]();
        if (JSON.stringify(own) !== JSON.stringify(model.get(name))) model.set(name, own);
      }
      model.save_changes();
    }
    names.forEach(take);
    for (const name of names) model.on(`change:${name}`, () => take(name));
    return () => quietly(send);
  };
}

function render({ model, el }) {
  const root = make("div.c5-stepper");
  el.append(root);
  const spec = JSON.parse(JSON.stringify(model.get("spec")), revived);
  KINDS[spec.kind](root, spec, 0, connectTo(model));
}
