// Takes a picture of a running page: `npm run screenshot -- URL FILE [--theme dark|light] [--size 1440x1180] [--full]`.

import { parseArgs } from "node:util";
import { launch } from "./chromium.mjs";

const { positionals, values: options } = parseArgs({
  allowPositionals: true,
  options: {
    theme: { type: "string", default: "dark" },
    size: { type: "string", default: "1440x1180" },
    wait: { type: "string", default: "3000" },
    full: { type: "boolean", default: false },
  },
});
const [url, file] = positionals;
if (!url || !file) throw new Error("usage: npm run screenshot -- URL FILE [--theme dark|light] [--size WxH] [--full]");
const [width, height] = options.size.split("x").map(Number);

const browser = await launch();
try {
  const page = await browser.newPage({ viewport: { width, height }, colorScheme: options.theme });
  page.on("console", (message) => message.type() !== "info" && console.log(message.type(), message.text()));
  page.on("pageerror", (error) => console.log("error", error.message));
  await page.goto(url);
  await page.waitForSelector("#cpu .number");
  await page.waitForTimeout(Number(options.wait));
  await page.screenshot({ path: file, fullPage: options.full });
} finally {
  await browser.close();
}
