"use strict";
// The validation pictures, by what they are and what was said of them; cells of the matrix and classes open theirs.
(() => {
  const data = JSON.parse(document.getElementById("report-data").textContent);
  const form = document.getElementById("filters"), gallery = document.getElementById("gallery");
  const count = document.getElementById("count"), more = document.getElementById("more");
  const PAGE = 24;
  let found = [], visible = 0;

  const element = (name, properties = {}, ...inside) => {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...inside);
    return made;
  };
  const filled = (text, ...values) => text.replace(/\{(\d)\}/g, (_, number) => values[number]);
  const share = (thousandths) => `${(thousandths / 10).toFixed(1)}%`;

  for (const name of ["true", "answer"])
    data.classes.forEach((own, label) => form.elements[name].append(element("option", { value: label, textContent: own })));

  const tile = ([path, label, answer, sure, own, image]) => {
    const right = label === answer, name = data.classes[answer];
    const frame = element("span", { className: image ? "frame" : "frame none" });
    if (image) frame.append(element("img", { src: image, alt: path }));
    else frame.append(image === "" ? data.words.lost : data.words.unshown);
    const said = element("b", { className: right ? "good" : "bad" }, element("bdi", { textContent: name }), ` ${share(sure)}`);
    const caption = element("figcaption", {}, said);
    if (!right) caption.append(element("br"), element("span", { textContent: filled(data.words.labelled, `\u2068${data.classes[label]}\u2069`, share(own)) }));
    caption.append(element("br"), element("span", { className: "path" }, element("bdi", { textContent: path })));
    return element("figure", {}, frame, caption);
  };

  const show = () => {
    const next = found.slice(visible, visible + PAGE);
    gallery.append(...next.map(tile));
    visible += next.length;
    more.hidden = visible >= found.length;
    count.textContent = filled(data.words.count, found.length, visible);
  };
  const choose = () => {
    const { kind, order, text } = Object.fromEntries(new FormData(form));
    const label = form.elements.true.value, answer = form.elements.answer.value, wanted = text.trim().toLowerCase();
    found = data.pictures.filter((one) =>
      (kind === "all" || (one[1] === one[2]) === (kind === "right")) && (label === "" || one[1] === Number(label)) &&
      (answer === "" || one[2] === Number(answer)) && (!wanted || one[0].toLowerCase().includes(wanted)));
    if (order === "strange") found.sort((a, b) => (a[6] ?? 9999) - (b[6] ?? 9999));
    else if (order === "name") found.sort((a, b) => a[0].localeCompare(b[0], undefined, { numeric: true }));
    else found.sort((a, b) => (order === "sure" ? b[3] - a[3] : a[3] - b[3]));
    gallery.replaceChildren();
    visible = 0;
    show();
  };
  const open = (label, answer) => {
    form.elements.kind.value = "all";
    form.elements.true.value = label ?? "";
    form.elements.answer.value = answer ?? "";
    form.elements.text.value = "";
    choose();
    const title = document.getElementById("pictures-title");
    title.focus({ preventScroll: true });
    title.scrollIntoView();
  };
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-true]");
    if (button) open(button.dataset.true, button.dataset.answer);
  });
  form.addEventListener("input", choose);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(choose));
  more.addEventListener("click", show);
  if (!data.pictures.some((one) => one[1] !== one[2])) form.elements.kind.value = "all";
  choose();

  const rates = document.getElementById("rates");
  rates?.addEventListener("click", () => {
    const on = rates.getAttribute("aria-pressed") !== "true";
    rates.setAttribute("aria-pressed", String(on));
    for (const cell of document.querySelectorAll("#matrix button")) cell.textContent = on ? cell.dataset.rate : cell.dataset.count;
  });

  document.getElementById("heat")?.addEventListener("change", (event) => {
    document.getElementById("surest").dataset.heat = event.target.value;
  });
})();
