// The one compiler: the wasm solc of npm, the same bytes on every system.
//
// As a program it stands in for a native solc, so that forge uses it too: `--version`, or standard
// JSON from stdin to stdout.

import { existsSync, readFileSync, realpathSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const solc = createRequire(import.meta.url)("solc");

export const CONTRACTS = dirname(fileURLToPath(import.meta.url));
const NODE_MODULES = join(CONTRACTS, "..", "node_modules");

export const version = () => solc.version();

/** Compile standard JSON; sources that are not in it are read from node_modules. */
export function compile(input) {
  return JSON.parse(solc.compile(JSON.stringify(input), { import: readImport }));
}

function readImport(path) {
  const file = join(NODE_MODULES, path);
  return existsSync(file) ? { contents: readFileSync(file, "utf8") } : { error: `${path} is not installed` };
}

function main() {
  if (process.argv.includes("--version")) {
    process.stdout.write(`solc, the solidity compiler\nVersion: ${version()}\n`);
  } else {
    process.stdout.write(JSON.stringify(compile(JSON.parse(readFileSync(0, "utf8")))));
  }
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  main();
}
