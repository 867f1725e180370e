// Predict, on the page: the box with its question, the choices that have been tried, the score.

// The questions of a player. `host` is what it knows of the player: bar, count() of the steps, now()
// = {program, panel, values}, paint(), resize() when the box's height has changed, tell(trait,
// value), and newInputs().
function makeQuiz(host) {
  const { bar, tell } = host;
  let on = false;
  let byNumber = false;
  let answers = new Map(); // step -> {tried: [choices], numbers: [text], solved, right, verdict}
  const button = make(
    "button",
    {
      type: "button",
      className: "c5-predict",
      title: "Answer before each step is shown",
      "aria-pressed": "false",
    },
    "Predict",
  );
  button.addEventListener("click", () => turn(!on));
  const score = make("span", { className: "c5-score" });
  const asked = make("span", { className: "c5-asked" });
  const kind = textButton(
    "Answer with a number",
    () => {
      byNumber = !byNumber;
      host.paint();
    },
    { className: "c5-kind" },
  );
  const fresh = textButton("New inputs", newInputs, { title: "Ask the same at other inputs" });
  const reveal = textButton("Show me", () => giveUp());
  const choices = make("div", { className: "c5-choices" });
  const field = make("input", {
    type: "text",
    autocomplete: "off",
    placeholder: "−0.5, 1/3 or −1·sin 2.5",
  });
  const check = textButton("Check", () => judgeNumber());
  const line = make("div", { className: "c5-answer" }, field, check);
  const verdict = make("p", { className: "c5-verdict", role: "status" });
  const box = make(
    "div",
    { className: "c5-quiz", hidden: true, role: "group", "aria-label": "Predict" },
    make("div", { className: "c5-head" }, asked, score),
    choices,
    line,
    verdict,
    make("div", { className: "c5-acts" }, kind, fresh, reveal),
  );
  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter") judgeNumber();
  });
  let [question, shownKey] = [null, ""];

  const questionAt = (k) => {
    const { program, panel, values } = host.now();
    const step = panel.plan.steps[k];
    panel.d ??= panel.pass.derivatives(values);
    return step ? questionOf(program, panel.pass, step, values, panel.d) : null;
  };
  const isQuestion = (k) => Boolean(questionAt(k));
  const state = (k) => {
    if (!answers.has(k)) answers.set(k, { tried: [], verdict: "", solved: false, right: false });
    return answers.get(k);
  };
  const asks = (k) => on && !answers.get(k)?.solved && isQuestion(k);

  function turn(wanted) {
    on = wanted;
    button.setAttribute("aria-pressed", String(on));
    bar.pause();
    answers = new Map();
    if (on) {
      const count = host.count();
      let k = bar.step;
      while (k < count && !isQuestion(k)) k++;
      if (k === count) for (k = 0; k < count && !isQuestion(k);) k++;
      bar.go(Math.min(k, count - 1));
    } else host.paint();
    tell("predicting", on);
    tellScore();
    host.resize();
  }

  function settle(entry, right, text) {
    entry.solved = true;
    entry.right = right && !entry.tried.some((one) => !one.right);
    entry.verdict = text;
    tellScore();
    host.paint();
  }
  function pick(n) {
    const choice = question?.choices[n];
    const entry = state(bar.step);
    if (!choice || entry.solved) return;
    entry.tried.push(choice);
    if (choice.right) settle(entry, true, `Right. ${resultText()}`);
    else {
      entry.verdict = `Not quite. ${choice.why} Try again.`;
      host.paint();
    }
  }
  function judgeNumber() {
    const entry = state(bar.step);
    if (!question || entry.solved) return;
    const given = numberIn(field.value);
    if (Number.isNaN(given)) {
      entry.verdict = "That isn't a number yet. Try −0.5, 1/3 or −1·sin 2.5.";
    } else if (isEnough(given, question.answer, question.rounding)) {
      return settle(entry, true, `Right. ${resultText()}`);
    } else {
      const mistake = question.numbers.find((one) => isEnough(given, one.value, question.rounding));
      entry.tried.push({ right: false, text: field.value });
      entry.verdict = `Not quite. ${mistake ? mistake.why : leadFor(question, given)} Try again.`;
    }
    return host.paint();
  }
  function resultText() {
    const right = question.choices.find((one) => one.right)?.text ?? question.ask;
    return `${right}${right.endsWith(question.text) ? "" : ` = ${question.text}`}.`;
  }
  function giveUp() {
    const entry = state(bar.step);
    if (!question || entry.solved) return false;
    settle(entry, false, `It is ${resultText()}`);
    return true;
  }
  // Other numbers, and the question is open again.
  function newInputs() {
    answers.delete(bar.step);
    host.newInputs();
  }
  function tellScore() {
    const all = [...answers.values()].filter((one) => one.solved);
    const right = all.filter((one) => one.right).length;
    setText(
      score,
      all.length ? `${right} of ${all.length} right at the first try` : "nothing answered yet",
    );
    tell("score", [right, all.length]);
  }
  function paintQuiz(asking) {
    const entry = answers.get(bar.step);
    box.hidden = !on || !(asking || entry?.solved);
    button.classList.toggle("c5-on", on);
    if (!box.hidden) {
      question = questionAt(bar.step);
      const pickable = question.choices.length > 0 && !(byNumber && question.answer !== null);
      setText(
        asked,
        pickable ? `Which formula gives ${question.ask}?` : `What number is ${question.ask}?`,
      );
      choices.hidden = !pickable;
      line.hidden = pickable || Boolean(entry?.solved);
      kind.hidden = question.answer === null || !question.choices.length || Boolean(entry?.solved);
      setText(kind, pickable ? "Answer with a number" : "Choose a formula");
      reveal.hidden = Boolean(entry?.solved);
      setText(verdict, entry?.verdict ?? "");
      setClass(verdict, `c5-verdict${entry?.solved ? (entry.right ? " c5-ok" : "") : " c5-bad"}`);
      const key = `${bar.step}:${question.choices.map((one) => one.text)}`;
      if (key !== shownKey) {
        shownKey = key;
        field.value = "";
        field.setAttribute("aria-label", question.ask);
        choices.replaceChildren(
          ...question.choices.map((choice, n) => {
            const one = make(
              "button",
              { type: "button" },
              make("kbd", {}, String(n + 1)),
              make("span", { className: "c5-choice" }, choice.text),
              make("span", { className: "c5-sign" }),
            );
            one.addEventListener("click", () => pick(n));
            return one;
          }),
        );
      }
      question.choices.forEach((choice, n) => {
        const one = choices.children[n];
        const tried = entry?.tried.some((t) => t.text === choice.text);
        const right = choice.right && entry?.solved;
        setClass(one, right ? "c5-right" : tried ? "c5-false" : "");
        setText(one.lastChild, right ? "✓ right" : tried ? "✗ wrong" : "");
      });
    } else question = null;
    const height = box.hidden ? 0 : box.offsetHeight;
    if (height !== paintQuiz.height) {
      paintQuiz.height = height;
      queueMicrotask(host.resize);
    }
  }
  function forget() {
    answers = new Map();
    tellScore();
  }
  return { button, box, asks, giveUp, turn, pick, forget, paint: paintQuiz, isOn: () => on };
}
