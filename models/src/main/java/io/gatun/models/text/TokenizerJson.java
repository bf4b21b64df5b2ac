package io.gatun.models.text;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gatun.loaders.CheckpointException;
import io.gatun.models.nn.JsonTree;
import java.io.IOException;
import java.io.Reader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.UnaryOperator;

/// Reads Hugging Face's `tokenizer.json`; the vocabulary and the merges as a stream.
final class TokenizerJson {
  private static final int MAX_ID = 1 << 22;

  private static final Set<String> STAGES =
      Set.of("normalizer", "pre_tokenizer", "post_processor", "decoder", "added_tokens");

  private final Path file;
  private final ObjectNode root = JsonTree.object();
  private final ObjectNode model = JsonTree.object();
  private String[] pieces = new String[1 << 15];
  private int size;
  private float[] scores;

  /// The pieces that merge, by rank.
  private final ArrayList<String> lefts = new ArrayList<>();

  private final ArrayList<String> rights = new ArrayList<>();

  private TokenizerJson(Path file) {
    this.file = file;
  }

  /// Reads a tokenizer.
  ///
  /// @throws CheckpointException if the file is damaged or asks for what Gatun does not have
  static Tokenizer read(Path file, TokenizerConfig config) {
    var json = new TokenizerJson(file);
    // From characters, not bytes: Jackson refuses escaped surrogates in names that it reads as
    // bytes.
    try (Reader in = Files.newBufferedReader(file);
        JsonParser parser = JsonTree.parser(in)) {
      json.parse(parser);
      return json.build(config);
    } catch (JsonProcessingException e) {
      throw new CheckpointException(
          "%s: this is not valid JSON: %s. Get the file again.".formatted(file, e.getMessage()), e);
    } catch (IOException e) {
      throw new CheckpointException("%s: cannot be read: %s".formatted(file, e.getMessage()), e);
    }
  }

  /// One entry of `added_tokens`; what is looked for is still the raw content.
  static AddedToken addedToken(int id, JsonNode node) {
    String content = node.path("content").asText();
    return new AddedToken(
        id,
        content,
        content,
        node.path("special").asBoolean(),
        node.path("single_word").asBoolean(),
        node.path("lstrip").asBoolean(),
        node.path("rstrip").asBoolean(),
        node.path("normalized").asBoolean());
  }

  private void parse(JsonParser parser) throws IOException {
    expect(parser.nextToken(), JsonToken.START_OBJECT, "the file");
    while (parser.nextToken() == JsonToken.FIELD_NAME) {
      String name = parser.currentName();
      JsonToken token = parser.nextToken();
      if (name.equals("model") && token == JsonToken.START_OBJECT) {
        parseModel(parser);
      } else if (STAGES.contains(name)) {
        root.set(name, JsonTree.value(parser));
      } else {
        parser.skipChildren();
      }
    }
  }

  private void parseModel(JsonParser parser) throws IOException {
    while (parser.nextToken() == JsonToken.FIELD_NAME) {
      String name = parser.currentName();
      JsonToken token = parser.nextToken();
      if (name.equals("vocab") && token == JsonToken.START_OBJECT) {
        while (parser.nextToken() == JsonToken.FIELD_NAME) {
          String piece = parser.currentName();
          expect(parser.nextToken(), JsonToken.VALUE_NUMBER_INT, "an id in model.vocab");
          put(parser.getIntValue(), piece);
        }
      } else if (name.equals("vocab")) {
        parseScores(parser);
      } else if (name.equals("merges")) {
        parseMerges(parser);
      } else {
        model.set(name, JsonTree.value(parser));
      }
    }
  }

  private void parseScores(JsonParser parser) throws IOException {
    expect(parser.currentToken(), JsonToken.START_ARRAY, "model.vocab");
    scores = new float[pieces.length];
    while (parser.nextToken() == JsonToken.START_ARRAY) {
      expect(parser.nextToken(), JsonToken.VALUE_STRING, "a piece in model.vocab");
      put(size, parser.getText());
      parser.nextToken();
      if (scores.length < pieces.length) {
        scores = Arrays.copyOf(scores, pieces.length);
      }
      scores[size - 1] = parser.getFloatValue();
      expect(parser.nextToken(), JsonToken.END_ARRAY, "a piece in model.vocab");
    }
  }

  private void parseMerges(JsonParser parser) throws IOException {
    expect(parser.currentToken(), JsonToken.START_ARRAY, "model.merges");
    for (JsonToken token = parser.nextToken(); token != JsonToken.END_ARRAY; ) {
      if (token == JsonToken.START_ARRAY) {
        expect(parser.nextToken(), JsonToken.VALUE_STRING, "a merge");
        lefts.add(parser.getText());
        expect(parser.nextToken(), JsonToken.VALUE_STRING, "a merge");
        rights.add(parser.getText());
        expect(parser.nextToken(), JsonToken.END_ARRAY, "a merge");
      } else {
        expect(token, JsonToken.VALUE_STRING, "a merge");
        String merge = parser.getText();
        int space = merge.indexOf(' ');
        if (space < 0) {
          throw new CheckpointException(
              "%s: the merge \"%s\" needs two pieces with a space between them"
                  .formatted(file, Excerpt.of(merge)));
        }
        lefts.add(merge.substring(0, space));
        rights.add(merge.substring(space + 1));
      }
      token = parser.nextToken();
    }
  }

  private void put(int id, String piece) {
    if (id < 0 || id > MAX_ID) {
      throw new CheckpointException(
          "%s: \"%s\" has the id %d; ids go from 0 to %d"
              .formatted(file, Excerpt.of(piece), id, MAX_ID));
    }
    if (id >= pieces.length) {
      pieces = Arrays.copyOf(pieces, Math.max(2 * pieces.length, id + 1));
    }
    if (pieces[id] != null && !pieces[id].equals(piece)) {
      throw new CheckpointException(
          "%s: \"%s\" and \"%s\" both have the id %d; need one for each"
              .formatted(file, Excerpt.of(pieces[id]), Excerpt.of(piece), id));
    }
    pieces[id] = piece;
    size = Math.max(size, id + 1);
  }

  private void expect(JsonToken found, JsonToken needed, String what) {
    if (found != needed) {
      throw new CheckpointException("%s: %s is %s; need %s".formatted(file, what, found, needed));
    }
  }

  private Tokenizer build(TokenizerConfig config) {
    if (size == 0) {
      throw new CheckpointException(
          file + ": this is no tokenizer: it has no model.vocab with pieces. Get the file again.");
    }
    var vocabulary = new Vocabulary(Arrays.copyOf(pieces, size));
    var stages = new TokenizerJsonStages(file, vocabulary);
    UnaryOperator<String> normalizer = stages.normalizer(root.path("normalizer"));
    List<AddedToken> added = addedTokens(config, normalizer);
    Model encoder = stages.model(model, lefts, rights, scores, added);
    PreTokenizer words = stages.preTokenizer(root.path("pre_tokenizer"));
    if (!model.path("ignore_merges").asBoolean() && vocabulary.spacesOnlyLead()) {
      words = words.then(PreTokenizer.beforeSpaces());
    }
    Decoder decoder = stages.decoder(root.path("decoder"));
    return new Tokenizer(
        file,
        vocabulary,
        added,
        new Tokenizer.Pipeline(normalizer, words, encoder, decoder),
        marks(config, vocabulary, added));
  }

  private List<AddedToken> addedTokens(TokenizerConfig config, UnaryOperator<String> normalizer) {
    var byId = new HashMap<Integer, AddedToken>();
    config.addedTokens().forEach(token -> byId.put(token.id(), token));
    for (JsonNode node : root.path("added_tokens")) {
      int id = node.path("id").asInt(-1);
      if (id < 0 || id > MAX_ID) {
        throw new CheckpointException(
            "%s: the added token %s needs an id from 0 to %d"
                .formatted(file, Excerpt.of(node), MAX_ID));
      }
      byId.put(id, addedToken(id, node));
    }
    return byId.values().stream().map(token -> token.normalizedBy(normalizer)).toList();
  }

  private Tokenizer.Marks marks(
      TokenizerConfig config, Vocabulary vocabulary, List<AddedToken> added) {
    Map<String, Integer> ids = new HashMap<>();
    added.forEach(token -> ids.put(token.content(), token.id()));
    int bos = config.bos(vocabulary, ids);
    int eos = config.eos(vocabulary, ids);
    var prefix = new Ids();
    var suffix = new Ids();
    PairTemplate pair = null;
    // transformers builds this class's template anew from these two keys.
    boolean llama =
        config.tokenizer().path("tokenizer_class").asText().matches("(Code)?LlamaTokenizer(Fast)?");
    if (llama && config.tokenizer().has("add_bos_token")) {
      if (bos >= 0 && config.tokenizer().path("add_bos_token").asBoolean()) {
        prefix.add(bos);
      }
      if (eos >= 0 && config.tokenizer().path("add_eos_token").asBoolean()) {
        suffix.add(eos);
      }
    } else {
      postProcessor(root.path("post_processor"), prefix, suffix);
      pair = pair(root.path("post_processor"));
    }
    return new Tokenizer.Marks(
        bos, eos, prefix.toArray(), suffix.toArray(), config.ends(eos, added), pair);
  }

  /// What a post-processor makes of two texts; null if it says nothing of them.
  private static PairTemplate pair(JsonNode node) {
    PairTemplate pair = null;
    switch (node.path("type").asText("")) {
      case "Sequence" -> {
        for (JsonNode each : node.path("processors")) {
          PairTemplate found = pair(each);
          pair = found == null ? pair : found;
        }
      }
      case "BertProcessing" -> pair = PairTemplate.bert(cls(node), sep(node));
      case "RobertaProcessing" -> pair = PairTemplate.roberta(cls(node), sep(node));
      case "TemplateProcessing" -> pair = template(node);
      default -> {} // ByteLevel only concerns offsets
    }
    return pair;
  }

  private static int cls(JsonNode node) {
    return node.path("cls").path(1).asInt();
  }

  private static int sep(JsonNode node) {
    return node.path("sep").path(1).asInt();
  }

  private static PairTemplate template(JsonNode node) {
    var slots = new ArrayList<PairTemplate.Slot>();
    for (JsonNode part : node.path("pair")) {
      JsonNode text = part.path("Sequence");
      JsonNode token = part.path("SpecialToken");
      if (text.isObject()) {
        boolean first = text.path("id").asText().equals("A");
        slots.add(
            new PairTemplate.Slot(
                first ? PairTemplate.FIRST : PairTemplate.SECOND, text.path("type_id").asInt()));
      } else {
        String name = token.path("id").asText();
        for (JsonNode id : node.path("special_tokens").path(name).path("ids")) {
          slots.add(new PairTemplate.Slot(id.asInt(), token.path("type_id").asInt()));
        }
      }
    }
    return slots.isEmpty() ? null : new PairTemplate(slots);
  }

  /// What a post-processor puts before and after a single text.
  private void postProcessor(JsonNode node, Ids prefix, Ids suffix) {
    switch (node.path("type").asText("")) {
      case "", "ByteLevel" -> {} // ByteLevel only concerns offsets, which are not kept
      case "Sequence" -> node.path("processors").forEach(p -> postProcessor(p, prefix, suffix));
      case "BertProcessing", "RobertaProcessing" -> {
        prefix.add(cls(node));
        suffix.add(sep(node));
      }
      case "TemplateProcessing" -> {
        Ids side = prefix;
        for (JsonNode part : node.path("single")) {
          if (part.has("Sequence")) {
            side = suffix;
          } else {
            String name = part.path("SpecialToken").path("id").asText();
            for (JsonNode id : node.path("special_tokens").path(name).path("ids")) {
              side.add(id.asInt());
            }
          }
        }
      }
      default -> throw unsupported("post_processor", node);
    }
  }

  private CheckpointException unsupported(String stage, JsonNode node) {
    return TokenizerJsonStages.unsupported(file, stage, node);
  }
}
