package io.gatun.tests.constraint;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.networknt.schema.InputFormat;
import com.networknt.schema.SchemaRegistry;
import com.networknt.schema.SpecificationVersion;
import io.gatun.models.constraint.Constraint;
import io.gatun.models.constraint.ConstraintException;
import io.gatun.models.text.Tokenizer;
import io.gatun.tests.TestData;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/// JSON by schemas, judged by a validator that is not ours.
@Execution(ExecutionMode.CONCURRENT)
class JsonSchemaTest {
  static final Path FOLDER = TestData.ROOT.resolve("tests/src/test/resources/constraint/schemas");
  private static final Tokenizer TOKENIZER = Walks.tokenizer();
  private static final SchemaRegistry VALIDATORS =
      SchemaRegistry.withDefaultDialect(SpecificationVersion.DRAFT_2020_12);

  static Stream<Path> schemas() throws IOException {
    try (var files = Files.list(FOLDER)) {
      return files.sorted().toList().stream();
    }
  }

  /// What is wrong with a document, or nothing.
  static List<String> errors(String schema, String document) {
    return VALIDATORS
        .getSchema(schema)
        .validate(
            document,
            InputFormat.JSON,
            context -> context.executionConfig(config -> config.formatAssertionsEnabled(true)))
        .stream()
        .map(Object::toString)
        .toList();
  }

  @ParameterizedTest
  @MethodSource("schemas")
  void whateverIsDrawnIsValidAndEndsInTime(Path file) throws IOException {
    String schema = Files.readString(file);
    var constraint = Constraint.jsonSchema(schema);
    var random = new Random(file.getFileName().toString().hashCode());
    for (int most : new int[] {60, 200, 200, 400, 400}) {
      int least = constraint.start(TOKENIZER).tokensToEnd();
      String text = Walks.random(constraint, TOKENIZER, Math.max(most, least), random);
      assertEquals(List.of(), errors(schema, text), text);
      assertTrue(Walks.accepts(constraint, TOKENIZER, text, random), text);
    }
  }

  @Test
  void thereAreFiftySchemas() throws IOException {
    assertTrue(schemas().count() >= 50);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '~',
      quoteCharacter = '`',
      textBlock =
          """
          {"type": "object", "propertis": {}} ~ at /propertis: the keyword propertis is not supported
          {"properties": {"a": {"not": {}}}} ~ at /properties/a/not: the keyword not is not supported; say what is allowed
          {"if": true, "then": false} ~ at /if: the keyword if is not supported
          {"type": "array", "contains": {}} ~ at /contains: the keyword contains
          {"unevaluatedProperties": false} ~ at /unevaluatedProperties: the keyword
          {"dependentRequired": {"a": ["b"]}} ~ at /dependentRequired: the keyword
          {"nullable": true} ~ at /nullable: the keyword nullable is not supported; write "type": [..., "null"]
          {"type": "array", "items": [true]} ~ at /items: a list is what prefixItems has
          {"type": "array", "uniqueItems": true} ~ uniqueItems is supported for items of an enum
          {"oneOf": [{"type": "string"}, {"maxLength": 3}]} ~ at /oneOf: a value may follow the alternatives 0 and 1 at once
          {"oneOf": [{"type": "number"}, {"type": "integer"}]} ~ which oneOf forbids
          {"$ref": "https://example.com/a.json"} ~ at /$ref: cannot refer to "https://example.com/a.json"
          {"$ref": "#/$defs/a"} ~ at /$ref: there is nothing at #/$defs/a
          {"$ref": "#"} ~ the schema refers to itself
          {"$defs": {"a": {"anyOf": [{"$ref": "#/$defs/a"}]}}, "$ref": "#/$defs/a"} ~ no text at all would be valid
          {"type": "text"} ~ at /type: found "text"; a type is null
          {"type": "string", "pattern": "(a"} ~ at /pattern, at character 1: the group that opens here is not closed
          {"type": "string", "pattern": "(?=a)"} ~ lookahead is not supported
          {"type": "string", "maxLength": 1000000000} ~ at /maxLength: found 1000000000; at most 16,777,216
          {"type": "string", "maxLength": -1} ~ at /maxLength: found -1; need a whole number
          {"type": "string", "pattern": "a", "maxLength": 50000} ~ a pattern is too large
          {"type": "integer", "multipleOf": 0.3} ~ multipleOf 0.3 is not supported
          {"type": "object", "minProperties": 3} ~ minProperties 3 needs several names
          {"enum": []} ~ at /enum: found an empty array; need a list of values
          {"required": "a"} ~ at /required: found "a"; need a list of names
          false ~ no text at all would be valid
          {"type": "string", "enum": [1]} ~ no text at all would be valid
          {"type": "integer", "minimum": 2, "maximum": 1} ~ no text at all would be valid
          {"allOf": [{"type": "string"}, {"type": "null"}]} ~ no text at all would be valid
          {"type": "object", "required": ["a"], "properties": {"a": {"$ref": "#"}}} ~ no text at all would be valid
          {"a": 1, "a": 2} ~ the JSON schema is not JSON: Duplicate field 'a'
          {"a": 1 ~ the JSON schema is not JSON
          [] ~ at its root: found an empty array; a schema is an object
          """)
  void refusesWhatItCannotEnforce(String schema, String message) {
    var e = assertThrows(ConstraintException.class, () -> Constraint.jsonSchema(schema));
    assertTrue(e.getMessage().contains(message), e.getMessage());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '~',
      quoteCharacter = '`',
      textBlock =
          """
          true ~ {"a": [1, -2.5e3, "\\u00e9\\ud83d\\ude00 é", true, null, {}]} ~ true
          true ~ {"a":"\\ud83d"} ~ false
          true ~ [1,2 ] ~ true
          true ~ [1,,2] ~ false
          true ~ 01 ~ false
          {"type": "integer", "minimum": -5, "maximum": 12} ~ -5 ~ true
          {"type": "integer", "minimum": -5, "maximum": 12} ~ 12 ~ true
          {"type": "integer", "minimum": -5, "maximum": 12} ~ -6 ~ false
          {"type": "integer", "minimum": -5, "maximum": 12} ~ 13 ~ false
          {"type": "integer", "minimum": -5, "maximum": 12} ~ 130 ~ false
          {"type": "number", "exclusiveMaximum": 0.5} ~ 0.5 ~ false
          {"type": "number", "exclusiveMaximum": 0.5} ~ 0.49 ~ true
          {"type": "number", "exclusiveMaximum": 0.5} ~ -700.25 ~ true
          {"type": "number", "minimum": 0.5} ~ 0.50 ~ true
          {"type": "number", "minimum": 0.5} ~ 0.5000001 ~ true
          {"type": "number", "minimum": 0.5} ~ 0.49 ~ false
          {"type": "number", "minimum": 0.5} ~ 12 ~ true
          {"type": "string", "maxLength": 2} ~ "😀é" ~ true
          {"type": "string", "maxLength": 2} ~ "\\ud83d\\ude00é" ~ true
          {"type": "string", "maxLength": 2} ~ "abc" ~ false
          {"type": "string", "pattern": "b"} ~ "abc" ~ true
          {"type": "string", "pattern": "b"} ~ "ac" ~ false
          {"type": "string", "format": "date"} ~ "2024-02-29" ~ true
          {"type": "string", "format": "date"} ~ "2023-02-29" ~ false
          {"type": "string", "format": "date"} ~ "1900-02-29" ~ false
          {"type": "object", "properties": {"a": {"type": "integer"}}} ~ {"b": "x", "c": []} ~ true
          {"type": "object", "properties": {"a": {"type": "integer"}}} ~ {"a": "x"} ~ false
          {"type": "object", "properties": {"a": {"type": "integer"}}} ~ {"b": 1, "a": "x"} ~ false
          {"type": "object", "properties": {"a": true}, "additionalProperties": false} ~ {"ab": 1} ~ false
          {"properties": {"a": {"const": 1.0}}, "required": ["a"], "type": "object"} ~ {"a": 1.0} ~ true
          """)
  void takesJustTheValid(String schema, String document, boolean valid) {
    var constraint = Constraint.jsonSchema(schema);
    assertEquals(valid, Walks.accepts(constraint, TOKENIZER, document, new Random(1)), document);
  }

  /// A document in each of the spellings that a program may write.
  @Test
  void spaceIsFreeWithinBounds() throws IOException {
    var constraint = Constraint.jsonSchema(Files.readString(FOLDER.resolve("tree.json")));
    var random = new Random(1);
    for (String text :
        new String[] {
          "{\"value\":1,\"children\":[{\"value\":2,\"children\":[]}]}",
          "{ \"value\" : 1, \"children\" : [ { \"value\" : 2, \"children\" : [ ] } ] }",
          """
          {
            "value": 1,
            "children": [
              {
                "value": 2,
                "children": []
              }
            ]
          }\
          """
        }) {
      assertTrue(Walks.accepts(constraint, TOKENIZER, text, random), text);
    }
  }

  @Test
  void sizeIsBounded() {
    var wide = new StringBuilder("{\"type\":\"object\",\"properties\":{");
    for (int i = 0; i < 4000; i++) {
      wide.append("\"p%d\":{\"type\":\"integer\"},".formatted(i));
    }
    wide.append("\"q\":true}}");
    var values = new ArrayList<String>();
    for (int i = 0; i < 100_000; i++) {
      values.add("\"value number %d\"".formatted(i));
    }
    String any = "{\"anyOf\":[{\"minLength\":1},{\"minLength\":2},{\"minLength\":3}]}";
    String product = "{\"allOf\":[" + (any + ",").repeat(30) + "true]}";
    String deep = "{\"items\":".repeat(5000) + "true" + "}".repeat(5000);
    String pattern = "{\"type\":\"string\",\"pattern\":\"(a|b)*a(a|b){30}\"}";
    for (String schema :
        new String[] {
          wide.toString(), "{\"enum\":[" + String.join(",", values) + "]}", product, deep, pattern
        }) {
      assertTimeoutPreemptively(
          Duration.ofSeconds(30),
          () -> assertThrows(ConstraintException.class, () -> Constraint.jsonSchema(schema)),
          schema.substring(0, 30));
    }
  }
}
