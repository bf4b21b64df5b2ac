package io.gatun.server.openai;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gatun.models.sampling.TokenLogprobs;
import io.gatun.models.text.StreamingDecoder;
import io.gatun.models.text.Tokenizer;
import io.gatun.server.http.Call;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;

/// How likely tokens were, as `/v1/completions` tells it: lists of the tokens, of their
/// log-probabilities, of the likeliest tokens in their places, and of where they begin in the text,
/// in characters of Unicode.
public final class LegacyLogprobs {
  private final Tokenizer tokenizer;
  private final StreamingDecoder decoder;
  private ObjectNode node = empty();
  private int offset;

  private LegacyLogprobs(Tokenizer tokenizer, StreamingDecoder decoder) {
    this.tokenizer = tokenizer;
    this.decoder = decoder;
  }

  /// Of the tokens after a prompt.
  static LegacyLogprobs after(int[] prompt, Tokenizer tokenizer) {
    return new LegacyLogprobs(tokenizer, tokenizer.streamingDecoderAfter(prompt, true));
  }

  /// Of a prompt, and the tokens after it.
  ///
  /// @param text what the prompt was encoded from; special tokens that are written there have a
  ///   place in the text, and others have none
  /// @param judged the prompt's tokens from the second on: nothing says how likely the first was
  static LegacyLogprobs of(
      int[] prompt, String text, List<TokenLogprobs> judged, Tokenizer tokenizer) {
    var all = new LegacyLogprobs(tokenizer, tokenizer.streamingDecoder(true));
    for (int i = 0; i < prompt.length; i++) {
      all.add(prompt[i], i == 0 ? null : judged.get(i - 1));
      String piece = tokenizer.isSpecial(prompt[i]) ? tokenizer.piece(prompt[i]) : "";
      if (text.contains(piece)) {
        all.offset += piece.codePointCount(0, piece.length());
      }
    }
    return all;
  }

  private static ObjectNode empty() {
    var node = Call.JSON.createObjectNode();
    List.of("tokens", "token_logprobs", "top_logprobs", "text_offset").forEach(node::putArray);
    return node;
  }

  void add(TokenLogprobs found) {
    add(found.token(), found);
  }

  private void add(int token, TokenLogprobs found) {
    node.withArray("tokens").add(name(token));
    node.withArray("text_offset").add(offset);
    if (tokenizer.has(token)) {
      String text = decoder.push(token);
      offset += text.codePointCount(0, text.length());
    }
    if (found == null) {
      node.withArray("token_logprobs").addNull();
      node.withArray("top_logprobs").addNull();
      return;
    }
    node.withArray("token_logprobs").add(finite(found.logprob()));
    var top = node.withArray("top_logprobs").addObject();
    for (int i = 0; i < found.top().length; i++) {
      // Of tokens that are spelled alike the likeliest comes first.
      top.putIfAbsent(name(found.top()[i]), top.numberNode(finite(found.topLogprobs()[i])));
    }
    top.putIfAbsent(name(token), top.numberNode(finite(found.logprob())));
  }

  /// A token's text; of one that is only a part of a character the bytes, as OpenAI writes them.
  private String name(int id) {
    if (!tokenizer.has(id)) {
      return "";
    }
    byte[] bytes = tokenizer.bytes(id);
    var text = new String(bytes, StandardCharsets.UTF_8);
    return Arrays.equals(bytes, text.getBytes(StandardCharsets.UTF_8))
        ? text
        : "bytes:\\x" + HexFormat.ofDelimiter("\\x").formatHex(bytes);
  }

  /// What was added since the last call.
  ObjectNode take() {
    var taken = node;
    node = empty();
    return taken;
  }

  /// JSON has no infinity.
  static float finite(float logprob) {
    return Math.max(logprob, -9999);
  }
}
