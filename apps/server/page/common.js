// common.js: what both halves of the page use: asking the server, its token, pictures on their way.

export const byId = id => document.getElementById(id);

/** An element with attributes (those that are functions are listeners) and children. */
export function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function")
      element.addEventListener(key, value);
    else if (value !== false && value != null)
      element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children);
  return element;
}

// ---- asking the server ----

/** What went wrong, in words for people; code is the problem's ("no_index"), or "offline". */
export class Problem extends Error {
  constructor(detail, code) {
    super(detail);
    this.code = code;
  }
}

const tokenKey = "align-token";
let tokenWanted = null;

/** Asks for the token, once for all who wait for it. */
function askForToken() {
  const dialog = byId("token");
  tokenWanted ??= new Promise(resolve => {
    const was = sessionStorage.getItem(tokenKey);
    byId("token-note").textContent = was ? "That was not it. Is there a letter missing?"
      : "Whoever runs it has one for you. It is kept until this tab is closed.";
    byId("token-value").value = "";
    dialog.showModal();
    dialog.addEventListener("close", () => {
      if (dialog.returnValue === "use")
        sessionStorage.setItem(tokenKey, byId("token-value").value.trim());
      tokenWanted = null;
      resolve(dialog.returnValue === "use");
      dialog.returnValue = "";
    }, { once: true });
  });
  return tokenWanted;
}

function headersWith(headers) {
  const token = sessionStorage.getItem(tokenKey);
  return token ? { ...headers, Authorization: `Bearer ${token}` } : headers;
}

/** One exchange; progress is told how much of the body is sent, 0 to 1, and 1 while the server works. */
function exchange(method, path, body, { signal, progress, type }) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open(method, path);
    request.responseType = type;
    const headers = headersWith(body === undefined ? {} : { "Content-Type": "application/json" });
    for (const [name, value] of Object.entries(headers))
      request.setRequestHeader(name, value);
    if (progress) {
      request.upload.addEventListener("progress", event => progress(event.loaded / Math.max(1, event.total)));
      request.upload.addEventListener("load", () => progress(1));
    }
    request.addEventListener("load", () => resolve(request));
    request.addEventListener("error", () => reject(new Problem("The server cannot be reached.", "offline")));
    request.addEventListener("abort", () => reject(new DOMException("", "AbortError")));
    signal?.addEventListener("abort", () => request.abort());
    request.send(body === undefined ? null : JSON.stringify(body));
  });
}

async function problemOf(request) {
  try {
    const response = request.response;
    const problem = response instanceof Blob ? JSON.parse(await response.text()) : response;
    const place = `${problem.param}: `; // "input[0]: " says nothing to people
    const detail = problem.detail.startsWith(place) ? problem.detail.slice(place.length) : problem.detail;
    return new Problem(`${detail[0].toUpperCase()}${detail.slice(1)}.`, problem.code);
  } catch {
    return new Problem(`The server answered with status ${request.status}.`, "odd");
  }
}

/** The answer of the server, or a Problem thrown. body undefined: GET. */
export async function ask(path, body, options = {}) {
  const method = body === undefined ? "GET" : "POST";
  for (;;) {
    const request = await exchange(method, path, body, { type: "json", ...options });
    if (request.status === 401 && await askForToken())
      continue;
    if (request.status !== 200)
      throw await problemOf(request);
    return request.response;
  }
}

/** Lets an image show what is at a path: with a token the browser cannot fetch it by itself. */
export async function showPicture(image, path) {
  if (!sessionStorage.getItem(tokenKey)) {
    image.src = path;
    return;
  }
  try {
    const url = URL.createObjectURL(await ask(path, undefined, { type: "blob" }));
    image.addEventListener("load", () => URL.revokeObjectURL(url), { once: true });
    image.src = url;
  } catch {
    image.dispatchEvent(new Event("error"));
  }
}

// ---- embeddings ----

function vectorOf(base64) {
  const bytes = Uint8Array.from(atob(base64), letter => letter.charCodeAt(0));
  return new Float32Array(bytes.buffer);
}

/** Embeddings of inputs, as base64 of floats. */
async function embed(input, options) {
  const answer = await ask("/v1/embeddings", { input, encoding_format: "base64" }, options);
  return answer.data.map(item => item.embedding);
}

const texts = new Map();

/** Vectors of texts; each is sent once. */
export async function embedTexts(wanted) {
  const unknown = [...new Set(wanted)].filter(text => !texts.has(text));
  for (let i = 0; i < unknown.length; i += 64) {
    const part = unknown.slice(i, i + 64);
    (await embed(part)).forEach((base64, k) => texts.set(part[k], vectorOf(base64)));
  }
  return wanted.map(text => texts.get(text));
}

/** The vector of a file, as floats and as base64. */
export async function embedPicture(file, options) {
  const url = await new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.addEventListener("load", () => resolve(reader.result));
    reader.addEventListener("error", () => reject(new Problem("The file cannot be read.", "unreadable")));
    reader.readAsDataURL(file);
  });
  const [base64] = await embed([{ image: url }], options);
  return { base64, vector: vectorOf(base64) };
}

// ---- pieces of both halves ----

/** Shows a problem, and a button to try again unless that would be of no use. */
export function showTrouble(box, problem, again) {
  box.hidden = !problem;
  if (problem)
    box.replaceChildren(make("p", {}, problem.message),
      ...again ? [make("button", { type: "button", click: again }, "Try again")] : []);
}

/** Tells a progress bar how much is sent; what is sent whole, or nothing is known of, moves without end. */
export function showProgress(bar, share) {
  bar.hidden = share === null;
  if (share === null || share >= 1)
    bar.removeAttribute("value");
  else
    bar.value = share;
}

/** Gives pictures that are dropped on an element, or picked, to take. */
export function takePictures(element, input, take) {
  let inside = 0;
  const mark = by => {
    inside += by;
    element.classList.toggle("over", inside > 0);
  };
  element.addEventListener("dragenter", event => { event.preventDefault(); mark(1); });
  element.addEventListener("dragleave", () => mark(-1));
  element.addEventListener("dragover", event => event.preventDefault());
  element.addEventListener("drop", event => {
    event.preventDefault();
    mark(-inside);
    const [file] = event.dataTransfer.files;
    if (file)
      take(file);
  });
  input.addEventListener("change", () => {
    const [file] = input.files;
    input.value = ""; // the same file can be picked again
    if (file)
      take(file);
  });
}

/** Calls f after a pause, anew each time it is asked for. */
export function afterPause(milliseconds, f) {
  let timer;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(f, milliseconds);
  };
}
