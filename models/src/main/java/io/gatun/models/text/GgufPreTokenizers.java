package io.gatun.models.text;

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
      "A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕἠ-ὅὈ-Ὅ"
          + "ὐ-ὗὙὛὝὟ-ώᾀ-ᾴᾶ-ᾼιῂ-ῄῆ-ῌῐ-ΐῖ-Ίῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤΩℨK-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛ"
          + "Ꜣ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃";

  private static final Map<String, String[]> BY_NAME = new TreeMap<>();

  static {
    put("gpt-2 phi-2 mpt olmo jais trillion roberta-bpe", PreTokenizer.GPT2);
    put("starcoder refact command-r smollm codeshell exaone minerva-7b", DIGITS_GPT2);
    put("llama-bpe llama3 llama-v3 falcon3 pixtral dbrx smaug-bpe chatglm-bpe glm4", LLAMA3);
    put("qwen2 deepseek-r1-qwen stablelm2 hunyuan megrez", QWEN2);
    put("tekken", CAMEL.formatted("", "\\p{N}"));
    put("gpt-4o llama4", CAMEL.formatted(CONTRACTIONS + "?", "\\p{N}{1,3}"));
    put("deepseek-coder", "[\r\n]", "\\s?\\p{L}+", "\\s?\\p{P}+", HAN, "\\p{N}");
    put(
        "deepseek-llm",
        "[\r\n]",
        "\\s?[" + CASED + "]+",
        "\\s?[!-/:-~\uFF01-\uFF0F\uFF1A-\uFF5E\u2018-\u201F\u3000-\u3002]+",
        "\\s+$",
        HAN,
        "\\p{N}+");
    put(
        "deepseek-v3",
        "\\p{N}{1,3}",
        "[\u4E00-\u9FA5\u3040-\u309F\u30A0-\u30FF]+",
        "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+"
            + "|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*"
            + "|\\s*[\r\n]+|\\s+(?!\\S)|\\s+");
    put("falcon", "[\\p{P}$+<=>^~|`]+", PreTokenizer.GPT2, "[0-9][0-9][0-9]");
    put("default", "[\\p{P}$+<=>^~|]+", PreTokenizer.GPT2, "\\p{N}+", "[0-9][0-9][0-9]");
    put(
        "bloom poro-chat gpt3-finnish",
        " ?[^(\\s|.,!?\u2026\u3002\uFF0C\u3001\u0964\u06D4\u060C)]+");
    put("viking", " ?[^(\\s|.,!?\u2026\u3002\uFF0C\u3001\u0964\u06D4\u060C)]+", "\\p{N}");
  }

  private GgufPreTokenizers() {}

  /// The pre-tokenizer of that name, byte alphabet included, or null.
  static PreTokenizer find(String name) {
    String[] patterns = BY_NAME.get(name);
    if (patterns == null) {
      return null;
    }
    PreTokenizer all = PreTokenizer.isolate(patterns[0]);
    for (int i = 1; i < patterns.length; i++) {
      all = all.then(PreTokenizer.isolate(patterns[i]));
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
  /// token is that token whatever the merges say: so for Llama 3.
  static boolean isLlama3(String name) {
    return BY_NAME.containsKey(name) && name.matches("llama-bpe|llama3|llama-v3|falcon3|pixtral");
  }

  private static void put(String names, String... patterns) {
    for (String name : names.split(" ", -1)) {
      BY_NAME.put(name, patterns);
    }
  }
}
