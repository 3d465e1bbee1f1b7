/**
 * Texts that embedders were trained with before queries and passages, by the models' names: no field of a file tells
 * them.
 *
 * Each is the prompt of the model's card or of its `config_sentence_transformers.json`, checked in November 2026 against
 * the lists of others who read them: MTEB (embeddings-benchmark/mteb, `models/{arctic,bge,e5,mxbai,nomic,qwen3}_models.py`
 * and `e5_instruct.py`), the cards of mxbai-embed-large-v1, nomic-embed-text-v1 and arctic-embed-l-v2.0, and for
 * EmbeddingGemma, nomic-embed-code and CodeRankEmbed several programs that quote theirs.
 */

/** Texts put before a query and before a passage. */
export interface Prefixes {
  query: string;
  passage: string;
}

const RETRIEVAL = "Represent this sentence for searching relevant passages: ";
/** Default task of the cards of Qwen3-Embedding and of e5's models with instructions. */
const TASK = "Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery:";

const KNOWN: [name: RegExp, query: string, passage?: string][] = [
  [/nomic-embed-code|coderankembed/i, "Represent this query for searching relevant code: "],
  [/nomic-embed-text|modernbert-embed/i, "search_query: ", "search_document: "],
  // A space follows the colon in e5's cards, and none in Qwen's.
  [/(?:^|[/-])e5-.*instruct/i, `${TASK} `],
  [/(?:^|[/-])e5-/i, "query: ", "passage: "],
  [/arctic-embed.*v2/i, "query: "],
  // mxbai-embed-xsmall has no prompt.
  [/bge-(?:small|base|large)-en|arctic-embed|mxbai-embed-large/i, RETRIEVAL],
  [/bge-(?:small|base|large)-zh/i, "为这个句子生成表示以用于检索相关文章："],
  [/embedding-?gemma/i, "task: search result | query: ", "title: none | text: "],
  [/qwen3-?embedding/i, TASK],
];

/**
 * Returns the prefixes of a model that has some names. MiniLM, gte, bge-m3 and granite-embedding have none, and neither has
 * jina-embeddings-v3 here: its prompts belong to adapters that are not read.
 */
export function prefixesOf(names: readonly string[]): Prefixes {
  for (const name of names) {
    // Names in files have spaces where those of repositories have hyphens.
    const spelled = name.replace(/[\s_]+/g, "-");
    const found = KNOWN.find(([pattern]) => pattern.test(spelled));
    if (found) return { query: found[1], passage: found[2] ?? "" };
  }
  return { query: "", passage: "" };
}
