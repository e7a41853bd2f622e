// search.mjs: the half of the page that searches, over an index of the pictures in models/demo. See browser.mjs.
import assert from "node:assert/strict";
import { copyFileSync, mkdirSync, readdirSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { demo, expectAccessible, expectNoScrollAside, folder, runAlign, serve, text, visit } from "./browser.mjs";

const pictures = join(folder, "pictures"), store = join(folder, "index.db");

let server, count;

before(async () => {
  const isPicture = name => /\.(png|jpg|gif|webp)$/.test(name);
  mkdirSync(join(pictures, "animals"), { recursive: true });
  for (const name of readdirSync(demo("")).filter(isPicture))
    copyFileSync(demo(name), join(pictures, ["cat.png", "dog.png"].includes(name) ? "animals" : "", name));
  count = readdirSync(demo("")).filter(isPicture).length;
  runAlign("index", pictures, "--store", store);
  server = await serve("--index", store);
});

/** The names of what `align search` finds. */
const found = (top, ...question) => runAlign("search", ...question, "--store", store, "--top", String(top))
  .map(hit => hit.path.slice(hit.path.lastIndexOf("/") + 1));

/** The tiles, once they are these. */
async function expectTiles(page, names) {
  await page.waitForFunction(names => {
    const tiles = [...document.querySelectorAll("#grid .under .name")].map(name => name.textContent);
    return document.querySelector("#grid:not([aria-busy])") && names.every((name, i) => tiles[i] === name);
  }, names);
}

const search = (use, options) => visit(server, use, { hash: "#search", ...options });

test("what the index holds, page by page", () => search(async page => {
  await page.getByText(`${count} pictures in the index`).waitFor();
  for (const shown of [24, 48, count]) {
    await page.waitForFunction(n => document.querySelectorAll("#grid .tile").length === n, shown);
    if (shown < count)
      await page.getByRole("button", { name: "Show more" }).click();
  }
  assert.equal(await page.getByRole("button", { name: "Show more" }).isVisible(), false);
  const names = await text(page, "#grid .under .name");
  assert.equal(new Set(names).size, count);
}));

test("words find what align search finds, thumbnails and all", () => search(async page => {
  await page.getByLabel("Words to look for").pressSequentially("a cat");
  await expectTiles(page, found(24, "a cat"));
  assert.match(await page.locator("#found").textContent(), /^The 24 nearest/);
  assert.match((await text(page, "#grid .score"))[0], /^0\.\d{3}$/);
  await page.waitForFunction(() => [...document.querySelectorAll("#grid img")].slice(0, 5).every(image => image.naturalWidth > 0));
  await page.getByLabel("Words for what not to find").fill("an animal");
  await expectTiles(page, found(24, "a cat", "--minus", "an animal"));
}));

test("more like this, and back", () => search(async page => {
  await page.getByLabel("Words to look for").fill("a cat");
  await expectTiles(page, ["cat.png"]);
  await page.getByRole("button", { name: "More like this: cat.png" }).click();
  await expectTiles(page, found(25, "--image", join(pictures, "animals", "cat.png")).slice(1));
  assert.equal(await page.getByLabel("Words to look for").inputValue(), "");
  await page.getByRole("button", { name: "Remove: like cat.png" }).click();
  await page.getByText(`${count} pictures in the index`).waitFor();
}));

test("words and a picture, weighed", () => search(async page => {
  const picture = join(pictures, "horse.png");
  await page.getByLabel("A picture to look for").setInputFiles(picture);
  await expectTiles(page, found(24, "--image", picture));
  await page.getByLabel("Words to look for").fill("red");
  await expectTiles(page, found(24, "red", "--image", picture));
  await page.getByLabel("Words to look for").blur();
  const slider = page.getByRole("slider", { name: "Words" });
  await slider.focus();
  for (let i = 0; i < 15; i++)
    await page.keyboard.press("ArrowLeft");
  assert.equal(await page.locator("#text-weight-said").textContent(), "0.5");
  await expectTiles(page, found(24, "red", "--image", picture, "--text-weight", "0.5"));
  await page.getByRole("button", { name: "Remove: horse.png" }).click();
  await expectTiles(page, found(24, "red"));
}));

test("a folder, and dates", () => search(async page => {
  await page.getByText("Weights and filters").click();
  await page.getByLabel("Folder").fill("animals");
  await page.waitForFunction(() => document.querySelectorAll("#grid .tile").length === 2);
  await page.getByLabel("Taken until").fill("1990-01-01");
  await page.getByText("Nothing found").waitFor();
}));

test("the large view", () => search(async page => {
  await page.getByLabel("Words to look for").fill("a cat");
  await expectTiles(page, ["cat.png"]);
  const names = await text(page, "#grid .under .name");
  await page.getByRole("button", { name: "Show cat.png large" }).click();
  const large = page.getByRole("dialog");
  await large.getByText("animals/cat.png").waitFor();
  await page.waitForFunction(() => document.getElementById("large-picture").naturalWidth === 72);
  await page.keyboard.press("ArrowRight");
  await large.getByRole("heading", { name: names[1] }).waitFor();
  await expectAccessible(page);
  await page.keyboard.press("Escape");
  await large.waitFor({ state: "hidden" });
  assert.equal(await page.evaluate(() => document.activeElement.getAttribute("aria-label")), `Show ${names[1]} large`);
  await page.keyboard.press("Enter");
  await large.getByRole("button", { name: "More like this" }).click();
  await page.getByRole("button", { name: `Remove: like ${names[1]}` }).waitFor();
}));

test("a picture that is gone", async () => {
  const name = "snowman.png";
  await search(async page => {
    await page.getByLabel("Words to look for").fill("a snowman");
    unlinkSync(join(pictures, name));
    await page.getByRole("button", { name: `Show ${name} large` }).getByText("No picture to show").waitFor();
  });
  copyFileSync(demo(name), join(pictures, name));
});

test("a picture that is none", () => search(async page => {
  await page.getByLabel("A picture to look for").setInputFiles(
    { name: "broken.png", mimeType: "image/png", buffer: Buffer.from("this is no picture") });
  await page.locator("#search-trouble").getByText("no picture, or a damaged one").waitFor();
  assert.equal(await page.locator(".part").count(), 0);
}));

test("a server without an index", async () => {
  const bare = await serve();
  await visit(bare, async page => {
    await page.getByRole("tab", { name: "Search" }).click();
    await page.getByRole("heading", { name: "nothing to search yet" }).waitFor();
    await page.getByText("align serve --index photos.db").waitFor();
    await expectAccessible(page);
  });
  await bare.stop();
});

test("a server that is gone, and back", async () => {
  const first = await serve("--index", store);
  await visit(first, async page => {
    await page.getByText(`${count} pictures in the index`).waitFor();
    await first.stop();
    await page.getByLabel("Words to look for").fill("a dog");
    await page.getByText("cannot be reached").waitFor();
    const second = await serve("--index", store, "--port", first.port);
    await page.getByRole("button", { name: "Try again" }).click();
    await expectTiles(page, ["dog.png"]);
    await second.stop();
  }, { hash: "#search" });
});

test("thumbnails where a token is wanted", async () => {
  const guarded = await serve("--index", store, "--token", "open sesame");
  await visit(guarded, async page => {
    await page.getByLabel("Token", { exact: true }).fill("open sesame");
    await page.keyboard.press("Enter");
    await page.waitForFunction(() => document.querySelector("#grid img")?.naturalWidth > 0);
  }, { hash: "#search" });
  await guarded.stop();
});

test("tabs by the arrow keys, skeletons while it lasts", () => visit(server, async page => {
  let release;
  const held = new Promise(resolve => { release = resolve; });
  await page.route("**/v1/search", async route => { await held; await route.continue(); });
  await page.getByRole("tab", { name: "Classify" }).focus();
  await page.keyboard.press("ArrowRight");
  await page.getByText("Searching…").waitFor();
  assert.equal(await page.locator(".waits").count(), 12);
  release();
  await page.getByText(`${count} pictures in the index`).waitFor();
  assert.equal(await page.locator(".waits").count(), 0);
}));

test("on a phone, in the dark", () => search(async page => {
  await page.getByLabel("Words to look for").fill("a tree");
  await expectTiles(page, ["tree.png"]);
  await expectNoScrollAside(page);
  const [first, second, third] = await page.locator("#grid li").evaluateAll(tiles => tiles.map(tile => tile.offsetTop));
  assert.equal(first, second);
  assert.ok(third > second);
  await expectAccessible(page);
  await page.getByRole("button", { name: "Show tree.png large" }).tap();
  await expectNoScrollAside(page);
  await page.getByRole("button", { name: "Close" }).tap();
}, { viewport: { width: 390, height: 844 }, colorScheme: "dark", hasTouch: true, isMobile: true }));

test("for everybody", () => search(async page => {
  await page.getByText("Weights and filters").click();
  await page.getByText(`${count} pictures in the index`).waitFor();
  await expectAccessible(page);
}));
