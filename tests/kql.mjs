// Judges Kusto queries by Microsoft's own language service: { tables, queries } as JSON in, a list of findings for each query out.
// Source of the calls: npm @kusto/language-service-next, README and Kusto.Language.Bridge.d.ts.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const require = createRequire(process.argv[2]); // the repository's package.json: where the library is installed
require("@kusto/language-service-next/bridge.js");
require("@kusto/language-service-next/Kusto.Language.Bridge.js");

const { tables, queries } = JSON.parse(readFileSync(0, "utf-8"));
const symbols = Object.entries(tables).map(
  ([name, columns]) => Kusto.Language.Symbols.TableSymbol.From(`(${columns})`).WithName(name)
);
const database = new Kusto.Language.Symbols.DatabaseSymbol.ctor("workspace", symbols);
const globals = Kusto.Language.GlobalState.Default.WithDatabase(database);

function findings(text) {
  const found = Kusto.Language.KustoCode.ParseAndAnalyze(text, globals).GetDiagnostics();
  return Array.from({ length: found.Count }, (_, at) => found.getItem(at)).map(
    (each) => `${each.Severity}: ${each.Message} (${text.slice(each.Start, each.Start + each.Length)})`
  );
}
console.log(JSON.stringify(Object.fromEntries(Object.entries(queries).map(([name, text]) => [name, findings(text)]))));
