/** Programming languages by the ends of names, and how their definitions begin. */

const NAMES =
  "astro bash bat c cc cfg clj cljs cmake conf cpp cs css cu cxx dart el elm erl ex exs f90 fish fs gd glsl go gradle graphql groovy h hh hpp hrl hs ini java jl js json jsonc jsx kt kts less lua m make mjs mk ml mm mts nim nix pas php pl pm proto ps1 py pyi r rb rs sass scala scm scss sh sol sql svelte swift tcl tex tf toml ts tsx v vb vhd vim vue wgsl xml xsd yaml yml zig zsh";
const KNOWN = new Set(NAMES.split(" "));
const WHOLE = /^(makefile|dockerfile|cmakelists\.txt|rakefile|gemfile|justfile)$/i;

/** Returns the end of a source file's name, or undefined if it is not one of a language. */
export function languageOf(name: string): string | undefined {
  const file = name.split(/[\\/]/).at(-1) ?? "";
  if (WHOLE.test(file)) return "make";
  const end = /\.([a-z0-9]+)$/i.exec(file)?.[1]?.toLowerCase();
  return end !== undefined && KNOWN.has(end) ? end : undefined;
}

const MODIFIERS =
  /^(?:(?:export|default|declare|pub(?:\([\w:]+\))?|public|private|protected|internal|static|final|abstract|sealed|open|override|async|unsafe|extern(?:\s+"\w+")?|inline|virtual|const(?=\s+fn)|data|suspend|partial|local)\s+)*/;
const KEYWORD =
  /^(?:fn|func|function\*?|def|class|struct|enum|trait|impl(?:<[^>]*>)?|interface|type|module|mod|namespace|package|macro_rules!|object|protocol|extension|record|sub|proc|fun|defmodule|defp?|let|const|var|val|CREATE\s+(?:OR\s+REPLACE\s+)?(?:TABLE|VIEW|FUNCTION|PROCEDURE|INDEX))\b\s*([\w$.:<>~-]+)?/i;
/** A definition of C and its relatives: a type, a name, parameters and no semicolon. */
const C_LIKE = /^(?:[\w:<>,~*&[\]]+\s+)+[*&]*([\w:~]+)\s*\([^;]*$/;
/** A method of Go: its receiver comes before its name. */
const RECEIVER = /^func\s*\([^)]*\)\s*(\w+)/;
const NOT_NAMES = new Set("if for while switch return else do catch match case elif with try".split(" "));

/** Returns the name that a line at the margin defines; undefined if it is no definition. */
export function definedBy(line: string): string | undefined {
  if (!/^[A-Za-z_$]/.test(line)) return undefined;
  const receiver = RECEIVER.exec(line)?.[1];
  if (receiver !== undefined) return receiver;
  const rest = line.replace(MODIFIERS, "");
  const name = (KEYWORD.exec(rest) ?? C_LIKE.exec(rest))?.[1]?.replace(/[:<(].*$|:$/, (end) =>
    end.startsWith("::") ? end : "",
  );
  return name === undefined || name === "" || NOT_NAMES.has(rest.split(/\W/, 1)[0] ?? "") ? undefined : name;
}
