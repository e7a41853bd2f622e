// browser.mjs: what the tests of the page share: a browser, a server, and what the command line says about the same.
//
// Run as: node TEST.mjs ALIGN MODELS TOOLS. TOOLS, or what ALIGN_TEST_PAGE_TOOLS names, is a folder that
// tools/page_tools.sh made; the browser is where Debian puts it, or what ALIGN_TEST_BROWSER names. Without them the exit
// code is 77.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { after, before } from "node:test";

const [align, models, toolsFolder] = process.argv.slice(2).map(path => resolve(path));
const browserPath = process.env.ALIGN_TEST_BROWSER ?? "/usr/bin/chromium";

function skip(reason) {
  console.log(`skipped: ${reason}`);
  process.exit(77);
}

const tools = createRequire(join(resolve(process.env.ALIGN_TEST_PAGE_TOOLS ?? toolsFolder), "of.js"));
let chromium;
try {
  ({ chromium } = tools("playwright-core"));
} catch {
  skip("there is no playwright-core: tools/page_tools.sh fetches it");
}
if (!existsSync(browserPath))
  skip(`there is no browser at ${browserPath}`);

export const axeSource = readFileSync(tools.resolve("axe-core/axe.min.js"), "utf8");
export const demo = name => join(models, "demo", name);
export const folder = mkdtempSync(join(tmpdir(), "align-page-"));

/** What a command of `align` prints, a value a line. */
export function runAlign(...args) {
  const said = execFileSync(align, [...args, "--model", join(models, "emoji"), "--json", "--quiet"],
    { encoding: "utf8", maxBuffer: 1 << 26 });
  return said.split("\n").filter(Boolean).map(line => JSON.parse(line));
}

// ---- servers ----

const servers = new Set();

/** Starts a server; its address, its port, and a way to stop it. */
export async function serve(...options) {
  const server = spawn(align, ["serve", "--port", "0", "--quiet", "--model", join(models, "emoji"), ...options],
    { stdio: ["ignore", "pipe", "inherit"] });
  servers.add(server);
  const [line] = await Promise.race([
    createInterface(server.stdout)[Symbol.asyncIterator]().next().then(({ value }) => [value]),
    new Promise((_, reject) => server.once("exit", code => reject(new Error(`the server ended with ${code}`)))),
  ]);
  const address = line.replace("listening on ", "");
  const stop = () => new Promise(done => {
    servers.delete(server);
    server.once("exit", done);
    server.kill("SIGTERM");
  });
  return { address, port: new URL(address).port, stop };
}

export async function post(server, path, body) {
  const answer = await fetch(server.address + path,
    { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  return answer.json();
}

// ---- the browser ----

let browser;

before(async () => {
  browser = await chromium.launch({ executablePath: browserPath, args: ["--no-sandbox"] });
});

after(async () => {
  await browser.close();
  for (const server of servers)
    server.kill("SIGTERM");
  rmSync(folder, { recursive: true });
});

/** Opens the page for a test, which fails if a script fails or the policy of the page forbids something. */
export async function visit(server, use, { hash = "", ...options } = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, reducedMotion: "reduce", ...options });
  const page = await context.newPage();
  const wrong = [];
  page.on("pageerror", error => wrong.push(error.message));
  page.on("console", message => {
    if (/Content Security Policy|Refused to/.test(message.text()))
      wrong.push(message.text());
  });
  await page.goto(server.address + "/" + hash);
  await use(page);
  assert.deepEqual(wrong, []);
  await context.close();
}

/** Fails unless axe finds nothing that keeps people out. The page's policy forbids scripts from elsewhere, not this. */
export async function expectAccessible(page) {
  await page.evaluate(axeSource);
  const { violations } = await page.evaluate(() => globalThis.axe.run());
  assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes.map(node => node.target).join(" ")}`), []);
}

/** Nothing is wider than the screen. */
export async function expectNoScrollAside(page) {
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "wider than the screen");
}

export const text = (page, selector) => page.locator(selector).allTextContents();
