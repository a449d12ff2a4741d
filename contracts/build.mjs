// node contracts/build.mjs            write the artifacts
// node contracts/build.mjs --check    compile again and compare with the committed ones, byte for byte

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";

import { compile, CONTRACTS, version } from "./compiler.mjs";

// Cancun is on Polygon since March 2024 and on every chain we may meet.
const SETTINGS = {
  optimizer: { enabled: true, runs: 200 },
  evmVersion: "cancun",
  metadata: { bytecodeHash: "none" },
};
// test/ holds contracts that misbehave; never deployed but by tests.
const FOLDERS = { ".": "artifacts", test: "artifacts/test" };

function sources(folder) {
  const names = readdirSync(join(CONTRACTS, folder)).filter((name) => name.endsWith(".sol"));
  return names.filter((name) => !name.endsWith(".t.sol") && name !== "Vm.sol").sort();
}

function outputs() {
  const found = Object.entries(FOLDERS).flatMap(([folder, target]) =>
    sources(folder).map((name) => ({ path: join(folder, name).replaceAll("\\", "/"), target })),
  );
  const compiled = compile({
    language: "Solidity",
    sources: Object.fromEntries(found.map(({ path }) => [path, { content: text(join(CONTRACTS, path)) }])),
    settings: {
      ...SETTINGS,
      outputSelection: { "*": { "*": ["abi", "evm.bytecode.object", "evm.deployedBytecode.object"] } },
    },
  });
  refuse(compiled.errors ?? []);
  return found.map(({ path, target }) => {
    const name = basename(path, ".sol");
    return { file: join(CONTRACTS, target, `${name}.json`), content: artifact(name, path, compiled.contracts[path][name]) };
  });
}

/** A warning is an error: nothing here is allowed to be unclear. */
function refuse(errors) {
  if (errors.length > 0) {
    throw new Error(errors.map((error) => error.formattedMessage).join("\n"));
  }
}

function artifact(name, path, { abi, evm }) {
  const content = {
    contractName: name,
    source: `contracts/${path}`,
    compiler: { version: version(), settings: SETTINGS },
    abi,
    bytecode: `0x${evm.bytecode.object}`,
    deployedBytecode: `0x${evm.deployedBytecode.object}`,
  };
  return `${JSON.stringify(content, null, 2)}\n`;
}

/** A checkout on Windows may have turned the line ends. */
function text(file) {
  return readFileSync(file, "utf8").replaceAll("\r\n", "\n");
}

function write({ file, content }) {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, content);
}

function differs({ file, content }) {
  try {
    return text(file) !== content;
  } catch (error) {
    if (error.code === "ENOENT") return true;
    throw error;
  }
}

/** Artifacts whose source is gone. */
function orphans(built) {
  const known = new Set(built.map(({ file }) => file));
  const there = Object.values(FOLDERS).flatMap((target) =>
    readdirSync(join(CONTRACTS, target)).map((name) => join(CONTRACTS, target, name)),
  );
  return there.filter((file) => file.endsWith(".json") && !known.has(file));
}

const built = outputs();
if (process.argv.includes("--check")) {
  const stale = [...built.filter(differs).map(({ file }) => file), ...orphans(built)];
  console.log(stale.length ? `not what the sources give:\n${stale.join("\n")}` : `${built.length} artifacts are what the sources give`);
  process.exitCode = stale.length ? 1 : 0;
} else {
  built.forEach(write);
  console.log(`${built.length} artifacts written by solc ${version()}`);
}
