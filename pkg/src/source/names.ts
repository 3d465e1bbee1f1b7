/**
 * Information in the names of a model's files: whether one is a model or a companion file, and how its weights are
 * stored.
 */

/** A file that is never a model itself: parts for vision or audio, and the measurements of quantisers. */
export type Sidecar = "projector" | "importance";
export type Role = "model" | Sidecar | "draft" | "adapter";

/**
 * Quantisations in order of preference: the popular ones, small enough to run and large enough to be good, come first;
 * smaller ones come last.
 */
const PREFERRED =
  "Q4_K_M Q4_K_XL Q4_K_L Q4_K_S Q4_K Q4_0 Q4_1 MXFP4 NVFP4 Q5_K_M Q5_K_XL Q5_K_S Q5_K IQ4_NL IQ4_XS Q5_0 Q5_1 Q8_0 Q6_K F16 BF16 " +
  "Q3_K_XL Q3_K_L Q3_K_M Q3_K IQ3_M IQ3_S Q3_K_S IQ3_XS IQ3_XXS Q2_K_XL Q2_K_L Q2_K IQ2_M IQ2_S IQ2_XS IQ2_XXS Q2_0 TQ2_0 " +
  "TQ1_0 Q1_0 IQ1_M IQ1_S F32";
const RANKS = new Map(PREFERRED.split(" ").map((name, rank) => [name, rank]));
/**
 * Quantisations that the core reads, followed by the letters of a mixture. Packed forms such as Q4_0_4_4 are different
 * types.
 */
const READABLE =
  /^(F32|B?F16|Q[45]_[01]|Q[128]_0|Q[2-6]_K|Q8_K_XL|IQ4_(NL|XS)|IQ3_(M|S|XS|XXS)|IQ2_(M|S|XS|XXS)|IQ1_[MS]|TQ[12]_0|MXFP4|NVFP4)(_[A-Z]+)*$/;
const QUANT =
  /(?<![A-Z0-9])(UD-)?((?:I?Q\d|TQ\d|MXFP\d|NVFP\d)(?:_(?:[A-Z]{1,3}|MOE|\d)(?![A-Z0-9]))*|BF16|FP?16|FP?32)(?![A-Z0-9])/gi;

const word = (words: string): RegExp => new RegExp(`(^|[^a-z0-9])(${words})([^a-z0-9]|$)`, "i");
const DRAFT = word("mtp|nextn|draft(er)?|eagle\\d?|dflash|speculator");
const ADAPTER = word("lora|adapter(_model)?");

export function roleOf(path: string): Role {
  const name = path.replace(/^.*\//, "");
  if (/mmproj/i.test(name) || word("mmproj").test(path)) return "projector";
  // Models quantised with an importance matrix mention it too, next to their quantisation.
  if (/\.(dat|imatrix)$/i.test(name) || (/imatrix/i.test(name) && tokens(name).length === 0)) return "importance";
  if (DRAFT.test(path)) return "draft";
  return ADAPTER.test(name) ? "adapter" : "model";
}

/**
 * Returns the models among the files. Drafts and adapters count only if there are no others, since then they are the
 * repository's subject.
 */
export function modelsAmong<T>(files: readonly T[], nameOf: (file: T) => string): T[] {
  const roles = files.map((file) => [file, roleOf(nameOf(file))] as const);
  const models = roles.filter(([, role]) => role === "model");
  const rest = models.length > 0 ? models : roles.filter(([, role]) => role === "draft" || role === "adapter");
  return rest.map(([file]) => file);
}

/**
 * Returns the quantisation in the name of a file or its folder, in llama.cpp's spelling; undefined if there is none.
 */
export function quantOf(path: string): string | undefined {
  for (const name of path.split("/").reverse()) {
    const found = tokens(name);
    // `model-f16-Q4_K_M` was quantised from floats.
    const quant = found.filter((token) => !/^B?F\d/.test(token)).at(-1) ?? found.at(-1);
    if (quant !== undefined) return quant;
  }
  return undefined;
}

/** Normalises a quantisation to the spelling of `quantOf`. */
export function normalQuant(text: string): string {
  return text.toUpperCase().replace(/^FP/, "F");
}

/** Ranks a quantisation, lower is better; undefined if the core cannot read it. An unknown name is worth a last try. */
export function rankOf(quant: string | undefined): number | undefined {
  if (quant === undefined) return RANKS.size + 1;
  const plain = quant.replace(/^UD-/, "");
  if (!READABLE.test(plain)) return /^(I?Q[1-3]|TQ)|_\d_\d$/.test(plain) ? undefined : RANKS.size + 1;
  return RANKS.get(plain) ?? RANKS.get(plain.replace(/(_[A-Z]{2,})+$/, "")) ?? RANKS.size;
}

/** Returns a name's position among the parts of a split file; undefined for a whole file. */
export function partOf(path: string): { start: string; index: number; count: number } | undefined {
  const match = /^(.*)-(\d{5})-of-(\d{5})\.(gguf|safetensors)$/i.exec(path);
  return match === null ? undefined : { start: match[1] ?? "", index: Number(match[2]), count: Number(match[3]) };
}

function tokens(name: string): string[] {
  const stem = name.replace(/\.gguf$/i, "");
  return [...stem.matchAll(QUANT)].map(([, ud = "", quant = ""]) => ud.toUpperCase() + normalQuant(quant));
}

/** Formats of other programs, recognised by their files. */
const FORMATS: [RegExp, string][] = [
  [/\.onnx(_data)?$/i, "ONNX"],
  [/ggml[^/]*\.bin$/i, "GGML (before GGUF)"],
  [/\.npz$/i, "MLX"],
  [/\.(tflite|task|litertlm)$/i, "LiteRT"],
  [/\.ml(modelc|package)\//i, "Core ML"],
  [/\.(h5|msgpack)$/i, "TensorFlow or Flax"],
  [/\.(bin|pth?|ckpt)$/i, "PyTorch (.bin)"],
];
/** Ways to store weights in safetensors that the core cannot read, recognised by the repository's tags. */
const METHODS: [RegExp, string][] = [
  [/^mlx(-|$)/i, "MLX"],
  [/^gptq/i, "GPTQ"],
  [/^awq/i, "AWQ"],
  [/^exl[23]/i, "EXL"],
  [/^(aqlm|hqq|quip)/i, "AQLM, HQQ or QuIP"],
  [/^(bnb|bitsandbytes)/i, "bitsandbytes"],
];

/** Returns the format of a repository without GGUF if it cannot be read. */
export function foreignFormat(paths: readonly string[], words: readonly string[]): string | undefined {
  if (!paths.some((path) => /\.safetensors$/i.test(path))) {
    return FORMATS.find(([end]) => paths.some((path) => end.test(path)))?.[1];
  }
  const method = METHODS.find(([start]) => words.some((word) => start.test(word)))?.[1];
  // MLX stores floats in the usual way.
  return method === "MLX" && words.some((word) => /^b?f(p|loat)?16$/i.test(word)) ? undefined : method;
}

/** Returns a model's name without the suffix of its repository's conversion. */
export function plainName(repository: string): string {
  const name = repository.replace(/^.*\//, "");
  return name.replace(/[-_.](gptq|awq|mlx|onnx|exl[23]|ggml|aqlm|hqq|bnb|int[48]|[2-8]-?bits?|w4a16)([-_.].*)?$/i, "");
}
