// The player in a widget: its state is in the model's traits, which both sides change.

// Takes what the model has, and what it hears later; returns what hands changes of the player over.
function connectTo(model) {
  return (traits) => {
    for (const [name, [, take]] of Object.entries(traits)) {
      take(model.get(name));
      model.on(`change:${name}`, () => take(model.get(name)));
    }
    // Once the player has taken all that came at once.
    return oncePerPicture(() => {
      for (const [name, [own]] of Object.entries(traits)) {
        if (JSON.stringify(own()) !== JSON.stringify(model.get(name))) model.set(name, own());
      }
      model.save_changes();
    }).later;
  };
}

function render({ model, el }) {
  const root = make("div.c5-stepper");
  el.append(root);
  const spec = JSON.parse(JSON.stringify(model.get("spec")), revived);
  KINDS[spec.kind](root, spec, 0, connectTo(model));
}
