package io.gatun.models.clip;

import java.text.Normalizer;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.MatchResult;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// What CLIP does to a text before it cuts it into tokens (openai/CLIP, simple_tokenizer.py,
/// basic_clean and whitespace_clean): HTML's entities are resolved twice, characters are mended as
/// the Python library ftfy does, and white space becomes single spaces.
///
/// Of ftfy's mending there are the rules for typographic quotes, ligatures, full width characters,
/// terminal escapes and control characters, and normal form C; text that was decoded with a wrong
/// character set stays as it is. Of entities there are the numeric ones and those of HTML 4's
/// Latin-1 set, with their semicolons.
final class PromptCleaning {
  private static final Pattern ENTITY =
      Pattern.compile("&(?:#(\\d{1,7})|#[xX]([0-9a-fA-F]{1,6})|([A-Za-z][A-Za-z0-9]{1,7}));");

  private static final Pattern TERMINAL_ESCAPE = Pattern.compile("\u001B\\[[0-9;]*m");
  private static final Pattern SINGLE_QUOTES = Pattern.compile("[\u02BC\u2018-\u201B]");
  private static final Pattern DOUBLE_QUOTES = Pattern.compile("[\u201C-\u201F]");

  /// Controls that are no white space, and marks that show nothing: byte order, direction, joining
  /// across lines.
  private static final Pattern CONTROLS =
      Pattern.compile("[\\x00-\\x08\\x0B\\x0E-\\x1F\\x7F\u206A-\u206F\uFEFF\uFFF9-\uFFFC]");

  private static final Pattern SPACE = Pattern.compile("\\s+", Pattern.UNICODE_CHARACTER_CLASS);

  private static final List<String> LIGATURES =
      List.of("ff", "fi", "fl", "ffi", "ffl", "\u017Ft", "st");

  private static final Map<String, Integer> NAMES = new HashMap<>();

  static {
    NAMES.putAll(Map.of("quot", 34, "amp", 38, "apos", 39, "lt", 60, "gt", 62));
    NAMES.putAll(Map.of("ndash", 0x2013, "mdash", 0x2014, "hellip", 0x2026, "bull", 0x2022));
    NAMES.putAll(
        Map.of("lsquo", 0x2018, "rsquo", 0x2019, "ldquo", 0x201C, "rdquo", 0x201D, "euro", 0x20AC));
    String latin =
        """
        nbsp iexcl cent pound curren yen brvbar sect uml copy ordf laquo not shy reg macr deg plusmn
        sup2 sup3 acute micro para middot cedil sup1 ordm raquo frac14 frac12 frac34 iquest Agrave
        Aacute Acirc Atilde Auml Aring AElig Ccedil Egrave Eacute Ecirc Euml Igrave Iacute Icirc Iuml
        ETH Ntilde Ograve Oacute Ocirc Otilde Ouml times Oslash Ugrave Uacute Ucirc Uuml Yacute THORN
        szlig agrave aacute acirc atilde auml aring aelig ccedil egrave eacute ecirc euml igrave
        iacute icirc iuml eth ntilde ograve oacute ocirc otilde ouml divide oslash ugrave uacute
        ucirc uuml yacute thorn yuml\
        """;
    int code = 0xA0;
    for (String name : latin.split("\\s+", -1)) {
      NAMES.put(name, code++);
    }
  }

  private PromptCleaning() {}

  static String clean(String text) {
    String mended = unescape(unescape(text));
    mended = TERMINAL_ESCAPE.matcher(mended).replaceAll("");
    mended = unfold(mended);
    mended = SINGLE_QUOTES.matcher(mended).replaceAll("'");
    mended = DOUBLE_QUOTES.matcher(mended).replaceAll("\"");
    mended = CONTROLS.matcher(mended).replaceAll("");
    mended = Normalizer.normalize(mended, Normalizer.Form.NFC);
    return SPACE.matcher(mended).replaceAll(" ").strip();
  }

  /// Ligatures of the Latin script as letters, and full and half width characters in their usual
  /// width.
  private static String unfold(String text) {
    var out = new StringBuilder(text.length());
    text.codePoints()
        .forEach(
            c -> {
              if (c >= 0xFB00 && c <= 0xFB06) {
                out.append(LIGATURES.get(c - 0xFB00));
              } else if (c == 0x3000 || (c >= 0xFF01 && c <= 0xFFEF)) {
                out.append(Normalizer.normalize(Character.toString(c), Normalizer.Form.NFKC));
              } else {
                out.appendCodePoint(c);
              }
            });
    return out.toString();
  }

  private static String unescape(String text) {
    return ENTITY.matcher(text).replaceAll(m -> Matcher.quoteReplacement(character(m)));
  }

  private static String character(MatchResult entity) {
    int code =
        entity.group(1) != null
            ? Integer.parseInt(entity.group(1))
            : entity.group(2) != null
                ? Integer.parseInt(entity.group(2), 16)
                : NAMES.getOrDefault(entity.group(3), -1);
    return code > 0 && Character.isDefined(code) && Character.getType(code) != Character.SURROGATE
        ? Character.toString(code)
        : entity.group();
  }
}
