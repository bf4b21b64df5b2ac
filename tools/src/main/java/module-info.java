/// The command line.
module io.gatun.tools {
  requires com.fasterxml.jackson.databind;
  requires info.picocli;
  requires io.gatun.models;
  requires jdk.management;
  requires me.tongfei.progressbar;
  requires org.slf4j;
  // Only chatting needs them, from the class path: an automatic module would draw all others into
  // every start.
  requires static org.jline.reader;
  requires static org.jline.terminal;

  opens io.gatun.tools to
      info.picocli;
}
