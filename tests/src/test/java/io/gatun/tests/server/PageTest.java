package io.gatun.tests.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.search.Document;
import io.gatun.search.Index;
import io.gatun.server.Server;
import io.gatun.tests.TestData;
import io.gatun.tests.server.Browser.Page;
import java.net.URI;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// The page in a real browser, with the small models behind it.
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class PageTest {
  private static final String ANSWERED =
      "document.querySelector('#stop').hidden && document.querySelector('.message:not(.user)"
          + " .actions span').textContent";

  @TempDir private static Path documents;
  private static Browser browser;
  private static Server server;

  @BeforeAll
  static void start() throws Exception {
    browser = Browser.start();
    try (var index = Index.open(documents, null)) {
      index.add(
          List.of(
              new Document("rain.txt", "Rain falls over the garden."),
              new Document("fox.md", "A fox jumps over <b>the dog</b>.")));
    }
    server =
        Server.start(
            o ->
                o.model(TestData.pretrained("tiny-llm"))
                    .model(TestData.pretrained("tiny-sd"))
                    .model(TestData.pretrained("tiny-sam"))
                    .index(documents)
                    .threads(2)
                    .port(0));
  }

  @AfterAll
  static void stop() throws Exception {
    if (server != null) {
      server.close();
    }
    if (browser != null) {
      browser.close();
    }
  }

  /// Neither exceptions nor breaches of the policy.
  @AfterEach
  void noComplaints() {
    browser.assertNoComplaints();
  }

  private static Page open(String view) throws Exception {
    var page = browser.open(server.uri().resolve("#" + view));
    page.waitFor("document.querySelector('#chat-model').value");
    return page;
  }

  private static Page talk(String text, int tokens) throws Exception {
    var page = open("chat");
    set(page, "[name=max_tokens]", String.valueOf(tokens));
    set(page, "[name=seed]", "3");
    page.value("document.querySelector('#prompt').focus()");
    page.type(text);
    page.press("Enter");
    return page;
  }

  private static void set(Page page, String selector, String value) throws Exception {
    page.value(
        "(e => { e.value = '%s'; e.dispatchEvent(new Event('input', {bubbles: true})); })(document.querySelector('%s'))"
            .formatted(value, selector));
  }

  private static String answer(Page page) throws Exception {
    return page.text(".message:not(.user) .markdown:not(.thinking *)");
  }

  @Test
  void aConversation() throws Exception {
    var page = talk("Good morrow, my lord. What news?", 24);
    page.waitFor(ANSWERED);
    String first = answer(page);
    assertTrue(first.length() > 10, first);
    String stats = page.text(".message:not(.user) .actions span");
    assertTrue(stats.matches("tiny-llm · \\d+ tokens · [\\d.]+ tok/s.*"), stats);
    assertTrue(
        page.text("#context-text").matches("\\d+ of 512 tokens"), page.text("#context-text"));

    // It is there after the page was left, and the same seed gives the same answer again.
    page.go(server.uri());
    page.waitFor("document.querySelector('.message')");
    assertEquals(first, answer(page));
    assertEquals("Good morrow, my lord. What news?", page.text("#chats li span"));
    page.waitFor("document.querySelector('#chat-model').value");
    page.click("[aria-label=\"Answer again\"]");
    page.waitFor(ANSWERED);
    assertEquals(first, answer(page));

    // An edited question has another answer.
    page.click("[aria-label=\"Edit and ask again\"]");
    page.waitFor("document.activeElement.matches('.message.user textarea')");
    page.type("Speak, sir! ");
    page.press("Enter");
    page.waitFor("document.querySelector('.message.user .text')");
    page.waitFor(ANSWERED);
    assertNotEquals(first, answer(page));
    assertEquals(1, page.value("document.querySelectorAll('.message.user').length").asInt());

    page.click("#chats .icon");
    page.waitFor("document.querySelector('.welcome')");
    assertEquals(
        0,
        page.value("Object.keys(localStorage).filter(k => k.startsWith('gatun.chat')).length")
            .asInt());
  }

  @Test
  void keysBeginALineAndStopAnAnswer() throws Exception {
    var page = open("chat");
    // In fever, and by this throw of the dice, the model takes long to find an end: 496 tokens.
    set(page, "[name=seed]", "18");
    set(page, "[name=temperature]", "2");
    set(page, "[name=top_p]", "1");
    page.value("document.querySelector('#prompt').focus()");
    page.type("KING:");
    page.press("Enter", 8);
    page.type("Now!");
    assertEquals("KING:\nNow!", page.value("document.querySelector('#prompt').value").asText());
    page.press("Enter");
    page.waitFor(
        "document.querySelector('.message:not(.user) .markdown:not(.thinking *)').textContent");
    page.press("Escape");
    page.waitFor(ANSWERED);
    String stats = page.text(".message:not(.user) .actions span");
    assertTrue(stats.endsWith("stopped"), stats);
    // The server has stopped, too.
    page.waitFor(
        "fetch('metrics').then(r => r.text()).then(t => /gatun_answers_running\\{[^}]*\\}"
            + " 0/.test(t))");
  }

  @Test
  void anErrorIsASentence() throws Exception {
    var page = talk("word ".repeat(2000), 8);
    page.waitFor("document.querySelector('.message .error')?.textContent");
    String error = page.text(".message .error");
    assertTrue(error.matches("(?s).*\\d.*512.*\\."), error);
  }

  /// What a model writes is text, whatever it looks like.
  @Test
  void markdownIsNoHtml() throws Exception {
    var page = open("chat");
    var found =
        page.value(
            """
            import('./markdown.js').then(({render}) => {
              const place = document.createElement('div');
              document.body.append(place);
              const hostile = [
                '<img src=x onerror="window.owned=1">', '<script>window.owned=1</script>',
                '[a](javascript:window.owned=1)', '[b](data:text/html,<script>1</script>)', '![c](https://example.org/c.png)',
                '<a href="javascript:1">d</a>', '`<b>e</b>`', '[ok](https://example.org/)', '&lt;i&gt;f &#60;'];
              const text = hostile.join('\\n\\n') + '\\n\\n```html\\n<u>code</u>\\n```\\n\\n| <b>1</b> |\\n|---|\\n| **2** |\\n\\n- [x] done\\n';
              for (let i = 0; i <= text.length; i += 7) render(place, text.slice(0, i));
              render(place, text);
              const whole = document.createElement('div');
              render(whole, text);
              const result = {
                tags: [...new Set([...place.querySelectorAll('*')].map(e => e.localName))].sort().join(' '),
                links: [...place.querySelectorAll('a')].map(a => a.href).join(' '),
                text: place.textContent, owned: window.owned ?? 0,
                same: whole.isEqualNode(place)};
              place.remove();
              return result;
            })
            """);
    assertEquals(
        "a button code div header input li p path pre span strong svg table tbody td th thead tr ul use"
            .replace(" input", "")
            .replace(" path", ""),
        found.get("tags").asText());
    assertEquals("https://example.org/c.png https://example.org/", found.get("links").asText());
    assertTrue(
        found.get("text").asText().contains("<script>window.owned=1</script>"), found.toString());
    assertTrue(found.get("text").asText().contains("<i>f <"), found.toString());
    assertTrue(found.get("same").asBoolean(), "written piece by piece, it differs");
    assertEquals(0, found.get("owned").asInt());
  }

  /// A text that is nested too deeply is shown all the same, and so is what comes after it.
  @Test
  void whatIsNoMarkdownIsShownAsItIs() throws Exception {
    var page = open("chat");
    var shown =
        page.value(
            """
            import('./markdown.js').then(({render}) => {
              const place = document.createElement('div');
              const deep = '> '.repeat(4000) + 'x\\n';
              render(place, 'a *b*');
              render(place, 'a *b*\\n\\n' + deep);
              render(place, 'a *b*\\n\\n' + deep + '\\n\\nend');
              return place.textContent;
            })\
            """);
    assertEquals("a *b*\n\n" + "> ".repeat(4000) + "x\n\n\nend", shown.asText());
  }

  @Test
  void statusSaysWhatRuns() throws Exception {
    var page = open("status");
    page.waitFor("document.querySelector('#models tr')");
    assertEquals("Ready", page.text("#health"));
    assertTrue(page.text("#models").contains("tiny-sd"), page.text("#models"));
    assertTrue(page.value("document.querySelectorAll('#cards dt').length").asInt() >= 8);
  }

  @Test
  void aKeyIsAskedForAndKeptForTheTabOnly() throws Exception {
    try (var locked =
        Server.start(
            o ->
                o.model(TestData.pretrained("tiny-llm"))
                    .apiKey("open-sesame")
                    .threads(2)
                    .port(0))) {
      var page = browser.open(locked.uri());
      page.waitFor("document.querySelector('#key-dialog').open");
      page.type("open-sesame");
      page.press("Enter");
      page.waitFor("document.querySelector('#chat-model').value");
      assertEquals("open-sesame", page.value("sessionStorage['gatun.key']").asText());
      assertEquals(
          false, page.value("JSON.stringify(localStorage).includes('open-sesame')").asBoolean());
    }
  }

  /// Who cannot see the page is told what each control is, and reaches each by the Tab key.
  @ParameterizedTest
  @ValueSource(strings = {"chat", "images", "segment", "documents", "status"})
  void controlsHaveNames(String view) throws Exception {
    var page = open(view);
    var unnamed =
        page.value(
            """
            [...document.querySelectorAll('button, input, select, textarea, a, canvas, meter')]
              .filter(e => e.checkVisibility() && !(e.ariaLabel || e.labels?.[0]?.textContent.trim() || e.textContent.trim()))
              .map(e => e.outerHTML)
            """);
    assertTrue(unnamed.isEmpty(), unnamed.toString());
    var reached = new java.util.HashSet<String>();
    for (int i = 0; i < 60; i++) {
      page.press("Tab");
      reached.add(
          page.value(
                  "document.activeElement.id || document.activeElement.name ||"
                      + " document.activeElement.textContent")
              .asText());
    }
    var missed =
        page.value(
            """
            [...document.querySelectorAll('main button, main input:not([type=radio]), main select, main textarea')]
              .filter(e => e.checkVisibility() && !e.disabled).map(e => e.id || e.name || e.textContent)
            """);
    missed.forEach(
        one -> assertTrue(reached.contains(one.asText()), one + " is not reached; " + reached));
  }

  @ParameterizedTest
  @ValueSource(strings = {"chat", "images", "segment", "documents", "status"})
  void nothingIsCutOffOnAPhone(String view) throws Exception {
    var page = open(view);
    page.size(360, 740);
    page.waitFor("innerWidth === 360");
    var wide =
        page.value(
            """
            [...document.querySelectorAll('main *, nav *')]
              .filter(e => e.checkVisibility() && !e.closest('.scroll') && !e.matches('.unseen, option') && e.getBoundingClientRect().right > 361)
              .map(e => e.outerHTML.slice(0, 120))
            """);
    assertTrue(wide.isEmpty(), wide.toString());
    page.size(1280, 800);
  }

  @Test
  void imagesFromTextAndFromImages() throws Exception {
    var page = open("images");
    set(page, "#image-form [name=prompt]", "a red circle on a blue background");
    set(page, "[name=steps]", "4");
    set(page, "[name=seed][placeholder=Random]", "7");
    page.click("#paint");
    page.waitFor("document.querySelector('#gallery img')?.naturalWidth");
    assertEquals(64, page.value("document.querySelector('#gallery img').naturalWidth").asInt());
    assertTrue(
        page.text("#gallery small").startsWith("64 × 64 · 4 steps · seed 7 · "),
        page.text("#gallery small"));

    page.choose("#source-file", TestData.ROOT.resolve("docs/images/star.png"));
    page.waitFor("!document.querySelector('#source').hidden");
    page.value("document.querySelector('#source-canvas').scrollIntoView()");
    var at =
        page.value(
            "(r => [r.x, r.y,"
                + " r.width])(document.querySelector('#source-canvas').getBoundingClientRect())");
    double x = at.get(0).asDouble() + 0.3 * at.get(2).asDouble();
    double y = at.get(1).asDouble() + 0.3 * at.get(2).asDouble();
    page.mouse("mousePressed", x, y, 0);
    page.mouse("mouseMoved", x + 40, y, 0);
    page.mouse("mouseReleased", x + 40, y, 0);
    page.click("#paint");
    page.waitFor(
        "document.querySelectorAll('#gallery img').length === 2 && document.querySelector('#gallery"
            + " img').naturalWidth");
    assertEquals("", page.text("#paint-error"));
  }

  @Test
  void objectsOfAPhoto() throws Exception {
    var page = open("segment");
    page.choose("#photo-file", TestData.pretrained("tiny-sam/scene1.png"));
    page.waitFor("!document.querySelector('#everything').disabled");
    var at =
        page.value(
            "(r => [r.x, r.y, r.width,"
                + " r.height])(document.querySelector('#photo-canvas').getBoundingClientRect())");
    // The object of the README's picture: 170, 90 of 256 x 192.
    double x = at.get(0).asDouble() + at.get(2).asDouble() * 170 / 256;
    double y = at.get(1).asDouble() + at.get(3).asDouble() * 90 / 192;
    page.mouse("mousePressed", x, y, 0);
    page.mouse("mouseReleased", x, y, 0);
    page.waitFor("document.querySelector('#masks li')");
    assertTrue(page.text("#segment-state").matches("\\d masks?\\."), page.text("#segment-state"));
    assertEquals(
        false, page.value("document.querySelector('#download-json').disabled").asBoolean());

    // By keyboard: a point on the background, then undone.
    page.value("document.querySelector('#photo-canvas').focus()");
    page.press("ArrowLeft");
    page.press("Enter", 8);
    page.waitFor("document.querySelector('#segment-state').textContent.includes('mask')");
    page.click("#prompt-clear");
    page.waitFor("!document.querySelector('#masks li')");

    page.mouse("mousePressed", x - 60, y - 60, 0);
    page.mouse("mouseMoved", x, y, 0);
    page.mouse("mouseMoved", x + 60, y + 60, 0);
    page.mouse("mouseReleased", x + 60, y + 60, 0);
    page.waitFor("document.querySelector('#masks li')");

    page.click("#everything");
    page.waitFor("document.querySelectorAll('#masks li').length > 3");
    assertEquals("", page.text("#segment-error"));
  }

  @Test
  void passagesAndAnswersFromDocuments() throws Exception {
    var page = open("documents");
    page.waitFor("document.querySelectorAll('#documents tr').length === 2");
    assertEquals("2 documents, 2 passages", page.text("#documents-count"));
    set(page, "[name=query]", "where does rain fall over foxes");
    page.click("#documents-search");
    page.waitFor("document.querySelector('#sources li')");
    assertEquals("rain.txt:1", page.text("#sources strong"));
    assertEquals("A fox jumps over <b>the dog</b>.", page.text("#sources li:nth-child(2) p"));
    assertEquals("", page.text("#documents-reply"));

    page.click("#documents-answer");
    page.waitFor("document.querySelector('#documents-stats').textContent.includes('tok/s')");
    assertTrue(page.text("#documents-reply").length() > 5, page.text("#documents-reply"));
    assertEquals("rain.txt:1", page.text("#sources strong"));

    set(page, "[name=query]", "zebra");
    page.click("#documents-search");
    page.waitFor("document.querySelector('#sources .empty')");
    assertEquals("", page.text("#documents-error"));
  }

  @Test
  void theThemeIsTheSystemsOrTheOneChosen() throws Exception {
    var page = open("chat");
    String ground = "getComputedStyle(document.body).backgroundColor";
    String light = page.value(ground).asText();
    page.click("#theme-button");
    page.click("#theme-button");
    assertEquals("Theme: dark", page.text("#theme-button").strip());
    String dark = page.value(ground).asText();
    assertNotEquals(light, dark);
    page.go(URI.create(server.uri() + "?again"));
    assertEquals(dark, page.value(ground).asText());
  }
}
