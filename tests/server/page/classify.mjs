// classify.mjs: the half of the page that classifies, as a person would use it. See browser.mjs.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { before, test } from "node:test";
import { demo, expectAccessible, expectNoScrollAside, post, runAlign, serve, text, visit } from "./browser.mjs";

const defaults = ["cat", "dog", "strawberry", "bicycle", "rocket", "pizza"];

let server;

before(async () => {
  server = await serve();
});

/** Waits until the bars are these. */
async function expectBars(page, wanted) {
  const lines = wanted.map(({ label, probability }) => `${label} ${(100 * probability).toFixed(1)}%`);
  await page.waitForFunction(lines => {
    const rows = [...document.querySelectorAll("#bars li")].map(row =>
      `${row.querySelector(".name").textContent} ${row.querySelector(".share").textContent}`);
    return rows.join() === lines.join();
  }, lines);
  const widths = await page.locator("#bars .bar span").evaluateAll(bars => bars.map(bar =>
    Number(bar.style.getPropertyValue("--share"))));
  widths.forEach((width, i) => assert.ok(Math.abs(width - wanted[i].probability) < 1e-5));
}

function classified(picture, labels, ...options) {
  return runAlign("classify", demo(picture), "--labels", labels.join(","), ...options)[0].labels;
}

test("an example and the labels that are there", () => visit(server, async page => {
  assert.deepEqual(await text(page, "#bars .share"), defaults.map(() => ""));
  await page.getByRole("button", { name: "drawing of a strawberry" }).click();
  await expectBars(page, classified("strawberry.png", defaults));
  assert.match(await page.locator("#picture-note").textContent(), /^strawberry\.png/);
  await page.waitForFunction(() => document.getElementById("verdict").textContent.startsWith("strawberry "));
}));

test("a picture from disk, bars that move while a label is typed", () => visit(server, async page => {
  await page.getByLabel("A picture to classify").setInputFiles(demo("banana.jpg"));
  await expectBars(page, classified("banana.jpg", defaults));
  const label = page.getByLabel("A label to add");
  await label.pressSequentially("banana");
  await expectBars(page, classified("banana.jpg", [...defaults, "banana"]));
  assert.equal(await page.locator("#bars .typed").count(), 1);
  await label.press("Enter");
  await expectBars(page, classified("banana.jpg", [...defaults, "banana"]));
  assert.equal(await page.locator("#bars .typed").count(), 0);
  assert.equal(await label.inputValue(), "");
  await label.pressSequentially("bus, a yellow fruit");
  await expectBars(page, classified("banana.jpg", [...defaults, "banana", "bus", "a yellow fruit"]));
  await label.fill("");
  await page.getByRole("button", { name: "Remove banana" }).click();
  await expectBars(page, classified("banana.jpg", [...defaults, "bus"]));
  await page.getByRole("button", { name: "Remove all labels" }).click();
  assert.equal(await page.locator("#bars-hint").isVisible(), true);
}));

test("a template, and each label by itself", () => visit(server, async page => {
  const template = "a drawing of a {}";
  await page.getByLabel("A picture to classify").setInputFiles(demo("dog.png"));
  await page.getByLabel("Template").fill(template);
  await expectBars(page, classified("dog.png", defaults, "--template", template));
  await page.getByLabel("Each by itself").check();
  const image = readFileSync(demo("dog.png")).toString("base64");
  const answer = await post(server, "/v1/classify", { image, labels: defaults, template, multi: true });
  await expectBars(page, answer.results[0].labels);
  await page.getByLabel("Template").fill("no place");
  assert.equal(await page.getByLabel("Template").getAttribute("aria-invalid"), "true");
}));

test("each text is sent once, and the picture once", () => visit(server, async page => {
  const sent = [];
  page.on("request", request => request.method() === "POST" && sent.push(...request.postDataJSON().input));
  await page.getByLabel("A picture to classify").setInputFiles(demo("fish.png"));
  await expectBars(page, classified("fish.png", defaults));
  await page.getByLabel("A label to add").fill("fish,");
  await expectBars(page, classified("fish.png", [...defaults, "fish"]));
  assert.equal(sent.filter(input => input.image).length, 1);
  assert.deepEqual(sent.filter(input => !input.image), [...defaults, "fish"]);
}));

test("pictures that are dropped and pasted", () => visit(server, async page => {
  const drop = async (name, kind) => page.evaluate(async ([base64, name, kind]) => {
    const bytes = Uint8Array.from(atob(base64), letter => letter.charCodeAt(0));
    const data = new DataTransfer();
    data.items.add(new File([bytes], name, { type: "image/png" }));
    if (kind === "paste")
      dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, cancelable: true }));
    else
      document.getElementById("drop").dispatchEvent(
        new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
  }, [readFileSync(demo(name)).toString("base64"), name, kind]);
  await drop("cat.png", "drop");
  await expectBars(page, classified("cat.png", defaults));
  await drop("dog.png", "paste");
  await expectBars(page, classified("dog.png", defaults));
}));

test("a picture that is none, and the next one", () => visit(server, async page => {
  await page.getByLabel("A picture to classify").setInputFiles(
    { name: "broken.png", mimeType: "image/png", buffer: Buffer.from("this is no picture") });
  const trouble = page.locator("#picture-trouble");
  await trouble.waitFor();
  assert.match(await trouble.textContent(), /^This is no picture, or a damaged one/);
  assert.deepEqual(await text(page, "#bars .share"), defaults.map(() => ""));
  await page.getByLabel("A picture to classify").setInputFiles(demo("cat.png"));
  await expectBars(page, classified("cat.png", defaults));
  assert.equal(await trouble.isVisible(), false);
}));

test("how much of a picture is sent", () => visit(server, async page => {
  const network = await page.context().newCDPSession(page);
  await network.send("Network.emulateNetworkConditions",
    { offline: false, latency: 0, downloadThroughput: -1, uploadThroughput: 16000 });
  await page.getByLabel("A picture to classify").setInputFiles(demo("sloth.png"));
  await page.waitForFunction(() => {
    const bar = document.getElementById("sending");
    return !bar.hidden && bar.position > 0 && bar.position < 1;
  });
  await expectBars(page, classified("sloth.png", defaults));
  assert.equal(await page.locator("#sending").isVisible(), false);
}));

test("a server that is gone, and back", async () => {
  const first = await serve();
  await visit(first, async page => {
    await page.getByLabel("A picture to classify").setInputFiles(demo("cat.png"));
    await expectBars(page, classified("cat.png", defaults));
    await first.stop();
    await page.getByLabel("A label to add").fill("lion");
    await page.locator("#bars-trouble").getByText("cannot be reached").waitFor();
    const second = await serve("--port", first.port);
    await page.locator("#bars-trouble").getByRole("button", { name: "Try again" }).click();
    await expectBars(page, classified("cat.png", [...defaults, "lion"]));
    await second.stop();
  });
});

test("a server that wants a token", async () => {
  const guarded = await serve("--token", "open sesame");
  await visit(guarded, async page => {
    const token = page.getByLabel("Token", { exact: true });
    await token.fill("abracadabra");
    await token.press("Enter");
    await page.getByText("That was not it").waitFor();
    await token.fill("open sesame");
    await page.getByRole("button", { name: "Use it" }).click();
    await page.getByText("emoji", { exact: true }).waitFor();
    await page.getByLabel("A picture to classify").setInputFiles(demo("cat.png"));
    await expectBars(page, classified("cat.png", defaults));
  });
  await guarded.stop();
});

test("with the keyboard alone", () => visit(server, async page => {
  const focused = () => page.evaluate(() => {
    const element = document.activeElement;
    return element.getAttribute("aria-label") ?? element.id;
  });
  const press = key => page.keyboard.press(key);
  const order = ["", "tab-classify", "A picture to classify", "Try the drawing of a cat"];
  for (const name of order) {
    await press("Tab");
    assert.equal(await focused(), name);
  }
  await press("Enter");
  await expectBars(page, classified("cat.png", defaults));
  for (let i = 0; i < 6; i++)
    await press("Tab");
  assert.equal(await focused(), "A label to add");
  await page.keyboard.type("a small lion");
  await press("Enter");
  await expectBars(page, classified("cat.png", [...defaults, "a small lion"]));
  await press("Tab"); // the button
  await press("Tab");
  assert.equal(await focused(), "Remove cat");
  await press("Space");
  const rest = [...defaults.slice(1), "a small lion"];
  await expectBars(page, classified("cat.png", rest));
  assert.equal(await focused(), "A label to add");
}));

test("on a phone, in the dark", () => visit(server, async page => {
  await page.getByRole("button", { name: "drawing of a rocket" }).click();
  await expectBars(page, classified("rocket.webp", defaults));
  await expectNoScrollAside(page);
  assert.equal(await page.evaluate(() => getComputedStyle(document.body).backgroundColor), "rgb(20, 21, 19)");
  await expectAccessible(page);
}, { viewport: { width: 390, height: 844 }, colorScheme: "dark", hasTouch: true, isMobile: true }));

test("for everybody", () => visit(server, async page => {
  await expectAccessible(page);
  await page.getByRole("button", { name: "drawing of a cat" }).click();
  await expectBars(page, classified("cat.png", defaults));
  await expectAccessible(page);
}));
