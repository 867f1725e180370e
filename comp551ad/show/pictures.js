// The player of prepared pictures.

// Frames are {title, html, rule, numbers, result, note}; Python has escaped the HTML.
function startPictures(root, spec) {
  const { frames } = spec;
  dressRoot(root, spec);
  root.tabIndex = 0;
  const title = make("b");
  const names = ["rule", "numbers", "result"];
  const lines = names.map((name) => make(`div.c5-${name}`));
  const formula = make("div.c5-formula", { "aria-live": "polite" }, ...lines);
  const note = make("small");
  const picture = make("div.c5-extra", { role: "group", "aria-label": "Picture", tabindex: 0 });
  let shown = "";
  const bar = makeBar(root, {
    count: () => frames.length,
    show: (step) => {
      const frame = frames[step];
      setText(title, frame.title);
      lines.forEach((line, k) => setText(line, frame[names[k]] ?? ""));
      formula.hidden = lines.every((line) => !line.textContent);
      setText(note, frame.note ?? "");
      if (shown === frame.html) return;
      shown = frame.html;
      picture.innerHTML = frame.html;
      // The height never shrinks, so that nothing jumps.
      const height = Math.max(parseFloat(picture.style.minHeight) || 0, picture.offsetHeight);
      picture.style.minHeight = `${height}px`;
    },
  });
  root.append(bar.bar, title, formula, picture, note);
  bar.go(0);
}

KINDS.pictures = startPictures;
