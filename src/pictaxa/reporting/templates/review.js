"use strict";
// Doubtful labels: each is kept, changed, or its picture left out; what is decided is saved as a file.
(() => {
  const data = JSON.parse(document.getElementById("review-data").textContent);
  const list = document.getElementById("list");
  if (!list) return;
  const words = data.words, done = document.getElementById("done");
  const UNDECIDED = "", OUT = "out", OTHER = "other"; // any other choice is a class's number
  const KEY = `pictaxa-review ${data.pictures.map((one) => one.hash).join("").slice(0, 4000)}`;
  const choices = data.pictures.map(() => UNDECIDED);

  const filled = (text, ...values) => text.replace(/\{(\d)\}/g, (_, number) => values[number]);
  const isolated = (label) => `\u2068${data.shown[label]}\u2069`;
  const percent = (share) => `${(100 * share).toFixed(0)}%`;
  const element = (name, properties = {}, ...inside) => {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...inside);
    return made;
  };

  const items = data.pictures.map((one, place) => {
    const radio = (value, text) => element("label", {},
      element("input", { type: "radio", name: `choice-${place}`, value, checked: value === UNDECIDED }), text);
    const others = element("select", { ariaLabel: words.other },
      ...data.shown.map((name, label) => element("option", { value: label, textContent: name })));
    const title = filled(words.title, place + 1, data.pictures.length, isolated(one.given), percent(one.own),
      isolated(one.suggested), percent(one.share));
    const fields = element("fieldset", {}, element("legend", { textContent: title }),
      radio(one.given, filled(words.keep, isolated(one.given))), radio(one.suggested, filled(words.change, isolated(one.suggested))),
      radio(OTHER, `${words.other}: `), radio(OUT, words.out), radio(UNDECIDED, words.undecided));
    fields.querySelector(`input[value=${OTHER}]`).parentElement.append(others);
    fields.append(element("span", { className: "path" }, element("bdi", { textContent: one.name })));
    const frame = element("span", { className: one.image ? "frame" : "frame none" });
    frame.append(one.image ? element("img", { src: one.image, alt: one.name }) : one.image === "" ? words.lost : words.unshown);
    const item = element("li", { tabIndex: 0 }, frame, fields);
    fields.addEventListener("change", (event) => {
      if (event.target === others) choose(place, Number(others.value));
      else if (event.target.value === OTHER) choose(place, Number(others.value), true);
      else choose(place, /^\d+$/.test(event.target.value) ? Number(event.target.value) : event.target.value);
    });
    item.addEventListener("keydown", (event) => press(event, place));
    return item;
  });
  list.append(...items);

  function choose(place, choice, other = false) {
    const one = data.pictures[place], inputs = items[place].querySelectorAll("input");
    choices[place] = choice;
    const named = other || ![one.given, one.suggested, OUT, UNDECIDED].includes(choice) ? OTHER : String(choice);
    for (const input of inputs) input.checked = input.value === named;
    if (named === OTHER) items[place].querySelector("select").value = choice;
    items[place].classList.toggle("decided", choice !== UNDECIDED);
    const decided = choices.filter((own) => own !== UNDECIDED).length;
    done.textContent = filled(words.decided, decided, choices.length);
    try { localStorage.setItem(KEY, JSON.stringify(choices)); } catch { /* a browser may keep nothing of a file */ }
  }

  function press(event, place) {
    if (event.ctrlKey || event.altKey || event.metaKey || event.target.tagName === "SELECT") return;
    const one = data.pictures[place], key = event.key.toLowerCase();
    const go = (next) => items[Math.min(Math.max(next, 0), items.length - 1)].focus();
    if (key === "r") { choose(place, one.given); go(place + 1); }
    else if (key === "a") { choose(place, one.suggested); go(place + 1); }
    else if (key === "x") { choose(place, OUT); go(place + 1); }
    else if (key === "u") choose(place, UNDECIDED);
    else if (key === "o") items[place].querySelector("select").focus();
    else if (key === "j") go(place + 1);
    else if (key === "k") go(place - 1);
    else if (key === "s") save();
    else return;
    event.preventDefault();
  }

  function save() {
    const decisions = data.pictures.flatMap((one, place) => choices[place] === UNDECIDED ? [] : [{
      path: one.path, hash: one.hash, given: data.classes[one.given],
      label: choices[place] === OUT ? null : data.classes[choices[place]],
    }]);
    const text = JSON.stringify({ kind: data.kind, format: data.format, decisions }, null, 1) + "\n";
    const link = element("a", { href: URL.createObjectURL(new Blob([text], { type: "application/json" })), download: "reviewed.json" });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }
  document.getElementById("save").addEventListener("click", save);

  let kept = [];
  try { kept = JSON.parse(localStorage.getItem(KEY)) ?? []; } catch { /* nothing is kept */ }
  choices.forEach((_, place) => {
    const choice = kept[place];
    const fits = choice === OUT || (Number.isInteger(choice) && choice >= 0 && choice < data.classes.length);
    choose(place, fits ? choice : UNDECIDED);
  });
})();
