/// Finds, unpacks and loads the native libraries, and offers typed calls into them.
module io.gatun.ffm {
  requires org.slf4j;

  exports io.gatun.ffm;
}
