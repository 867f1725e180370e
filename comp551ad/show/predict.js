// Predict, on the page: the box with its question, the choices that have been tried, the score.

// The questions of a player. `host` is what it knows of the player: bar, panel(), paint(), resize()
// when the box's height has changed, and newInputs().
function makeQuiz(host) {
  const { bar } = host;
  let [on, byNumber] = [false, false];
  let answers = new Map(); // step -> {tried: [texts], solved, right, verdict}
  let [question, shown, height] = [null, "", 0];
  const toggle = button("button.c5-predict", "Predict", () => turn(!on), {
    title: "Answer before each step is shown",
    "aria-pressed": "false",
  });
  const scored = make("span.c5-score");
  const asked = make("span.c5-asked");
  const kind = button("button.c5-kind", "", () => {
    byNumber = !byNumber;
    host.paint();
  });
  const fresh = button("button", "New inputs", newInputs, {
    title: "Ask the same at other inputs",
  });
  const reveal = button("button", "Show me", giveUp);
  const choices = make("div.c5-choices");
  const example = "−0.5, 1/3 or −1·sin 2.5";
  const field = make("input", { type: "text", autocomplete: "off", placeholder: example });
  const line = make("div.c5-answer", field, button("button", "Check", judgeNumber));
  const verdict = make("p.c5-verdict", { role: "status" });
  const box = make(
    "div.c5-quiz",
    { hidden: true, role: "group", "aria-label": "Predict" },
    make("div.c5-head", asked, scored),
    choices,
    line,
    verdict,
    make("div.c5-acts", kind, fresh, reveal),
  );
  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter") judgeNumber();
  });

  const steps = () => host.panel().steps;
  const questionAt = (k) => questionOf(host.panel(), steps()[k]);
  const asks = (k) => on && !answers.get(k)?.solved && Boolean(questionAt(k));
  // What has been answered at this step; null where nothing can be.
  function open() {
    if (!question) return null;
    if (!answers.has(bar.step)) answers.set(bar.step, { tried: [], verdict: "" });
    const entry = answers.get(bar.step);
    return entry.solved ? null : entry;
  }

  function turn(wanted) {
    on = wanted;
    toggle.setAttribute("aria-pressed", on);
    bar.pause();
    forget();
    // To the next question, or the first one.
    const all = [...steps().keys()];
    const order = [...all.slice(bar.step), ...all.slice(0, bar.step)];
    bar.go((on ? order.find(questionAt) : null) ?? bar.step);
    host.resize();
  }

  function settle(entry, right, text) {
    Object.assign(entry, { solved: true, right: right && !entry.tried.length, verdict: text });
    host.paint();
  }
  function refuse(entry, tried, why) {
    entry.tried.push(tried);
    entry.verdict = `Not quite. ${why} Try again.`;
    host.paint();
  }
  function pick(n) {
    const [choice, entry] = [question?.choices[n], open()];
    if (!choice || !entry) return;
    if (choice.right) settle(entry, true, `Right. ${resultText()}`);
    else refuse(entry, choice.text, choice.why);
  }
  function judgeNumber() {
    const entry = open();
    if (!entry) return;
    const given = numberIn(field.value);
    const isAs = (x) => isEnough(given, x, question.rounding);
    const mistake = question.numbers.find(({ value }) => isAs(value));
    if (isAs(question.answer)) settle(entry, true, `Right. ${resultText()}`);
    else if (!Number.isNaN(given))
      refuse(entry, field.value, mistake?.why ?? leadFor(question, given));
    else {
      entry.verdict = `That isn't a number yet. Try ${example}.`;
      host.paint();
    }
  }
  function resultText() {
    const right = question.choices.find((one) => one.right)?.text ?? question.ask;
    return `${right}${right.endsWith(question.text) ? "" : ` = ${question.text}`}.`;
  }
  function giveUp() {
    const entry = open();
    if (entry) settle(entry, false, `It is ${resultText()}`);
  }
  // Other numbers, and the question is open again.
  function newInputs() {
    answers.delete(bar.step);
    host.newInputs();
  }
  function forget() {
    answers = new Map();
  }
  // Right at the first try, and answered.
  function score() {
    const all = [...answers.values()].filter((one) => one.solved);
    return [all.filter((one) => one.right).length, all.length];
  }

  function paint(asking) {
    const entry = answers.get(bar.step);
    const solved = Boolean(entry?.solved);
    box.hidden = !on || !(asking || solved);
    toggle.classList.toggle("c5-on", on);
    const [right, all] = score();
    setText(scored, all ? `${right} of ${all} right at the first try` : "nothing answered yet");
    question = box.hidden ? null : questionAt(bar.step);
    if (question) {
      const pickable = question.choices.length > 0 && !(byNumber && question.answer !== null);
      const { ask } = question;
      setText(asked, pickable ? `Which formula gives ${ask}?` : `What number is ${ask}?`);
      choices.hidden = !pickable;
      line.hidden = pickable || solved;
      kind.hidden = question.answer === null || !question.choices.length || solved;
      setText(kind, pickable ? "Answer with a number" : "Choose a formula");
      reveal.hidden = solved;
      setText(verdict, entry?.verdict ?? "");
      const look = solved ? (entry.right ? "c5-ok" : "") : "c5-bad";
      setClass(verdict, `c5-verdict ${look}`);
      const key = `${bar.step}:${question.choices.map((one) => one.text)}`;
      if (key !== shown) {
        shown = key;
        field.value = "";
        field.setAttribute("aria-label", ask);
        choices.replaceChildren(...question.choices.map(choiceButton));
      }
      question.choices.forEach(({ text, right }, n) => {
        const isRight = right && solved;
        const isWrong = entry?.tried.includes(text);
        setClass(choices.children[n], isRight ? "c5-right" : isWrong ? "c5-false" : "");
        setText(choices.children[n].lastChild, isRight ? "✓ right" : isWrong ? "✗ wrong" : "");
      });
    }
    const now = box.hidden ? 0 : box.offsetHeight;
    if (now !== height) queueMicrotask(host.resize);
    height = now;
  }
  function choiceButton({ text }, n) {
    const one = button("button", make("kbd", String(n + 1)), () => pick(n));
    one.append(make("span.c5-choice", text), make("span.c5-sign"));
    return one;
  }

  return {
    button: toggle,
    box,
    asks,
    giveUp,
    turn,
    pick,
    forget,
    paint,
    isOn: () => on,
    get score() {
      return score();
    },
  };
}
