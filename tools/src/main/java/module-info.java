/// The command line.
module io.gatun.tools {
  requires com.fasterxml.jackson.databind;
  requires info.picocli;
  requires io.gatun.models;
  requires jdk.management;
  requires jdk.unsupported; // JLine catches Ctrl-C by its sun.misc.Signal
  requires org.slf4j;
  // From the class path, where they are needed: an automatic module would draw in all others.
  requires static me.tongfei.progressbar;
  requires static org.jline.reader;
  requires static org.jline.terminal;

  opens io.gatun.tools to
      info.picocli;
}
