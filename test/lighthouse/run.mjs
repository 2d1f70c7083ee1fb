// Runs Lighthouse against the admin pages of a stack that runs, signed in with its local
// key. It prints the scores of each page for accessibility and best practices, and fails if
// one is below 95. Usage: node run.mjs URL
import { launch } from "chrome-launcher";
import lighthouse from "lighthouse";

const base = process.argv[2];
const pages = ["/", "/#/mailings", "/#/mailings/new", "/#/clients", "/#/clients/import", "/#/queues", "/#/help"];
const least = 95;

// session returns the cookie of a new session.
async function session() {
  const answer = await fetch(`${base}/api/session`, {
    method: "POST",
    headers: { "Content-Type": "application/json", Origin: base },
    body: JSON.stringify({ key: process.env.KEY ?? "local-admin" }),
  });
  if (!answer.ok) throw new Error(`sign in at ${base}: status ${answer.status}. Set KEY to a key of this stack.`);
  return answer.headers.getSetCookie()[0].split(";")[0];
}

const cookie = await session();
const chrome = await launch({ chromePath: process.env.CHROMIUM, chromeFlags: ["--headless=new", "--no-sandbox"] });
let low = 0;
try {
  for (const [name, extraHeaders] of [["signing in", {}], ...pages.map((p) => [p, { Cookie: cookie }])]) {
    const address = name.startsWith("/") ? name : "/";
    const { lhr } = await lighthouse(base + address, {
      port: chrome.port, logLevel: "error", onlyCategories: ["accessibility", "best-practices"], extraHeaders,
    });
    const scores = Object.values(lhr.categories).map((c) => [c.title, Math.round(c.score * 100)]);
    console.log(`figure: ${name}: ${scores.map(([title, score]) => `${title} ${score}`).join(", ")}`);
    const failed = Object.values(lhr.audits).filter((a) => a.score !== null && a.score < 1 && a.scoreDisplayMode === "binary");
    for (const a of failed) console.log(`  ${a.id}: ${a.title}`);
    low += scores.filter(([, score]) => score < least).length;
  }
} finally {
  await chrome.kill();
}
if (low > 0) {
  console.error(`${low} scores are below ${least}`);
  process.exit(1);
}
