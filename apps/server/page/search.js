// search.js: what in the index is nearest to words, to a picture, to one of its own pictures, or to all of them together.
import {
  afterPause, ask, byId, embedPicture, make, showPicture, showProgress, showTrouble, takePictures,
} from "/common.js";

const pageSize = 24;

let picture = null; // { name, url, base64 }
let like = null; // an item of the index
let sending = null; // the controller of the picture on its way
let asking = null; // that of the search on its way
let items = []; // found so far, in order
let next = null; // what to skip for more
let shown = false; // whether anything was asked for yet
let open = -1; // the item that the large view shows

// ---- what to look for ----

const seconds = (id, days) => {
  const date = byId(id).value && new Date(`${byId(id).value}T00:00`);
  if (!date)
    return undefined;
  date.setDate(date.getDate() + days);
  return Math.floor(date / 1000);
};

function question() {
  const words = byId("words").value.trim(), minus = byId("minus").value.trim();
  const weight = id => Number(byId(id).value);
  const looks = words || picture?.base64 || like;
  return {
    text: words || undefined,
    vector: picture?.base64,
    like: like?.id,
    minus: looks && minus || undefined,
    text_weight: weight("text-weight"),
    image_weight: weight("image-weight"),
    like_weight: weight("image-weight"),
    minus_weight: weight("minus-weight"),
    folder: byId("folder").value.trim().replace(/^\/+|\/+$/g, "") || undefined,
    since: seconds("since", 0),
    until: seconds("until", 1),
    top_k: pageSize,
  };
}

// ---- searching ----

function showSkeletons() {
  byId("grid").replaceChildren(...Array.from({ length: 12 }, () => make("li", { class: "waits", "aria-hidden": "true" })));
  byId("found").textContent = "Searching…";
}

function sayFound(index) {
  const looks = items.length > 0 && items[0].score !== null;
  byId("found").textContent =
    items.length === 0 ? "Nothing found. Fewer filters may help."
    : looks ? `The ${items.length} nearest of ${index.images} in the index`
    : `${index.images} picture${index.images === 1 ? "" : "s"} in the index, the newest first`;
}

function showFailure(problem, again) {
  const none = problem.code === "no_index";
  byId("no-index").hidden = !none;
  byId("query").hidden = none;
  byId("found").textContent = "";
  showTrouble(byId("search-trouble"), none ? null : problem, again);
}

/** Searches from the first page, or goes on. */
async function search(more = false) {
  asking?.abort();
  const mine = asking = new AbortController();
  shown = true;
  if (!more)
    showSkeletons();
  byId("grid").setAttribute("aria-busy", "true");
  byId("more").disabled = true;
  showTrouble(byId("search-trouble"), null);
  try {
    const answer = await ask("/v1/search", { ...question(), skip: more ? next : 0 }, { signal: mine.signal });
    const from = more ? items.length : 0;
    items = more ? [...items, ...answer.results] : answer.results;
    next = answer.next;
    byId("no-index").hidden = true;
    byId("query").hidden = false;
    sayFound(answer.index);
    showItems(from);
  } catch (problem) {
    if (problem.name === "AbortError")
      return;
    if (!more) {
      byId("grid").replaceChildren();
      items = [];
      next = null;
    }
    showFailure(problem, ["offline", "odd", "busy", "queue_full", "too_often", "deadline"].includes(problem.code)
      || !problem.code ? () => search(more) : null);
  }
  byId("grid").removeAttribute("aria-busy");
  byId("more").disabled = false;
  byId("more").hidden = next === null;
}

const searchSoon = afterPause(300, () => search());

// ---- the grid ----

const nameOf = item => [item.path, item.member].filter(Boolean).join(": ");
const lastPart = path => path.slice(path.lastIndexOf("/") + 1);
const scoreOf = item => item.score === null ? "" : item.score.toFixed(3);

function makeTile(item, i) {
  const image = make("img", { alt: "", loading: "lazy", decoding: "async" });
  image.addEventListener("error", () => image.replaceWith(make("span", { class: "gone" }, "No picture to show")));
  if (item.thumbnail)
    showPicture(image, item.thumbnail);
  const words = item.caption || lastPart(nameOf(item));
  return make("li", {},
    make("button", { type: "button", class: "tile", "aria-label": `Show ${words} large`, click: () => showLarge(i) },
      item.thumbnail ? image : make("span", { class: "gone" }, item.caption ?? "No picture to show")),
    make("p", { class: "under" },
      make("span", { class: "name", title: nameOf(item) }, words),
      make("span", { class: "score", title: "Cosine" }, scoreOf(item))),
    make("button", { type: "button", class: "plain like", "aria-label": `More like this: ${words}`, click: () => findLike(item) },
      "More like this"));
}

function showItems(from) {
  const tiles = items.slice(from).map((item, i) => makeTile(item, from + i));
  if (from === 0)
    byId("grid").replaceChildren(...tiles);
  else
    byId("grid").append(...tiles);
  if (from > 0)
    tiles[0]?.querySelector("button").focus({ preventScroll: true });
}

// ---- the large view ----

function facts(item) {
  const date = item.taken === null ? null
    : new Intl.DateTimeFormat(undefined, { dateStyle: "long", timeStyle: "short" }).format(1000 * item.taken);
  const size = item.width && item.height ? `${item.width} × ${item.height}` : null;
  return [["Where", nameOf(item)], ["Taken", date], ["Size", size], ["Score", scoreOf(item)]].filter(([, what]) => what);
}

function showLarge(i) {
  const item = items[i];
  const image = byId("large-picture");
  open = i;
  image.removeAttribute("src");
  image.alt = item.caption || lastPart(nameOf(item));
  if (item.picture)
    showPicture(image, item.picture);
  byId("large-name").textContent = lastPart(nameOf(item));
  byId("large-caption").textContent = item.caption ?? "";
  byId("large-facts").replaceChildren(...facts(item).flatMap(([name, what]) =>
    [make("dt", {}, name), make("dd", {}, what)]));
  byId("large-back").disabled = i === 0;
  byId("large-on").disabled = i === items.length - 1;
  if (!byId("large").open)
    byId("large").showModal();
}

function stepLarge(by) {
  if (items[open + by])
    showLarge(open + by);
}

function startLarge() {
  const dialog = byId("large");
  byId("large-close").addEventListener("click", () => dialog.close());
  byId("large-back").addEventListener("click", () => stepLarge(-1));
  byId("large-on").addEventListener("click", () => stepLarge(1));
  byId("large-like").addEventListener("click", () => {
    dialog.close();
    findLike(items[open]);
  });
  dialog.addEventListener("keydown", event => {
    if (event.key === "ArrowLeft" || event.key === "ArrowRight")
      stepLarge(event.key === "ArrowLeft" ? -1 : 1);
  });
  dialog.addEventListener("click", event => {
    if (event.target === dialog)
      dialog.close(); // beside it
  });
  dialog.addEventListener("close", () => byId("grid").children[open]?.querySelector("button")?.focus());
}

// ---- pictures among what is looked for ----

function makePart(words, path, url, remove) {
  const image = make("img", { alt: "", src: url });
  if (path)
    showPicture(image, path);
  return make("span", { class: "part" }, image, make("span", {}, words),
    make("button", { type: "button", class: "remove", "aria-label": `Remove: ${words}`, click: remove }, "×"));
}

function dropPicture() {
  sending?.abort();
  if (picture)
    URL.revokeObjectURL(picture.url);
  picture = null;
  showProgress(byId("query-sending"), null);
}

function showParts() {
  const parts = [];
  if (picture)
    parts.push(makePart(picture.name, null, picture.url, () => { dropPicture(); refresh(); }));
  if (like)
    parts.push(makePart(`like ${lastPart(nameOf(like))}`, like.thumbnail, null, () => { like = null; refresh(); }));
  byId("parts").replaceChildren(...parts);
  if (parts.length > 0 && byId("words").value.trim())
    byId("tuning").open = true;
}

function refresh() {
  showParts();
  byId("words").focus();
  search();
}

function findLike(item) {
  like = item;
  byId("words").value = "";
  byId("minus").value = "";
  dropPicture();
  showParts();
  search();
  byId("query").scrollIntoView({ block: "nearest" });
  byId("found").focus({ preventScroll: true });
}

async function take(file) {
  dropPicture();
  const mine = sending = new AbortController();
  const progress = share => { if (mine === sending) showProgress(byId("query-sending"), share); };
  picture = { name: file.name, url: URL.createObjectURL(file) };
  showParts();
  progress(0);
  try {
    picture.base64 = (await embedPicture(file, { signal: mine.signal, progress })).base64;
    search();
  } catch (problem) {
    if (problem.name === "AbortError")
      return;
    dropPicture();
    showParts();
    showTrouble(byId("search-trouble"), problem, problem.code === "invalid_input" ? null : () => take(file));
  }
  progress(null);
}

// ---- start ----

export function startSearch() {
  byId("query").addEventListener("submit", event => {
    event.preventDefault();
    search();
  });
  for (const id of ["words", "minus", "folder", "since", "until"])
    byId(id).addEventListener("input", searchSoon);
  for (const id of ["text-weight", "image-weight", "minus-weight"])
    byId(id).addEventListener("input", () => {
      byId(`${id}-said`).textContent = byId(id).value;
      searchSoon();
    });
  byId("words").addEventListener("change", showParts);
  byId("more").addEventListener("click", () => search(true));
  takePictures(byId("query-field"), byId("query-picture"), take);
  startLarge();
  return { take, shown: () => { if (!shown) search(); } };
}
