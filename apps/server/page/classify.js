// classify.js: a picture, labels, and how likely each is. The picture is sent once and each text once; probabilities are
// computed here from their embeddings, as the server would (docs/serve.md).
import { afterPause, ask, byId, embedPicture, embedTexts, make, showProgress, showTrouble, takePictures } from "/common.js";

const examples = {
  "cat.png": "cat", "strawberry.png": "strawberry", "bicycle.png": "bicycle", "rocket.webp": "rocket",
  "pizza.jpg": "pizza", "sailboat.png": "sailboat",
};

let labels = ["cat", "dog", "strawberry", "bicycle", "rocket", "pizza"];
let picture = null; // { file, url, vector }
let looking = null; // the controller of the picture on its way
let turn = 0; // of judging: an answer that comes late is dropped
let temperature;

const calm = matchMedia("(prefers-reduced-motion: reduce)");

// ---- judging ----

const dot = (a, b) => a.reduce((sum, x, i) => sum + x * b[i], 0);

/** Labels, and what is being typed as if it were one. */
function currentLabels() {
  const typed = split(byId("label").value).filter(text => !labels.includes(text));
  return { all: [...labels, ...typed], typed: new Set(typed) };
}

function template() {
  const text = byId("template").value;
  return text.includes("{}") ? text : null;
}

function softmax(logits) {
  const most = Math.max(...logits);
  const powers = logits.map(x => Math.exp(x - most));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map(x => x / sum);
}

async function probabilities(names) {
  temperature ??= (await ask("/v1/models")).data[0].temperature;
  const each = document.querySelector("input[name=how]:checked").value === "each";
  const filled = [...names, ...each ? [""] : []].map(name => template().replaceAll("{}", name));
  const vectors = await embedTexts(filled);
  const logits = vectors.map(vector => dot(picture.vector, vector) / temperature);
  const nothing = logits[names.length];
  return each ? names.map((_, i) => 1 / (1 + Math.exp(nothing - logits[i]))) : softmax(logits);
}

async function judge() {
  const mine = ++turn;
  const { all, typed } = currentLabels();
  byId("bars-hint").hidden = all.length > 0;
  if (!picture?.vector || all.length === 0 || !template()) {
    showBars(all.map(name => ({ name, typed: typed.has(name) })));
    showTrouble(byId("bars-trouble"), null);
    return;
  }
  byId("bars").setAttribute("aria-busy", "true");
  try {
    const shares = await probabilities(all);
    if (mine !== turn)
      return;
    showTrouble(byId("bars-trouble"), null);
    showBars(all.map((name, i) => ({ name, share: shares[i], typed: typed.has(name) })));
    say();
  } catch (problem) {
    if (mine === turn)
      showTrouble(byId("bars-trouble"), problem, judge);
  }
  byId("bars").removeAttribute("aria-busy");
}

const judgeSoon = afterPause(150, judge);

// ---- bars ----

const percent = share => share === undefined ? "" : `${(100 * share).toFixed(1)}%`;

const rows = new Map();

function makeRow(name) {
  const remove = () => {
    labels = labels.filter(label => label !== name);
    byId("label").focus();
    judge();
  };
  return make("li", {},
    make("span", { class: "name" }, name),
    make("span", { class: "share" }),
    make("button", { type: "button", class: "remove", "aria-label": `Remove ${name}`, click: remove }, "×"),
    make("span", { class: "bar" }, make("span")));
}

/** Rows that change places slide there. */
function place(list, items) {
  const before = new Map([...list.children].map(row => [row, row.getBoundingClientRect().top]));
  if (items.some((row, i) => list.children[i] !== row) || list.children.length !== items.length)
    list.replaceChildren(...items);
  if (calm.matches)
    return;
  for (const row of items) {
    const by = (before.get(row) ?? row.getBoundingClientRect().top) - row.getBoundingClientRect().top;
    if (by)
      row.animate([{ transform: `translateY(${by}px)` }, { transform: "none" }], { duration: 250, easing: "ease-out" });
  }
}

function showBars(items) {
  items.sort((a, b) => (b.share ?? 0) - (a.share ?? 0));
  for (const name of rows.keys())
    if (!items.some(item => item.name === name))
      rows.delete(name);
  const list = items.map(({ name, share, typed }, i) => {
    if (!rows.has(name))
      rows.set(name, makeRow(name));
    const row = rows.get(name);
    row.classList.toggle("best", share !== undefined && i === 0);
    row.classList.toggle("typed", typed);
    row.querySelector(".share").textContent = percent(share);
    row.querySelector(".bar span").style.setProperty("--share", share ?? 0);
    return row;
  });
  const focused = document.activeElement;
  place(byId("bars"), list);
  if (focused?.isConnected && focused !== document.activeElement)
    focused.focus(); // moving a row takes the focus from its button
  byId("clear").hidden = labels.length === 0;
}

/** For those who do not see bars: the best three, once they rest. */
const say = afterPause(700, () => {
  const best = [...byId("bars").children].slice(0, 3);
  byId("verdict").textContent =
    best.map(row => `${row.querySelector(".name").textContent} ${row.querySelector(".share").textContent}`).join(", ");
});

// ---- labels ----

const split = text => [...new Set(text.split(/[,\n]/).map(part => part.trim()).filter(Boolean))];

function addLabels(text) {
  labels = [...new Set([...labels, ...split(text)])];
  byId("label").value = "";
  judge();
}

function startLabels() {
  const input = byId("label");
  byId("label-form").addEventListener("submit", event => {
    event.preventDefault();
    addLabels(input.value);
  });
  input.addEventListener("input", () => {
    const end = input.value.lastIndexOf(",");
    if (end >= 0) {
      const rest = input.value.slice(end + 1);
      addLabels(input.value.slice(0, end));
      input.value = rest.trimStart();
    }
    judgeSoon();
  });
  input.addEventListener("paste", event => {
    const text = event.clipboardData.getData("text");
    if (!/[,\n]/.test(text))
      return;
    event.preventDefault();
    addLabels(`${input.value}\n${text}`);
  });
  byId("clear").addEventListener("click", () => {
    labels = [];
    input.focus();
    judge();
  });
  byId("template").addEventListener("input", () => {
    const fine = template() !== null;
    byId("template").setAttribute("aria-invalid", !fine);
    byId("template-hint").classList.toggle("wrong", !fine);
    judgeSoon();
  });
  for (const radio of document.querySelectorAll("input[name=how]"))
    radio.addEventListener("change", judge);
}

// ---- the picture ----

function showPreview(file) {
  const preview = byId("preview");
  if (picture)
    URL.revokeObjectURL(picture.url);
  picture = { file, url: URL.createObjectURL(file) };
  preview.src = picture.url;
  preview.alt = `The picture: ${file.name}`;
  preview.hidden = false;
  byId("invite").hidden = true;
  byId("picture-note").textContent = `${file.name}. Drop, paste or pick another one at any time.`;
}

async function take(file) {
  looking?.abort();
  const mine = looking = new AbortController();
  showPreview(file);
  showTrouble(byId("picture-trouble"), null);
  byId("drop").classList.add("busy");
  judge();
  const progress = share => { if (mine === looking) showProgress(byId("sending"), share); };
  progress(0);
  try {
    picture.vector = (await embedPicture(file, { signal: mine.signal, progress })).vector;
  } catch (problem) {
    if (problem.name === "AbortError")
      return;
    showTrouble(byId("picture-trouble"), problem, problem.code === "invalid_input" ? null : () => take(file));
  }
  if (mine !== looking)
    return;
  byId("drop").classList.remove("busy");
  showProgress(byId("sending"), null);
  judge();
}

async function takeExample(name) {
  try {
    const blob = await ask(`/examples/${name}`, undefined, { type: "blob" });
    take(new File([blob], name, { type: blob.type }));
  } catch (problem) {
    showTrouble(byId("picture-trouble"), problem, () => takeExample(name));
  }
}

export function startClassify() {
  byId("examples").append(...Object.entries(examples).map(([name, what]) =>
    make("button", { type: "button", "aria-label": `Try the drawing of a ${what}`, click: () => takeExample(name) },
      make("img", { src: `/examples/${name}`, alt: "", width: 72, height: 72 }))));
  byId("preview").addEventListener("error", () => { byId("preview").hidden = true; byId("invite").hidden = false; });
  takePictures(byId("drop"), byId("picture"), take);
  startLabels();
  judge();
  return { take };
}
