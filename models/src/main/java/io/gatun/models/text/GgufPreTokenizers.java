package io.gatun.models.text;

import java.nio.file.Path;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/// The pre-tokenizers that GGUF files name in `tokenizer.ggml.pre`, as their models' own
/// `tokenizer.json` files spell them: patterns, each cutting the words that the one before left.
final class GgufPreTokenizers {
  private static final String CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";

  private static final String LLAMA3 =
      CONTRACTIONS
          + "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*"
          + "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

  private static final String QWEN2 = LLAMA3.replace("\\p{N}{1,3}", "\\p{N}");

  /// Words in camel case, each with a mark before it.
  private static final String CAMEL =
      "[^\\r"
          + "\\n"
          + "\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+%1$s|[^\\r"
          + "\\n"
          + "\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*%1$s|%2$s|"
          + " ?[^\\s\\p{L}\\p{N}]+[\\r"
          + "\\n"
          + "/]*|\\s*[\\r"
          + "\\n"
          + "]+|\\s+(?!\\S)|\\s+";

  private static final String HAN = "[\u4E00-\u9FA5\u0800-\u4E00\uAC00-\uD7FF]+";

  private static final String[] DIGITS_GPT2 = {"\\p{N}", PreTokenizer.GPT2};

  /// The letters with case, as DeepSeek lists them.
  private static final String CASED =
      "A-Za-z\\u00B5\\u00C0-\\u00D6\\u00D8-\\u00F6\\u00F8-\\u01BA\\u01BC-\\u01BF\\u01C4-"
          + "\\u0293\\u0295-\\u02AF\\u0370-\\u0373\\u0376\\u0377\\u037B-\\u037D\\u037F\\u0386"
          + "\\u0388-\\u038A\\u038C\\u038E-\\u03A1\\u03A3-\\u03F5\\u03F7-\\u0481\\u048A-\\u052F"
          + "\\u0531-\\u0556\\u10A0-\\u10C5\\u13A0-\\u13F5\\u13F8-\\u13FD\\u1C90-\\u1CBA\\u1CBD-"
          + "\\u1CBF\\u1D00-\\u1D2B\\u1D6B-\\u1D77\\u1D79-\\u1D9A\\u1E00-\\u1F15\\u1F18-\\u1F1D"
          + "\\u1F20-\\u1F45\\u1F48-\\u1F4D\\u1F50-\\u1F57\\u1F59\\u1F5B\\u1F5D\\u1F5F-\\u1F7D"
          + "\\u1F80-\\u1FB4\\u1FB6-\\u1FBC\\u1FBE\\u1FC2-\\u1FC4\\u1FC6-\\u1FCC\\u1FD0-\\u1FD3"
          + "\\u1FD6-\\u1FDB\\u1FE0-\\u1FEC\\u1FF2-\\u1FF4\\u1FF6-\\u1FFC\\u2102\\u2107\\u210A-"
          + "\\u2113\\u2115\\u2119-\\u211D\\u2124\\u2126\\u2128\\u212A-\\u212D\\u212F-\\u2134"
          + "\\u2139\\u213C-\\u213F\\u2145-\\u2149\\u214E\\u2183\\u2184\\u2C00-\\u2C7B\\u2C7E-"
          + "\\u2CE4\\u2CEB-\\u2CEE\\u2CF2\\u2CF3\\uA640-\\uA66D\\uA680-\\uA69B\\uA722-\\uA76F"
          + "\\uA771-\\uA787\\uA78B-\\uA78E\\uAB70-\\uABBF\\uFB00-\\uFB06\\uFB13-\\uFB17\\uFF21-"
          + "\\uFF3A\\uFF41-\\uFF5A\\x{10400}-\\x{1044F}\\x{104B0}-\\x{104D3}\\x{104D8}-"
          + "\\x{104FB}\\x{10C80}-\\x{10CB2}\\x{10CC0}-\\x{10CF2}\\x{118A0}-\\x{118DF}\\x{1E900}-"
          + "\\x{1E943}";

  private static final Map<String, String[]> BY_NAME = new TreeMap<>();

  static {
    put(
        "gpt-2 phi-2 mpt olmo jais trillion roberta-bpe exaone4 gigachat a.x-4.0 mellum"
            + " granite-docling modern-bert jina-es jina-de jina-v2-es jina-v2-de",
        PreTokenizer.GPT2);
    put("starcoder refact command-r smollm codeshell exaone minerva-7b", DIGITS_GPT2);
    put(
        "llama-bpe llama3 llama-v3 falcon3 falcon-h1 lfm2 pixtral midm-2.0 jina-v5-nano dbrx"
            + " smaug-bpe chatglm-bpe glm4",
        LLAMA3);
    put("qwen2 deepseek-r1-qwen stablelm2 hunyuan megrez kormo grok-2 solar-open", QWEN2);
    put(
        "qwen35",
        QWEN2
            .replace("]?\\p{L}+", "]?[\\p{L}\\p{M}]+")
            .replace("[^\\s\\p{L}\\p{N}]", "[^\\s\\p{L}\\p{M}\\p{N}]"));
    put("tekken", CAMEL.formatted("", "\\p{N}"));
    put("gpt-4o llama4 kanana2 minimax-m2", CAMEL.formatted(CONTRACTIONS + "?", "\\p{N}{1,3}"));
    put("deepseek-coder", "[\r\n]", "\\s?\\p{L}+", "\\s?\\p{P}+", HAN, "\\p{N}");
    put(
        "deepseek-llm",
        "[\r\n]",
        "\\s?[" + CASED + "]+",
        "\\s?[!-/:-~\uFF01-\uFF0F\uFF1A-\uFF5E\u2018-\u201F\u3000-\u3002]+",
        "(?<!\\s)\\s+$", // DeepSeek's "\s+$", which takes quadratic time for many spaces
        HAN,
        "\\p{N}+");
    put(
        "deepseek-v3 hunyuan-dense joyai-llm",
        "\\p{N}{1,3}",
        "[\u4E00-\u9FA5\u3040-\u309F\u30A0-\u30FF]+",
        "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+"
            + "|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*"
            + "|\\s*[\r\n]+|\\s+(?!\\S)|\\s+");
    put(
        "bailingmoe bailingmoe2 llada-moe",
        "'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}+|\\p{N}"
            + "| ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+");
    put(
        "seed-coder",
        CONTRACTIONS
            + "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}\\r\\n]+"
            + "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+");
    put("falcon", "[\\p{P}$+<=>^~|`]+", PreTokenizer.GPT2, "[0-9][0-9][0-9]");
    put("default", "[\\p{P}$+<=>^~|]+", PreTokenizer.GPT2, "\\p{N}+", "[0-9][0-9][0-9]");
    put(
        "bloom poro-chat gpt3-finnish",
        " ?[^(\\s|.,!?\u2026\u3002\uFF0C\u3001\u0964\u06D4\u060C)]+");
    put("viking", " ?[^(\\s|.,!?\u2026\u3002\uFF0C\u3001\u0964\u06D4\u060C)]+", "\\p{N}");
  }

  private GgufPreTokenizers() {}

  /// The pre-tokenizer of that name, byte alphabet included, or null.
  ///
  /// @param file whose it is to be, for messages
  static PreTokenizer find(String name, Path file) {
    String[] patterns = BY_NAME.get(name);
    if (patterns == null) {
      return null;
    }
    PreTokenizer all = PreTokenizer.isolate(FilePattern.of(patterns[0], file));
    for (int i = 1; i < patterns.length; i++) {
      all = all.then(PreTokenizer.isolate(FilePattern.of(patterns[i], file)));
    }
    return all.then(PreTokenizer.bytes());
  }

  /// All names, the ones that most models use first.
  static List<String> candidates() {
    var names = new LinkedHashSet<>(List.of("gpt-2", "llama-bpe", "qwen2"));
    names.addAll(BY_NAME.keySet());
    return List.copyOf(names);
  }

  static String names() {
    return String.join(", ", BY_NAME.keySet());
  }

  /// Whether text begins with BOS unless the file says otherwise, and whether a word that is a
  /// token is that token whatever the merges say: so for Llama 3 and Mistral's tekken.
  static boolean isLlama3(String name) {
    return BY_NAME.containsKey(name)
        && name.matches(
            "llama-bpe|llama3|llama-v3|falcon3|falcon-h1|lfm2|pixtral|midm-2\\.0|jina-v5-nano|tekken");
  }

  private static void put(String names, String... patterns) {
    for (String name : names.split(" ", -1)) {
      BY_NAME.put(name, patterns);
    }
  }
}
