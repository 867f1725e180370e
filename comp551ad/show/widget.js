// The player in a widget: its state is in the model's traits, which both sides can change.

// Reads the model's traits, now and on change; returns a function that writes the player's back.
function connectTo(model) {
  return (traits) => {
    for (const [name, [, take]] of Object.entries(traits)) {
      take(model.get(name));
      model.on(`change:${name}`, () => take(model.get(name)));
    }
    // Once per frame, after the player has taken all changes that arrived together.
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
