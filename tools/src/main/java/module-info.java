/// The command line.
module io.gatun.tools {
  requires com.fasterxml.jackson.databind;
  requires info.picocli;
  requires io.gatun.models;
  requires static io.gatun.search; // for commands that search, whose launcher adds it
  requires static io.gatun.server; // for gatun serve alone, whose launcher adds it
  requires java.logging;
  requires java.net.http;
  requires jdk.management;
  requires jdk.unsupported; // JLine catches Ctrl-C by its sun.misc.Signal
  requires org.jline; // the one automatic module: more would draw in each other
  requires org.slf4j;

  opens io.gatun.tools to
      info.picocli;
  opens io.gatun.tools.bench to
      info.picocli;
  opens io.gatun.tools.evaluate to
      info.picocli;
  opens io.gatun.tools.imagine to
      info.picocli;
  opens io.gatun.tools.models to
      info.picocli;
  opens io.gatun.tools.options to
      info.picocli;
  opens io.gatun.tools.remote to
      info.picocli;
  opens io.gatun.tools.search to
      info.picocli;
  opens io.gatun.tools.segment to
      info.picocli;
  opens io.gatun.tools.text to
      info.picocli;
}
