// Bundles the page's script into the folder that is named, together with the licences of what is in the bundle.

import { build } from "esbuild";
import { readFile, readdir, writeFile } from "node:fs/promises";
import { join, sep } from "node:path";

const [folder] = process.argv.slice(2);
if (folder === undefined) throw new Error("usage: node build.js FOLDER");

const { metafile } = await build({
  entryPoints: ["src/main.js"],
  outfile: join(folder, "sign-in.js"),
  bundle: true,
  minify: true,
  format: "iife",
  platform: "browser",
  target: ["chrome109", "firefox115", "safari16"],
  charset: "utf8",
  legalComments: "none",
  banner: { js: "/* Built from functions/regional/signin-api/page; licences of what is in it: THIRD-PARTY.txt. */" },
  metafile: true,
});

const parts = await Promise.all(bundledPackages(metafile).map(licence));
await writeFile(join(folder, "THIRD-PARTY.txt"), `sign-in.js holds code of these packages.\n\n${parts.join("\n")}`);

/** The packages of which the bundle holds code. */
function bundledPackages({ outputs }) {
  const [output] = Object.values(outputs);
  const used = Object.entries(output.inputs).filter(([, { bytesInOutput }]) => bytesInOutput > 0);
  const names = used.map(([input]) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(input.replaceAll(sep, "/"))?.[1]);
  return [...new Set(names.filter((name) => name !== undefined))].sort();
}

async function licence(name) {
  const home = join("node_modules", name);
  const { version, license } = JSON.parse(await readFile(join(home, "package.json"), "utf8"));
  const file = (await readdir(home)).find((entry) => /^licen[cs]e(\.(md|txt))?$/i.test(entry));
  if (file === undefined) throw new Error(`${name} ${version} comes without its licence`);
  const text = (await readFile(join(home, file), "utf8")).replaceAll("\r\n", "\n").trim();
  return `${"=".repeat(100)}\n${name} ${version} (${license})\n${"=".repeat(100)}\n\n${text}\n`;
}
