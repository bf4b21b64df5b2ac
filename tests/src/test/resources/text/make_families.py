"""Writes the small vocabularies in families/ with what the reference implementations make of TEXTS.

tokenizers 0.23.2 and sentencepiece 0.2.2: python make_families.py TRAINING_TEXT
"""

import io
import json
import pathlib
import sys

import sentencepiece
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

FOLDER = pathlib.Path(__file__).parent / "families"
TEXTS = [
    "", " ", "  ", "\n", "\t x", "Hello world", " Hello  world ", "Hello, y'all! How are you 😀 ?我想在apple工作1314151天～",
    "It's we'LL you're I'M don't o'clock THEY'VE (e.g. 3.14, 1,234,567.89)", "1 12 123 1234 12345 007 x2 2x ½ ² Ⅷ ٣٤٥",
    "  two  spaces   three\ttab \t mixed\n\nnew\r\nlines \n  indented\n\n\n end  ", "camelCase HTTPServer snake_case a+b=c",
    "Ünïcödé naïve e\u0301 straße ÆØÅ русский язык ελληνικά ώρα Ωμ", "中文字符 日本語テキスト カタカナ 한국어 ไทย हिन्दी।",
    "\u1f7d\u1fbe\u1fd3\u1fdb\u2126\u212a \u1f7c \u1f71 ǅ ß K Ω ｆｕｌｌ ﬁ ﬆ 𐐀𐐨 𞤀", "\u00a0nbsp\u200bzero \u3000wide “quotes” ‘x’ —…！？。",
    "a\u2028b\u0085c\u000bd", "😀👩\u200d👩\u200d👧", "{x: [1]} <tag/> #hash @user $5 100% ... --- !!/\\\n/\r\n", "don't\n 'tis  'Twas 'LLama",
    "ends with spaces   ", "x \n", "x\n ", "\r\r\n", "the cat sat on the mat, and the dog ran after it.", "cafe\u0301 Å \u212b \u1e9b\u0323 ﷺ",
    "مرحبا بالعالم، كيف؟ שלום", "▁visible ▁▁ spaces", "<s>not a mark</s><unk><0x41>", "\u0000\u0001\ufffd",
]
GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
          r"|\s*[\r\n]+|\s+(?!\S)|\s+")
UPPER, LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
CASED = (
    "A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛὝὟ-\u1f7d"
    "ᾀ-ᾴᾶ-ᾼ\u1fbeῂ-ῄῆ-ῌῐ-\u1fd3ῖ-\u1fdbῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤ\u2126ℨ\u212a-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿ"
    "ﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃")


def camel(contractions, digits):
    mark, tail = r"[^\r\n\p{L}\p{N}]?", "(?i:'s|'t|'re|'ve|'m|'ll|'d)?" if contractions else ""
    return (f"{mark}{UPPER}*{LOWER}+{tail}|{mark}{UPPER}+{LOWER}*{tail}|{digits}"
            r"| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")


HAN = "[一-龥ࠀ-一가-\ud7ff]+"
BLOOM = r" ?[^(\s|.,!?…。，、।۔،)]+"
# As the tokenizer.json of the models spell them; a list is applied one after the other.
PRE = {
    "gpt-2": [GPT2], "starcoder": [r"\p{N}", GPT2], "llama-bpe": [LLAMA3],
    "qwen2": [LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")], "tekken": [camel(False, r"\p{N}")],
    "gpt-4o": [camel(True, r"\p{N}{1,3}")],
    "deepseek-coder": ["[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", HAN, r"\p{N}"],
    "deepseek-llm": ["[\r\n]", rf"\s?[{CASED}]+", r"\s?[!-/:-~！-／：-～‘-‟　-。]+", r"\s+$", HAN, r"\p{N}+"],
    "deepseek-v3": [r"\p{N}{1,3}", "[一-龥\u3040-ゟ゠-ヿ]+",
                    r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"
                    r"| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"],
    "falcon": [r"[\p{P}$+<=>^~|`]+", GPT2, "[0-9][0-9][0-9]"],
    "default": [r"[\p{P}$+<=>^~|]+", GPT2, r"\p{N}+", "[0-9][0-9][0-9]"],
    "bloom": [BLOOM], "viking": [BLOOM, r"\p{N}"],
}


def byte_level(text):
    base = Tokenizer(models.BPE())
    base.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    base.train_from_iterator(
        [text] + TEXTS * 3,
        trainers.BpeTrainer(vocab_size=2000, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    model = json.loads(base.to_str())["model"]
    tokens = sorted(model["vocab"], key=model["vocab"].get)
    ids = {}
    for name, patterns in PRE.items():
        each = Tokenizer.from_str(base.to_str())
        each.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.Split(Regex(p), "isolated") for p in patterns]
            + [pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
        each.decoder = decoders.ByteLevel()
        if name == "qwen2":
            each.normalizer = normalizers.NFC()
        if name == "llama-bpe":
            each.model.ignore_merges = True
        ids[name] = [each.encode(t).ids for t in TEXTS]
        # What Unicode's normal form leaves as it is comes back.
        assert all(each.decode(i) == t for i, t in zip(ids[name], TEXTS) if name != "qwen2" and "\u0000" not in t)
    out = dict(tokens=tokens, merges=[" ".join(m) for m in model["merges"]], texts=TEXTS, ids=ids)
    (FOLDER / "byte-level.json").write_text(json.dumps(out, separators=(",", ":")) + "\n")


def sentence_piece(text, name, **options):
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(text.split("\n")), model_writer=model, minloglevel=2, **options)
    (FOLDER / f"{name}.model").write_bytes(model.getvalue())
    processor = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    cases = []
    for t in TEXTS:
        if "\u0000" not in t:
            ids = processor.encode(t)
            cases.append(dict(text=t, ids=ids, decoded=processor.decode(ids)))
    (FOLDER / f"{name}.json").write_text(json.dumps(cases, separators=(",", ":")) + "\n")


def main():
    text = pathlib.Path(sys.argv[1]).read_text()[:200_000]
    FOLDER.mkdir(exist_ok=True)
    byte_level(text)
    sentence_piece(text, "bpe-bytes", model_type="bpe", vocab_size=800, byte_fallback=True, character_coverage=0.9995,
                   normalization_rule_name="identity", remove_extra_whitespaces=False, split_digits=True,
                   user_defined_symbols=["<mark>"])
    rules = FOLDER / "rules.tsv"
    pairs = {"\ufb01": "fi", "\u212b": "\u00c5", "\u2460": "1", "\uff46": "f", "e\u0301": "\u00e9", "\u2026": "...",
             "\u00a0": " ", "\u3000": " ", "\t": " ", "\u2167": "VIII"}
    rules.write_text("".join(" ".join(f"{ord(c):X}" for c in k) + "\t" + " ".join(f"{ord(c):X}" for c in v) + "\n"
                             for k, v in pairs.items()))
    sentence_piece(text, "unigram-rules", model_type="unigram", vocab_size=600, normalization_rule_tsv=str(rules))
    rules.unlink()


main()
