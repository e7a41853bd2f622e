// app.js: sends the picture and the labels, shows what comes back.
const byId = id => document.getElementById(id);

function showResults(labels) {
  byId("results").replaceChildren(...labels.map(({ label, probability }) => {
    const row = document.createElement("li");
    const name = document.createElement("span");
    const share = document.createElement("span");
    const bar = document.createElement("progress");
    name.textContent = label;
    share.textContent = `${(100 * probability).toFixed(1)}%`;
    bar.value = probability;
    bar.setAttribute("aria-label", label);
    row.append(name, share, bar);
    return row;
  }));
}

byId("form").addEventListener("submit", async event => {
  event.preventDefault();
  const body = new FormData();
  body.append("image", byId("picture").files[0]);
  for (const label of byId("labels").value.split(",").map(text => text.trim()).filter(Boolean))
    body.append("label", label);
  byId("state").textContent = "Looking\u2026";
  try {
    const answer = await fetch("/v1/classify", { method: "POST", body });
    const result = await answer.json();
    if (!answer.ok)
      throw new Error(result.detail);
    showResults(result.results[0].labels);
    byId("state").textContent = "";
  } catch (error) {
    byId("results").replaceChildren();
    byId("state").textContent = error.message;
  }
});
