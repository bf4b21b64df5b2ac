package io.gatun.tests.template;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import io.gatun.models.template.Template;
import io.gatun.models.template.TemplateError;
import io.gatun.tests.Limits;
import io.gatun.tests.TestData;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CancellationException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Templates that reach for what is not theirs, or for all time and memory: each is rendered or
/// refused within [Limits].
class HostileTemplatesTest {
  private static final String PIECES =
      "{% {%- %} -%} {{ }} {# #} ( ) [ ] { } ' \" \\ | . , : = ~ + - * / // ** < > == != not in is"
          + " and or if else for endfor endif set macro endmacro call loop range(9999) 99999999999"
          + " messages x namespace() self _ 0 [::-1] |join |tojson(indent=99999) |length \n"
          + " ü 😀 \u0001 \u0000";

  private static final Map<String, Object> VARIABLES =
      Map.of(
          "messages",
          List.of(
              Map.of("role", "user", "content", "Hello <|eot_id|>"),
              Map.of("role", "assistant", "content", "")),
          "add_generation_prompt",
          true);

  /// The text, or null and the message in `error`.
  private static String render(String source, Map<String, ?> variables, StringBuilder error) {
    try {
      return Template.parse(source).render(variables, Clock.systemUTC()).text();
    } catch (TemplateError e) {
      assertNotNull(e.getMessage());
      error.append(e.getMessage());
      return null;
    }
  }

  private static void refused(String source, String why) {
    var error = new StringBuilder();
    String text = Limits.within(() -> render(source, VARIABLES, error));
    assertEquals(null, text);
    assertTrue(error.toString().contains(why), error.toString());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        // Jinjava (CVE-2026-25526) reached a class, its protection domain and a URL this way.
        "{% for class,x in [loop] %}{% for protectionDomain,y in [class] %}{{ y }}{% endfor %}{%"
            + " endfor %}",
        "{{ loop.class.protectionDomain }}",
        "{{ ''.getClass().forName('java.lang.Runtime') }}",
        "{{ messages.getClass() }}",
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ raise_exception.__globals__.os }}",
        "{{ messages.append(1) }}",
        "{{ messages[0].update({}) }}",
        "{{ [].__init__.__globals__ }}",
        "{{ namespace.__init__.x }}",
        "{{ cycler.__init__.__globals__.os }}",
        "{{ '{0.__class__.__mro__}'.format('') }}",
        "{{ messages|map(attribute='__class__.x')|list }}",
        "{{ ''|attr('__class__')|attr('__mro__') }}{{ (''|attr('__class__')).x }}",
        "{% include '/etc/passwd' %}",
        "{% import 'x' as y %}",
        "{% extends 'x' %}",
        "{{ \u0001999\u0001 }}",
        "{{ 1 + }}",
        "{% if %}",
        "{% for x in messages %}",
        "{{ 'a",
        "{{ x | nosuch }}",
        "{{ x is nosuch }}",
        "{{ 1 if }}",
        "{% set true = 1 %}",
        "{% break %}",
        "{{ '\\ud83' }}",
        "{{ 'a' * 'b' }}",
      })
  void reachingOutIsRefused(String source) {
    refused(source, "line 1: ");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{% for a in range(1000) %}{% for b in range(1000) %}{% for c in range(1000) %}{% for d in"
            + " range(1000) %}{% endfor %}{% endfor %}{% endfor %}{% endfor %}",
        "{% for a in range(100000) %}{% for b in range(100000) %}x{% endfor %}{% endfor %}",
        "{% for a in range(9999) %}{{ range(99999)|list|length }}{% endfor %}",
        "{% for a in range(99999) %}{{ messages|tojson|length }}{{ messages|string|upper }}{%"
            + " endfor %}",
        "{{ range(100000)|map('string')|map('center', 99)|join|length }}",
        "{{ [range(100000)|list]|map('list')|list }}{{ range(100000)|map('upper')|list * 50 }}",
        "{{ range(100000)|batch(1, 'x')|list|tojson }}{{ range(10)|slice(1000000000)|list }}",
        "{{ range(100000)|sort(reverse=true)|sort|unique|sort|list|length }}{{ range(100000)|list +"
            + " range(100000)|list * 99}}",
        "{% set ns = namespace(l=[]) %}{% for a in range(99999) %}{% set ns.l = ns.l + [a] %}{%"
            + " endfor %}",
        "{% set ns = namespace(l={}) %}{% for a in range(99999) %}{% set ns.l = dict(ns.l, **{'k' ~"
            + " a: a}) %}{% endfor %}",
        "{% set ns = namespace(l=[1]) %}{% for a in range(99) %}{% set ns.l = [ns.l, ns.l] %}{%"
            + " endfor %}{{ ns.l == [ns.l, 1] }}{{ ns.l }}",
        "{% set ns = namespace(l=[1], m=[1]) %}{% for a in range(99) %}{% set ns.l = [ns.l, ns.l]"
            + " %}{% set ns.m = [ns.m, ns.m] %}{% endfor %}{{ ns.l == ns.m }}",
        "{% set ns = namespace(s='x') %}{% for a in range(99999) %}{% set ns.s = ns.s ~ a %}{% if"
            + " 'y' in ns.s %}{% endif %}{% endfor %}",
        "{% set a = ('a' * 300000) %}{% set b = 'a' * 150000 ~ 'b' %}{{ b in a }}{{ a.count(b) }}{{"
            + " a.find(b) }}{{ a.replace(b, '') }}",
        "{% set a = 'é' * 300000 %}{% for i in range(99999) %}{{ a.split('é')|length }}{{ a[i] }}{%"
            + " endfor %}",
        "{% set a = '😀' * 300000 %}{% for i in range(99999) %}{{ a[i] }}{% endfor %}",
        "{% macro f() %}{% for i in range(1000) %}{{ caller() }}{% endfor %}{% endmacro %}{% call"
            + " f() %}{% call f() %}{% call f() %}{% endcall %}{% endcall %}{% endcall %}",
        "{% for i in range(99999) %}{% set x = loop.cycle(1, 2) %}{% if loop.changed(messages) %}{%"
            + " endif %}{{ loop }}{% endfor %}",
        "{% for i in range(99999) %}{{ 7 ** 5000 % 99991 }}{{ 9.5 | round(3) }}{% set x = '%.90f' %"
            + " 0.1 %}{% endfor %}",
        "{% set x = 'x' * 999999 %}{{ x.replace('', 'yy') }}",
        "{% for i in range(99999) %}{% set x = ('1' * 4000)|int * 3 %}{% endfor %}",
      })
  void endlessWorkEnds(String source) {
    refused(source, "steps");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{{ 'x' * 10**9 }}",
        "{{ 10**9 * 'ab' }}",
        "{% set x = 'x' * 999999 %}{{ x.replace('x', x) }}",
        "{{ 'x' | center(999999999) }}",
        "{{ 'x'.zfill(2000000000) }}",
        "{{ 'x'.ljust(2000000000, 'y') }}",
        "{{ 'a\nb' | indent(999999999) }}",
        "{{ [1] | tojson(indent=999999999) }}",
        "{{ '%999999999d' % 1 }}",
        "{{ '{:>999999999}'.format(1) }}",
        "{{ '{0:999999999d}'.format(1) }}",
        "{% set x = 'x' * 999999 %}{{ x ~ x ~ x ~ x }}",
        "{% set x = 'x' * 999999 %}{{ [x, x, x] | join(x) }}",
        "{% set x = 'x' * 999999 %}{{ x }}{{ x }}{{ x }}",
        "{% set ns = namespace(s='x') %}{% for i in range(99) %}{% set ns.s = ns.s ~ ns.s %}{%"
            + " endfor %}",
      })
  void endlessTextEnds(String source) {
    refused(source, "characters");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{{ range(10**12) }}",
        "{{ [1] * 10**9 }}",
        "{{ 10 ** (10 ** 10) }}",
        "{{ (2 ** 16000) * (2 ** 16000) }}",
        "{{ 99999999999999999999 ** 99999999 }}",
        "{{ (2 ** 16000) | string }}",
        "{{ '%.999999999f' % 1.0 }}",
        "{{ '%99999999999d' % 1 }}",
        "{{ 1 / 0 }}",
        "{{ 'abc'.split('') }}",
        "{{ [1, 'a', none] | sort }}",
        "{{ {[1]: 2} }}",
        "{{ messages | batch(0) }}",
        "{% set ns = namespace() %}{% set ns.me = ns %}{{ ns }}",
        "{% set ns = namespace(l=[]) %}{% for i in range(9999) %}{% set ns.l = [ns.l] %}{% endfor"
            + " %}{{ ns.l }}",
        "{% set ns = namespace(l=[]) %}{% for i in range(9999) %}{% set ns.l = [ns.l] %}{% endfor"
            + " %}{{ ns.l | tojson }}",
        "{% set ns = namespace(l={}, m={}) %}{% for i in range(9999) %}{% set ns.l = {'a': ns.l}"
            + " %}{% set ns.m = {'a': ns.m} %}{% endfor %}{{ ns.l == ns.m }}",
        "{% set ns = namespace(l=[], m=[]) %}{% for i in range(9999) %}{% set ns.l = [ns.l] %}{%"
            + " set ns.m = [ns.m] %}{% endfor %}{{ ns.l < ns.m }}",
        "{% macro f(x) %}{{ f(x + 1) }}{% endmacro %}{{ f(0) }}",
        "{% macro f() %}{{ g() }}{% endmacro %}{% macro g() %}{{ f() }}{% endmacro %}{{ f() }}",
        "{% macro f() %}{% call f() %}{{ caller() }}{% endcall %}{{ caller }}{% endmacro %}{% call"
            + " f() %}{% endcall %}",
        "{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}",
      })
  void mistakesOfScaleAreRefused(String source) {
    refused(source, "line 1: ");
  }

  @Test
  void depth() {
    int n = 20_000;
    refused("{{ " + "(".repeat(n) + "1" + ")".repeat(n) + " }}", "levels deep");
    refused("{{ " + "[".repeat(n) + "]".repeat(n) + " }}", "levels deep");
    refused("{{ " + "{1:".repeat(n) + "1" + "}".repeat(n) + " }}", "levels deep");
    refused("{{ " + "not ".repeat(n) + "1 }}", "levels deep");
    refused("{{ " + "-".repeat(n) + "1 }}", "levels deep");
    refused("{{ " + "1 if 1 else ".repeat(n) + "1 }}", "levels deep");
    refused("{{ 1" + " + 1".repeat(n) + " }}", "levels deep");
    refused("{{ x" + "|string".repeat(n) + " }}", "levels deep");
    refused("{{ messages" + "[0:]".repeat(n) + " }}", "levels deep");
    refused("{% if 1 %}".repeat(n) + "{% endif %}".repeat(n), "levels deep");
    refused("{% for x in [1] %}".repeat(n) + "{% endfor %}".repeat(n), "levels deep");
    refused(
        "{% for " + "(".repeat(n) + "x" + ")".repeat(n) + " in [] %}{% endfor %}", "levels deep");
    refused("{% macro f() %}".repeat(n), "levels deep");
    refused("x".repeat((1 << 20) + 1), "1,048,577 characters");
    refused("{{ " + "9".repeat(5000) + " }}", "digits");
    // As deep as any model's template, and as their schemas are.
    String deep = "(".repeat(40) + "1" + ")".repeat(40);
    assertEquals("1", render("{{ " + deep + " }}", Map.of(), new StringBuilder()));
    String tree =
        "{% macro f(n) %}{% if n > 0 %}{% for x in [n] %}{{ f(n - 1) }}{% endfor %}{% endif %}."
            + "{% endmacro %}{{ f(40) }}";
    assertEquals(".".repeat(41), render(tree, Map.of(), new StringBuilder()));
  }

  @Test
  void valuesThatContainThemselves() {
    var list = new ArrayList<Object>();
    list.add(list);
    var map = new HashMap<String, Object>();
    map.put("me", map);
    for (Object value : List.of(list, map)) {
      assertThrows(
          IllegalArgumentException.class,
          () -> Template.parse("{{ x }}").render(Map.of("x", value), Clock.systemUTC()));
    }
  }

  /// The work that is allowed grows with the conversation.
  @Test
  void longConversations() {
    var messages = new ArrayList<Map<String, Object>>();
    for (int i = 0; i < 2000; i++) {
      messages.add(
          Map.of("role", i % 2 == 0 ? "user" : "assistant", "content", "word ".repeat(400)));
    }
    String source =
        "{% for m in messages %}<|{{ m.role }}|>{% if '</think>' in m.content %}{{"
            + " m.content.split('</think>')[-1].lstrip('\\n') }}{% else %}{{ m.content | trim }}{%"
            + " endif %}{{ '<|end|>' }}{% endfor %}";
    var error = new StringBuilder();
    String text = render(source, Map.of("messages", messages), error);
    assertNotNull(text, error.toString());
    assertTrue(text.length() > 4_000_000);
  }

  @Test
  void interrupted() {
    Thread.currentThread().interrupt();
    try {
      assertThrows(
          CancellationException.class,
          () -> Template.parse("{{ 1 }}").render(Map.of(), Clock.systemUTC()));
      assertTrue(Thread.currentThread().isInterrupted());
    } finally {
      Thread.interrupted();
    }
  }

  /// Each of 2,000 is one of the recorded templates, changed in up to three places.
  @Test
  void mutations() throws Exception {
    var goldens = new JinjaGoldens(TestData.ROOT.resolve("tests/src/test/resources/jinja"));
    var sources = new ArrayList<String>();
    var variables = new ArrayList<Map<String, Object>>();
    for (Path file : goldens.files()) {
      JsonNode golden = JinjaGoldens.JSON.readTree(file.toFile());
      sources.add(goldens.template(golden));
      variables.add(goldens.variables(golden, golden.get("cases").get(0)));
    }
    Path shared = TestData.ROOT.resolveSibling("shared/testdata/jinja/templates");
    if (Files.isDirectory(shared)) {
      try (var files = Files.list(shared)) {
        for (Path file : files.sorted().toList()) {
          sources.add(Files.readString(file));
        }
      }
    }
    String[] pieces = PIECES.split(" ", -1);
    var random = new Random(1);
    for (int i = 0; i < 2000; i++) {
      var text = new StringBuilder(sources.get(i % sources.size()));
      for (int change = random.nextInt(3); change >= 0; change--) {
        int from = random.nextInt(text.length());
        int to = Math.min(text.length(), from + random.nextInt(20));
        switch (random.nextInt(4)) {
          case 0 -> text.delete(from, to);
          case 1 -> text.insert(from, pieces[random.nextInt(pieces.length)]);
          case 2 -> text.replace(from, to, pieces[random.nextInt(pieces.length)]);
          default -> text.insert(from, text.substring(from, to).repeat(1 + random.nextInt(50)));
        }
      }
      var values = variables.get(i % variables.size());
      Limits.within(() -> render(text.toString(), values, new StringBuilder()));
    }
  }
}
