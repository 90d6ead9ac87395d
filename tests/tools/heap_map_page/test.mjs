// The heap map page in a real browser: node test.mjs NUMAHEAP FRAGMENTED_PROCESS MODULES [SCREENSHOT]
// Exit status 77: skipped, with the reason; 1: a check failed.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";

const [numaheap, fragmented, modules, screenshot] = process.argv.slice(2);

function skip(reason) {
  console.log(`skipped: ${reason}`);
  process.exit(process.env.NUMAHEAP_FAIL_ON_SKIP ? 1 : 77);
}

const chromium = "/usr/bin/chromium";
if (!existsSync(chromium)) skip("needs chromium (Debian package chromium)");
let playwright;
try {
  playwright = createRequire(modules + "/")("playwright-core");
} catch {
  skip(`needs playwright-core: npm install --prefix ${modules} tests/tools/heap_map_page`);
}

const children = [];
/// Starts a program. \returns it, with next(): what it says next, null once it has ended.
function start(command, ...words) {
  const env = { ...process.env, NUMAHEAP_BACKGROUND: "on" };
  const child = spawn(command, words, { stdio: ["pipe", "pipe", "inherit"], env });
  const lines = [], waiting = [];
  let rest = "";
  child.stdout.on("data", data => {
    const parts = (rest + data).split("\n");
    rest = parts.pop();
    for (const line of parts) waiting.length ? waiting.shift()(line) : lines.push(line);
  });
  child.on("exit", () => {
    lines.push(null);
    for (const done of waiting.splice(0)) done(null);
  });
  child.next = () => (lines.length ? Promise.resolve(lines.shift()) : new Promise(done => waiting.push(done)));
  children.push(child);
  return child;
}

/// Asks until `check` holds, for half a minute.
async function eventually(what, check) {
  for (const end = Date.now() + 30_000; Date.now() < end; await new Promise(done => setTimeout(done, 100)))
    if (await check()) return;
  assert.fail(`did not happen: ${what}`);
}

async function test() {
  const process_ = start(fragmented);
  assert.equal(await process_.next(), "ready");
  let exporter, greeting;
  await eventually("the process publishes", async () => {
    exporter = start(numaheap, "export", String(process_.pid), "--port", "0");
    return (greeting = await exporter.next()) !== null;
  });
  const url = greeting.replace("Listening on ", "");
  // Chromium has no sandbox for root.
  const browser = await playwright.chromium.launch({ executablePath: chromium, args: ["--no-sandbox"] });
  try {
    const page = await browser.newPage({ viewport: { width: 1180, height: 860 } });
    const errors = [], foreign = [];
    page.on("pageerror", error => errors.push(String(error)));
    page.on("console", message => {
      if (message.type() === "error" && !/503|ERR_CONNECTION_/.test(message.text())) errors.push(message.text());
    });
    page.on("request", request => { if (!request.url().startsWith(url)) foreign.push(request.url()); });
    await page.goto(url);
    const state = page.locator("#state");
    await eventually("a map is drawn", async () => (await state.textContent()).startsWith("drawn"));

    const row = name => page.locator("tr", { hasText: name }).first().locator("td").nth(1).textContent();
    const fragmentation = async () => parseFloat(await row("fragmentation of slabs"));
    assert.match(await row("live"), /^[0-9.]+ MiB$/);
    assert.match(await row("resident, whole process"), /iB$/);
    assert.ok((await fragmentation()) > 30, `a fragmented heap, but ${await fragmentation()} %`);

    const canvas = page.locator("canvas").first();
    const colours = () => canvas.evaluate(element => {
      const { data } = element.getContext("2d").getImageData(0, 0, element.width, element.height);
      return [...new Set(new Uint32Array(data.buffer))].length;
    });
    assert.ok((await colours()) > 50, "cells are coloured by how full they are");

    const box = await canvas.boundingBox();
    await eventually("the hint tells of blocks", async () => {
      await page.mouse.move(box.x + box.width * Math.random(), box.y + Math.min(box.height, 200) * Math.random());
      const text = await page.locator("#hint").textContent();
      return /node 0  0x[0-9a-f]+-0x[0-9a-f]+\nblocks of [0-9.]+ K?i?B, [0-9.]+ % of the slots in use/.test(text);
    });
    if (screenshot) await page.screenshot({ path: screenshot });

    const width = () => canvas.evaluate(element => element.width);
    const wide = await width();
    await page.setViewportSize({ width: 600, height: 800 });
    await eventually("a narrow window has fewer cells a row", async () => (await width()) < wide);
    const back = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const corner = () => canvas.evaluate(element =>
      [...element.getContext("2d").getImageData(element.width - 1, element.height - 2, 1, 1).data].join());
    const [light, lightCell] = [await back(), await corner()];
    await page.emulateMedia({ colorScheme: "dark" });
    await eventually("the page turns dark", async () => (await back()) !== light && (await corner()) !== lightCell);

    process_.stdin.write("\n");
    assert.equal(await process_.next(), "empty");
    await eventually("the empty heap is seen", async () => /^[0-9.]+ (B|KiB)$/.test(await row("in blocks")));

    process_.stdin.end();
    await eventually("it says that the process has ended", async () => (await state.textContent()).endsWith("the process has ended"));
    assert.equal(await state.getAttribute("class"), "alarm");
    exporter.kill("SIGTERM");
    await eventually("it says that nobody answers", async () => (await state.textContent()).includes("does not answer"));
    assert.deepEqual(errors, []);
    assert.deepEqual(foreign, [], "nothing is fetched from elsewhere");
  } finally {
    await browser.close();
  }
}

try {
  await test();
  console.log("passed");
} catch (error) {
  console.error(error);
  process.exitCode = 1;
} finally {
  for (const child of children) child.kill("SIGKILL");
}
