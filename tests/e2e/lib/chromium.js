import path from 'node:path';
import { chromium } from 'playwright-core';

export const EXECUTABLE = process.env.CHROMIUM ?? '/usr/bin/chromium';
const FLAGS = [
  '--no-sandbox',
  '--autoplay-policy=no-user-gesture-required',
  '--use-fake-ui-for-media-stream',
  '--use-fake-device-for-media-stream=fps=30',
  '--allow-loopback-in-peer-connection',
  // Several pages are watched at a time, and only one of them is in front.
  '--disable-background-timer-throttling',
  '--disable-renderer-backgrounding',
  '--disable-backgrounding-occluded-windows',
];

/** Pages that don't come from the node count as from elsewhere, whence no WebSocket leads to this machine. */
const FLAGS_OF_OTHER_PAGES = ['--disable-features=LocalNetworkAccessChecks'];

/** Launches headless Chromium. `args` are added to its flags; `env` may move it into a network namespace. */
export async function launchChromium({ args = [], executablePath = EXECUTABLE } = {}) {
  const pages = process.env.SPILLWAY_PAGES;
  const browser = await chromium.launch({
    executablePath,
    headless: true,
    args: [...FLAGS, ...(pages === undefined ? [] : FLAGS_OF_OTHER_PAGES), ...args],
  });
  if (pages !== undefined) takePagesFrom(pages, browser);
  return browser;
}

/** Takes the pages from a directory instead of the node: those of `npm run build`, without building the node for each change. */
function takePagesFrom(dir, browser) {
  const makeContext = browser.newContext.bind(browser);
  browser.newContext = async (options) => {
    const context = await makeContext(options);
    await context.route(
      /^https?:\/\/[^/]+\/(assets\/|((watch|studio|vod|overlay)\/[\w-]+|dashboard)(?=$|[?#]))/,
      (route) => {
        const { pathname } = new URL(route.request().url());
        const [, first] = pathname.split('/');
        const name = first === 'assets' ? pathname : `${first}.html`;
        return route.fulfill({ path: path.join(dir, name) });
      },
    );
    return context;
  };
}

/** Opens the bench page in a context of its own. */
export async function openBench(browser, bench) {
  const page = await (await browser.newContext()).newPage();
  // Pages are told nothing but "Failed to fetch".
  page.on('requestfailed', (request) => {
    console.log(`${request.method()} ${request.url()}: ${request.failure()?.errorText}`);
  });
  await page.goto(bench.url);
  await page.waitForFunction(() => window.bench !== undefined);
  return page;
}
