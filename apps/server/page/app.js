// app.js: the page: two tabs, and which model is behind them.
import { startClassify } from "/classify.js";
import { ask, byId } from "/common.js";
import { startSearch } from "/search.js";

// ---- tabs ----

const tabs = ["classify", "search"];
const panels = {};

function select(name) {
  for (const tab of tabs) {
    const chosen = tab === name;
    byId(`tab-${tab}`).setAttribute("aria-selected", chosen);
    byId(`tab-${tab}`).tabIndex = chosen ? 0 : -1;
    byId(tab).hidden = !chosen;
  }
  document.title = name === "search" ? "align: search" : "align: classify";
  panels[name].shown?.();
}

function startTabs() {
  for (const tab of tabs)
    byId(`tab-${tab}`).addEventListener("click", () => { location.hash = tab; });
  document.querySelector(".tabs").addEventListener("keydown", event => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step)
      return;
    const next = tabs[(tabs.findIndex(tab => !byId(tab).hidden) + step + tabs.length) % tabs.length];
    location.hash = next;
    byId(`tab-${next}`).focus();
  });
  const follow = () => select(location.hash === "#search" ? "search" : "classify");
  addEventListener("hashchange", follow);
  follow();
}

/** A picture that is pasted goes to the half that is shown. */
addEventListener("paste", event => {
  const file = [...event.clipboardData.files].find(item => item.type.startsWith("image/"));
  if (!file)
    return;
  event.preventDefault();
  panels[byId("search").hidden ? "classify" : "search"].take(file);
});

/** A picture that misses its place must not replace the page. */
for (const kind of ["dragover", "drop"])
  addEventListener(kind, event => event.preventDefault());

ask("/v1/models").then(models => { byId("model").textContent = models.data[0].id; }, () => {});
panels.classify = startClassify();
panels.search = startSearch();
startTabs();
